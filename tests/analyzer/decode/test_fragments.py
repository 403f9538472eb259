"""Datagrams in pieces come out whole, in any order, once; what is never completed stays a count."""

import itertools

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6

from analyzer import limits
from analyzer.decode import Fragments, Packets, decode, decode_one
from analyzer.tables import Bad
from tests.analyzer.decode.build import RAW, ends, frames_of

PAYLOAD = bytes(range(256)) * 8
FOUR = [bytes(p) for p in (IP(src="10.0.0.2", dst="192.0.2.9", id=9) / UDP(sport=53, dport=5) / PAYLOAD).fragment(800)]
SIX = [
    bytes(p)
    for p in fragment6(
        IPv6(src="2001:db8::2", dst="2001:db8::9") / IPv6ExtHdrFragment(id=3) / UDP(sport=53, dport=5) / PAYLOAD, 900
    )
]


def joined(*packets: bytes, caplen: int | None = None) -> tuple[Packets, bytes]:
    frames, out = frames_of(*packets, link=RAW, caplen=caplen), Packets.allocate(len(packets))
    decode(frames, 0, len(packets), out)
    whole, again = Fragments().join(frames, 0, len(packets), out)
    for i in again:
        decode_one(whole, i, i, out)
    done = again[0] if again else 0
    return out, whole.data[out.at[done] : out.at[done] + out.captured[done]].tobytes()


@pytest.mark.parametrize("pieces", [FOUR, SIX], ids=["ipv4", "ipv6"])
def test_in_every_order_the_last_to_come_carries_the_datagram(pieces):
    assert len(pieces) == 3
    for order in itertools.permutations(pieces):
        p, payload = joined(*order)
        assert payload == PAYLOAD
        assert ends(p, 2)[1::2] == (53, 5)
        assert p.bad.tolist() == [Bad.FRAGMENT, Bad.FRAGMENT, 0]


def test_a_missing_piece_gives_nothing():
    p, _ = joined(FOUR[0], FOUR[2])
    assert p.bad.tolist() == [Bad.FRAGMENT] * 2
    assert p.sport.tolist() == [-1, -1]


def test_copies_do_not_make_it_come_twice():
    p, payload = joined(FOUR[0], FOUR[0], FOUR[1], FOUR[2])
    assert payload == PAYLOAD
    assert (p.proto == 17).sum() == 1


def test_a_first_fragment_cut_by_the_snapshot_length_is_read_as_far_as_it_goes():
    p, _ = joined(FOUR[0], FOUR[1], FOUR[2], caplen=96)
    assert ends(p)[1::2] == (53, 5)
    assert p.bad.tolist() == [0, Bad.FRAGMENT, Bad.FRAGMENT]


def test_waiting_pieces_are_bounded(monkeypatch):
    monkeypatch.setattr("analyzer.decode.fragments.MAX_DATAGRAMS", 8)
    fragments = Fragments()
    firsts = [bytes(IP(src="10.0.0.2", dst="192.0.2.9", id=n, flags="MF") / bytes(64)) for n in range(50)]
    out = Packets.allocate(50)
    frames = frames_of(*firsts, link=RAW)
    decode(frames, 0, 50, out)
    assert fragments.join(frames, 0, 50, out)[1] == []
    assert len(fragments._open) == 8
    assert fragments._bytes == 8 * 64


def test_a_ping_of_death_is_not_put_together():
    last = bytes(IP(src="10.0.0.2", dst="192.0.2.9", id=9, frag=8191) / bytes(1000))
    p, _ = joined(last)
    assert p.bad[0] == Bad.FRAGMENT
    assert limits.MAX_DATAGRAM < 8191 * 8 + 1000


def test_without_fragments_the_frames_are_the_same():
    frames, out = frames_of(bytes(IP() / UDP() / b"x"), link=RAW), Packets.allocate(1)
    decode(frames, 0, 1, out)
    same, again = Fragments().join(frames, 0, 1, out)
    assert same is frames and again == []
    assert np.shares_memory(same.data, frames.data)
