"""Writing pcapng (draft-ietf-opsawg-pcapng): original bytes and times, nanoseconds, one interface per link type.

libpcap itself cannot write pcapng, and what `live -w` keeps must be what was analysed, so the writer is our own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from analyzer import __version__
from analyzer.decode import Frames
from analyzer.kernels import kernel

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_FIXED = 32  # bytes of an enhanced packet block around its data
_SNAPLEN = 1 << 18
_LONGEST_COMMENT = 60_000  # bytes: an option's length is a 16-bit number


@kernel
def _put(out, at, value):
    for k in range(4):
        out[at + k] = (value >> (8 * k)) & 0xFF


@kernel
def packet_blocks(frames, interface, out):
    """Enhanced packet blocks of all frames, little-endian; gives how many bytes they take."""
    at = 0
    for i in range(len(frames.offset)):
        size = frames.caplen[i]
        length = _FIXED + ((size + 3) & ~3)
        _put(out, at, _PACKET)
        _put(out, at + 4, length)
        _put(out, at + 8, interface[i])
        _put(out, at + 12, frames.ts[i] >> 32)
        _put(out, at + 16, frames.ts[i] & 0xFFFFFFFF)
        _put(out, at + 20, size)
        _put(out, at + 24, frames.origlen[i])
        for k in range(size):
            out[at + 28 + k] = frames.data[frames.offset[i] + k]
        for k in range(size, (size + 3) & ~3):
            out[at + 28 + k] = 0
        _put(out, at + length - 4, length)
        at += length
    return at


class CaptureWriter:
    """Writes frames to a new pcapng file. Existing files are never overwritten.

    Raises
    ------
    FileExistsError
        The file is there already.
    """

    def __init__(self, path: str | os.PathLike):
        self._file: BinaryIO = open(path, "xb")  # noqa: SIM115  (closed by close)
        self._interfaces: dict[int, int] = {}
        application = _option(4, f"interference-analyzer {__version__}".encode()) + _option(0, b"")
        self._block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + application)

    def write(self, frames: Frames, comments: Mapping[int, str] | None = None) -> None:
        """Append a block of frames; `comments` holds packet comments by frame number."""
        if not len(frames.offset):
            return
        for link in np.unique(frames.link).tolist():
            if link not in self._interfaces:
                self._interfaces[link] = len(self._interfaces)
                # if_tsresol (option 9) 9: nanoseconds
                self._block(_INTERFACE, struct.pack("<HHI", link, 0, _SNAPLEN) + _option(9, b"\x09") + _option(0, b""))
        links = np.array(sorted(self._interfaces), np.int64)
        numbers = np.array([self._interfaces[link] for link in links.tolist()], np.int64)
        interface = numbers[np.searchsorted(links, frames.link)]
        out = np.zeros(int((frames.caplen + _FIXED + 3).sum()), np.uint8)
        blocks = out[: packet_blocks(frames, interface, out)].tobytes()
        self._file.write(_commented(blocks, frames, comments) if comments else blocks)
        self._file.flush()

    def close(self) -> None:
        """What no packet came into is taken away again: it would only refuse the next try."""
        self._file.close()
        if not self._interfaces:
            os.unlink(self._file.name)

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _block(self, kind: int, body: bytes) -> None:
        length = 12 + len(body)
        self._file.write(struct.pack("<II", kind, length) + body + struct.pack("<I", length))


def _commented(blocks: bytes, frames: Frames, comments: Mapping[int, str]) -> bytes:
    """The same blocks, with an opt_comment (option 1) in those whose frames are commented on."""
    ends = np.cumsum(_FIXED + ((frames.caplen + 3) & ~3)).tolist()
    out, at = [], 0
    for i in np.flatnonzero(np.isin(frames.number, list(comments))).tolist():
        start = ends[i - 1] if i else 0
        options = _option(1, comments[int(frames.number[i])].encode()[:_LONGEST_COMMENT]) + _option(0, b"")
        length = struct.pack("<I", ends[i] - start + len(options))
        out += [blocks[at : start + 4], length, blocks[start + 8 : ends[i] - 4], options, length]
        at = ends[i]
    return b"".join([*out, blocks[at:]])


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
