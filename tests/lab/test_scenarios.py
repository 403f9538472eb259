"""The scenarios as data: enough of them, each one whole; and the laboratory's own tools on made-up input."""

from collections import Counter
from pathlib import Path

import pytest

from tests.golden import difference
from tests.lab import capture_file, defects, phone, scoreboard, truth
from tests.lab.accuracy import Done, Judged, Key, Said
from tests.lab.capture_file import Record
from tests.lab.packet import ACK, PSH, RST, SYN, TCP, ip_frame, parse, tcp_segment
from tests.lab.run import chosen
from tests.lab.scenarios import FAMILIES, SCENARIOS
from tests.lab.trigger import Trigger

ETHERNET = bytes(12)
CLIENT, SERVER = ("198.51.100.23", 40000), ("157.240.0.60", 443)


def test_there_are_enough_of_them():
    kinds = Counter(scenario.interferes for scenario in SCENARIOS.values())
    assert kinds[True] >= 120 and kinds[False] >= 80
    assert {scenario.family for scenario in SCENARIOS.values()} == set(FAMILIES)


def test_a_dozen_causes_lie_on_the_device():
    assert sum(not scenario.interferes for scenario in SCENARIOS.values() if scenario.family == "device") >= 12


def test_every_rule_of_a_box_is_possible():
    for scenario in SCENARIOS.values():
        for rule in scenario.rules:
            assert rule.position in ("in_path", "on_path", "device"), scenario.name
            assert bool(rule.cause) or not rule.device, f"{scenario.name}: a device does not interfere"


def test_unknown_names_are_refused():
    with pytest.raises(SystemExit, match="no scenario or family"):
        chosen(["no-such-thing"])


def test_triggers_match_names_and_what_is_below_them():
    class Flow:
        proto, server, client, octets, head = 6, SERVER, CLIENT, {False: 0}, b""
        host = qname = None
        sni = "web.whatsapp.com"

    assert Trigger(sni=("whatsapp.com",)).holds(Flow)
    assert not Trigger(sni=("app.com",)).holds(Flow)
    assert not Trigger(sni=("whatsapp.com",), ports=(80,)).holds(Flow)


# -- captures ------------------------------------------------------------------------------------------------------
def segment(up: bool, flags: int, seq: int, ack: int = 0, payload: bytes = b"") -> bytes:
    src, dst = (CLIENT, SERVER) if up else (SERVER, CLIENT)
    return ip_frame(ETHERNET, src[0], dst[0], TCP, tcp_segment(src, dst, flags, seq, ack, 500, payload=payload))


def conversation() -> list[Record]:
    """A handshake, a hello sent twice, a reset."""
    frames = [
        segment(True, SYN, 99), segment(False, SYN | ACK, 499, 100), segment(True, ACK, 100, 500),
        segment(True, ACK | PSH, 100, 500, b"hello"), segment(True, ACK | PSH, 100, 500, b"hello"), segment(False, RST, 500),
    ]  # fmt: skip
    return [Record(10**9 + i * 10**7, frame, len(frame)) for i, frame in enumerate(frames)]


def test_capture_files_are_read_as_written(tmp_path: Path):
    records = conversation()
    capture_file.write(tmp_path / "a.pcap", records)
    assert capture_file.read(tmp_path / "a.pcap") == records


@pytest.mark.parametrize(
    ("kind", "size", "origins"),
    [
        ("one_way", 1, [1, 3, 4, 5]), ("one_way", 0, [2, 6]), ("late", 0.02, [3, 4, 5, 6]), ("early", 0.5, [1, 2, 3]),
        ("mirrored", 40, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]), ("lossy", 1.0, []), ("port_443", 0, [1, 2, 3, 4, 5, 6]),
    ],
)  # fmt: skip
def test_defects_keep_track_of_frames(kind: str, size: float, origins: list[int]):
    kept = defects.apply((defects.Defect(kind, size),), conversation(), seed=1)
    assert [each.origin for each in kept] == origins


def test_a_phone_shows_no_retransmission_and_calls_every_end_a_reset(tmp_path: Path):
    phone.render(conversation(), tmp_path / "phone.pcap", (CLIENT[0],))
    packets = [
        parse(ETHERNET + b"\x08\x00" + record.frame, True) for record in capture_file.read(tmp_path / "phone.pcap")
    ]
    assert [packet.payload for packet in packets if packet.payload] == [b"hello"]
    assert packets[-1].flags == RST | ACK
    assert {packet.ttl for packet in packets} == {64} and {packet.ipid for packet in packets} == {0}
    greeting = next(packet for packet in packets if packet.flags == SYN | ACK)
    assert greeting.seq == 0x77EB77EB and greeting.dst == phone.DEVICE


def test_frame_numbers_are_written_as_ranges():
    assert truth.ranges([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"


# -- judging -------------------------------------------------------------------------------------------------------
def key(port: int) -> Key:
    return Key("tcp", CLIENT[0], port, *SERVER)


def judged(*said: Said) -> Judged:
    """Resets on flows 1 and 2, a flow that nobody touched, one on which the device's firewall acted."""
    done = Done("rst", "rst", "sni", "web.whatsapp.com", "on_path", None, None, (key(1), key(2)))
    return Judged(
        "a", "rst", "client", (done,), said, {key(3): "", key(4): "local_firewall"}, {key(1), key(2)}, set(), {key(4)}
    )


def say(action: str, *ports: int, position: str = "on_path") -> Said:
    return Said("t", "blocked", action, "sni", position, (), None, None, tuple(key(port) for port in ports))


@pytest.mark.parametrize(
    ("said", "outcome", "standing"),
    [
        (say("rst", 1), "found", "right"), (say("drop", 2), "drop", "misnamed"), (say("rst", 1, 3), "found", "wrong"),
        (say("rst", 3), "missed", "wrong"), (say("drop", 4, position="device"), "missed", "right"),
        (say("drop", 9), "missed", "unjudged"),
    ],
)  # fmt: skip
def test_what_is_said_is_held_to_what_was_done(said: Said, outcome: str, standing: str):
    case = judged(said)
    assert scoreboard.outcome(case.truth[0], case.said) == outcome
    assert scoreboard.standing(said, case) == standing


def test_genuine_flows_under_an_accusing_verdict_are_counted():
    assert scoreboard.accused(judged(say("rst", 1, 3))).keys() == {key(3)}
    assert scoreboard.accused(judged(say("drop", 4, position="device"))) == {}


def test_shares_come_with_their_interval():
    assert scoreboard.share(0, 0) == "–"
    assert scoreboard.share(12, 13) == "12/13 = .92 (.67–.99)"


def test_differences_of_answers_are_shown_by_where_they_are():
    old = {"rules": {"a": 1}, "verdicts": [{"target": "x", "state": "ok"}]}
    new = {"rules": {"a": 2}, "verdicts": [{"target": "x", "state": "blocked"}]}
    assert list(difference(old, new)) == ["rules.a: 1 | 2", 'verdicts[x].state: "ok" | "blocked"']
