"""The finished report in a real browser: silent, whole, reachable by keyboard, readable to everybody, on every screen."""

from __future__ import annotations

from importlib.resources import files as files_of
from pathlib import Path

import pytest

from analyzer.report import html, render
from tests.analyzer.report import results, scenes
from tests.analyzer.report.languages import Pseudo
from tests.browser.devtools import Browser, Page, installed

AXE = files_of("axe_core_python") / "axe.min.js"
TAB = 9
SCREENS = {"desktop": {"width": 1280}, "tablet": {"width": 820}, "phone": {"width": 360}, "dark": {"dark": True}}
PAGES = [*sorted(scenes.SCENES), "russian", "mirrored", "hostile", "whole", "empty", "unusable"]

pytestmark = pytest.mark.skipif(installed() is None, reason="no Chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Each report as a file, as it is opened from a disk."""
    folder = tmp_path_factory.mktemp("reports")
    several = scenes.scene("several")
    texts = {name: render([scenes.scene(name)], "html") for name in scenes.SCENES}
    texts["russian"] = render([several, scenes.scene("reset")], "html", langs=("ru", "en"), full=True)
    texts["mirrored"] = html.render([several], [Pseudo()])
    texts |= {name: render([getattr(results, name)()], "html") for name in ("hostile", "whole", "empty", "unusable")}
    paths = {name: folder / f"{name}.html" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text, encoding="utf-8")
    return paths


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_silent_and_fits(browser, files, name, screen):
    page = browser.open(files[name], **SCREENS[screen])
    assert page.errors == []
    assert page.requests == []
    width = SCREENS[screen].get("width", 1280)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("screen", ["desktop", "phone"])
@pytest.mark.parametrize("name", sorted(scenes.SCENES))
def test_its_pictures_are_there_and_inside(browser, files, name, screen):
    page = browser.open(files[name], **SCREENS[screen])
    boxes = page.evaluate("""[...document.querySelectorAll('svg[role=img]')].map(e => e.getBoundingClientRect())
        .filter(b => b.width).map(b => [b.left, b.right, b.height])""")
    assert len(boxes) >= (1 if name == "nothing" else 2)
    width = SCREENS[screen].get("width", 1280)
    assert all(left >= 0 and right <= width and height > 40 for left, right, height in boxes)
    clipped = page.evaluate("""[...document.querySelectorAll('svg[role=img]')].filter(e => e.getBoundingClientRect().width)
        .flatMap(svg => [...svg.querySelectorAll('text')].filter(t => t.textContent).map(t => {
            const a = t.getBoundingClientRect(), b = svg.getBoundingClientRect();
            return [t.textContent, a.left - b.left, b.right - a.right];
        })).filter(([, left, right]) => left < -2 || right < -2)""")
    assert clipped == []
    smallest = page.evaluate("""Math.min(...[...document.querySelectorAll('svg[role=img]')]
        .filter(e => e.getBoundingClientRect().width)
        .map(e => 12 * e.getBoundingClientRect().width / e.viewBox.baseVal.width))""")
    assert smallest >= 10  # px: text of the pictures is never scaled below what can be read


def test_it_needs_no_script(browser, files):
    page = browser.open(files["several"], script=False)
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    said = " ".join(node.get("name", {}).get("value", "") for node in tree)
    assert "Interference was found." in said and "WhatsApp" in said


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser, files):
    page = browser.open(files["several"])
    wanted = page.evaluate("document.querySelectorAll('a[href], [tabindex]').length")
    reached, unseen = [], []
    for _ in range(wanted):
        page.press("Tab", TAB)
        here, outline = page.evaluate(
            """(e => [e.outerHTML, getComputedStyle(e).outlineStyle])(document.activeElement)"""
        )
        reached.append(here)
        if outline == "none":
            unseen.append(here)
    assert reached[0].startswith('<a class="skip"')
    assert len(set(reached)) >= wanted - 5  # the same link may stand twice
    assert unseen == []


def test_the_skip_link_leads_to_the_answers(browser, files):
    page = browser.open(files["reset"])
    page.press("Tab", TAB)
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.call("Input.dispatchKeyEvent", type="keyDown", text="\r", key="Enter", code="Enter", windowsVirtualKeyCode=13)
    assert page.evaluate("document.querySelector(location.hash).id") == "en1-answers"


def test_one_click_selects_a_whole_filter(browser, files):
    page = browser.open(files["reset"])
    where = page.evaluate("""(e => { e.scrollIntoView(); const b = e.getBoundingClientRect(); return [b.left + 40, b.top + 12] })
        (document.querySelector('pre.filter'))""")
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1)
    assert page.evaluate("getSelection().toString().trim()") == page.evaluate(
        "document.querySelector('pre.filter').textContent"
    )


def test_hostile_names_run_nothing_and_are_read_as_they_are(browser, files):
    page = browser.open(files["hostile"])
    assert page.evaluate("document.querySelectorAll('script, img, iframe, a[href^=http]').length") == 0
    text = page.evaluate("document.body.innerText")
    assert "<script>alert(1)</script>" in text and "\\u202egro.lanigiro" in text


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["several", "slow", "nothing", "russian", "mirrored", "hostile", "unusable"])
def test_axe_finds_nothing_serious(browser, files, name, dark):
    page = browser.open(files[name], dark=dark)
    page.evaluate(AXE.read_text(encoding="utf-8") + ";1")
    found = page.evaluate("""axe.run(document).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
        .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')))""")
    assert found == []


def test_it_prints(browser, files, tmp_path):
    page: Page = browser.open(files["several"])
    page.pdf(tmp_path / "report.pdf")
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF") and 5 <= data.count(b"/Type /Page\n") + data.count(b"/Type /Page/") <= 30
