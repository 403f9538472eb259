"""The analyzer's view of a capture: what its sources, decoder and flows say, without any signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import signatures
from analyzer.community_id import with_community_id
from analyzer.decode import Frames, Packets
from analyzer.errors import CaptureError
from analyzer.flows.app_watch import AppWatch
from analyzer.flows.dns_watch import DnsWatch
from analyzer.flows.finished import FinishedFlows
from analyzer.flows.identify import Identifier
from analyzer.flows.seen import SeenStore
from analyzer.flows.tracker import Tracker
from analyzer.sources import open_source
from analyzer.tables import Kind
from tests.oracle.view import TCP, Stream, View


def view(capture: Path) -> View:
    """What the analyzer sees."""
    return _Observer().observe(capture)


class _Observer:
    def __init__(self) -> None:
        self.found = View()
        self.tracker, self.seen = Tracker(), SeenStore()
        self.dns = DnsWatch(self.seen)
        self.identifier = Identifier(signatures.load().knowledge, self.dns, AppWatch())

    def observe(self, capture: Path) -> View:
        try:
            with open_source(capture) as source:
                for frames in source.blocks():
                    for done in self.tracker.feed(frames, self._look):
                        self._take(done)
                self.found.packets = source.info.frames + source.info.other_records
        except CaptureError as error:
            self.found.failed = str(error)
            return self.found
        for done in self.tracker.close():
            self._take(done)
        for name in np.unique(self.seen.questions.name).tolist():
            self.found.questions.setdefault(self.seen.text(name) or "", 0)
        return self.found

    def _look(self, packets: Packets, frames: Frames, first: int, count: int) -> None:
        self.dns.look(packets, frames, first, count)

    def _take(self, done: FinishedFlows) -> None:
        self.identifier.identify(done)
        found, p = self.found, done.packets
        for i, flow in enumerate(with_community_id(done.flows).rows()):
            packets = flow.packets_up + flow.packets_down
            found.streams[flow.proto, flow.stream] = Stream(flow.first_frame, packets, flow.community_id)
            if flow.sni:
                found.names.add((flow.first_frame, flow.proto, flow.sni))
            if flow.qname:
                found.questions.setdefault(flow.qname, flow.first_frame)
            if flow.proto != TCP:
                continue
            mine = slice(done.row_start[i], done.row_start[i + 1])
            again = (p.kind[mine] == Kind.RESENT) | (p.kind[mine] == Kind.SPURIOUS)
            if again.any():
                found.resent[flow.first_frame] = set(p.frame[mine][again].tolist())
            if again.sum() != flow.resent_up + flow.resent_down:
                found.partly.add(flow.first_frame)
            odd = p.kind[mine] >= Kind.FILL
            for frame, kind in zip(p.frame[mine][odd].tolist(), p.kind[mine][odd].tolist(), strict=True):
                found.remarks[frame] = Kind(kind).name.lower()
