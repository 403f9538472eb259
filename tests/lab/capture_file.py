"""Reading and writing capture files for the laboratory itself: what dumpcap writes, and plain pcap.

Not the analyzer's reader: a mistake there must not hide in the truth.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ETHERNET, RAW = 1, 101
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_TSRESOL = 9


class Record(NamedTuple):
    """One frame: time in ns, the bytes kept, the length on the wire."""

    ns: int
    frame: bytes
    length: int


def read(path: Path) -> list[Record]:
    """All frames of a little-endian pcapng or pcap file, as this laboratory writes them."""
    data = path.read_bytes()
    return list(_pcapng(data) if data[:4] == b"\n\r\r\n" else _pcap(data))


def _pcapng(data: bytes) -> Iterator[Record]:
    at, per_second = 0, [10**6]
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == _SECTION:
            per_second = []
        elif kind == _INTERFACE:
            per_second.append(_resolution(data[at + 16 : at + size - 4]))
        elif kind == _PACKET:
            interface, high, low, kept, length = struct.unpack_from("<IIIII", data, at + 8)
            ns = (high << 32 | low) * 10**9 // per_second[interface]
            yield Record(ns, data[at + 28 : at + 28 + kept], length)
        at += size


def _resolution(options: bytes) -> int:
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from("<HH", options, at)
        if code == _TSRESOL:
            return 10 ** options[at + 4]
        at += 4 + (size + 3) // 4 * 4
    return 10**6


def _pcap(data: bytes) -> Iterator[Record]:
    scale = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[struct.unpack_from("<I", data)[0]]
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, kept, length = struct.unpack_from("<IIII", data, at)
        yield Record(seconds * 10**9 + fraction * scale, data[at + 16 : at + 16 + kept], length)
        at += 16 + kept


def write(path: Path, records: Iterable[Record], link: int = ETHERNET, snaplen: int = 262144) -> None:
    """A pcap file with nanoseconds."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snaplen, link))
        for record in records:
            kept = record.frame[:snaplen]
            file.write(struct.pack("<IIII", *divmod(record.ns, 10**9), len(kept), record.length) + kept)
