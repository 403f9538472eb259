"""The same segment out of every wrapper, radio frame and tunnel; cut ones are a column, not an exception."""

import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from analyzer.decode import address_text
from analyzer.tables import Bad, Tunnel
from tests.analyzer.decode.build import ETHERNET, HELLO, RAW, decoded, ends

SNAP = b"\xaa\xaa\x03\x00\x00\x00\x08\x00"
DATA_TO_AP = b"\x08\x01" + bytes(22)
QOS_DATA = b"\x88\x01" + bytes(22) + b"\x00\x00"
BEACON = b"\x80\x00" + bytes(60)
ENCRYPTED = b"\x08\x41" + bytes(22) + b"\xaa" * 40
RADIOTAP = struct.pack("<BBHI", 0, 0, 8, 0)
OUTER = IP(src="198.51.100.1", dst="198.51.100.2")
INNER = bytes(Ether() / HELLO)


def in_udp(port: int, head: bytes, inside: bytes) -> bytes:
    return bytes(OUTER / UDP(sport=55555, dport=port) / (head + inside))


def in_gre(head: bytes, inside: bytes) -> bytes:
    return bytes(IP(src="198.51.100.1", dst="198.51.100.2", proto=47) / (head + inside))


CARRIERS = {
    "802.11 data": (105, DATA_TO_AP + SNAP + bytes(HELLO)),
    "802.11 QoS data": (105, QOS_DATA + SNAP + bytes(HELLO)),
    "802.11 between access points": (105, b"\x08\x03" + bytes(28) + SNAP + bytes(HELLO)),
    "radiotap": (127, RADIOTAP + QOS_DATA + SNAP + bytes(HELLO)),
    "prism": (119, struct.pack("<II", 0x44, 144) + bytes(136) + DATA_TO_AP + SNAP + bytes(HELLO)),
    "avs": (163, struct.pack(">II", 0x80211001, 64) + bytes(56) + DATA_TO_AP + SNAP + bytes(HELLO)),
    "ppi": (192, struct.pack("<BBHI", 0, 0, 8, 105) + DATA_TO_AP + SNAP + bytes(HELLO)),
    "pktap": (258, struct.pack("<III", 108, 1, ETHERNET) + bytes(96) + INNER),
    "ppp with direction": (204, b"\x01\xff\x03\x00\x21" + bytes(HELLO)),
    "cisco hdlc": (104, b"\x0f\x00\x08\x00" + bytes(HELLO)),
    "cisco hdlc in ppp": (50, b"\x0f\x00\x08\x00" + bytes(HELLO)),
    "pppoe alone": (51, b"\x11\x00\x00\x01\x00\x30\x00\x21" + bytes(HELLO)),
    "mpls alone": (219, bytes.fromhex("0001013f") + bytes(HELLO)),
    "nflog": (239, b"\x02\x00\x00\x00" + struct.pack("<HH", 8, 1) + b"\x08\x00\x03\x00"
              + struct.pack("<HH", 4 + len(HELLO), 9) + bytes(HELLO)),
    "mpls in ppp": (9, b"\xff\x03\x02\x81\x00\x01\x00\x3f\x00\x02\x01\x3f" + bytes(HELLO)),
    "vxlan": (RAW, in_udp(4789, b"\x08\x00\x00\x00\x00\x00\x05\x00", INNER)),
    "geneve with options": (RAW, in_udp(6081, b"\x01\x00\x65\x58\x00\x00\x05\x00" + bytes(4), INNER)),
    "gtp-u": (RAW, in_udp(2152, struct.pack(">BBHI", 0x30, 0xFF, len(HELLO), 7), bytes(HELLO))),
    "gtp-u with extension": (RAW, in_udp(2152, struct.pack(">BBHIHBB", 0x34, 0xFF, len(HELLO) + 8, 7, 0, 0, 0x85)
                                         + b"\x01\x10\x01\x00", bytes(HELLO))),
    "erspan 2": (RAW, in_gre(b"\x10\x00\x88\xbe" + bytes(4) + bytes(8), INNER)),
    "erspan 3": (RAW, in_gre(b"\x10\x00\x22\xeb" + bytes(4) + bytes(12), INNER)),
    "nvgre": (RAW, in_gre(b"\x20\x00\x65\x58" + bytes(4), INNER)),
    "wireless controller": (RAW, in_gre(b"\x00\x00\x82\x10", DATA_TO_AP + SNAP + bytes(HELLO))),
    "pptp": (RAW, in_gre(b"\x30\x81\x88\x0b" + bytes(12), b"\xff\x03\x00\x21" + bytes(HELLO))),
}  # fmt: skip


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_same_segment_comes_out(carrier):
    link, frame = CARRIERS[carrier]
    p = decoded(frame, link=link)
    assert ends(p) == ("10.0.0.2", 50001, "192.0.2.9", 443)
    assert (p.bad[0], p.proto[0], p.ttl[0], p.seq[0], p.payload[0], p.captured[0]) == (0, 6, 57, 7, 5, 5)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_cut_anywhere_it_stays_a_row(carrier):
    link, frame = CARRIERS[carrier]
    for size in range(len(frame)):
        p = decoded(frame[:size], link=link, origlen=len(frame))
        assert p.captured[0] <= size
        assert p.sport[0] in (-1, 50001, 55555)


