"""`interference compare`: the same service from two networks, or on two days."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated

import typer

import signatures
from analyzer import api
from analyzer.cli import asked, options
from analyzer.cli.messages import complain
from analyzer.cli.outlet import console
from analyzer.report import Words
from analyzer.report.ends import comparison
from analyzer.result import Verdict

Affected = Annotated[str, typer.Argument(metavar="AFFECTED", hidden=True)]
Control = Annotated[str, typer.Argument(metavar="CONTROL", hidden=True)]


def compare(affected: Affected, control: Control, as_json: options.Json = False, lang: options.Lang = "en") -> None:
    """What works in one network and not in the other.

    AFFECTED is the capture where it does not work, CONTROL one of the same service from another network or day. For two
    captures of the same connections at both ends, see `pair`.
    """
    from analyzer.compare import compare as hold_against
    from analyzer.pair import shared_connections

    asked.refuse_stdin(affected, control)
    langs = asked.languages(lang)
    loaded = signatures.load()
    results = [api.analyze(capture, loaded) for capture in (affected, control)]
    if shared := shared_connections(partial(api.open_capture, affected), partial(api.open_capture, control)):
        complain(f"{shared} connections are in both captures: if these are the two ends, use `pair`, which proves more")
    found = hold_against(*results)
    if as_json:
        rows = [
            {"target": d.target, "service": d.service, "p": d.p, "differs": d.differs}
            | {"affected": _plain(d.affected), "control": _plain(d.control)}
            for d in found
        ]
        typer.echo(json.dumps({"schema": 1, "affected": affected, "control": control, "targets": rows}))
        return
    names = results[1].service_names | results[0].service_names
    for code in langs:
        console().print(comparison(found, Words(code), names, affected, control), markup=False, highlight=False)


def _plain(verdict: Verdict | None) -> dict[str, object] | None:
    if verdict is None:
        return None
    return {"state": verdict.state, "attempts": verdict.attempts, "failed": verdict.failed}
