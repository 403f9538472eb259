"""The hash that names an input in a report, worked out beside the analysis.

SHA-256 of a large capture takes a third of the time that its analysis does, and needs none of the same memory once a
block has been read; so it runs in a thread of its own, and whoever wants to reuse the memory waits for it.
"""

from __future__ import annotations

import hashlib
import threading

_BESIDE_BYTES = 1 << 20  # a shorter piece is hashed before a thread would have started


class Digest:
    """SHA-256 of the bytes given to `update`."""

    def __init__(self):
        self._hash = hashlib.sha256()
        self._thread: threading.Thread | None = None

    def update(self, data: memoryview) -> None:
        """Take `data` in, which must not change before `settle`."""
        self.settle()
        if len(data) < _BESIDE_BYTES:
            self._hash.update(data)
        else:
            self._thread = threading.Thread(target=self._hash.update, args=(data,))
            self._thread.start()

    def settle(self) -> None:
        """Wait until all that was given is taken in."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def hexdigest(self) -> str:
        self.settle()
        return self._hash.hexdigest()
