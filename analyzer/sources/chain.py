"""The files of one rotated capture (`tcpdump -C`, `dumpcap -b`), read as the one capture that they are.

They are put in order by their first packets, since shells sort `x.pcap10` before `x.pcap2`. Frames are numbered on from
file to file, as `mergecap -a` numbers them in the same order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from analyzer.decode.frames import Frames
from analyzer.errors import CaptureError
from analyzer.sources import open_source
from analyzer.sources.source import Source, SourceInfo

OVERLAP_NS = 10**9  # packets of several queues come a little out of order; files that overlap by more are no rotation


class Chain(Source):
    """Several files as one source.

    Parameters
    ----------
    paths : sequence of str or path
        The files, in any order. Those without packets are left out.

    Raises
    ------
    CaptureError
        One of them is unusable (left out, it would look like loss), or two overlap in time.
    """

    def __init__(self, paths: Sequence[str | os.PathLike]):
        begun = sorted((begin, at) for at, path in enumerate(paths) if (begin := _begin(path)) is not None)
        self.paths = [paths[at] for _, at in begun] or list(paths[:1])  # an empty file says that nothing was captured
        name = os.path.basename(self.paths[0])
        self.info = SourceInfo(name if len(self.paths) == 1 else f"{name} and {len(self.paths) - 1} more")
        self._source: Source | None = None
        self._end = 0  # time of the latest packet so far

    def blocks(self) -> Iterator[Frames]:
        for path in self.paths:
            with _opened(path) as self._source:
                yield from self._continued(self._source)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _continued(self, source: Source) -> Iterator[Frames]:
        """Frames of one file, numbered on from those before it."""
        info, own = self.info, source.info
        numbers, interfaces, size = info.frames + info.other_records, len(info.interfaces), info.bytes_read
        apps = len(info.apps)
        for frames in source.blocks():
            if int(frames.ts[0]) < self._end - OVERLAP_NS and own.frames == len(frames.ts):
                raise CaptureError(f"{own.name} begins before the file ahead of it ends; mergecap joins such captures")
            self._end = max(self._end, int(frames.ts.max()))
            info.bytes_read = size + own.bytes_read
            info.apps[apps:] = own.apps
            app = np.where(frames.app >= 0, frames.app + np.int32(apps), np.int32(-1))
            yield frames._replace(number=frames.number + numbers, iface=frames.iface + interfaces, app=app)
        self._add(own)

    def _add(self, own: SourceInfo) -> None:
        info = self.info
        info.format = info.format or own.format
        info.application = info.application or own.application
        info.frames += own.frames
        info.other_records += own.other_records
        info.interfaces += own.interfaces
        info.comments += own.comments
        if own.kernel_drops is not None:
            info.kernel_drops = (info.kernel_drops or 0) + own.kernel_drops
        if own.cut_why is not None and info.cut_why is None:
            info.cut_at_byte, info.cut_why = own.cut_at_byte, f"{own.name}: {own.cut_why}"


def _begin(path: str | os.PathLike) -> int | None:
    """Time of a file's first packet; None where it has none."""
    with _opened(path) as source:
        for frames in source.blocks():
            return int(frames.ts[0])
    return None


def _opened(path: str | os.PathLike) -> Source:
    try:
        return open_source(path)
    except CaptureError as error:
        raise CaptureError(f"{os.path.basename(path)}: {error}") from None
