"""The hash that names an input in a report, worked out beside the analysis.

SHA-256 of a large capture takes a third of the time that its analysis does, and needs none of the same memory once a
block has been read; so it runs in a thread of its own, and whoever wants to reuse the memory of a block waits until
that is taken in. Some blocks are analysed faster than hashed: a queue evens this out.
"""

from __future__ import annotations

import hashlib
import threading
from queue import SimpleQueue

_BESIDE_BYTES = 1 << 20  # a shorter piece is hashed before a thread would have started


class Digest:
    """SHA-256 of the bytes given to `update`."""

    def __init__(self):
        self._hash = hashlib.sha256()
        self._given = self._taken = 0
        self._pieces: SimpleQueue[memoryview | None] = SimpleQueue()
        self._done: SimpleQueue[int] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def update(self, data: memoryview) -> None:
        """Take `data` in, which must not change before it is settled."""
        self._given += len(data)
        if len(data) < _BESIDE_BYTES:
            self.settle(self._given - len(data))
            self._hash.update(data)
            self._taken = self._given
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._pieces.put(data)

    def settle(self, size: int | None = None) -> None:
        """Wait until the first `size` bytes are taken in; all of them, if it is None."""
        while self._taken < (self._given if size is None else size):
            self._taken += self._done.get()

    def hexdigest(self) -> str:
        self.settle()
        return self._hash.hexdigest()

    def close(self) -> None:
        """Let go of the memory and of the thread."""
        self.settle()
        if self._thread is not None:
            self._pieces.put(None)
            self._thread = None

    def _work(self) -> None:
        while (data := self._pieces.get()) is not None:
            self._hash.update(data)
            self._done.put(len(data))
