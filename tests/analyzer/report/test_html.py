"""The HTML report: self-contained, locked up by its policy, safe to forward, and nothing in it but text from strangers."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from analyzer.report import Words, html, render
from analyzer.result import STATES, Coverage, Result
from tests.analyzer.report import results, scenes
from tests.analyzer.report.languages import Pseudo

SMALL = 3_000_000  # bytes that a report may have
VOID = {"meta", "link", "br", "img", "input", "hr", "use", "path", "rect", "circle", "line", "polyline"}


class Seen(HTMLParser):
    """Elements, attributes and text, as a browser would see them."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._inside.append(tag)

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self._inside:
            self.text += data

    def all(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def page(result: Result, **options) -> str:
    return render([result], "html", **options)


@pytest.fixture(scope="module", params=sorted(scenes.SCENES))
def scene(request) -> Result:
    return scenes.scene(request.param)


def test_it_asks_for_nothing(scene):
    text = page(scene, full=True)
    seen = Seen(text)
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "base", "audio", "video"} & set(seen.tags)
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name in ("style", "src", "srcset")]
    assert all(value.startswith("#") for value in seen.all("href"))
    assert "url(" not in text and "@import" not in text


def test_its_policy_allows_its_own_style_and_nothing_else(scene):
    text = page(scene)
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(value for value in Seen(text).all("content") if "default-src" in value)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_links_lead_somewhere_and_ids_are_unique(scene):
    both = Seen(render([scene, scene], "html", langs=("en", "ru")))
    ids = both.all("id")
    assert len(ids) == len(set(ids))
    assert {href.removeprefix("#") for href in both.all("href")} <= set(ids)
    for name in ("aria-labelledby",):
        assert set(both.all(name)) <= set(ids)


def test_headings_step_down_one_at_a_time(scene):
    levels = [int(tag[1]) for tag in Seen(page(scene)).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_what_is_safe_to_forward_holds_nothing_private(scene):
    text = page(scene)
    assert [secret for secret in scenes.PRIVATE if secret in text] == []
    ports = {str(port) for port in scene.flow_table.client_port.tolist()}
    assert not ports & set(re.findall(r"\d+", Seen(text).text))
    assert "2026-09" not in text  # the day of the capture
    for sample in (results.whole(), results.empty(), results.unusable(), results.domestic_only()):
        assert [secret for secret in results.PRIVATE if secret in page(sample)] == []


def test_the_full_form_shows_it_and_says_so(scene):
    text = page(scene, full=True)
    assert "Complete:" in text and scenes.FILE in text
    assert (scenes.CLIENT in text) is any(verdict.methods for verdict in scene.answers)


def test_the_answer_comes_first_and_leads_to_its_proof():
    text = page(scenes.scene("several"))
    order = ["<h1", "WhatsApp (web", "Safe to forward", ">Answers, worst first<", ">How far this goes</h2", "<blockquote",
             ">Service by service</h2", ">The capture at a glance<", "Each answer with its packets"]  # fmt: skip
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_nobody_is_named_and_nothing_claimed_beyond_the_file(scene):
    text = Seen(page(scene, full=True)).text.lower()
    assert not re.search(r"\b(censor\w*|attack\w*|government|roskomnadzor|isp)\b", text)
    quotes = re.search("<blockquote.*?</blockquote>", page(scene), re.DOTALL)[0]
    assert "does not show" in quotes


def test_hostile_names_are_text_everywhere():
    sample = results.hostile()
    harmless = replace(sample, answers=tuple(results.by_injector(f"s{i}.example") for i in range(len(results.HOSTILE))))
    found, plain = Seen(page(sample)), Seen(page(harmless))
    assert found.tags == plain.tags
    assert [(tag, name) for tag, name, _ in found.attributes] == [(tag, name) for tag, name, _ in plain.attributes]
    assert "<script>alert(1)</script>" in found.text and "\\u202egro.lanigiro" in found.text
    assert all(char.isprintable() or char in "\n\t" for char in page(sample))


def test_circumvention_is_named_only_when_asked_for():
    sample = results.result(results.blocked(), coverage=Coverage(packets=9, tunnelled=2))
    assert not re.search(r"vpn|zapret|\btor\b", page(sample).lower())
    assert "VPN" in page(sample, show_circumvention=True)


def test_every_state_has_a_glyph_of_its_own():
    text = page(results.whole())
    for state in STATES:
        assert f'<symbol id="g-{state}"' in text


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (results.empty(), "Nothing was captured"),
        (results.unusable(), "not a capture (at byte 0)"),
        (results.domestic_only(), "Only domestic services can be reached"),
    ],
)
def test_captures_without_an_answer_say_why(sample, says):
    assert says in Seen(page(sample)).text


def test_it_stays_small_however_many_verdicts():
    answers = tuple(results.blocked(f"n{i}.example.org", service=None, role=None) for i in range(3000))
    assert len(page(results.result(*answers))) < SMALL


def test_scenes_are_small_and_the_same_every_time(scene):
    text = page(scene, full=True)
    assert len(text.encode()) < SMALL / 10
    assert text == page(scene, full=True)


def test_two_languages_stand_in_one_file():
    text = render([results.whole()], "html", langs=("ru", "en"))
    assert '<html lang="ru"' in text and '<article id="en1-report" lang="en" dir="ltr"' in text
    assert text.index("Вмешательство обнаружено") < text.index("Interference was found.")


def test_it_can_be_said_from_right_to_left(scene):
    text = html.render([scene], [Pseudo()])
    assert '<html lang="he" dir="rtl">' in text
    said = re.sub(r"<code>.*?</code>|<style>.*?</style>|<pre.*?</pre>|<svg.*?</svg>", "", text, flags=re.DOTALL)
    words = re.findall(r"[a-z]{3,}", Seen(said).text)
    names = " ".join(scene.service_names.values()).lower()
    assert not [word for word in words if word not in names and word not in ("interference", "analyzer")]


def test_words_inside_the_pictures_are_translated_too(scene):
    drawn = " ".join(re.findall("<text[^>]*>(.*?)</text>", html.render([scene], [Words("ru")])))
    assert not re.search(r"\b(packet|sent|answer|client|server|path|pass|limit)\b", drawn)


def test_a_service_of_which_one_name_works_is_told_apart_by_name():
    text = page(results.result(results.blocked(), results.works("www.whatsapp.com", "whatsapp", "web")))
    assert "WhatsApp (<code>web.whatsapp.com</code>)" in text
    assert "Working: <code>www.whatsapp.com</code>." in text and "Working: web." not in text