@pytest.mark.parametrize("frame", [BEACON, ENCRYPTED])
def test_radio_frames_without_readable_payload_are_not_ip(frame):
    assert decoded(frame, link=105).bad[0] == Bad.NOT_IP


TEREDO_HOST = IPv6(src="2001:0:4136:e378:8000:63bf:3fff:fdd2", dst="2001:db8::9", hlim=21)
SEGMENT = TCP(sport=50001, dport=443, seq=7, flags="PA") / b"hello"
ORIGIN = b"\x00\x00" + bytes(6)
AUTHENTICATION = b"\x00\x01\x00\x00" + bytes(9)


@pytest.mark.parametrize(("port", "head"), [(3544, b""), (3544, ORIGIN), (3544, AUTHENTICATION + ORIGIN), (51820, b"")])
def test_teredo_is_entered_by_its_server_port_or_between_its_hosts(port, head):
    p = decoded(in_udp(port, head, bytes(TEREDO_HOST / SEGMENT)), link=RAW)
    assert ends(p) == ("2001:0:4136:e378:8000:63bf:3fff:fdd2", 50001, "2001:db8::9", 443)
    assert (p.ttl[0], p.payload[0], p.encap[0], p.tunnel[0]) == (21, 5, 1, Tunnel.TEREDO)


@pytest.mark.parametrize(
    "inside",
    [
        bytes(TEREDO_HOST / SEGMENT) + b"more",  # a length that does not fit
        bytes(IPv6(src="2001:db8::2", dst="2001:db8::9") / SEGMENT),  # addresses of no Teredo host
        bytes(IPv6(src=TEREDO_HOST.src, dst="2001:db8::9", nh=59)),  # a bubble
    ],
)
def test_what_only_resembles_teredo_stays_a_conversation(inside):
    p = decoded(in_udp(3544, b"", inside), link=RAW)
    assert ends(p) == ("198.51.100.1", 55555, "198.51.100.2", 3544)


@pytest.mark.parametrize(
    ("carrier", "tunnel"),
    [
        ("vxlan", Tunnel.VXLAN),
        ("geneve with options", Tunnel.GENEVE),
        ("gtp-u", Tunnel.GTP),
        ("erspan 2", Tunnel.ERSPAN),
        ("nvgre", Tunnel.GRE),
        ("pptp", Tunnel.GRE),
        ("pppoe alone", Tunnel.NONE),
    ],
)
def test_each_tunnel_is_named(carrier, tunnel):
    link, frame = CARRIERS[carrier]
    p = decoded(frame, link=link)
    assert (p.tunnel[0], p.encap[0]) == (tunnel, int(tunnel > 0))


def test_the_outside_of_a_tunnel_is_remembered():
    p = decoded(CARRIERS["vxlan"][1], bytes(HELLO), link=RAW)
    assert p.outer_sport.tolist() == [55555, -1] and p.outer_dport[0] == 4789
    assert address_text(p.outer[:4]) == "198.51.100.1" and address_text(p.outer[4:8]) == "198.51.100.2"


def test_another_protocol_on_a_tunnel_port_stays_a_conversation():
    p = decoded(in_udp(4789, b"GET / HTTP/1.0\r\n\r\n", b""), link=RAW)
    assert ends(p) == ("198.51.100.1", 55555, "198.51.100.2", 4789)
    assert (p.proto[0], p.encap[0], p.payload[0]) == (17, 0, 18)


def test_a_hello_inside_two_tunnels_is_counted_as_deep():
    frame = in_udp(4789, b"\x08\x00\x00\x00\x00\x00\x05\x00", bytes(Ether() / IP(proto=4) / HELLO))
    p = decoded(frame, link=RAW)
    assert ends(p) == ("10.0.0.2", 50001, "192.0.2.9", 443)
    assert p.encap[0] == 2


def test_the_outer_segment_leaves_nothing_behind():
    inner = IP(src="10.0.0.2", dst="192.0.2.9") / UDP(sport=5, dport=6) / b"abc"
    outer = TCP(sport=1, dport=2)
    assert len(outer) == 20
    p = decoded(in_udp(4789, b"\x08\x00\x00\x00\x00\x00\x05\x00", bytes(Ether() / inner)), link=RAW)
    assert (p.flags[0], p.seq[0], p.sport[0], p.payload[0]) == (-1, -1, 5, 3)
