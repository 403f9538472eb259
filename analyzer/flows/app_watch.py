"""App names as they pass: what the capturing device says which app a packet belongs to.

PCAPdroid appends a trailer to each frame when asked to (its file then says Ethernet), or marks it in pcapng; Apple's
PKTAP header names the process, and its pcapng refers to a block about it. They know better than any name or address,
since they asked the system.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.decode import Frames, Packets
from analyzer.decode.carriers import PKTAP, USER2
from analyzer.decode.link import ETHERNET
from analyzer.limits import MAX_APPS

TRAILER, MAGIC = 32, np.array((0x01, 0x07, 0x20, 0x21), np.uint8)  # PCAPdroid, pcap_dump.h
_NAME_AT, _NAME_SIZE = 8, 20
_PKTAP_NAME_AT, _PKTAP_NAME_SIZE = 56, 17  # xnu, bsd/net/pktap.h, version 1
_PKTAP_HEADER = 108


class AppWatch:
    """Remembers the app of each conversation, by its ends, until the conversation is identified."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = names  # that `Frames.app` stands for
        self._apps: dict[tuple[int, bytes, bytes], str] = {}

    def look(self, packets: Packets, frames: Frames, first: int, count: int) -> None:
        """See a decoded batch, before its packets are accounted."""
        some = slice(first, first + count)
        link, end = frames.link[some], frames.offset[some] + frames.caplen[some]
        behind = end - packets.at[:count] - packets.captured[:count]  # bytes that are no packet's, unless it was cut
        room = (behind >= TRAILER) | (packets.captured[:count] < packets.payload[:count])
        tails = np.flatnonzero((link == ETHERNET) & room & (frames.caplen[some] > TRAILER + 34))
        for k in range(len(MAGIC)):
            tails = tails[frames.data[end[tails] - TRAILER + k] == MAGIC[k]]
        wrapped = (link == PKTAP) | (link == USER2)
        told = frames.app[some] >= 0 if self._names and len(frames.app) else np.zeros(count, bool)
        if not len(tails) and not wrapped.any() and not told.any():
            return
        tailed = np.zeros(count, bool)
        tailed[tails] = True
        named = tailed | told | (wrapped & (frames.caplen[some] >= _PKTAP_HEADER))
        for i in np.flatnonzero(named & (packets.sport[:count] >= 0) & (packets.icmp[:count] < 0)).tolist():
            key = _key(packets, i)
            if key in self._apps or len(self._apps) >= MAX_APPS:
                continue
            if told[i]:
                name = self._names[frames.app[first + i]]
            else:
                at, size = int(end[i]) - TRAILER + _NAME_AT, _NAME_SIZE
                if wrapped[i]:
                    at, size = int(frames.offset[first + i]) + _PKTAP_NAME_AT, _PKTAP_NAME_SIZE
                name = frames.data[at : at + size].tobytes().split(b"\0")[0].decode("utf-8", "ignore").strip()
            if name:
                self._apps[key] = name

    def __bool__(self) -> bool:
        return bool(self._apps)

    def app_of(self, proto: int, a: tuple[bytes, int], b: tuple[bytes, int]) -> str | None:
        """The app of the conversation between two ends, each the four words of an address and a port."""
        low, high = sorted((_end(*a), _end(*b)))
        return self._apps.get((proto, low, high))


def _key(packets: Packets, i: int) -> tuple[int, bytes, bytes]:
    words = packets.address[8 * i : 8 * i + 8].tobytes()
    ends = sorted((_end(words[:16], int(packets.sport[i])), _end(words[16:], int(packets.dport[i]))))
    return int(packets.proto[i]), ends[0], ends[1]


def _end(address: bytes, port: int) -> bytes:
    return address + port.to_bytes(2, "big")
