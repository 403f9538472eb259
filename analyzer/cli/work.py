"""From captures to their answers: one by one or in several processes, in the order given."""

from __future__ import annotations

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import signatures
from analyzer import api
from analyzer.cli.asked import STDIN
from analyzer.cli.interrupt import Interrupt, Interruptible
from analyzer.errors import CaptureError, UsageError
from analyzer.result import Result
from analyzer.sources import Source

if TYPE_CHECKING:
    from concurrent.futures import Future

Progress = Callable[[int], None]


def answer(
    capture: str, *, target: str | None = None, progress: Progress | None = None, interrupt: Interrupt | None = None
) -> Result:
    """The answer to one capture; where it cannot be used, a result whose `error` says why."""
    return _answer(lambda: api.open_capture(capture), _name(capture), target, progress, interrupt)


def merged(captures: Sequence[str], *, target: str | None = None, interrupt: Interrupt | None = None) -> Result:
    """The one answer to all files of a rotated capture."""
    from analyzer.sources.chain import Chain

    if STDIN in captures:
        raise UsageError("--merge opens its files twice, which standard input does not allow")
    return _answer(lambda: Chain(captures), _name(captures[0]), target, None, interrupt)


def answers(captures: Sequence[str], jobs: int, interrupt: Interrupt, *, target: str | None = None) -> Iterator[Result]:
    """Answers in the order of the captures, worked out by up to `jobs` processes."""
    from concurrent.futures import ProcessPoolExecutor

    interrupt.at_first = _tell_processes
    waiting: deque[tuple[str, Future[Result]]] = deque()
    pool = ProcessPoolExecutor(min(jobs, len(captures)), initializer=_begin_process)
    try:
        for capture in captures:
            waiting.append((capture, pool.submit(_answer_in_process, capture, target)))
            if len(waiting) >= 2 * jobs:  # enough to keep all at work; more results would only wait in memory
                yield _outcome(*waiting.popleft())
        while waiting:
            yield _outcome(*waiting.popleft())
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


def _answer_in_process(capture: str, target: str | None) -> Result:
    return answer(capture, target=target, interrupt=_process)


def _outcome(capture: str, future: Future[Result]) -> Result:
    from concurrent.futures import BrokenExecutor

    try:
        return future.result()
    except BrokenExecutor:
        return api.unusable(_name(capture), "the process that analysed it was killed; there may be too little memory")


def _answer(
    opened: Callable[[], Source],
    name: str,
    target: str | None,
    progress: Progress | None,
    interrupt: Interrupt | None,
) -> Result:
    try:
        source = opened()
        if interrupt is not None:
            source = Interruptible(source, interrupt)
        return api.analyze(source, signatures.load(), target=target, progress=progress)
    except CaptureError as error:
        return api.unusable(name, str(error))
    except Exception as error:  # a bug must not take the other captures with it
        traceback.print_exc()
        return api.unusable(name, f"the analyzer itself failed ({type(error).__name__}): please report it")


def _name(capture: str) -> str:
    """What a capture is called in results."""
    return "standard input" if capture == STDIN else os.path.basename(capture) or capture or "(no name)"
