"""The hash that names an input in a report, worked out beside the analysis.

SHA-256 of a large capture takes a third of the time that its analysis does, and needs none of the same memory once a
block has been read; so it runs in threads of its own, one after the other, and whoever wants to reuse the memory of a
block waits until that is taken in. Some blocks are analysed faster than hashed: a queue evens this out.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque

_BESIDE_BYTES = 1 << 20  # a shorter piece is hashed before a thread would have started


class Digest:
    """SHA-256 of the bytes given to `update`."""

    def __init__(self):
        self._hash = hashlib.sha256()
        self._given = 0
        self._busy: deque[tuple[int, threading.Thread]] = deque()  # in order: which byte a piece begins at, who takes it in

    def update(self, data: memoryview) -> None:
        """Take `data` in, which must not change before it is settled."""
        begin = self._given
        self._given += len(data)
        if len(data) < _BESIDE_BYTES:
            self.settle()
            self._hash.update(data)
            return
        before = self._busy[-1][1] if self._busy else None
        thread = threading.Thread(target=self._take_in, args=(data, before))
        self._busy.append((begin, thread))
        thread.start()

    def settle(self, size: int | None = None) -> None:
        """Wait until the first `size` bytes are taken in; all of them, if it is None."""
        while self._busy and (size is None or self._busy[0][0] < size):
            self._busy.popleft()[1].join()

    def hexdigest(self) -> str:
        self.settle()
        return self._hash.hexdigest()

    def _take_in(self, data: memoryview, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        self._hash.update(data)
