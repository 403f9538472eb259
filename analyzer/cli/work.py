"""From captures to their answers: one by one or in several processes, in the order given."""

from __future__ import annotations

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import signatures
from analyzer import api
from analyzer.cli.asked import STDIN
from analyzer.cli.interrupt import TOO_SOON, Interrupt, Interruptible
from analyzer.errors import CaptureError, UsageError
from analyzer.result import Result
from analyzer.sources import Source

if TYPE_CHECKING:
    from concurrent.futures import Future

Progress = Callable[[int], None]


def answer(capture: str, *, progress: Progress | None = None, interrupt: Interrupt | None = None) -> Result:
    """The answer to one capture; where it cannot be used, a result whose `error` says why."""
    return _answer(lambda: api.open_capture(capture), _name(capture), progress, interrupt)


def merged(captures: Sequence[str], *, interrupt: Interrupt | None = None) -> Result:
    """The one answer to all files of a rotated capture."""
    from analyzer.sources.chain import Chain

    if STDIN in captures:
        raise UsageError("--merge opens its files twice, which standard input does not allow")
    return _answer(lambda: Chain(captures), _name(captures[0]), None, interrupt)


def answers(captures: Sequence[str], jobs: int, interrupt: Interrupt) -> Iterator[tuple[str, Result]]:
    """Captures with their answers, in the order given, worked out by up to `jobs` processes; after Ctrl-C, of those begun."""
    from concurrent.futures import ProcessPoolExecutor

    interrupt.at_first = _tell_processes
    waiting: deque[tuple[str, Future[Result | None]]] = deque()
    pool = ProcessPoolExecutor(min(jobs, len(captures)), initializer=_begin_process)
    try:
        rest = iter(captures)
        while True:
            # enough to keep all at work; more results would only wait in memory
            for capture in islice(rest, 0 if interrupt.came else 2 * jobs - len(waiting)):
                waiting.append((capture, pool.submit(_answer_in_process, capture)))
            if not waiting:
                return
            capture, future = waiting.popleft()
            result = _outcome(capture, future)
            if result is not None:
                yield capture, result
    finally:
        pool.shutdown(cancel_futures=True)


_process = Interrupt(once=True)  # of a process that works for `answers`


def _tell_processes() -> None:
    from multiprocessing import active_children

    for process in active_children():
        if process.pid is not None:
            os.kill(process.pid, signal.SIGINT)


def _begin_process() -> None:
    _process.__enter__()


def _answer_in_process(capture: str) -> Result | None:
    return None if _process.came else answer(capture, interrupt=_process)


def _outcome(capture: str, future: Future[Result | None]) -> Result | None:
    from concurrent.futures import BrokenExecutor

    try:
        return future.result()
    except BrokenExecutor:
        return api.unusable(_name(capture), "the process that analysed it was killed; there may be too little memory")


def _answer(
    opened: Callable[[], Source],
    name: str,
    progress: Progress | None,
    interrupt: Interrupt | None,
) -> Result:
    try:
        source = opened() if interrupt is None else Interruptible(opened, interrupt)
        result = api.analyze(source, signatures.load(), progress=progress)
        if interrupt is not None and interrupt.came and not result.capture.packets:
            raise CaptureError(TOO_SOON)
        return result
    except CaptureError as error:
        return api.unusable(name, str(error))
    except Exception as error:  # a bug must not take the other captures with it
        traceback.print_exc()
        return api.unusable(name, f"the analyzer itself failed ({type(error).__name__}): please report it")


def _name(capture: str) -> str:
    """What a capture is called in results."""
    return "standard input" if capture == STDIN else os.path.basename(capture) or capture or "(no name)"
