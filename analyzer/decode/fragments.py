"""Fragmented datagrams, put together off the fast path (RFC 791 §3.2, RFC 8200 §4.5).

The kernels note where a fragment belongs; whoever completes a datagram is decoded again with all of it, under its own
frame number, as Wireshark does. Bounded: what is never completed is forgotten, oldest first, and stays a count.
"""

from __future__ import annotations

import struct

import numpy as np

from analyzer.decode.frames import Frames
from analyzer.decode.link import RAW
from analyzer.decode.packets import Packets
from analyzer.limits import MAX_DATAGRAM, MAX_DATAGRAMS, MAX_FRAGMENT_BYTES
from analyzer.tables import Bad


class _Datagram:
    __slots__ = ("end", "pieces", "size")

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.end = -1
        self.size = 0

    def whole(self) -> bytes | None:
        """The payload, once no gap is left; the first copy of a byte wins."""
        if self.end < 0:
            return None
        out = bytearray()
        for at in sorted(self.pieces):
            if at > len(out):
                return None
            out += self.pieces[at][len(out) - at :]
        return bytes(out[: self.end]) if len(out) >= self.end else None


class Fragments:
    """Feed it decoded batches; it gives back the frames, whole datagrams in the place of their last fragments."""

    def __init__(self) -> None:
        self._open: dict[tuple[bytes, int, int], _Datagram] = {}
        self._bytes = 0

    def join(self, frames: Frames, first: int, count: int, packets: Packets) -> tuple[Frames, list[int]]:
        """(frames, entries of the batch that must be decoded again). Without fragments, the same frames and nothing."""
        found = np.flatnonzero(packets.bad[:count] & Bad.FRAGMENT)
        done: list[tuple[int, bytes]] = []
        for i in found.tolist():
            datagram = self._take(frames, packets, i)
            if datagram is not None:
                done.append((i, datagram))
        if not done:
            return frames, []
        at = len(frames.data)
        offset, caplen, origlen, link = (c.copy() for c in (frames.offset, frames.caplen, frames.origlen, frames.link))
        for i, datagram in done:
            k = first + i
            offset[k], caplen[k], origlen[k], link[k] = at, len(datagram), len(datagram), RAW
            at += len(datagram)
        joined = np.frombuffer(b"".join(datagram for _, datagram in done), np.uint8)
        data = np.concatenate((frames.data, joined))
        return frames._replace(data=data, offset=offset, caplen=caplen, origlen=origlen, link=link), [
            i for i, _ in done
        ]

    def _take(self, frames: Frames, packets: Packets, i: int) -> bytes | None:
        address = packets.address[8 * i : 8 * i + 8].tobytes()
        at, size, offset = int(packets.at[i]), int(packets.captured[i]), int(packets.seq[i])
        if size < packets.payload[i] or offset + size > MAX_DATAGRAM or size == 0:
            return None  # cut by the snapshot length, or the ping of death
        key = address, int(packets.tsval[i]), int(packets.win[i])
        datagram = self._open.get(key)
        if datagram is None:
            self._forget()
            datagram = self._open[key] = _Datagram()
        if offset not in datagram.pieces:
            datagram.pieces[offset] = frames.data[at : at + size].tobytes()
            datagram.size += size
            self._bytes += size
        if packets.ack[i] == 0:
            datagram.end = offset + size
        payload = datagram.whole()
        if payload is None:
            return None
        self._drop(key)
        return _packet(packets, i, payload)

    def _forget(self) -> None:
        while self._open and (len(self._open) >= MAX_DATAGRAMS or self._bytes > MAX_FRAGMENT_BYTES):
            self._drop(next(iter(self._open)))

    def _drop(self, key: tuple[bytes, int, int]) -> None:
        self._bytes -= self._open.pop(key).size


def _packet(packets: Packets, i: int, payload: bytes) -> bytes:
    """An IP packet as it was before it was fragmented, with a plain header."""
    words = packets.address[8 * i : 8 * i + 8].astype(">u4")
    ttl, proto = int(packets.ttl[i]), int(packets.win[i])
    if words[0] == 0 and words[1] == 0 and words[2] == 0xFFFF:
        total, ipid = min(20 + len(payload), 0xFFFF), int(packets.ipid[i])
        head = struct.pack(">BBHHHBBH", 0x45, int(packets.ecn[i]), total, ipid, 0, ttl, proto, 0)
        return head + words[3:4].tobytes() + words[7:8].tobytes() + payload
    return struct.pack(">IHBB", 0x60000000, len(payload), proto, ttl) + words.tobytes() + payload
