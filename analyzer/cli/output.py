"""Results on standard output: words for people, one line of JSON a capture for machines."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from analyzer.report.words import Words
from analyzer.result import Result

if TYPE_CHECKING:
    from rich.console import Console


class Manner(NamedTuple):
    """How a result is to be said, in whatever format."""

    words: Words
    everything: bool = False
    circumvention: bool = False
    redact: bool = False
    full: bool = False


def print_words(result: Result, manner: Manner) -> None:
    from analyzer.report.terminal import show

    show(result, console(), manner.words, everything=manner.everything, circumvention=manner.circumvention)


def print_json(result: Result, manner: Manner) -> None:
    """One line, written out at once: whoever reads along sees a capture's answer when it is known."""
    from analyzer.report.machine import document

    answer = document(result, redact=manner.redact, everything=manner.everything, circumvention=manner.circumvention)
    print(json.dumps(answer), flush=True)


@cache
def console() -> Console:
    from rich.console import Console

    return Console()
