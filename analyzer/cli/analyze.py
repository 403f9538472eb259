"""`interference analyze`: the answer to each capture, as words, JSON or a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer

from analyzer.cli import asked, options
from analyzer.cli.interrupt import Interrupt
from analyzer.cli.outlet import Manner, Outlet
from analyzer.cli.progress import Progress
from analyzer.cli.work import answer, answers, merged
from analyzer.result import Result

Merge = Annotated[bool, typer.Option("--merge", help="The files are one rotated capture: answer them together.")]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Captures to analyse at the same time.")]


def analyze(
    captures: options.Captures = None,
    read: options.Read = None,
    output: options.Output = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fail_on: options.FailOn = "",
    merge: Merge = False,
    jobs: Jobs = 1,
    everything: options.Everything = False,
    full: options.Full = False,
    redact: options.Redact = False,
    circumvention: options.Circumvention = False,
    lang: options.Lang = "en",
    meta: options.Meta = None,
) -> None:
    """Is somebody interfering with the traffic in these captures?

    Captures are pcap or pcapng files, compressed or not; - is standard input. Each is answered by itself, in the order
    given.

    Exit codes: 0 analysed, 1 a state of --fail-on was found, 2 wrong usage, 3 a capture is unusable, 130 interrupted.
    """
    given = asked.captures(captures, read)
    outlet = Outlet(
        Manner(asked.languages(lang), everything, circumvention, full, redact),
        as_json=as_json,
        file=asked.report_file(output, given),
        failing=asked.states(fail_on),
        meta=asked.pairs(meta),
        target=target,
    )
    with Interrupt() as interrupt:
        called = asked.told_apart(given)
        for capture, result in _results(given, merge, jobs, interrupt):
            if merge:
                outlet.take(result)
            else:
                outlet.take(_called(result, called.get(capture)), capture)
        code = outlet.close(interrupt.came)
    raise typer.Exit(code)


def _results(captures: list[str], merge: bool, jobs: int, interrupt: Interrupt) -> Iterator[tuple[str, Result]]:
    if merge:
        yield captures[0], merged(captures, interrupt=interrupt)
    elif min(jobs, len(captures)) > 1 and asked.STDIN not in captures:  # other processes have no standard input
        yield from answers(captures, jobs, interrupt)
    else:
        for capture in captures:
            if interrupt.came:
                return
            with Progress(capture) as progress:
                result = answer(capture, progress=progress, interrupt=interrupt)
            yield capture, result


def _called(result: Result, name: str | None) -> Result:
    return result if name is None else replace(result, capture=replace(result.capture, name=name))
