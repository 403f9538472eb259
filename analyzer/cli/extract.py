"""`interference extract`: the evidence for a verdict as a capture of its own, with the argument as packet comments."""

from __future__ import annotations

from typing import Annotated

import typer

import signatures
from analyzer import api
from analyzer.cli import asked, options
from analyzer.cli.messages import complain

Capture = Annotated[str, typer.Argument(metavar="CAPTURE", hidden=True)]
Evidence = Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="The capture to write, as pcapng.")]


def extract(capture: Capture, output: Evidence, target: options.Target = None) -> None:
    """The packets that prove a verdict, as a capture of their own.

    Those it was compared with are in it too, and comments say what each shows.

    CAPTURE is a path; standard input can't be read twice. An existing file is never overwritten.
    """
    from analyzer import extract as evidence

    asked.refuse_stdin(capture)
    result = api.analyze(capture, signatures.load())
    written, commented = evidence.extract(result, lambda: api.open_capture(capture), output, target=target)
    complain(f"{output} is written: {written} packets, {commented} of them with a comment")
