"""Shapes of described injectors: each recognised, each missed when a single one of its constants is off."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import NamedTuple

import pytest

import signatures
from analyzer.api import analyze as analyze_file
from analyzer.tables import TCP_ACK, TCP_RST
from signatures.knowledge.injectors import DATA, injectors, match
from tests.conversation import Conversation, analyze

R, RA = TCP_RST, TCP_RST | TCP_ACK


class Packet(NamedTuple):
    ttl: int = 50
    ipid: int = 0
    df: int = 1
    tcp_flags: int = RA
    seq: int = 5001
    win: int = 0
    optlen: int = 0
    payload_len: int = 0


SHAPES = {
    "gfw 2017": (
        "GFW type 2",
        [Packet(ttl=90 + n, win=800 + n, seq=5001 + step) for n, step in enumerate((0, 1460, 4380))],
    ),
    "gfw 2023": ("GFW type 2", [Packet(ttl=90 + n, win=800 + n) for n in (1, 2, 0)]),
    "henan": ("Henan provincial firewall", [Packet(payload_len=10)]),
    "airtel": ("Airtel", [Packet(ipid=242, win=16, df=0)]),
    "packetlogic": ("Sandvine PacketLogic", [Packet(ipid=13330), Packet(ipid=13330)]),
    "p2p": (
        "Sandvine P2P policy",
        [Packet(tcp_flags=R, win=10240, ipid=65535), Packet(tcp_flags=R, win=10240, ipid=1, seq=5001 + 12503)],
    ),
    "turkmenistan": ("Turkmenistan national filter", [Packet(tcp_flags=R, ipid=30000, df=0)]),
}
NEAR = {
    "gfw 2017": {"seq": 5002},
    "gfw 2023": {"win": 900},
    "henan": {"payload_len": 11},
    "airtel": {"win": 17},
    "packetlogic": {"ipid": 13331},
    "p2p": {"ipid": 2},
    "turkmenistan": {"df": 1},
}


@pytest.mark.parametrize("case", SHAPES)
def test_recognised(case):
    name, resets = SHAPES[case]
    assert match(resets).name == name


@pytest.mark.parametrize("case", NEAR)
def test_one_constant_off_is_another_machine(case):
    resets = SHAPES[case][1]
    assert match([*resets[:-1], resets[-1]._replace(**NEAR[case])]) is None


@pytest.mark.parametrize(
    "resets",
    [
        [],
        [Packet()],
        [Packet(tcp_flags=R, win=1234)],  # the single bare reset of GFW type 1 is anybody's
        [Packet()] * 3,  # triples without rising TTL and window
        [Packet(seq=n) for n in (0, 1460)],
        [Packet(ipid=242, win=16)] * 50,
    ],
)
def test_ordinary_resets_are_nobody(resets):
    assert match(resets) is None


def test_sequence_numbers_wrap():
    resets = [Packet(seq=(2**32 - 100 + step) % 2**32) for step in (1460, 0, 4380)]
    assert match(resets).name == "GFW type 2"


def test_two_candidates_are_none(monkeypatch):
    both = [replace(injectors()[0], name=name, steps=(), rising=False, count=(1, 1)) for name in ("one", "other")]
    monkeypatch.setattr("signatures.knowledge.injectors.injectors", lambda: tuple(both))
    assert match([Packet()]) is None


def test_every_shape_is_sourced_dated_and_tested():
    for path in DATA.glob("*.toml"):
        facts = tomllib.loads(path.read_text("utf-8"))
        assert facts["name"] and facts["place"]
        for shape in facts["shape"]:
            assert shape["source"] and re.fullmatch(r"(19|20)\d\d(-\d\d)?", shape["date"])
    assert {injector.name for injector in injectors()} == {name for name, _ in SHAPES.values()}
    assert len(injectors()) == len(SHAPES)


def test_no_shape_rests_on_an_absolute_ttl_or_on_one_common_value():
    for injector in injectors():
        assert "ttl" not in injector.fields
        rare = [c for c, (low, high) in injector.fields.items() if low == high != 0]
        assert rare or len(injector.steps) > 1 or injector.rising


# -- in the house ----------------------------------------------------------------------------------------------------
def triple(*steps: int) -> Conversation:
    talk = Conversation("web.whatsapp.com", "157.240.0.60", rtt=200).open().hello()
    for n, step in enumerate(steps):
        talk.down("RA", after=5 if n == 0 else 0.1, seq=talk.peer + step, ttl=90 + n, window=800 + n)
    return talk.answer(after=195)


def test_a_verdict_names_what_its_resets_are_consistent_with():
    verdict = analyze(triple(0, 1460, 4380), loaded=signatures.load()).answers[0]
    assert verdict.state == "likely_blocked"
    assert verdict.methods[0].injector == "GFW type 2"
    assert "rst.known_injector" in verdict.methods[0].rules


def test_a_name_changes_no_state():
    known, unknown = (analyze(triple(0, step, 4380), loaded=signatures.load()).answers[0] for step in (1460, 1461))
    assert unknown.methods[0].injector is None and "rst.known_injector" not in unknown.methods[0].rules
    assert known.state == unknown.state


def test_constants_alone_accuse_nobody():
    talk = Conversation("web.whatsapp.com", "157.240.0.60", rtt=200).open().hello()
    talk.down("RA", after=200, ttl=talk.server_ttl, id=242, window=16)
    result = analyze(talk, loaded=signatures.load())
    assert any(finding.rule.id == "rst.known_injector" for finding in result.findings)
    assert result.answers[0].state not in ("blocked", "likely_blocked")
    assert not result.answers[0].methods


def test_airtel_in_a_public_capture(real_captures):
    path = real_captures / "interference" / "lhmerino__airtel.pcap"
    result = analyze_file(path, signatures.load())
    named = [f for f in result.findings if f.rule.id == "rst.known_injector"]
    assert {f.measured["injector"] for f in named} == {"Airtel"} and len(named) == 3
