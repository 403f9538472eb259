"""Markdown: the answer first, names from the wire never more than text, safe to forward unless asked otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from markdown_it import MarkdownIt

from analyzer.report import Words, markdown
from tests.analyzer.report import results
from tests.analyzer.report.languages import Pseudo

PARSER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")


def page(result, **options) -> str:
    return markdown.render(result, Words(), **options)


def kinds(text: str) -> Counter[str]:
    tokens = PARSER.parse(text)
    return Counter(t.type for token in tokens for t in [token, *(token.children or [])])


def test_the_answer_comes_first_then_the_services_worst_first():
    text = page(results.whole())
    order = ["Interference was found", "WhatsApp | **Blocked in part**: web", "Telegram | **Slowed down**",
             "Signal | **Working**", "## Proof", "## What this file cannot tell", "## What works"]  # fmt: skip
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_a_verdict_shows_axes_proof_controls_doubts_and_a_filter():
    text = page(results.result(results.blocked()))
    for part in (
        "the name in the TLS handshake (SNI): `web.whatsapp.com`",
        "beside the path",
        "packet 15: forged",
        "`mmg.whatsapp.net`, another name at the same address: 4 of 4 worked",
        "The server is not down (another name at the same address works).",
        "**The plan may allow no more, or the line to the provider may be the bottleneck.**",
        "frame.number in {12,14,15,18}",
    ):
        assert part in text


def test_hostile_names_are_text():
    sample = results.hostile()
    names = [f"site{i}.example" for i in range(len(results.HOSTILE))]
    harmless = replace(sample, answers=tuple(results.by_injector(name) for name in names))
    found, plain = kinds(page(sample)), kinds(page(harmless))
    assert not {"link_open", "image", "html_block"} & found.keys()
    for kind in ("html_inline", "heading_open", "table_open", "tr_open", "strong_open", "hr", "fence"):
        assert found[kind] == plain[kind], kind
    assert all(char.isprintable() or char == "\n" for char in page(sample))


def test_a_banner_says_whether_it_can_be_forwarded():
    assert "Safe to forward" in page(results.whole()) and "Complete:" not in page(results.whole())
    full = page(results.whole(), full=True)
    assert "Complete:" in full and results.FILE in full.replace("\\", "")


def test_it_can_be_said_from_right_to_left():
    text = markdown.render(results.whole(), Pseudo())
    assert "web.whatsapp.com" in text and "frame.number in {12,14,15,18}" in text
    assert not any(word in text for word in ("blocked", "Proof", "forged", "attempts"))


def test_a_rule_has_one_row_however_often_it_fired():
    found = tuple(results.finding(server_ttls=[52]) for _ in range(7))
    given = results.result(results.blocked(findings=found))
    text = page(given)
    assert text.count("The server talked on after") == 1
    assert "| 7 times |" in text
    assert "| `server_ttls [52]`, 7 times |" in page(given, full=True)


def test_what_cannot_be_told_comes_with_how_to_capture():
    for sample, there in ((results.cannot_tell(), True), (results.works(), False)):
        assert ("`interference guide`" in page(results.result(sample))) is there
