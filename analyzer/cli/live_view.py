"""What is seen while a live capture runs: one calm picture on standard error, and nothing where that is no terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from analyzer import api
from analyzer.cli.outlet import Manner
from analyzer.errors import UsageError
from analyzer.report import Words, overview
from analyzer.report.escape import visible
from analyzer.report.redact import discreet
from analyzer.report.words import N_
from analyzer.result import Result

if TYPE_CHECKING:
    from rich.console import Group

PICTURES_A_SECOND = 2
EVERY_NS = 500_000_000  # packet time between two answers
REST = 4  # times as long as an answer took: packets must not wait, and be lost, for the sake of the picture
MOST_SERVICES = 15  # lines; worst first, and the report has them all

HOW_TO_END = N_("Ctrl-C ends the capture and gives the report.")
WAITING = N_("No packet has come yet.")


class View:
    """Context manager; say `wants` to `api.follow`, and `update` it with each answer so far.

    Parameters
    ----------
    interface : str
    manner : Manner
    target : str, optional
        Only this service or name.
    """

    def __init__(self, interface: str, manner: Manner, target: str | None = None):
        self._shown = sys.stderr.isatty()
        self._interface = interface
        self._manner = manner
        self._target = target
        self._words = Words(manner.langs[0])
        self._began = time.monotonic()
        self._result: Result | None = None
        self._tick = -1
        self._asked = self._rested = 0.0

    def __enter__(self) -> Self:
        if self._shown:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True),
                transient=True,
                refresh_per_second=PICTURES_A_SECOND,
                get_renderable=self._picture,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._live.stop()

    def wants(self, clock: int) -> bool:
        """Whether it is time for another answer: on a fixed grid of packet time, unless answers take too long."""
        tick, now = clock // EVERY_NS, time.monotonic()
        if not self._shown or tick == self._tick or now < self._rested:
            return False
        self._tick, self._asked = tick, now
        return True

    def update(self, result: Result) -> None:
        """Show this answer from now on."""
        if not self._shown:
            return
        now = time.monotonic()
        self._rested = now + REST * (now - self._asked)
        result = result if self._manner.circumvention else discreet(result)
        result = overview.in_language(result, self._words)
        try:
            self._result = api.only(result, self._target) if self._target else result
        except UsageError:  # it may still come
            self._result = replace(result, answers=())

    def _picture(self) -> Group:
        """Drawn by another thread, by the wall clock: it goes on while nothing comes."""
        from rich.console import Group
        from rich.text import Text

        from analyzer.report.terminal import LOOK

        words, result = self._words, self._result
        facts = [visible(self._interface), words.duration(int((time.monotonic() - self._began) * 1e9))]
        lines = []
        if result is None:
            lines.append(Text(words.say(WAITING)))
        else:
            facts.append(words.plural("{n} packet", "{n} packets", result.capture.packets))
            facts.append(words.plural("{n} connection", "{n} connections", result.coverage.flows))
            for service in overview.services(result, self._manner.everything)[:MOST_SERVICES]:
                glyph, _, style = LOOK[service.state]
                state = overview.state(service.state, words, service.in_part)
                lines.append(Text.assemble("  ", (glyph, style), " ", service.name, "  ", (state, style)))
        head = Text(" · ".join(facts), "bold")
        return Group(head, Text(), *lines, Text(), Text(words.say(HOW_TO_END), "dim"))
