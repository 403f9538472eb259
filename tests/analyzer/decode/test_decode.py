"""Frames to columns: every link type, lengths from the IP header, hostile bytes."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import GRE, LLC, SNAP, Dot1Q, Ether
from scapy.packet import Raw

from analyzer import kernels
from analyzer.decode import Packets
from analyzer.tables import Bad
from tests.analyzer.decode.build import (
    ETHERNET,
    HELLO,
    HELLO6,
    LOOP,
    NULL,
    PPP,
    RAW,
    SLL,
    SLL2,
    decoded,
    ends,
)  # fmt: skip

CARRIERS = {
    "ethernet": (ETHERNET, bytes(Ether() / HELLO)),
    "vlan": (ETHERNET, bytes(Ether() / Dot1Q(vlan=5) / HELLO)),
    "qinq": (ETHERNET, bytes(Ether(type=0x88A8) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / HELLO)),
    "snap": (ETHERNET, bytes(Ether(type=100) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x0800) / HELLO)),
    "mpls": (ETHERNET, bytes(12) + b"\x88\x47" + bytes.fromhex("0001003f0002013f") + bytes(HELLO)),
    "pppoe": (ETHERNET, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\x30\x00\x21" + bytes(HELLO)),
    "raw": (RAW, bytes(HELLO)),
    "null, little-endian": (NULL, b"\x02\0\0\0" + bytes(HELLO)),
    "null, big-endian": (NULL, b"\0\0\0\x02" + bytes(HELLO)),
    "loop": (LOOP, b"\0\0\0\x02" + bytes(HELLO)),
    "ppp": (PPP, b"\xff\x03\x00\x21" + bytes(HELLO)),
    "ppp, compressed protocol": (PPP, b"\x21" + bytes(HELLO)),
    "cooked v1": (SLL, bytes(14) + b"\x08\x00" + bytes(HELLO)),
    "cooked v1 with vlan": (SLL, bytes(14) + b"\x81\x00\x00\x05\x08\x00" + bytes(HELLO)),
    "cooked v2": (SLL2, b"\x08\x00" + bytes(18) + bytes(HELLO)),
    "ip in ip": (RAW, bytes(IP(src="1.1.1.1", dst="2.2.2.2", proto=4) / HELLO)),
    "gre with key": (RAW, bytes(IP(src="1.1.1.1", dst="2.2.2.2", proto=47) / GRE(key_present=1, key=9) / HELLO)),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_same_segment_comes_out_of_every_carrier(carrier):
    link, frame = CARRIERS[carrier]
    p = decoded(frame, link=link)
    assert ends(p) == ("10.0.0.2", 50001, "192.0.2.9", 443)
    assert (p.bad[0], p.proto[0], p.ttl[0], p.ipid[0], p.seq[0], p.ack[0], p.flags[0]) == (0, 6, 57, 77, 7, 9, 0x18)
    assert (p.payload[0], p.captured[0]) == (5, 5)


def test_ipv6_with_extension_headers():
    packet = (
        IPv6(src="2001:db8::2", dst="2001:db8::9")
        / IPv6ExtHdrHopByHop()
        / IPv6ExtHdrDestOpt()
        / UDP(sport=5, dport=53)
        / b"abc"
    )
    p = decoded(bytes(packet), link=RAW)
    assert ends(p) == ("2001:db8::2", 5, "2001:db8::9", 53)
    assert (p.proto[0], p.payload[0], p.bad[0]) == (17, 3, 0)


def test_6in4_gives_the_inner_packet():
    p = decoded(bytes(IP(src="1.1.1.1", dst="2.2.2.2", proto=41) / HELLO6), link=RAW)
    assert ends(p) == ("2001:db8::2", 50001, "2001:db8::9", 443)
    assert (p.encap[0], p.ttl[0]) == (1, 61)


def test_ethernet_padding_is_no_payload():
    bare = bytes(Ether() / IP(src="10.0.0.2", dst="192.0.2.9") / TCP(sport=1, dport=2, flags="R"))
    p = decoded(bare.ljust(60, b"\0"))
    assert (p.payload[0], p.captured[0]) == (0, 0)


def test_ip_length_zero_is_an_offloaded_super_packet():
    frame = bytearray(bytes(Ether() / HELLO / Raw(b"x" * 3000)))
    frame[16:18] = b"\0\0"
    assert decoded(bytes(frame)).payload[0] == 3005


def test_snapshot_length_cuts_what_is_captured_and_not_what_was_sent():
    p = decoded(bytes(Ether() / HELLO / Raw(b"x" * 1000)), caplen=96)
    assert (p.payload[0], p.captured[0]) == (1005, 96 - 14 - 40)


def test_tcp_options():
    options = [("MSS", 1400), ("SAckOK", b""), ("Timestamp", (111, 222)), ("NOP", None), ("WScale", 7)]
    p = decoded(bytes(IP() / TCP(flags="S", options=options)), link=RAW)
    assert (p.mss[0], p.tsval[0], p.tsecr[0], p.wscale[0]) == (1400, 111, 222, 7)


@pytest.mark.parametrize(
    ("blocks", "dsack"),
    [((900, 1000), 1), ((2000, 3000), 0), ((2100, 2200, 2000, 3000), 1), ((2000, 3000, 2100, 2200), 0)],
)
def test_dsack_as_rfc_2883_defines_it(blocks, dsack):
    p = decoded(bytes(IP() / TCP(flags="A", ack=1000, options=[("SAck", blocks)])), link=RAW)
    assert p.dsack[0] == dsack


def test_bad_options_leave_the_rest_of_the_header():
    frame = bytearray(bytes(IP() / TCP(sport=9, dport=10, flags="S", options=[("MSS", 1400)])))
    frame[41] = 40  # an option longer than the header
    p = decoded(bytes(frame), link=RAW)
    assert (p.bad[0], p.sport[0], p.mss[0]) == (Bad.OPTIONS, 9, -1)


def test_an_icmp_error_is_entered_under_the_packet_it_quotes():
    quoted = IP(src="10.0.0.2", dst="192.0.2.9") / UDP(sport=5000, dport=443)
    from_router = bytes(IP(src="198.51.100.1", dst="10.0.0.2") / ICMP(type=3, code=13) / IPerror(bytes(quoted)[:28]))
    from_target = bytes(IP(src="192.0.2.9", dst="10.0.0.2") / ICMP(type=3, code=3) / IPerror(bytes(quoted)[:28]))
    p = decoded(from_router, from_target, link=RAW)
    assert ends(p, 0) == ends(p, 1) == ("10.0.0.2", 5000, "192.0.2.9", 443)
    assert p.icmp.tolist() == [3 * 256 + 13, 3 * 256 + 3]
    assert p.near.tolist() == [0, 1]


def test_icmpv6_errors_have_numbers_of_their_own():
    quoted = bytes(IPv6(src="2001:db8::2", dst="2001:db8::9") / UDP(sport=5000, dport=443))
    p = decoded(
        bytes(IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6PacketTooBig(mtu=1280) / Raw(quoted)), link=RAW
    )
    assert p.icmp[0] == 65536 + 2 * 256


def test_fragments_have_no_ports_but_a_place():
    first = bytes(IP(flags="MF") / UDP(sport=1, dport=2) / b"12345678")
    later = bytes(IP(frag=2) / Raw(b"12345678"))
    later6 = bytes(IPv6() / IPv6ExtHdrFragment(offset=3) / Raw(b"12345678"))
    p = decoded(first, later, later6, link=RAW)
    assert p.sport.tolist() == [-1, -1, -1]
    assert p.bad.tolist() == [Bad.FRAGMENT] * 3
    assert (p.seq.tolist(), p.ack.tolist()) == ([0, 16, 24], [1, 0, 0])


@pytest.mark.parametrize(
    ("frame", "link", "bad"),
    [
        (b"", ETHERNET, Bad.LINK),
        (b"\0" * 13, ETHERNET, Bad.LINK),
        (b"\0" * 60, 9999, Bad.LINK),
        (bytes(12) + b"\x08\x06" + bytes(28), ETHERNET, Bad.NOT_IP),
        (bytes(IP())[:19], RAW, Bad.IP),
        (b"\x40" + bytes(40), RAW, Bad.IP),
        (bytes(IP() / TCP())[:30], RAW, Bad.TRANSPORT),
        (bytes(IP(proto=132) / Raw(b"x" * 20)), RAW, Bad.PROTOCOL),
        (struct.pack(">HHHH", 1, 2, 4, 0).join([bytes(IP(proto=17, len=28)), b""]), RAW, Bad.TRANSPORT),
    ],
)
def test_bad_bytes_become_a_column(frame, link, bad):
    assert decoded(frame, link=link).bad[0] == bad


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.binary(max_size=120) | st.tuples(st.binary(min_size=14, max_size=14), st.binary(max_size=90)).map(b"".join),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([ETHERNET, NULL, PPP, RAW, LOOP, SLL, SLL2, 12345]),
)
def test_any_bytes_decode_alike_in_both_forms(frames, link):
    answers = []
    for form in ("interpreted", "compiled"):
        with kernels.forced(form):
            answers.append(decoded(*frames, link=link))
    for column, a, b in zip(Packets._fields, *answers, strict=True):
        assert (a == b).all(), column
    assert (answers[0].captured <= 120).all()
    assert (answers[0].captured >= 0).all()


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 200),
    st.lists(st.tuples(st.integers(0, 199), st.integers(0, 255)), max_size=8),
    st.sampled_from(list(CARRIERS)),
)
def test_damaged_and_cut_frames_stay_inside_their_bytes(size, damage, carrier):
    link, whole = CARRIERS[carrier]
    frame = bytearray(whole)
    for at, value in damage:
        frame[at % len(frame)] = value
    p = decoded(bytes(frame), link=link, caplen=size)
    assert 0 <= p.captured[0] <= min(size, len(frame))
    if p.captured[0]:
        assert p.at[0] + p.captured[0] <= min(size, len(frame))
