"""Which packets are one conversation, and its number: Wireshark's, for people go from here to there by it."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, TCPerror, UDPerror
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from analyzer.flows import arenas
from analyzer.tables import Tunnel
from tests.analyzer.flows.test_tracker import Tracker, Wire, frames_of, track

HERE, THERE, ROUTER = "10.0.0.2", "192.0.2.9", "198.51.100.7"


def quote(sport: int, proto=TCPerror, size: int = 20) -> bytes:
    """A router's complaint about a packet of ours that the capture need not hold."""
    inner = bytes(IPerror(src=HERE, dst=THERE, ttl=1) / proto(sport=sport, dport=443))[: 20 + size]
    return bytes(IP(src=ROUTER, dst=HERE) / ICMP(type=11, code=0) / Raw(inner))


def ask(sport: int, proto=TCP) -> bytes:
    return bytes(IP(src=HERE, dst=THERE) / proto(sport=sport, dport=443) / b"x")


def vxlan(inside) -> bytes:
    outer = IP(src="203.0.113.1", dst="203.0.113.2") / UDP(sport=777, dport=4789)
    return bytes(outer / VXLAN(vni=5) / Ether() / inside)


def numbered(*packets: bytes) -> list[tuple[int, int, int]]:
    """(client port, stream, flow) of each flow."""
    (done,) = track(frames_of([(i * 1000, packet) for i, packet in enumerate(packets)]))
    flows = done[0]
    return list(zip(flows.client_port.tolist(), flows.stream.tolist(), flows.flow.tolist(), strict=True))


def test_what_an_icmp_error_quotes_takes_a_number_and_is_no_flow():
    assert numbered(ask(1), quote(2), ask(3)) == [(1, 0, 0), (3, 2, 1)]


def test_it_keeps_its_number_when_its_packets_come():
    assert numbered(quote(2), ask(1), quote(2), ask(2), ask(3)) == [(1, 1, 0), (2, 0, 1), (3, 2, 2)]


def test_eight_quoted_bytes_are_too_few_for_tcp_and_enough_for_udp():
    assert numbered(quote(2, size=8), ask(3)) == [(3, 0, 0)]
    assert numbered(quote(2, UDPerror, size=8), ask(3, UDP)) == [(3, 1, 0)]


def test_the_outside_of_a_tunnel_takes_a_number_once():
    inside = [IP(src=HERE, dst=THERE) / UDP(sport=port, dport=53) / b"x" for port in (1001, 1002)]
    assert numbered(*map(vxlan, inside), ask(1003, UDP)) == [(1001, 1, 0), (1002, 2, 1), (1003, 3, 2)]


def test_tunnels_are_counted_by_kind():
    tracker = Tracker()
    packets = [ask(1), vxlan(IP(src=HERE, dst=THERE) / UDP(sport=5, dport=53) / b"x"), vxlan(IP() / ICMP())]
    list(tracker.feed(frames_of([(0, packet) for packet in packets])))
    assert {tunnel: n for tunnel, n in tracker.tunnels.items() if n} == {Tunnel.VXLAN: 1}


def test_quotes_go_first_when_slots_run_out(monkeypatch):
    monkeypatch.setitem(arenas._CAPS, "slots", 1 << 10)
    quotes = [quote(port) for port in range(10_000, 12_000)]
    flows = numbered(*quotes, *(ask(port) for port in range(1, 513)))
    assert [port for port, _, _ in flows] == list(range(1, 513))


def test_ports_used_again_and_again_end_in_no_error(monkeypatch):
    monkeypatch.setitem(arenas._CAPS, "slots", 1 << 10)
    packets = []
    for isn in range(3000):
        packets += Wire(isn=isn * 1000).up(isn * 10, "S").up(isn * 10 + 1, "R", 1).packets
    batches = track(frames_of(packets))
    assert sum(len(done[0]) for done in batches) == 3000


# -- where one connection ends and another begins -----------------------------------------------------------------
def midway() -> Wire:
    return Wire().up(0, "PA", 1, 1, b"late").down(80, "PA", 1, 5, b"answer").up(81, "A", 5, 7)


def test_a_connection_begun_before_the_capture_ends_where_its_ports_are_used_again():
    (done,) = track(frames_of(midway().up(9000, "S", 777_000).packets))
    assert done[0].syns.tolist() == [0, 1]


def test_a_syn_that_came_late_opens_nothing():
    (done,) = track(frames_of(midway().up(100, "S").packets))
    assert done[0].syns.tolist() == [1]


def test_nor_does_a_repeated_one_after_both_sides_closed():
    wire = midway().up(90, "FA", 5, 7).down(170, "FA", 7, 6).up(171, "A", 6, 8).up(300, "S")
    (done,) = track(frames_of(wire.packets))
    assert done[0].syns.tolist() == [1]


HELLO, ANSWER = b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x03\x00\x7a\x02"


@pytest.mark.parametrize("first", [HELLO, ANSWER])
def test_begun_midway_a_hello_tells_who_asked_and_not_the_ports(first):
    wire = Wire(sport=4096, dport=35688)
    wire = wire.up(0, "PA", 1, 1, first) if first == HELLO else wire.down(0, "PA", 1, 1, first)
    (done,) = track(frames_of(wire.packets))
    assert done[0].client_port.tolist() == [4096]
