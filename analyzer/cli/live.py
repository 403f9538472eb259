"""`interference live`: the same answer while the traffic passes. Live is another source, not another engine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Annotated

import typer

import signatures
from analyzer import api, kernels
from analyzer.capture_writer import CaptureWriter
from analyzer.cli import asked, options
from analyzer.cli.interrupt import Interrupt
from analyzer.cli.live_view import View
from analyzer.cli.outlet import Manner, Outlet
from analyzer.decode import Frames
from analyzer.sources import Source
from analyzer.sources.live import LiveCapture

Interface = Annotated[
    str, typer.Option("-i", "--interface", metavar="IFACE", help="Such as wlan0; any sees packets twice.")
]
Filter = Annotated[str | None, typer.Option("-f", "--filter", metavar="BPF", help="Capture filter, as in tcpdump.")]
Seconds = Annotated[float | None, typer.Option("-d", "--duration", min=0, metavar="SECONDS", help="Stop after them.")]
Count = Annotated[int | None, typer.Option("-c", "--count", min=1, metavar="PACKETS", help="Stop after so many.")]
Write = Annotated[str | None, typer.Option("-w", "--write", metavar="FILE", help="Keep the packets, as pcapng.")]


def live(
    interface: Interface,
    bpf: Filter = None,
    duration: Seconds = None,
    count: Count = None,
    write: Write = None,
    output: options.Output = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fail_on: options.FailOn = "",
    everything: options.Everything = False,
    full: options.Full = False,
    redact: options.Redact = False,
    circumvention: options.Circumvention = False,
    lang: options.Lang = "en",
) -> None:
    """Capture, and answer while you try what does not work.

    Ctrl-C ends it with the report on what was captured until then (exit code 130).
    """
    manner = Manner(asked.languages(lang), everything, circumvention, full, redact)
    outlet = Outlet(
        manner, as_json=as_json, file=asked.report_file(output), failing=asked.states(fail_on), target=target
    )
    file = asked.new_capture(write) if write else None
    loaded = signatures.load()
    _warm_up()
    with Interrupt() as interrupt, contextlib.ExitStack() as open_things:
        capture = LiveCapture(interface, bpf)
        open_things.callback(capture.close)
        interrupt.at_first = capture.stop
        writer = open_things.enter_context(CaptureWriter(file)) if file else None
        if duration is not None:
            timer = threading.Timer(duration, capture.stop)
            timer.start()
            open_things.callback(timer.cancel)
        view = open_things.enter_context(View(interface, manner, target))
        for result in api.follow(_Passing(capture, writer, count), loaded, wanted=view.wants):
            view.update(result)
    outlet.take(result)
    raise typer.Exit(outlet.close(interrupt.came))


class _Passing(Source):
    """What is captured, up to a number of packets, and written down as it passes."""

    def __init__(self, capture: LiveCapture, writer: CaptureWriter | None, count: int | None):
        self.info = capture.source.info
        self._capture = capture
        self._writer = writer
        self._left = count

    def blocks(self) -> Iterator[Frames]:
        for block in self._capture.blocks():
            frames = self._wanted(block)
            if not len(frames.ts):
                continue  # of more than was wanted; the capturing program still has to end
            if self._writer is not None:
                self._writer.write(frames)
            yield frames

    def close(self) -> None:
        self._capture.close()

    def _wanted(self, frames: Frames) -> Frames:
        if self._left is None:
            return frames
        columns = [column[: self._left] for column in frames[1:]]
        self._left -= len(columns[0])
        if self._left == 0:
            self._capture.stop()
        return Frames(frames.data, *columns)


def _warm_up() -> None:
    """Load the compiled kernels before packets wait for them: they would be lost meanwhile."""
    kernels.compiled()
    api.analyze(None, signatures.load())
