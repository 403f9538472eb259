"""`interference` alone: what it is for, and what an answer looks like."""

from __future__ import annotations

import typer

from analyzer import api
from analyzer.cli.outlet import Manner, print_words
from analyzer.cli.work import answer

LINES = """\
Is somebody interfering with this traffic, or is it broken for an ordinary reason? Ask a packet capture:

  interference capture.pcapng                    the answer, with the packets that prove it
  interference capture.pcapng -o report.html     the same as a report that is safe to forward
  interference live -i wlan0                     the same while you try the app that does not work
  interference inspect capture.pcapng --flow 3   one connection: why it ended as it did
  interference doctor                            whether everything that is needed is here
  interference --help                            everything else

This is the answer to the example that comes with it:
"""


def welcome() -> None:
    typer.echo(LINES)
    print_words(answer(str(api.demo_capture())), Manner())
