"""The scenarios as data: enough of them, each one whole; and the laboratory's own tools on made-up input."""

from collections import Counter
from pathlib import Path

import pytest

from tests.golden import difference
from tests.lab import capture_file, compare, defects, phone, scoreboard, truth
from tests.lab.accuracy import Done, Judged, Key, Said
from tests.lab.capture_file import Record
from tests.lab.flow import Flow
from tests.lab.middlebox import Box, Delays
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


# -- the box -------------------------------------------------------------------------------------------------------
class Cable:
    """An end of the box that keeps what is sent."""

    def __init__(self):
        self.sent: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)


def box(folder: Path) -> Box:
    """One without delays, and cables instead of sockets."""
    box = Box(Delays(0.0, 0.0), (), folder / "box.jsonl", seed=1)
    box._ends = {True: Cable(), False: Cable()}
    return box


def test_what_is_forged_goes_to_the_next_router_whatever_routers_say_to_groups(tmp_path: Path):
    here, router, group = bytes([2, 0, 0, 0, 0, 1]), bytes([2, 0, 0, 0, 0, 2]), bytes([0x33, 0x33, 0, 0, 0, 0x16])
    under_test, answer = box(tmp_path), segment(False, SYN | ACK, 499, 100)
    under_test._arrive(here + router + answer[12:], False)
    under_test._arrive(group + router + answer[12:], False)
    under_test._run_due()
    under_test._ends[True].sent.clear()
    under_test.inject(Flow(TCP, CLIENT, SERVER, 0), True, lambda ethernet: ethernet + answer[12:], 0.0)
    under_test._run_due()
    assert [frame[:6] for frame in under_test._ends[True].sent] == [here]


def test_chance_takes_the_same_packets_of_a_flow_in_every_run(tmp_path: Path):
    def rolls(ports: tuple[int, ...], which: int) -> list[float]:
        under_test = box(tmp_path)
        flows = [under_test._flow(parse(opening(port), True)) for port in ports]
        return [flows[which].dice[True].random() for _ in range(20)]

    assert rolls((1, 2), 1) == rolls((7, 3), 1) != rolls((1, 2), 0)


def opening(port: int) -> bytes:
    body = tcp_segment((CLIENT[0], port), SERVER, SYN, 1, 0, 500)
    return ip_frame(ETHERNET, CLIENT[0], SERVER[0], TCP, body)


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


# -- two runs ------------------------------------------------------------------------------------------------------
HEAD = (
    "flow,protocol,client,client_port,server,server_port,name,"
    "label,cause,trigger,trigger_detail,action,position,parameters,start"
)


def rows_of(folder: Path, *rows: str) -> Counter:
    folder.mkdir()
    (folder / "truth.csv").write_text("\n".join([HEAD, *rows]) + "\n")
    return compare.truth(folder.parent)[folder.name]


def test_two_runs_may_differ_in_whom_chance_met_and_in_nothing_else(tmp_path: Path):
    lost, well = "genuine,loss,none_seen,,random_loss,in_path,{}", "genuine,,,,,,"
    reset = "interference,,sni,a,rst,on_path,{}"
    one = rows_of(tmp_path / "one", f"0,tcp,a,1,b,443,x,{lost},0.1", f"1,tcp,a,2,b,443,x,{well},0.2")
    other = rows_of(tmp_path / "other", f"0,tcp,a,3,b,443,x,{well},0.3", f"1,tcp,a,4,b,443,x,{lost},0.4")
    assert compare.differences(one, other) == []
    harmed = rows_of(tmp_path / "harmed", f"0,tcp,a,3,b,443,x,{well},0.3", f"1,tcp,a,4,b,443,x,{reset},0.4")
    assert len(compare.differences(one, harmed)) == 3  # a flow less, a misfortune less, a reset more
    fewer = rows_of(tmp_path / "fewer", f"0,tcp,a,3,b,443,x,{lost},0.3")
    assert compare.differences(one, fewer) == ["-1 tcp a b 443 x genuine"]
    assert not compare.by_chance(one, fewer), "a half of them is more than chance"
    assert not compare.by_chance(one, harmed)
    many = rows_of(tmp_path / "many", *(f"{i},tcp,a,{i},b,443,x,{lost},0.3" for i in range(8)))
    some = rows_of(tmp_path / "some", *(f"{i},tcp,a,{i},b,443,x,{lost},0.3" for i in range(7)))
    assert compare.by_chance(many, some)


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
