"""Two ends of the same connections: clocks, NAT and offload set aside, what differs is named packet by packet."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw

import signatures
from analyzer import api
from analyzer.errors import UsageError
from analyzer.pair import Paired, pair, shared_connections
from analyzer.pair.clock import estimate
from tests.conversation import Conversation, packets_of, pcap_of

NAME, HOST = "web.whatsapp.com", "157.240.0.60"
WAY, HOPS = 40.0, 12  # ms from end to end, routers in between
OFFSET, DRIFT = 3_000.0, 50e-6  # of the server's clock: ms, and a plain number

Packets = list[tuple[float, bytes]]


def far_end(packets: Packets, *, nat: str | None = None) -> Packets:
    """The same packets as the server's machine captures them: its clock, its distance, behind a NAT its addresses."""
    out = []
    for at, data in packets:
        packet = IP(data)
        up = packet.dst == HOST
        at += WAY if up else -WAY
        packet.ttl = packet.ttl - HOPS if up else packet.ttl + HOPS
        if nat and up:
            packet.src, packet[TCP].sport, packet.id = nat, packet[TCP].sport + 1, packet.id + 500
        if nat and not up:
            packet.dst, packet[TCP].dport = nat, packet[TCP].dport + 1
        del packet.chksum, packet[TCP].chksum
        out.append((at + OFFSET + DRIFT * at, bytes(packet)))
    return out


def ends(client: Packets, server: Packets) -> Paired:
    files = [pcap_of(client), pcap_of(server)]
    return pair(*(partial(api.open_capture, data, name="x") for data in files), signatures.load())


def ordinary() -> Packets:
    """Connections that nothing happens to, from before to after everything else."""
    return packets_of(*[Conversation("cdn.example.net", HOST, at=2_000 * n).works() for n in range(10)])


def kinds(done: Paired) -> list[tuple[str, bool]]:
    return [(event.kind, event.up) for event in done.events]


def test_nothing_differs_where_nothing_happened_and_the_clocks_agree_afterwards():
    client = packets_of(*[Conversation("cdn.example.net", HOST, at=1_000 * n).works() for n in range(60)])
    done = ends(client, far_end(client))
    assert done.events == []
    assert (done.connections, done.packets) == (60, len(client))
    # the client's times are those of the first packet's way there; half the round trip is the one way
    assert done.clock.drift == pytest.approx(DRIFT, rel=0.1)
    assert done.clock.one_way == pytest.approx(WAY * 1e6, rel=0.05)
    assert done.clock.offset == pytest.approx(OFFSET * 1e6, abs=1e6)


def test_a_reset_that_only_the_client_got_was_forged_in_between():
    talk = Conversation(NAME, HOST, at=5_000).open().hello().reset(after=5, ttl=100).answer(after=75)
    forged = next(p for p in talk.packets if "R" in str(IP(p[1])[TCP].flags))
    client = sorted([*ordinary(), *talk.packets])
    done = ends(client, far_end([p for p in client if p is not forged]))
    assert kinds(done) == [("forged", False)]
    assert done.events[0].client_frame == client.index(forged) + 1
    assert done.events[0].action == "rst"
    verdict = next(v for v in done.result.answers if v.target == NAME)
    assert "pair.forged" in verdict.methods[0].rules
    assert verdict.methods[0].method.position == "on_path"


def test_what_the_server_never_got_was_dropped():
    talk = Conversation(NAME, HOST, at=5_000).open().hello().resend(4)
    lost = [p for p in talk.packets if IP(p[1]).dst == HOST and Raw in IP(p[1])]
    client = sorted([*ordinary(), *talk.packets])
    done = ends(client, far_end([p for p in client if p not in lost]))
    assert kinds(done) == [("dropped", True)] * len(lost)
    assert [e.client_frame for e in done.events] == [client.index(p) + 1 for p in sorted(lost)]
    verdict = next(v for v in done.result.answers if v.target == NAME)
    assert {m.method.action for m in verdict.methods} == {"drop"}
    assert "pair.dropped" in verdict.methods[0].rules


def test_a_little_loss_is_counted_and_accuses_nobody():
    client = sorted(ordinary())
    lost = next(p for p in client[40:] if IP(p[1]).src == HOST and Raw in IP(p[1]))
    done = ends([p for p in client if p is not lost], far_end(client))
    assert kinds(done) == [("dropped", False)]
    assert not [f for f in done.result.findings if f.rule.id.startswith("pair.")]


