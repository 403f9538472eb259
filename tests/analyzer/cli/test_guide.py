"""`interference guide`: every device in every language, and one clear line otherwise."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from analyzer.cli.commands import app
from analyzer.cli.guide import DEVICES

GUIDES = Path(__file__).parents[3] / "analyzer" / "data" / "guide"


def run(*words: str):
    return CliRunner().invoke(app, ["guide", *words])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_each_guide_says_what_makes_a_capture_answer(device, lang):
    done = run(device, "--lang", lang)
    assert done.exit_code == 0
    assert {"en": "five times", "ru": "пять раз"}[lang] in done.output  # attempts enough for an exact test
    assert {"en": "abroad", "ru": "зарубежн"}[lang] in done.output  # controls
    assert "VPN" in done.output


def test_languages_follow_one_another():
    output = run("linux", "--lang", "ru,en").output
    assert output.index("Запись") < output.index("# A capture")


def test_no_device_offers_them():
    done = run()
    assert done.exit_code == 0
    assert all(device in done.output for device in DEVICES)


@pytest.mark.parametrize("words", [("toaster",), ("linux", "--lang", "xx"), ("../../secret",)])
def test_what_there_is_not(words):
    assert run(*words).exit_code == 2


def test_both_languages_have_the_same_guides_of_the_same_build():
    names = {path.name for path in (GUIDES / "en").iterdir()}
    assert names == {path.name for path in (GUIDES / "ru").iterdir()} == {f"{device}.md" for device in DEVICES}
    for name in names:
        texts = [(GUIDES / lang / name).read_text("utf-8") for lang in ("en", "ru")]
        steps = [[line[:2] for line in text.splitlines() if line[:1].isdigit()] for text in texts]
        assert steps[0] == steps[1], name
