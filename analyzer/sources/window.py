"""A window on a stream of bytes, in which the kernels walk over records: two buffers that take turns.

When a record is only partly there, its beginning moves to the front of the other buffer and reading goes on behind it,
while the first may still be hashed.
"""

from __future__ import annotations

import time

import numpy as np

from analyzer import limits
from analyzer.sources.compression import Expanded
from analyzer.sources.input import Input

_OPTIONS_BYTES = 1 << 17  # what a pcapng block may hold besides its frame (Wireshark allows as much)


class Window:
    """`data[at:end]` are the bytes that came and were not yet walked over; `data[0]` is byte `base` of the stream."""

    def __init__(self, stream: Input | Expanded, given: Input):
        self.capacity = max(limits.BLOCK_BYTES, limits.MAX_FRAME_BYTES + _OPTIONS_BYTES)
        # Memory costs only where it is written.
        self.data, self._other = np.empty(self.capacity, np.uint8), np.empty(self.capacity, np.uint8)
        self._other_until = 0  # how much of the input was read when the other buffer was left
        self.at = self.end = self.base = 0
        self._view = self.data.data
        self._stream = stream
        self._given = given
        # The first blocks are small, for small captures are read with interpreted kernels, and the choice comes after.
        self._step = min(limits.INTERPRETED_BYTES, self.capacity)

    @property
    def offset(self) -> int:
        """Where `at` is in the stream."""
        return self.base + self.at

    def head(self, size: int) -> bytes:
        """Up to `size` of the bytes that come next, as far as they are here."""
        return self.data[self.at : min(self.at + size, self.end)].tobytes()

    def fill(self) -> bool:
        """Read the next block behind what is left of the last. False: there is nothing more."""
        self._to_front()
        before, target = self.end, max(self._step, min(2 * self.end, self.capacity))
        since = time.monotonic()
        while self.end < target and self._read(target):
            if self._given.live and not self._given.more_soon(since):
                break
        self._step = min(2 * self._step, self.capacity)
        return self.end > before

    def fill_to(self, size: int) -> bool:
        """Have at least `size` bytes to look at. False: the stream has fewer."""
        if self.at + size > self.capacity:
            self._to_front()
        limit = max(self.at + size, self._step)
        while self.end - self.at < size and self._read(limit):
            pass
        return self.end - self.at >= size

    def skip(self, size: int) -> bool:
        """Go past `size` bytes, however many. False: the stream ends before."""
        while self.end - self.at < size:
            size -= self.end - self.at
            self.base += self.end
            self.at = self.end = 0
            self._given.settle()
            if not self._read(self.capacity):
                return False
        self.at += size
        return True

    def _to_front(self) -> None:
        if self.at:
            rest = self.end - self.at
            self._given.settle(self._other_until)
            self._other[:rest] = self.data[self.at : self.end]
            self.data, self._other = self._other, self.data
            self._view, self._other_until = self.data.data, self._given.bytes_read
            self.base += self.at
            self.at, self.end = 0, rest

    def _read(self, limit: int) -> bool:
        count = self._stream.readinto(self._view[self.end : limit]) if self.end < limit else 0
        self.end += count
        return count > 0
