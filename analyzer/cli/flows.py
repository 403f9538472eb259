"""`interference flows`: every conversation of a capture, one a line, or as a table in a file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated

import numpy as np
import typer

import signatures
from analyzer import api
from analyzer.cli import asked, options
from analyzer.cli.messages import complain
from analyzer.community_id import with_community_id
from analyzer.errors import UsageError
from analyzer.report import columns, tabular
from analyzer.report.conversation import transport
from analyzer.report.escape import visible
from analyzer.report.redact import discreet, forwardable
from analyzer.tables import JA3, End, Stage, Table

HEAD = (
    "FLOW", "STREAM", "AT", "PROTO", "CLIENT", "SERVER", "PORT", "NAME", "SERVICE", "STAGE", "END", "PACKETS", "BYTES",
)  # fmt: skip

Capture = Annotated[str, typer.Argument(metavar="CAPTURE", hidden=True)]
Output = Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write .parquet, .csv or .json.")]
Redact = Annotated[bool, typer.Option("--redact", help="Hide who captured.")]


def flows(
    capture: Capture,
    output: Output = None,
    redact: Redact = False,
    circumvention: options.Circumvention = False,
) -> None:
    """The conversations of a capture, one a line.

    Who spoke with whom, how far it came, what ended it; PACKETS and BYTES are the client's and the server's. With -o, all
    columns are written, and pandas and polars read them as they are.
    """
    file = None if output is None else asked.destination(output, [capture])
    if file is not None and not tabular.writes(file):
        raise UsageError(f"{file.name}: a table ends in .parquet, .csv or .json")
    result = api.analyze(capture, signatures.load(), with_ja3=file is not None)
    result = result if circumvention else discreet(result)
    result = forwardable(result) if redact else result
    table = result.flow_table
    assert table is not None
    if file is None:
        start = int(table.start.min()) if len(table) else 0
        for line in columns.table(HEAD, [_cells(flow, start) for flow in table.rows()]):
            typer.echo(line)
        return
    try:
        tabular.write(_with_ja3(with_community_id(table), result.ja3), file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None
    complain(f"{file} is written")


def _with_ja3(flows: Table, ja3: dict[int, str]) -> Table:
    column = np.empty(len(flows), object)
    column[:] = [ja3.get(flow) for flow in flows.flow.tolist()]
    return Table((*flows.schema, JA3), flows.columns | {JA3.name: column})


def _cells(flow: SimpleNamespace, start: int) -> tuple[str, ...]:
    return (
        str(flow.flow),
        "" if flow.stream < 0 else str(flow.stream),
        f"{(flow.start - start) / 1e9:.3f}",
        transport(flow.proto),
        f"{flow.client}:{flow.client_port}" if flow.client_port >= 0 else flow.client,
        flow.server,
        str(flow.server_port),
        visible(flow.sni or flow.host or flow.qname or flow.dns_name or ""),
        visible("/".join(filter(None, (flow.service, flow.role)))),
        Stage(flow.stage).name.lower(),
        End(flow.ended_by).name.lower(),
        f"{flow.packets_up}+{flow.packets_down}",
        f"{flow.bytes_up}+{flow.bytes_down}",
    )
