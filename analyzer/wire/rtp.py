"""RTP headers (RFC 3550 §5.1): the sequence numbers by which a call's media count themselves.

SRTP encrypts what follows and leaves the header readable (RFC 3711 §3.1).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

_HEADER = Struct(">BBHII")
_VERSION = 0x80  # two bits; on a port shared with STUN, DTLS and TURN the first byte tells them apart (RFC 7983 §7)
_RTCP = range(64, 96)  # payload types that are reports on the same port (RFC 5761 §4)


class Rtp(NamedTuple):
    """One packet's header."""

    kind: int  # payload type
    sequence: int  # 16 bits
    timestamp: int  # 32 bits, in ticks of the media clock
    source: int  # SSRC


def read(datagram: bytes) -> Rtp | None:
    """The header of a datagram; None where it is no RTP."""
    if len(datagram) < _HEADER.size:
        return None
    first, second, sequence, timestamp, source = _HEADER.unpack_from(datagram)
    if first & 0xC0 != _VERSION or second & 0x7F in _RTCP:
        return None
    return Rtp(second & 0x7F, sequence, timestamp, source)