def test_an_answer_that_arrives_as_a_reset_was_rewritten():
    talk = Conversation(NAME, HOST, at=5_000).open().hello().answer()
    client = sorted([*ordinary(), *talk.packets])
    server = far_end(client)
    i = next(i for i, p in enumerate(client) if p in talk.packets and IP(p[1]).src == HOST and Raw in IP(p[1]))
    packet = IP(client[i][1])
    reset = IP(src=packet.src, dst=packet.dst, ttl=packet.ttl, id=packet.id) / TCP(
        sport=443, dport=packet.dport, flags="RA", seq=packet[TCP].seq, ack=packet[TCP].ack
    )
    client[i] = (client[i][0], bytes(reset))
    done = ends(client, server)
    assert kinds(done) == [("rewritten", False)]
    assert (done.events[0].client_frame, done.events[0].action) == (i + 1, "rst")
    verdict = next(v for v in done.result.answers if v.target == NAME)
    assert verdict.methods[0].method.position == "in_path"


def test_behind_a_nat_the_same_connections_are_found():
    client = ordinary()
    done = ends(client, far_end(client, nat="203.0.113.9"))
    assert (done.connections, done.events) == (10, [])


def test_segments_joined_by_offload_are_the_same_bytes():
    talk = Conversation(NAME, HOST, at=5_000).open().hello().answer()
    for k in range(6):
        talk.down("A", bytes([k]) * 1400, after=0.01 if k else None)
    talk.up().close()
    client = sorted([*ordinary(), *talk.packets])
    joined, server = [], far_end(client)
    for at, data in server:
        packet, last = IP(data), IP(joined[-1][1]) if joined else None
        big = last and Raw in packet and Raw in last and len(packet[Raw].load) == len(last[Raw].load) % 1400 + 1400
        if big and packet.src == HOST and last.src == HOST and packet.dport == last.dport:
            whole = IP(src=last.src, dst=last.dst, ttl=last.ttl, id=last.id) / TCP(
                sport=443, dport=last.dport, flags="A", seq=last[TCP].seq, ack=last[TCP].ack
            ) / Raw(last[Raw].load + packet[Raw].load)  # fmt: skip
            joined[-1] = (joined[-1][0], bytes(whole))
        else:
            joined.append((at, data))
    assert len(joined) < len(server)
    assert ends(client, joined).events == []


def test_the_wrong_order_is_noticed_and_set_right():
    talk = Conversation(NAME, HOST, at=5_000).open().hello().reset(after=5, ttl=100).answer(after=75)
    forged = next(p for p in talk.packets if "R" in str(IP(p[1])[TCP].flags))
    client = sorted([*ordinary(), *talk.packets])
    server = far_end([p for p in client if p is not forged])
    right, wrong = ends(client, server), ends(server, client)
    assert (right.swapped, wrong.swapped) == (False, True)
    assert wrong.events == right.events


def test_one_capture_has_no_two_ends():
    with pytest.raises(UsageError, match="same capture"):
        ends(ordinary(), ordinary())


def test_captures_that_share_nothing_are_for_compare():
    one, other = (packets_of(Conversation(NAME, HOST, at=k, isn=1000 + k).works()) for k in (0, 7))
    with pytest.raises(UsageError, match="compare"):
        ends(one, other)


def test_compare_can_ask_how_many_connections_are_shared():
    client = ordinary()
    files = [pcap_of(client), pcap_of(far_end(client))]
    assert shared_connections(*(partial(api.open_capture, data, name="x") for data in files)) == 10


def test_a_clock_from_one_way_only_is_the_least_difference():
    up = np.array([[0, 105], [1000, 1100], [2000, 2130]], np.int64)
    clock = estimate(up, np.empty((0, 2), np.int64))
    assert (clock.offset, clock.packets) == (100, 3)
    assert estimate(up[:0], up[:0]).packets == 0


def test_headers_that_a_capture_app_invented_are_compared_with_nothing():
    client = packets_of(Conversation("cdn.example.net", HOST, "10.215.173.1").works())
    with pytest.raises(UsageError, match="without root"):
        ends(client, far_end(client))
    client = packets_of(Conversation("cdn.example.net", HOST, peer_isn=0x77EB77EB).works())
    with pytest.raises(UsageError, match="without root"):
        ends(client, far_end(client))
