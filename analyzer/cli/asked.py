"""What was typed, made into values; whatever does not fit is a `UsageError` with one line that says why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from analyzer.errors import UsageError
from analyzer.report import Words, format_of
from analyzer.result import STATES

STDIN = "-"


def captures(arguments: Sequence[str] | None, read: Sequence[str] | None) -> list[str]:
    """The captures of a command line, whether they stand there as arguments or, as tcpdump's habit is, behind -r."""
    given = [*(arguments or ()), *(read or ())]
    if not given:
        raise UsageError("which capture? Give a file, or - for standard input")
    if given.count(STDIN) > 1:
        raise UsageError("standard input can be read only once")
    return given


def told_apart(given: Sequence[str]) -> dict[str, str]:
    """What captures with the same file name are called: as much of the end of their paths as tells them apart."""
    names: dict[str, list[str]] = {}
    for capture in dict.fromkeys(given):
        names.setdefault(os.path.basename(capture), []).append(capture)
    called = {}
    for alike in names.values():
        if len(alike) > 1:
            parts = {capture: Path(os.path.abspath(capture)).parts for capture in alike}
            for count in range(2, max(map(len, parts.values())) + 1):
                ends = {capture: os.path.join(*path[-count:]) for capture, path in parts.items()}
                if len(set(ends.values())) == len(set(parts.values())):
                    called.update(ends)
                    break
    return called


def refuse_stdin(*given: str) -> None:
    """Where a capture is read twice."""
    if STDIN in given:
        raise UsageError("standard input can't be read twice; save it to a file first")


def destination(wanted: str, inputs: Sequence[str] = ()) -> Path:
    """The file to be written, once it is clear that no capture is written over."""
    path = Path(wanted)
    if path.exists() and any(os.path.exists(given) and path.samefile(given) for given in inputs):
        raise UsageError(f"{wanted} is the capture itself; a capture is never written over")
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{wanted} cannot be written")
    return path


def report_file(wanted: Sequence[str] | None, inputs: Sequence[str] = ()) -> Path | None:
    """The same for a report: there is only one, and its suffix must name a format."""
    if not wanted:
        return None
    if len(wanted) > 1:
        raise UsageError("one report at a time: give -o once")
    path = destination(wanted[0], inputs)
    format_of(path)
    return path


def new_capture(wanted: str) -> Path:
    """The file that packets are to be kept in: one that is not there yet."""
    if os.path.lexists(wanted):
        raise UsageError(f"{wanted} is there already; a capture is never written over")
    return destination(wanted)


def languages(listed: str) -> tuple[str, ...]:
    """LANG,... as languages that there are."""
    return tuple(Words(lang).lang for lang in _words(listed)) or ("en",)


def states(listed: str) -> frozenset[str]:
    """STATE,... as states that there are."""
    wanted = frozenset(_words(listed))
    if unknown := wanted.difference(STATES):
        raise UsageError(f"there is no state {min(unknown)!r}; there is {', '.join(STATES)}")
    return wanted


def pairs(given: Sequence[str] | None) -> dict[str, str]:
    """KEY=VALUE arguments as a mapping."""
    found = {}
    for pair in given or ():
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise UsageError(f"{pair!r} is not KEY=VALUE")
        found[key] = value
    return found


def _words(listed: str) -> list[str]:
    return [word for given in listed.split(",") if (word := given.strip())]
