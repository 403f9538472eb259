"""Ctrl-C ends the reading, not the answer: what came so far is judged and shown."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Self

from analyzer.decode import Frames
from analyzer.errors import CaptureError
from analyzer.sources import Source

INTERRUPTED = "interrupted"
TOO_SOON = "interrupted before its first packet"


class Interrupt:
    """Within the block, the first Ctrl-C is noted (`came`) and `at_first` is called; the second ends the program.

    Parameters
    ----------
    once : bool
        Further ones change nothing: a process that works for another hears of one Ctrl-C from the terminal and from
        its parent.
    """

    def __init__(self, *, once: bool = False) -> None:
        self.once = once
        self.came = False
        self.at_first: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        again, self.came = self.came, True
        if not again:
            self.at_first()
        elif not self.once:
            raise KeyboardInterrupt


class Interruptible(Source):
    """A source that runs dry at Ctrl-C; its answer then says from which byte on nothing was read.

    Raises
    ------
    CaptureError
        As `opened` does, and when Ctrl-C comes while it waits for a pipe.
    """

    def __init__(self, opened: Callable[[], Source], interrupt: Interrupt):
        self._interrupt = interrupt
        self._reading = True
        interrupt.at_first = self._break_off
        try:
            self._source = opened()
        except KeyboardInterrupt:
            raise CaptureError(TOO_SOON) from None
        self._reading = False
        self.info = self._source.info

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
        self._reading = True
        try:
            return next(blocks, None)
        except KeyboardInterrupt:
            return None
        finally:
            self._reading = False

    def _break_off(self) -> None:
        if self._reading:  # elsewhere a block is being analysed, and that has to be finished
            raise KeyboardInterrupt
