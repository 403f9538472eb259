"""Reading a capture to its end, as the tests compare it: every frame with its bytes, and what the source says of itself."""

from __future__ import annotations

import io
from typing import NamedTuple

from analyzer.sources import SourceInfo, open_source


class Frame(NamedTuple):
    ts: int
    data: bytes
    origlen: int
    link: int
    iface: int
    number: int


def read(where, **options) -> tuple[list[Frame], SourceInfo]:
    with open_source(where, **options) as source:
        frames = [frame for block in source.blocks() for frame in unpack(block)]
        return frames, source.info


def unpack(block) -> list[Frame]:
    data = block.data.tobytes()
    rows = zip(*(column.tolist() for column in block[1:8]), strict=True)
    return [
        Frame(ts, data[offset : offset + caplen], origlen, link, iface, number)
        for offset, caplen, origlen, ts, link, iface, number in rows
    ]


class Trickle(io.RawIOBase):
    """A stream that gives as many bytes at a time as it is told, and cannot be rewound."""

    def __init__(self, data: bytes, sizes):
        self._data = memoryview(data)
        self._sizes = sizes

    def readable(self):
        return True

    def readinto(self, view):
        count = min(len(view), len(self._data), max(1, next(self._sizes)))
        view[:count] = self._data[:count]
        self._data = self._data[count:]
        return count
