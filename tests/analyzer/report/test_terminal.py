"""The terminal: answer first, colour never alone, display filters unbroken, hostile text inert."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from analyzer.report import Words, terminal
from analyzer.report.terminal import LOOK
from analyzer.result import STATES, Coverage, Network
from tests.analyzer.report import results
from tests.analyzer.report.languages import Pseudo


def shown(result, words=None, width=90, encoding="utf-8", **options) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    terminal.show(result, Console(file=file, width=width), words or Words(), **options)
    file.flush()
    return raw.getvalue().decode(encoding)


def test_the_answer_stands_in_the_first_lines():
    lines = shown(results.whole()).splitlines()
    assert lines[0] == results.FILE and lines[3] == "Interference was found."
    assert lines[5].split() == ["●", "WhatsApp", "Blocked", "in", "part:", "web"]


def test_every_state_has_a_look_of_its_own_without_colour():
    assert LOOK.keys() == set(STATES)
    for column in (0, 1):
        assert len({look[column] for look in LOOK.values()}) == len(LOOK)


def test_display_filters_stand_unbroken_however_narrow_the_terminal():
    named = results.forged_reset(flows=tuple(results.flow(i) for i in range(20)))
    lines = shown(results.result(results.blocked(methods=(named,))), width=40).splitlines()
    streams = ",".join(map(str, range(20)))
    assert any(line.endswith(f"tcp.stream in {{{streams}}}") for line in lines)


def test_other_lines_keep_to_the_width():
    for line in shown(results.whole(), width=60).splitlines():
        assert len(line) <= 60 or "frame.number" in line


def test_hostile_names_cannot_move_or_colour_it():
    text = shown(results.hostile(), everything=True)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "[bold red]markup[/]" in text and "\\x1b[31mred" in text and "\\u202e" in text


def test_a_plain_terminal_gets_plain_characters():
    assert shown(results.result(results.blocked(), results.works()), encoding="ascii").isascii()


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (results.empty(), "Nothing was captured"),
        (results.unusable(), "not a capture (at byte 0)"),
        (results.domestic_only(), "Only domestic services can be reached"),
        (results.result(network=Network("no_connectivity", "nothing_answered")), "nothing was reached at all"),
    ],
)
def test_captures_without_an_answer_say_why(sample, says):
    assert says in shown(sample)


def test_what_was_not_seen_is_counted():
    seen = Coverage(packets=9, packets_bad=1, kernel_drops=2, proxied=True, one_direction=1, snaplen_cut=3, evicted=1,
                    clock_steps=2, tunnelled=1, tunnels={"teredo": 3},
                    duplicates=4, mirrored=True, fragments=1, icmp_unmatched=5)  # fmt: skip
    text = shown(results.result(results.works(), coverage=seen), everything=True)
    for part in (
        "3 packets were read out of a tunnel (Teredo)",
        "1 packet was damaged",
        "missed 2 packets",
        "Only one direction of 1 connection",
        "jumped 2 times",
        "5 ICMP errors",
    ):
        assert part in text


def test_tools_are_named_only_when_asked_for():
    sample = results.result(results.cannot_tell(limits=("tunnelled",)), coverage=Coverage(packets=1, tunnelled=2))
    assert "VPN" not in shown(sample) and "tunnel" in shown(sample)
    assert "VPN" in shown(sample, circumvention=True)


def test_it_can_be_said_from_right_to_left():
    text = shown(results.whole(), Pseudo(), everything=True)
    assert "web.whatsapp.com" in text
    for word in ("blocked", "forged", "Proof", "packet", "worked", "works"):
        assert word not in text


def test_a_service_of_which_one_name_works_is_told_apart_by_name():
    split = results.result(results.blocked(), results.works("www.whatsapp.com", "whatsapp", "web"))
    assert "Blocked in part: web.whatsapp.com\n" in shown(split)


def test_evidence_comes_once_a_rule_the_strongest_first_with_a_count():
    found = (results.finding(results.NAME_EFFECT, p=0.008), *(results.finding() for _ in range(7)))
    text = shown(results.result(results.blocked(findings=found)), everything=True, width=300)
    assert text.count("The server talked on after") == 1 and "7 times]" in text
    assert text.index("talks_on: The server") < text.index("name_effect: At the same")


def test_groups_of_services_have_a_name_in_every_language():
    sample = results.result(results.works("time.example", "time", "time"), service_names={"time": "Time servers"})
    assert "Серверы времени" in shown(sample, Words("ru")) and "Time servers" in shown(sample)


def test_the_network_is_said_to_work_only_where_something_abroad_did():
    def said(why: str) -> str:
        return shown(results.result(results.works(), network=Network("normal", why)))

    assert "The network itself works." in said("some_foreign_traffic_works")
    assert "The network itself works." not in said("no_conversations")
    assert "no conversation with a server" in said("no_conversations")


def test_one_attempt_of_several_connections_says_so():
    once = results.blocked(attempts=1, failed=1)
    assert "one attempt with 2 connections failed" in " ".join(shown(results.result(once)).split())
    single = results.blocked(attempts=1, failed=1, methods=(results.forged_reset(flows=(results.flow(2),)),))
    assert "the only attempt failed" in " ".join(shown(results.result(single)).split())


def test_what_cannot_be_told_comes_with_how_to_capture():
    assert "interference guide" in shown(results.result(results.cannot_tell()), width=120)
    assert "interference guide" not in shown(results.result(results.works()), width=120)
