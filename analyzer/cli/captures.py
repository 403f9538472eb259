"""From the captures a command was given to their answers: one by one or in several processes, in the order given."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import signatures
from analyzer import api
from analyzer.cli.interrupt import Interrupt, Interruptible
from analyzer.errors import CaptureError, UsageError
from analyzer.result import Result

STDIN = "-"
Progress = Callable[[int], None]


def named(captures: Sequence[str] | None, read: Sequence[str] | None) -> list[str]:
    """The captures of a command line, whether named as arguments or, as tcpdump's habit is, with -r.

    Raises
    ------
    UsageError
        There is none, or standard input is to be read twice.
    """
    given = [*(captures or ()), *(read or ())]
    if not given:
        raise UsageError("which capture? Give a file, or - for standard input")
    if given.count(STDIN) > 1:
        raise UsageError("standard input can be read only once")
    return given


def answer(
    capture: str, *, target: str | None = None, progress: Progress | None = None, interrupt: Interrupt | None = None
) -> Result:
    """The answer to one capture; where it cannot be used, a result whose `error` says why."""
    try:
        source = api.open_capture(capture)
        if interrupt is not None:
            source = Interruptible(source, interrupt)
        return api.analyze(source, signatures.load(), target=target, progress=progress)
    except CaptureError as error:
        return api.unusable(name_of(capture), str(error))
    except Exception as error:  # a bug must not take the other captures with it
        traceback.print_exc()
        return api.unusable(name_of(capture), f"the analyzer itself failed ({type(error).__name__}): please report it")


def answers(captures: Sequence[str], jobs: int, *, target: str | None = None) -> Iterator[Result]:
    """Answers in the order of the captures, worked out by up to `jobs` processes."""
    from concurrent.futures import Future, ProcessPoolExecutor

    waiting: deque[tuple[str, Future[Result]]] = deque()
    with ProcessPoolExecutor(min(jobs, len(captures)), initializer=_begin_process) as pool:
        try:
            for capture in captures:
                waiting.append((capture, pool.submit(_answer_in_process, capture, target)))
                if len(waiting) >= 2 * jobs:  # enough to keep all at work; more results would only wait in memory
                    yield _outcome(*waiting.popleft())
            while waiting:
                yield _outcome(*waiting.popleft())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def name_of(capture: str) -> str:
    """What a capture is called in results."""
    return "standard input" if capture == STDIN else os.path.basename(capture) or capture


_process = Interrupt()  # of a process that works for `answers`: Ctrl-C reaches all of them


def _begin_process() -> None:
    _process.__enter__()


def _answer_in_process(capture: str, target: str | None) -> Result:
    return answer(capture, target=target, interrupt=_process)


def _outcome(capture: str, future) -> Result:
    from concurrent.futures import BrokenExecutor

    try:
        return future.result()
    except BrokenExecutor:
        return api.unusable(name_of(capture), "the process that analysed it was killed; there may be too little memory")
