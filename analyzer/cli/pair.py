"""`interference pair`: the same connections captured at both ends."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

import signatures
from analyzer import api
from analyzer.cli import asked, options
from analyzer.cli.messages import complain
from analyzer.cli.outlet import Manner, Outlet, console
from analyzer.report import Words
from analyzer.report.ends import pairing

Client = Annotated[str, typer.Argument(metavar="CLIENT", hidden=True)]
Server = Annotated[str, typer.Argument(metavar="SERVER", hidden=True)]


def pair(
    client: Client,
    server: Server,
    output: options.Output = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fail_on: options.FailOn = "",
    full: options.Full = False,
    lang: options.Lang = "en",
    everything: options.Everything = False,
) -> None:
    """What was forged, dropped or rewritten between two ends.

    CLIENT and SERVER are two captures of the same connections.

    Their clocks need not agree, and a NAT may stand in between. For two captures of the same service from two networks,
    see `compare`.
    """
    from analyzer.pair import pair as both_ends

    asked.refuse_stdin(client, server)
    manner = Manner(asked.languages(lang), everything, full=full)
    file, failing = asked.report_file(output, [client, server]), asked.states(fail_on)
    done = both_ends(partial(api.open_capture, client), partial(api.open_capture, server), signatures.load())
    if done.swapped:
        complain(f"{server} is the client's end, {client} the server's: taken the other way round")
    if not as_json and file is None:
        for code in manner.langs:
            console().print(pairing(done, Words(code)), markup=False, highlight=False)
    outlet = Outlet(manner, as_json=as_json, file=file, failing=failing, target=target)
    outlet.take(done.result)
    raise typer.Exit(outlet.close())
