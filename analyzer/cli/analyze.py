"""`interference analyze`: the answer to each capture, as words, JSON or a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from analyzer.cli import exits
from analyzer.cli.captures import answer, answers, named
from analyzer.cli.interrupt import Interrupt
from analyzer.cli.messages import complain
from analyzer.cli.output import Manner, print_json, print_words
from analyzer.cli.progress import Progress
from analyzer.errors import UsageError
from analyzer.report.words import Words
from analyzer.result import STATES, Result

Captures = Annotated[list[str] | None, typer.Argument(metavar="CAPTURE...", help="pcap or pcapng; - is stdin.")]
Read = Annotated[list[str] | None, typer.Option("-r", "--read", metavar="FILE", help="A capture, as in tcpdump.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line for each capture.")]
Target = Annotated[str | None, typer.Option(metavar="NAME", help="Only this service, service/role or server name.")]
FailOn = Annotated[str, typer.Option(metavar="STATE,...", help="Exit with 1 if a verdict has one of these states.")]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Captures to analyse at the same time.")]
Redact = Annotated[bool, typer.Option("--redact", help="Hide the client in JSON, CSV and Parquet too.")]
Lang = Annotated[str, typer.Option(metavar="LANG", help="Language of the answer.")]
Everything = Annotated[bool, typer.Option("--all", help="Every name seen, and the evidence behind each verdict.")]
Circumvention = Annotated[bool, typer.Option("--show-circumvention", help="Circumvention tools may be named.")]


def analyze(
    captures: Captures = None,
    read: Read = None,
    as_json: Json = False,
    target: Target = None,
    fail_on: FailOn = "",
    jobs: Jobs = 1,
    redact: Redact = False,
    lang: Lang = "en",
    everything: Everything = False,
    circumvention: Circumvention = False,
) -> None:
    """Is somebody interfering with the traffic in these captures? Each is answered by itself, in the order given."""
    given = named(captures, read)
    failing = states(fail_on)
    manner = Manner(Words(lang), everything, circumvention, redact)
    unusable = found = False
    with Interrupt() as interrupt:
        for result in _results(given, jobs, target, interrupt):
            if result.error is not None:
                unusable = True
                complain(result.capture.name, result.error)
            found |= any(verdict.state in failing for verdict in result.shown(everything))
            if as_json:
                print_json(result, manner)
            elif result.error is None:
                print_words(result, manner)
            if interrupt.came:
                complain("interrupted; what was read up to then is answered")
                raise typer.Exit(exits.INTERRUPTED)
    raise typer.Exit(exits.UNUSABLE if unusable else exits.FOUND if found else exits.FINE)


def states(listed: str) -> frozenset[str]:
    """The states in a comma-separated list.

    Raises
    ------
    UsageError
        There is no such state.
    """
    wanted = frozenset(filter(None, (word.strip() for word in listed.split(","))))
    if unknown := wanted.difference(STATES):
        raise UsageError(f"there is no state {min(unknown)!r}; there is {', '.join(STATES)}")
    return wanted


def _results(captures: list[str], jobs: int, target: str | None, interrupt: Interrupt) -> Iterator[Result]:
    if min(jobs, len(captures)) > 1:
        yield from answers(captures, jobs, target=target)
        return
    for capture in captures:
        with Progress(capture) as progress:
            result = answer(capture, target=target, progress=progress, interrupt=interrupt)
        yield result
