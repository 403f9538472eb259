"""Each picture is drawn twice, so that no text is scaled down to fit a phone."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.plot import Drawing
from analyzer.report.escape import visible
from analyzer.report.words import N_, Words


class Twice(NamedTuple):
    wide: Drawing
    narrow: Drawing

    def _repr_svg_(self) -> str:
        return self.wide.alone()


def tail(name: str, most: int) -> str:
    """A name or address that fits; hosts and addresses tell more by their ends."""
    shown = visible(name)
    return shown if len(shown) <= most else "…" + shown[1 - most :]


def lapse(seconds: float, words: Words) -> str:
    """A short time, as finely as packets need it."""
    if abs(seconds) < 1:
        return words.say(N_("{ms} ms"), ms=words.number(1e3 * seconds, 1))
    return words.say(N_("{seconds} s"), seconds=words.number(seconds, 2 if seconds < 10 else 1))
