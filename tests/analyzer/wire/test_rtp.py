"""RTP headers, and what shares a port with them (RFC 7983)."""

import struct

import pytest

from analyzer.wire.rtp import Rtp, read


def test_a_header_is_read():
    assert read(struct.pack(">BBHII", 0x80, 0xE0 | 16, 65_535, 4_000_000_000, 7) + bytes(20)) == Rtp(
        112, 65_535, 4_000_000_000, 7
    )


@pytest.mark.parametrize(
    "datagram",
    [
        b"", bytes(11), bytes(40), b"\x16\xfe\xfd" + bytes(40), b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x80\xc8" + bytes(26), b"\x40\x00" + bytes(40),
    ],
    ids=["empty", "short", "zeros", "dtls", "stun", "rtcp", "turn-channel"],
)  # fmt: skip
def test_what_is_no_rtp(datagram):
    assert read(datagram) is None
