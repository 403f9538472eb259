"""Ctrl-C ends the reading, not the answer: what came so far is judged and shown."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType
from typing import Self

from analyzer.decode import Frames
from analyzer.sources import Source

INTERRUPTED = "interrupted"


class Interrupt:
    """Within the block, the first Ctrl-C is only noted (`came`); the second ends the program as usual.

    While a source is being read, the first one already breaks off the read, for a pipe may never deliver more.
    """

    def __init__(self) -> None:
        self.came = False
        self.reading = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        again, self.came = self.came, True
        if again or self.reading:
            self.reading = False
            raise KeyboardInterrupt


class Interruptible(Source):
    """A source that runs dry at Ctrl-C; its answer then says from which byte on nothing was read."""

    def __init__(self, source: Source, interrupt: Interrupt):
        self.info = source.info
        self._source = source
        self._interrupt = interrupt

    def blocks(self) -> Iterator[Frames]:
        blocks = self._source.blocks()
        while (frames := self._next(blocks)) is not None:
            yield frames
        if self._interrupt.came:
            self.info.cut_at_byte, self.info.cut_why = self.info.bytes_read, INTERRUPTED

    def close(self) -> None:
        self._source.close()

    def _next(self, blocks: Iterator[Frames]) -> Frames | None:
        if self._interrupt.came:
            return None
        self._interrupt.reading = True
        try:
            return next(blocks, None)
        except KeyboardInterrupt:
            return None
        finally:
            self._interrupt.reading = False
