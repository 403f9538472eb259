"""QUIC long headers (RFC 8999, RFC 9000 §17.2, RFC 9369 §3.2), and datagrams that hold several packets (§12.2).

A packet is what its header claims, no more: whether it was ever a QUIC packet shows when it is opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

MAX_PACKETS = 8  # read of one datagram; senders coalesce up to four
MAX_CID = 20  # RFC 9000 §17.2: longer ones belong to versions not known here
MAX_VERSIONS = 64  # read of a Version Negotiation

_V2 = 0x6B3343CF


class PacketType(Enum):
    """What a long header is; the two type bits mean other things in version 2."""

    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    RETRY = 3
    VERSION_NEGOTIATION = 4


@dataclass(frozen=True, slots=True)
class LongPacket:
    """One packet with a long header; `data` is all of it, `number_at` where its protected packet number begins."""

    type: PacketType
    version: int
    dcid: bytes
    scid: bytes
    data: bytes
    number_at: int = 0
    token: bytes = b""
    versions: tuple[int, ...] = ()


def parse_datagram(datagram: bytes) -> Iterator[LongPacket]:
    """The long-header packets at the start of a datagram; ends at the first byte that is none."""
    for _ in range(MAX_PACKETS):
        try:
            packet = _long_packet(datagram)
        except IndexError:
            return
        if packet is None:
            return
        yield packet
        datagram = datagram[len(packet.data) :]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 §16) and the offset after it; IndexError where it is cut."""
    size = 1 << (data[at] >> 6)
    data[at + size - 1]
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def _long_packet(data: bytes) -> LongPacket | None:
    first = data[0]
    if not first & 0x80:
        return None
    version = int.from_bytes(data[1:5], "big")
    dcid, position = _cid(data, 5)
    scid, position = _cid(data, position)
    if version == 0:
        rest = data[position : position + 4 * MAX_VERSIONS]
        offered = tuple(int.from_bytes(rest[i : i + 4], "big") for i in range(0, len(rest) - 3, 4))
        return LongPacket(PacketType.VERSION_NEGOTIATION, 0, dcid, scid, data, versions=offered) if offered else None
    if not first & 0x40 or len(dcid) > MAX_CID or len(scid) > MAX_CID:
        return None
    kind = PacketType((first >> 4) - (1 if version == _V2 else 0) & 3)
    if kind is PacketType.RETRY:
        return LongPacket(kind, version, dcid, scid, data, token=data[position:-16])
    token = b""
    if kind is PacketType.INITIAL:
        size, position = varint(data, position)
        token = data[position : position + size]
        position += size
    size, position = varint(data, position)
    if position + size > len(data):
        return None
    return LongPacket(kind, version, dcid, scid, data[: position + size], position, token)


def _cid(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 1 + data[at]
    data[end - 1]
    return data[at + 1 : end], end
