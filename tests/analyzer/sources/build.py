"""Captures built by hand, field by field, so that the readers are held to the formats and not to another reader."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

LITTLE, BIG = "<", ">"


class Packet(NamedTuple):
    ts: int  # in the file's own unit
    data: bytes
    origlen: int | None = None
    interface: int = 0


PACKETS = [
    Packet(1_700_000_000_123_456, b"first"),
    Packet(1_700_000_000_123_457, b"the second one", 1500),
    Packet(1_700_000_001_000_000, b""),
    Packet(1_700_000_002_999_999, bytes(range(256))),
]


def pcap(
    packets: Iterable[Packet] = PACKETS,
    order: str = LITTLE,
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    link: int = 1,
    snaplen: int = 65535,
    per_second: int = 10**6,
    extra: bytes = b"",
    swapped: bool = False,
) -> bytes:
    """A pcap file; `extra` goes behind each record's header, `swapped` is the order of lengths before version 2.3."""
    out = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)]
    for packet in packets:
        lengths = [len(packet.data), len(packet.data) if packet.origlen is None else packet.origlen]
        if swapped:
            lengths.reverse()
        out.append(struct.pack(order + "IIII", *divmod(packet.ts, per_second), *lengths) + extra + packet.data)
    return b"".join(out)


def block(kind: int, body: bytes, order: str = LITTLE) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def option(code: int, value: bytes, order: str = LITTLE) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = LITTLE, options: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1) + options, order)


def interface(order: str = LITTLE, link: int = 1, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def clock(resolution: int, offset: int = 0, order: str = LITTLE) -> bytes:
    """Options of an interface: its unit of time and the seconds to add."""
    return option(9, bytes([resolution]), order) + option(14, struct.pack(order + "q", offset), order)


def enhanced(packet: Packet, order: str = LITTLE, options: bytes = b"") -> bytes:
    origlen = len(packet.data) if packet.origlen is None else packet.origlen
    head = struct.pack(
        order + "IIIII", packet.interface, packet.ts >> 32, packet.ts & 0xFFFFFFFF, len(packet.data), origlen
    )
    return block(6, head + packet.data + bytes(-len(packet.data) % 4) + options, order)


def obsolete(packet: Packet, order: str = LITTLE) -> bytes:
    origlen = len(packet.data) if packet.origlen is None else packet.origlen
    head = struct.pack(
        order + "HHIIII", packet.interface, 0, packet.ts >> 32, packet.ts & 0xFFFFFFFF, len(packet.data), origlen
    )
    return block(2, head + packet.data, order)


def simple(data: bytes, origlen: int, order: str = LITTLE) -> bytes:
    return block(3, struct.pack(order + "I", origlen) + data, order)


def statistics(interface: int, order: str = LITTLE, **counters: int) -> bytes:
    codes = {"received": 4, "dropped": 5, "dropped_by_os": 7}
    body = struct.pack(order + "III", interface, 0, 0)
    for name, count in counters.items():
        body += option(codes[name], struct.pack(order + "Q", count), order)
    return block(5, body, order)


def process(name: bytes, order: str = LITTLE) -> bytes:
    """Apple's block about a process; packets refer to it by its place."""
    return block(0x80000001, struct.pack(order + "I", 77) + option(2, name, order) + option(4, bytes(16), order), order)


def process_of(place: int, order: str = LITTLE, effective: bool = False) -> bytes:
    """Option of a packet: whose it is, or on whose behalf."""
    return option(0x8003 if effective else 0x8001, struct.pack(order + "I", place), order)


def user_map(uid: int, package: bytes, app: bytes, order: str = LITTLE, number: int = 62652) -> bytes:
    """PCAPdroid's block: which app runs under a user id."""
    lengths = bytes((len(package), len(app)))
    return block(0xBAD, struct.pack(order + "IHBBI", number, 1, 1, 0, uid) + lengths + package + app, order)


def pcapng(packets: Iterable[Packet] = PACKETS, order: str = LITTLE) -> bytes:
    return section(order) + interface(order) + b"".join(enhanced(packet, order) for packet in packets)
