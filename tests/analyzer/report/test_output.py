"""The one way in: the suffix says the format, languages stand one after the other, hostile and private text."""

from __future__ import annotations

import json

import pytest

from analyzer.errors import UsageError
from analyzer.report import render, write
from tests.analyzer.report import results

TEXTS = ("markdown", "json", "csv")


def test_the_suffix_says_the_format(tmp_path):
    for suffix, begins in ((".md", "# "), (".json", "{"), (".csv", "capture,")):
        path = tmp_path / f"report{suffix}"
        write([results.whole()], path)
        assert path.read_text().startswith(begins)
    with pytest.raises(UsageError, match=r"\.parquet"):
        write([results.whole()], tmp_path / "report.docx")


def test_an_unwritable_place_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="no-such-folder"):
        write([results.whole()], tmp_path / "no-such-folder" / "report.md")


def test_languages_stand_one_after_the_other():
    both = render([results.whole()], "markdown", langs=("ru", "en"))
    assert both.index("Вмешательство обнаружено") < both.index("Interference was found")


@pytest.mark.parametrize("format", TEXTS)
def test_two_runs_are_the_same_bytes(format):
    assert render([results.whole()], format) == render([results.whole()], format)


@pytest.mark.parametrize("format", TEXTS)
def test_what_is_safe_to_forward_holds_nothing_private(format):
    for sample in (results.whole(), results.empty(), results.unusable(), results.domestic_only()):
        said = render([sample], format, redact=True)
        assert [text for text in results.PRIVATE if text in said] == []


def test_full_and_machine_formats_hold_what_engineers_need():
    assert results.CLIENT in render([results.whole()], "markdown", full=True)
    assert results.CLIENT in render([results.whole()], "json")


def test_json_escapes_what_would_move_a_terminal():
    text = render([results.hostile()], "json")
    assert text.isascii() and text.isprintable() is False and text.count("\n") == 1
    assert {verdict["target"] for verdict in json.loads(text)["verdicts"]} == set(results.HOSTILE)
