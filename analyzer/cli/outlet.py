"""Where answers go: words or lines of JSON on standard output, a report in a file, and at last an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyzer import api, report
from analyzer.cli import asked, exits
from analyzer.cli.messages import complain
from analyzer.errors import UsageError
from analyzer.report import Words
from analyzer.result import Result

if TYPE_CHECKING:
    from rich.console import Console


class Manner(NamedTuple):
    """How answers are said, in whatever format."""

    langs: tuple[str, ...] = ("en",)
    everything: bool = False
    circumvention: bool = False
    full: bool = False
    redact: bool = False


class Outlet:
    """Takes results one by one.

    Parameters
    ----------
    manner : Manner
    as_json : bool
        JSON instead of words on standard output.
    file : Path, optional
        The report to write; then there are no words on standard output.
    failing : set of str
        States that lead to exit code 1.
    meta : mapping
        Columns to add to CSV and Parquet.
    target : str, optional
        Only verdicts about this service or name; a capture without any is no all-clear, but a question that does not fit.
    """

    def __init__(
        self,
        manner: Manner,
        *,
        as_json: bool = False,
        file: Path | None = None,
        failing: frozenset[str] = frozenset(),
        meta: Mapping[str, str] | None = None,
        target: str | None = None,
    ):
        if meta and (file is None or report.format_of(file) not in ("csv", "parquet")):
            raise UsageError("--meta is for CSV and Parquet: give -o FILE.csv or -o FILE.parquet too")
        format = report.format_of(file) if file is not None else None
        if manner.redact and not as_json and format is None:
            raise UsageError("--redact is for what leaves your hands: give --json or -o FILE too")
        if manner.redact and manner.full and format in ("html", "markdown"):
            raise UsageError("--redact and --full contradict each other")
        self.manner = manner
        self.as_json = as_json
        self.file = file
        self.failing = failing
        self.meta = meta or {}
        self.target = target
        self._kept: list[Result] = []
        self._said = False  # one answer at least, in words
        self._code = exits.FINE

    def take(self, result: Result, given: str | None = None) -> None:
        """Say one result and keep it; `given` is what its capture was called on the command line."""
        if self.target and result.error is None:
            try:
                result = api.only(result, self.target)
            except UsageError as error:
                self._pass(replace(result, answers=(), error=str(error)), exits.USAGE, given)
                return
        self._pass(result, exits.UNUSABLE, given)

    def _pass(self, result: Result, failed: int, given: str | None) -> None:
        """Say a result and keep it; `failed` is the exit code of one with an error."""
        if result.error is not None:
            complain(given if given not in (None, asked.STDIN) else result.capture.name, result.error)
            self._code = max(self._code, failed)
        elif any(verdict.state in self.failing for verdict in result.shown(self.manner.everything)):
            self._code = max(self._code, exits.FOUND)
        if self.file is not None:
            self._kept.append(result)
        if self.as_json:
            print_json(result, self.manner)
        elif self.file is None and result.error is None:
            if self._said:
                console().print()
            self._said = True
            print_words(result, self.manner)

    def close(self, interrupted: bool = False) -> int:
        """Write the report, if one was asked for; gives the exit code."""
        if self.file is not None and self._worth_reading(self.file):
            self._write(self.file)
            complain(f"{self.file} is written")
        if interrupted:
            complain("interrupted: the answer is about what came up to then")
            return exits.INTERRUPTED
        return self._code

    def _worth_reading(self, file: Path) -> bool:
        """Tables keep what went wrong with each capture; a report for people on none at all would only replace a good one."""
        if report.format_of(file) not in ("html", "markdown") or any(result.error is None for result in self._kept):
            return True
        complain(f"{file} is not written: there is nothing to report")
        return False

    def _write(self, file: Path) -> None:
        manner = self.manner
        try:
            report.write(
                self._kept,
                file,
                full=manner.full,
                redact=manner.redact,
                langs=manner.langs,
                everything=manner.everything,
                show_circumvention=manner.circumvention,
                meta=self.meta,
            )
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None


def print_words(result: Result, manner: Manner) -> None:
    from analyzer.report.terminal import show

    for number, lang in enumerate(manner.langs):
        if number:
            console().print()
        show(result, console(), Words(lang), everything=manner.everything, circumvention=manner.circumvention)


def print_json(result: Result, manner: Manner) -> None:
    """One line, written out at once: whoever reads along has each answer as soon as it is known."""
    line = report.render(
        [result],
        "json",
        redact=manner.redact,
        everything=manner.everything,
        show_circumvention=manner.circumvention,
    )
    print(line, end="", flush=True)


@cache
def console() -> Console:
    from rich.console import Console

    return Console()
