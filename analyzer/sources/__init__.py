"""Where captured bytes come from. A source turns a file, a pipe or bytes into blocks of frames, whatever it is packed in.

Two rules hold for every source. What is read decides what it is, never its name. And a capture that is cut or damaged
is read up to there and says so (`SourceInfo.cut_at_byte`): half of the captures people send were copied while they
were written. Only an input with nothing to read in it is an error.
"""

from __future__ import annotations

import os
from typing import IO

from analyzer.sources.compression import expanded
from analyzer.sources.foreign import FOREIGN_BYTES, not_a_capture
from analyzer.sources.input import Input
from analyzer.sources.pcap import Pcap
from analyzer.sources.pcapng import Pcapng
from analyzer.sources.source import Interface, Source, SourceInfo
from analyzer.sources.window import Window

__all__ = ["Interface", "Source", "SourceInfo", "open_source"]


def open_source(where: str | os.PathLike | IO[bytes] | bytes, *, name: str | None = None) -> Source:
    """Open a capture and read its header.

    Parameters
    ----------
    where : path, "-" (standard input), binary file object, or bytes
        pcap or pcapng, plain or inside gzip, zstd, xz, bzip2 or lz4. Never written to.
    name : str, optional
        What to call it in results.

    Raises
    ------
    CaptureError
        Missing, unreadable, or not a packet capture.
    """
    given = Input(where)
    try:
        stream, packing = expanded(given)
        window = Window(stream, given)
        window.fill_to(4)
        info = SourceInfo(name=name or given.name, compression=packing)
        for kind in (Pcap, Pcapng):
            if kind.recognises(window.head(4)):
                return kind(given, stream, window, info)
        if not given.live:
            window.fill_to(FOREIGN_BYTES)
        raise not_a_capture(window.head(FOREIGN_BYTES), stream.failed, packing)
    except BaseException:
        given.close()
        raise
