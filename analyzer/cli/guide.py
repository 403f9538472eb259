"""`interference guide`: how to make a capture that can answer, as a message to send to whoever has the problem."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import typer

from analyzer.cli import options
from analyzer.errors import UsageError

DEVICES = ("android", "ios", "linux", "windows", "router")
Device = Annotated[str | None, typer.Argument(metavar="DEVICE", help=", ".join(DEVICES))]


def guide(device: Device = None, lang: options.Lang = "en") -> None:
    """How to make a capture that can answer, as a message to send.

    For android, ios, linux, windows or a router.
    """
    if device is None:
        typer.echo(
            f"Which device makes the capture? Choose one: {', '.join(f'interference guide {d}' for d in DEVICES)}"
        )
        return
    if device not in DEVICES:
        raise UsageError(f"there is no guide for {device!r}; there are {', '.join(DEVICES)}")
    for code in lang.split(","):
        text = files("analyzer") / "data" / "guide" / code / f"{device}.md"
        if not text.is_file():
            raise UsageError(f"there is no guide in {code!r}; there are en and ru")
        typer.echo(text.read_text("utf-8"))
