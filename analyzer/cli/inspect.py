"""`interference inspect`: one conversation, why it ended as it did, and its packets in full dissection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import signatures
from analyzer import api
from analyzer.cli import asked, options
from analyzer.cli.messages import complain
from analyzer.cli.outlet import console
from analyzer.errors import CaptureError, MissingToolError, UsageError
from analyzer.flows import lookup
from analyzer.report import Words, conversation, filters
from analyzer.report.escape import visible
from analyzer.report.redact import discreet
from analyzer.sources import SourceInfo
from analyzer.tables import Table

Capture = Annotated[str, typer.Argument(metavar="CAPTURE", hidden=True)]
Frame = Annotated[int | None, typer.Option(min=1, metavar="N", help="The conversation of this frame.")]
Stream = Annotated[str | None, typer.Option(metavar="[tcp:|udp:]N", help="tshark's tcp.stream or udp.stream.")]
Flow = Annotated[int | None, typer.Option(min=0, metavar="N", help="The number that reports give it.")]
Count = Annotated[
    int | None,
    typer.Option("-c", "--count", min=0, metavar="N", help="Dissect its first N packets; 0 for none."),
]


def inspect(
    capture: Capture,
    frame: Frame = None,
    stream: Stream = None,
    flow: Flow = None,
    count: Count = None,
    circumvention: options.Circumvention = False,
    lang: options.Lang = "en",
) -> None:
    """Why did this connection end as it did?

    Says how far it came, what ended it, and what speaks for and against interference, with frames and measured values.
    Then comes, as tshark dissects it, the packet that tells most, or that of --frame; with -c, its first packets.
    """
    if capture == asked.STDIN:
        raise UsageError("inspect reads a capture more than once: give a file")
    if sum(given is not None for given in (frame, stream, flow)) != 1:
        raise UsageError("which conversation? Give one of --frame N, --stream N and --flow N")
    words = Words(asked.languages(lang)[0])
    source = api.open_capture(capture)
    result = api.analyze(source, signatures.load(), with_ja3=True)
    flows = result.flow_table
    assert flows is not None
    row = _row(flows, capture, frame, stream, flow)
    conversation.show(result if circumvention else discreet(result), row, console(), words)
    asked_for = flows.row(row)
    alone = frame if frame is not None or count is not None else conversation.telling(result, asked_for.flow)
    picked = filters.conversations([conversation.key(asked_for)]) if alone is None else f"frame.number == {alone}"
    shown = _dissect(capture, source.info, picked, 1 if count is None else count) if picked else 0
    packets = asked_for.packets_up + asked_for.packets_down
    if shown and frame is None and count is None and shown < packets:
        complain(f"1 of {packets} packets is dissected; -c {packets} shows all")


def _row(flows: Table, capture: str, frame: int | None, stream: str | None, flow: int | None) -> int:
    if frame is not None:
        with api.open_capture(capture) as again:
            row = lookup.by_frame(flows, again.blocks(), frame)
        asked_for = f"frame {frame}"
    elif stream is not None:
        transport, number = _stream(stream)
        rows = [lookup.by_stream(flows, proto, number) for proto in transport]
        row = next((found for found in rows if found is not None), None)
        asked_for = f"stream {stream}"
    else:
        assert flow is not None
        row = lookup.by_number(flows, flow)
        asked_for = f"flow {flow}"
    if row is None:
        raise UsageError(f"{asked_for} is no TCP or UDP conversation of this capture")
    return row


def _stream(given: str) -> tuple[tuple[int, ...], int]:
    """Protocols to look among, and the number. Without a protocol, TCP comes first."""
    named, _, number = given.rpartition(":")
    among = {"": (lookup.TCP, lookup.UDP), "tcp": (lookup.TCP,), "udp": (lookup.UDP,)}.get(named)
    if among is None or not number.isdecimal():
        raise UsageError(f"--stream {given}: give a number, tcp:NUMBER or udp:NUMBER")
    return among, int(number)


def _dissect(capture: str, info: SourceInfo, picked: str, count: int) -> int:
    """Print the packets that a display filter picks, or one line that says why not; gives how many were printed."""
    if not count:
        return 0
    from analyzer.sources import tshark

    try:
        with tshark.readable(Path(capture), info.compression) as path:
            packets = tshark.dissect(path, picked, count)
    except (MissingToolError, CaptureError) as error:
        complain(f"without dissection: {error}")
        return 0
    for packet in packets:
        typer.echo()
        for line in packet.splitlines():
            typer.echo(visible(line.removeprefix(":").expandtabs(2)))
    return len(packets)
