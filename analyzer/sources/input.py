"""The input as it was given: a path, standard input, a file object or bytes, all read in one way and never written.

Files are read, not mapped: a file truncated while it is mapped kills the process. An input that is not a regular file
is *live*: what has arrived is handed on instead of waiting for a full block.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import stat
import sys
import time
from typing import IO, Any

from analyzer.errors import CaptureError
from analyzer.sources.digest import Digest

_DRAIN_BYTES = 1 << 20  # one step when the rest of a damaged file is only hashed
_READ_BYTES = 1 << 18  # at once, where a read makes new memory; a pipe holds less
_PATIENCE_S = 0.1  # how long a live input is gathered into one block: a person does not notice it, a kernel call does


class Input:
    """Bytes as given, counted, and hashed where they are a regular file's."""

    def __init__(self, where: str | os.PathLike | IO[bytes] | bytes):
        self.bytes_read = 0
        self.failed: str | None = None  # why reading stopped before the end
        self._head = b""
        self._ended = False
        self._file, self.name, self._ours = _open(where)
        self._fd = _descriptor(self._file)
        self.live = not _is_regular(self._file, self._fd)
        # Bytes, where it can be known.
        self.size = None if self.live or self._fd is None else os.fstat(self._fd).st_size
        self._digest = None if self.live else Digest()

    def head(self, size: int) -> bytes:
        """The first `size` bytes (fewer at the end), which stay to be read."""
        while len(self._head) < size and (more := self._take(bytearray(size - len(self._head)))):
            self._head += more
        return self._head

    def readinto(self, view: memoryview) -> int:
        """Fill the front of `view` with what there is; 0 at the end. Its memory may not change before it is settled."""
        if self._head:
            count = min(len(self._head), len(view))
            view[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return self._raw(view)

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._take(bytearray(size))

    def sha256(self) -> str | None:
        """Of the whole input, the rest of it read for this; None where it is live or cannot be read to its end."""
        if self._digest is None:
            return None
        scratch = memoryview(bytearray(_DRAIN_BYTES))
        while self._raw(scratch):
            self.settle()
        return None if self.failed else self._digest.hexdigest()

    def more_soon(self, since: float) -> bool:
        """Whether a live input has more to give within `_PATIENCE_S` of the time `since`."""
        if self._fd is None or self._ended:
            return False
        with contextlib.suppress(OSError, ValueError):
            return bool(select.select([self._fd], [], [], max(0.0, since + _PATIENCE_S - time.monotonic()))[0])
        return False

    def settle(self, size: int | None = None) -> None:
        """Wait until memory that the first `size` bytes were read into, or all of them, may be changed."""
        if self._digest is not None:
            self._digest.settle(size)

    def close(self) -> None:
        """Close what was opened here; a file object that was handed in stays its owner's."""
        if self._digest is not None:
            self._digest.close()
        if self._ours:
            self._file.close()

    def _take(self, room: bytearray) -> bytes:
        return bytes(room[: self._raw(memoryview(room))])

    def _raw(self, view: memoryview) -> int:
        if self._ended:
            return 0
        try:
            count = _read(self._file, view)
        except OSError as error:
            self.failed = f"reading it failed: {error.strerror or error}"
            count = 0
        self._ended = count == 0
        self.bytes_read += count
        if self._digest is not None:
            self._digest.update(view[:count])
        return count


def _open(where: Any) -> tuple[IO[bytes], str, bool]:
    """The file, its name, and whether it is ours to close."""
    if isinstance(where, bytes | bytearray | memoryview):
        return io.BytesIO(where), "bytes", True
    if hasattr(where, "read"):
        if isinstance(where, io.TextIOBase):
            raise CaptureError("the file is open as text; open it in binary mode")
        name = getattr(where, "name", None)
        return where, os.path.basename(name) if isinstance(name, str) else "stream", False
    path = os.fspath(where)
    if path == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise CaptureError("nothing is piped into standard input")
        return sys.stdin.buffer, "standard input", False
    try:
        if os.path.isdir(path):
            raise CaptureError(f"it is a directory, not a capture; name its files: {os.path.join(path, '*')}")
        return open(path, "rb", buffering=0), os.path.basename(path), True
    except FileNotFoundError:
        raise CaptureError("there is no such file") from None
    except PermissionError:
        raise CaptureError("there is no permission to read it") from None
    except (OSError, ValueError) as error:
        raise CaptureError(f"it cannot be opened: {getattr(error, 'strerror', None) or error}") from None


def _read(file: Any, view: memoryview) -> int:
    """One read: what there is, without waiting for more than that."""
    size = min(len(view), _READ_BYTES)
    if hasattr(file, "read1"):  # not readinto1: with some bytes already buffered, it waits for more of them
        data = file.read1(size)
    elif hasattr(file, "readinto"):
        return file.readinto(view) or 0
    else:
        data = file.read(size)
    view[: len(data)] = data
    return len(data)


def _descriptor(file: Any) -> int | None:
    with contextlib.suppress(OSError, AttributeError, ValueError):
        return file.fileno()
    return None


def _is_regular(file: Any, descriptor: int | None) -> bool:
    if descriptor is not None:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    return bool(getattr(file, "seekable", bool)())
