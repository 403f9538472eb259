"""The public door: open a capture, analyse it. What notebooks and the command line call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO

from analyzer import kernels, limits
from analyzer.engine import Analysis, unusable
from analyzer.errors import UsageError
from analyzer.result import CaptureInfo, Result
from analyzer.signature import Loaded
from analyzer.sources import Source, open_source

__all__ = ["Result", "analyze", "demo_capture", "follow", "open_capture", "unusable"]

NEAREST = 3  # targets offered in place of one that is not there; of known services only, which are nobody's secret
Where = str | os.PathLike | IO[bytes] | bytes


def demo_capture() -> Path:
    """The bundled example: a messenger's web front cut by forged resets, with controls in the same file."""
    with as_file(files("analyzer") / "data" / "demo.pcap") as path:
        return path


def open_capture(where: Where | None = None, *, name: str | None = None) -> Source:
    """Open a capture for reading; without an argument, the bundled example.

    Parameters
    ----------
    where : path, "-" (standard input), binary file object, or bytes
    name : str, optional
        What to call it in results; the file's name by default.

    Raises
    ------
    CaptureError
        It is missing, unreadable, or not a capture.
    """
    return open_source(demo_capture() if where is None else where, name=name)


def analyze(
    where: Where | Source | None,
    loaded: Loaded,
    *,
    name: str | None = None,
    target: str | None = None,
    progress: Callable[[int], None] | None = None,
    with_ja3: bool = False,
) -> Result:
    """Analyse one capture.

    Parameters
    ----------
    where : path, "-", file object, bytes, an opened `Source`, or None for the bundled example
    loaded : Loaded
        `signatures.load()`.
    name : str, optional
        What to call the capture.
    target : str, optional
        Only verdicts about this service or name.
    progress : callable, optional
        Called with the number of bytes read so far.
    with_ja3 : bool
        Work out `Result.ja3` too, which costs 30 microseconds a ClientHello.

    Returns
    -------
    Result
        Verdicts worst first, the findings behind them, flows, and what the capture did not show.

    Raises
    ------
    CaptureError
        The capture cannot be used at all. Damage further on is no error: it is in `Result.coverage`.
    UsageError
        There is no verdict about the `target`.
    """
    source = where if isinstance(where, Source) else open_capture(where, name=name)
    *_, result = follow(source, loaded, progress=progress, with_ja3=with_ja3)
    return only(result, target) if target else result


def follow(
    source: Source,
    loaded: Loaded,
    *,
    wanted: Callable[[int], bool] | None = None,
    progress: Callable[[int], None] | None = None,
    with_ja3: bool = False,
) -> Iterator[Result]:
    """Analyse a source as it comes in: the answer so far, whenever it is wanted, and the final one last.

    Parameters
    ----------
    source : Source
        A live capture, or a file.
    loaded : Loaded
        `signatures.load()`.
    wanted : callable, optional
        Asked after each block, with the time of the latest packet (ns), whether an answer so far is wanted. The final
        one does not depend on how often it was.
    progress : callable, optional
        Called with the number of bytes read so far.
    with_ja3 : bool
        As in `analyze`.

    Raises
    ------
    CaptureError
        As `analyze`.
    """
    with source:
        if (source.info.size or 0) > limits.INTERPRETED_BYTES:  # else the engine sees how much comes
            kernels.compiled()
        analysis = Analysis(loaded, apps=source.info.apps, with_ja3=with_ja3)
        for frames in source.blocks():
            analysis.feed(frames)
            if progress is not None:
                progress(source.info.bytes_read)
            if wanted is not None and wanted(analysis.tracker.clock):
                yield _covered(analysis.snapshot(capture_info(source)), source)
        yield _covered(analysis.finish(capture_info(source)), source)


def _covered(result: Result, source: Source) -> Result:
    result.coverage.cut_at_byte, result.coverage.cut_why = source.info.cut_at_byte, source.info.cut_why
    result.coverage.kernel_drops = source.info.kernel_drops
    return result


def capture_info(source: Source) -> CaptureInfo:
    """What the file says of itself."""
    info = source.info
    return CaptureInfo(
        name=info.name,
        format=info.format,
        sha256=info.sha256,
        bytes=info.bytes_read,
        other_records=info.other_records,
        comments=tuple(info.comments),
        capturer=info.application,
    )


def only(result: Result, target: str) -> Result:
    """The result with only the verdicts about one service id, service role or name.

    Raises
    ------
    UsageError
        There is none: that would read as "nothing was found".
    """
    wanted = target.lower()
    keep = tuple(
        v
        for v in result.answers
        if wanted in (v.target.lower(), v.service, f"{v.service}/{v.role}") or v.target.lower().endswith("." + wanted)
    )
    if not keep:
        known = {word.lower() for v in result.answers if v.service for word in (v.service, v.target)}
        meant = get_close_matches(wanted, sorted(known), NEAREST)
        hint = f"; did you mean {' or '.join(map(repr, meant))}?" if meant else ""
        raise UsageError(f"there is no verdict about {target!r} in this capture{hint}")
    return replace(result, answers=keep, asked=True)
