"""What pcap and pcapng have in common: a stream of records is walked block by block until it ends, is cut, or is damaged."""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np

from analyzer.decode.frames import Frames
from analyzer.errors import CaptureError
from analyzer.sources.compression import Expanded
from analyzer.sources.input import Input
from analyzer.sources.source import Source, SourceInfo
from analyzer.sources.walk import DAMAGED, INCOMPLETE
from analyzer.sources.window import Window

CUT = "the capture ends in the middle of a record"

_BYTES_PER_FRAME = 64  # a block of smaller frames is handed out in parts, so that their columns stay as small as it


class Recording(Source):
    """A capture that was written down, whatever it comes through."""

    def __init__(self, given: Input, stream: Input | Expanded, window: Window, info: SourceInfo):
        self.info = info
        self._given = given
        self._stream = stream
        self._window = window
        self._number = 1
        room = max(window.capacity // _BYTES_PER_FRAME, 1)
        integers = [np.empty(room, np.int64) for _ in range(5)]
        offset, caplen, origlen, ts, number = integers
        link, iface = np.empty(room, np.int32), np.empty(room, np.int32)
        self._columns = Frames(window.data, offset, caplen, origlen, ts, link, iface, number)
        self._read_header()
        info.size, info.bytes_read = given.size, given.bytes_read

    @staticmethod
    @abc.abstractmethod
    def recognises(head: bytes) -> bool:
        """Whether a capture of this format begins with these four bytes."""

    @abc.abstractmethod
    def _read_header(self) -> None:
        """Read what comes before the first frame."""

    @abc.abstractmethod
    def _walk(self, count: int) -> tuple[int, int]:
        """Walk on from the window's `at`, behind the `count` frames found: (frames there are now, why it ended)."""

    @abc.abstractmethod
    def _damage(self) -> str:
        """What is wrong with the record at the window's `at`."""

    def blocks(self) -> Iterator[Frames]:
        while True:
            self._columns = self._columns._replace(data=self._window.data)
            start = self._window.at
            count, why = self._walk(0)
            self.info.bytes_read = self._given.bytes_read
            if count:
                self.info.frames += count
                yield self._block(start, count)
            if why == DAMAGED:
                self._damaged()
                break
            if why == INCOMPLETE and not self._window.fill():
                break
        self._finish()

    def close(self) -> None:
        self._given.close()

    def _block(self, start: int, count: int) -> Frames:
        columns = self._columns
        offset = columns.offset[:count]
        offset -= start
        rest = (column[:count] for column in columns[2:])  # `app` may be empty, and then stays so
        return Frames(columns.data[start : self._window.at], offset, *rest)

    def _damaged(self) -> None:
        why = self._damage()
        if self.info.frames == 0:
            raise CaptureError(why, self._window.offset)
        self.info.cut_at_byte, self.info.cut_why = self._window.offset, why

    def _finish(self) -> None:
        info, window = self.info, self._window
        if info.cut_why is None and (self._stream.failed or window.end > window.at):
            info.cut_at_byte = window.offset
            info.cut_why = self._stream.failed or CUT
        info.sha256 = self._given.sha256()
        info.bytes_read = self._given.bytes_read
