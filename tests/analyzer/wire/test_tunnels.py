"""Tunnels known by their handshakes, and datagrams that only resemble them."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire.tunnels import is_openvpn, sealed_tunnel, split_openvpn

dice = random.Random(5)
INITIATION = b"\1\0\0\0" + b"ASKS" + dice.randbytes(140)
RESPONSE = b"\2\0\0\0" + b"TELL" + b"ASKS" + dice.randbytes(80)
COOKIE = b"\3\0\0\0" + b"ASKS" + dice.randbytes(56)


def data(index: bytes, counter: int, size: int = 96) -> bytes:
    return b"\4\0\0\0" + index + struct.pack("<Q", counter) + dice.randbytes(size - 16)


SESSION, OTHER = b"client88", b"server88"
OPENVPN_UP = [b"\x38" + SESSION + bytes(5), b"\x28" + SESSION + bytes(13), b"\x20" + SESSION + bytes(200)]
OPENVPN_DOWN = [b"\x40" + OTHER + bytes(17)]
IKE = (
    bytes(4) + dice.randbytes(8) + bytes(8) + b"\x21\x20\x23\x08" + struct.pack(">II", 1, 28 + 60) + dice.randbytes(60)
)


@pytest.mark.parametrize(
    ("up", "down", "port", "tunnel"),
    [
        ([INITIATION], [RESPONSE], 51820, "wireguard"),
        ([INITIATION], [COOKIE], 443, "wireguard"),  # on any port
        ([data(b"SRV1", n) for n in (7, 8, 9)], [data(b"CLI1", n) for n in (3, 4)], 51820, "wireguard"),  # begun before
        (OPENVPN_UP, OPENVPN_DOWN, 1194, "openvpn"),
        ([IKE], [], 4500, "ipsec"),
    ],
)
def test_handshakes(up, down, port, tunnel):
    assert sealed_tunnel(up, down, port) == tunnel


@pytest.mark.parametrize(
    ("up", "down", "port"),
    [
        ([INITIATION], [], 51820),  # asked and never answered: not a tunnel (yet)
        ([INITIATION], [RESPONSE.replace(b"ASKS", b"ELSE")], 51820),
        ([INITIATION[:-1]], [RESPONSE], 51820),
        ([data(b"SRV1", 7)], [data(b"CLI1", 3)], 51820),  # one each is chance
        ([data(b"SRV1", 7), data(b"SRV2", 8)], [data(b"CLI1", n) for n in (3, 4)], 51820),
        ([data(b"SRV1", 7)] * 2, [data(b"CLI1", n) for n in (3, 4)], 51820),  # a counter that stands still
        (OPENVPN_UP[:1], OPENVPN_DOWN, 1194),
        (OPENVPN_UP, [b"\x41" + OTHER + bytes(17)], 1194),
        ([OPENVPN_UP[0], b"\x28" + OTHER + bytes(13)], OPENVPN_DOWN, 1194),
        ([IKE], [], 5000),
        ([IKE + b"more"], [], 4500),
        ([], [RESPONSE], 51820),
    ],
)
def test_near_misses(up, down, port):
    assert sealed_tunnel(up, down, port) is None


@given(st.lists(st.binary(max_size=200), max_size=6), st.lists(st.binary(max_size=200), max_size=6))
def test_random_datagrams_are_no_tunnel(up, down):
    assert sealed_tunnel(up, down, 4500) is None


def framed(packets: list[bytes]) -> bytes:
    return b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)


def test_openvpn_over_tcp():
    up, down = framed(OPENVPN_UP), framed(OPENVPN_DOWN)
    assert split_openvpn(up) == OPENVPN_UP
    assert is_openvpn(split_openvpn(up), split_openvpn(down))
    assert not is_openvpn(split_openvpn(up[1:]), split_openvpn(down))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_random_streams_are_no_tunnel(up, down):
    assert not is_openvpn(split_openvpn(up), split_openvpn(down))
