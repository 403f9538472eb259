"""Exhibits: the packets that a reader may want to see, kept while they are still at hand.

Packets leave memory with their flow, and which flows a verdict will name is known only at the end. So of each target
one flow of each sort is kept: with evidence (the strongest, per action), that failed, that was answered. At the end
those of the verdicts and of their controls become `Result.exhibits`, with the series of flows that were slowed down.

Which flow is kept depends on the flows alone, never on the order in which they end: the least under a fixed order is
kept for each key, and of the keys the least up to a bound, so that live equals offline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from analyzer import limits
from analyzer.flows.finished import FinishedFlows
from analyzer.flows.seen import SeenStore
from analyzer.result import Exhibit, FlowKey, Named, Verdict
from analyzer.signature import STRENGTHS, Finding
from analyzer.tables import SERIES, End, Stage, Table, Vantage

SLOWED = ("police", "shape", "random_loss", "ack_drop", "freeze")  # actions whose argument is a series
SERIES_OF_A_KIND = 3  # affected flows, and as many controls, whose series a verdict shows
CONTROLS = 3  # controls of a verdict that are shown, one flow each
_FAILED_ENDS = (End.RST_DOWN, End.SILENCE, End.ICMP)

Order = tuple[int, int, int]  # of strength (0: strongest), flow, part
_NO_BAR = (1 << 62, 1 << 62, 0)


class Exhibits:
    """What is kept so far, in three pools."""

    def __init__(self) -> None:
        self._found = _Pool(limits.MAX_EXHIBITS)
        self._failed = _Pool(limits.MAX_EXHIBITS)
        self._answered = _Pool(limits.MAX_EXHIBITS)

    def fork(self) -> Exhibits:
        """A copy to which snapshots of open flows can be added and thrown away."""
        copy = Exhibits()
        copy._found, copy._failed, copy._answered = self._found.fork(), self._failed.fork(), self._answered.fork()
        return copy

    def add(self, done: FinishedFlows, findings: Iterable[Finding]) -> None:
        """Look through a batch of finished flows and what was just found in it."""
        flows = done.flows
        rows = {flow: i for i, flow in enumerate(flows.flow.tolist())}
        for finding in findings:
            action = finding.method.action if finding.method else finding.rule.action
            i = rows.get(finding.flows[0]) if finding.flows else None
            if i is not None and finding.rule.leans == "interference":
                key = f"{action} {flows.target[i]}"
                order = STRENGTHS.index(finding.rule.strength), int(flows.flow[i]), int(flows.part[i])
                self._found.offer(key, order, done, i)
        failed = (flows.stage > Stage.NONE) & (
            (flows.stage <= Stage.ASKED) | np.isin(flows.ended_by, [int(end) for end in _FAILED_ENDS])
        )
        answered = ~failed & (flows.stage >= Stage.ANSWERED)
        for pool, mask in ((self._failed, failed), (self._answered, answered)):
            at = np.flatnonzero(mask & (flows.flow <= pool.bar[1])).tolist()
            firsts = dict(zip(flows.target[at[::-1]].tolist(), reversed(at), strict=True))  # the least flow per target
            for i in sorted(firsts.values()):
                pool.offer(str(flows.target[i]), (0, int(flows.flow[i]), int(flows.part[i])), done, i)

    def of(self, answers: Sequence[Verdict], seen: SeenStore) -> tuple[Exhibit, ...]:
        """The exhibits of these verdicts, worst first, by flow number within each."""
        shown: dict[int, Exhibit] = {}
        series_left = limits.MAX_EXHIBIT_SERIES
        for verdict in answers:
            if verdict.state in ("ok", "insufficient"):
                continue
            for exhibit in self._of(verdict):
                shown.setdefault(exhibit.key.flow, exhibit)
            for flow in _slowed(verdict, seen):
                series = seen.series(flow)
                if len(series) > series_left:
                    continue
                exhibit = shown.get(flow) or _without_packets(flow, seen)
                if not len(exhibit.series):
                    series_left -= len(series)
                    shown[flow] = exhibit.with_series(series)
        return tuple(shown.values())

    def _of(self, verdict: Verdict) -> Iterator[Exhibit]:
        for named in verdict.methods:
            flows = {key.flow for key in named.flows}
            found = self._found.get(f"{named.method.action} {verdict.target}")
            failed = self._failed.get(verdict.target)
            for exhibit in (found, failed):
                if exhibit is not None and exhibit.key.flow in flows:
                    yield exhibit
                    break
        if not verdict.methods and (failed := self._failed.get(verdict.target)):
            yield failed
        for control in verdict.controls[:CONTROLS]:
            if control.fine and (exhibit := self._answered.get(control.target)):
                yield exhibit


class _Pool:
    """One exhibit per key: the least by order; and only the least `most` of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: dict[str, tuple[Order, Exhibit]] = {}
        self.bar: Order = _NO_BAR  # once the pool is full, the greatest in it: nothing beyond is wanted

    def fork(self) -> _Pool:
        copy = _Pool(self.most)
        copy.kept, copy.bar = dict(self.kept), self.bar
        return copy

    def get(self, key: str) -> Exhibit | None:
        return self.kept[key][1] if key in self.kept else None

    def offer(self, key: str, order: Order, done: FinishedFlows, i: int) -> None:
        if order >= self.bar or (key in self.kept and self.kept[key][0] <= order):
            return
        self.kept[key] = order, _exhibit(done, i)
        if len(self.kept) > self.most:
            del self.kept[max(self.kept, key=lambda key: self.kept[key][0])]
        if len(self.kept) == self.most:
            self.bar = max(order for order, _ in self.kept.values())


def _exhibit(done: FinishedFlows, i: int) -> Exhibit:
    flow = done.flows.row(i)
    rows = done.rows(i)
    near = flow.ack_gap if flow.vantage == Vantage.SERVER else flow.syn_rtt
    data = flow.data_rtt_down if flow.vantage == Vantage.SERVER else flow.data_rtt
    rtts = [rtt for rtt in (near, data) if rtt > 0]
    return Exhibit(
        key=_key(flow.flow, flow.stream, flow.proto, flow.client, flow.client_port, flow.server, flow.server_port),
        target=flow.target or "",
        vantage=Vantage(flow.vantage).name.lower(),
        rtt=min(rtts, default=None),
        packets=rows[np.arange(len(rows))],  # a copy: a slice would hold the whole batch
        series=Table.empty(SERIES),
    )


def _without_packets(flow: int, seen: SeenStore) -> Exhibit:
    """A flow of which only the series outlived it."""
    row = seen.attempts.row(int(np.searchsorted(seen.attempts.flow, flow)))
    text = seen.text
    key = _key(flow, row.stream, row.proto, text(row.client) or "", row.client_port, text(row.server) or "", row.port)
    rtt = row.syn_rtt if row.syn_rtt > 0 else None
    return Exhibit(key, text(row.target) or "", Vantage(row.vantage).name.lower(), rtt)


def _key(flow: int, stream: int, proto: int, client: str, port: int, server: str, server_port: int) -> FlowKey:
    protocol = {6: "tcp", 17: "udp"}.get(proto, str(proto))
    return FlowKey(flow, stream if stream >= 0 else None, protocol, client, port, server, server_port)


def _slowed(verdict: Verdict, seen: SeenStore) -> list[int]:
    """Bulky flows of a verdict about slowness, the bulkiest first; then others of the same client, controls first."""
    affected = [named for named in verdict.methods if named.method.action in SLOWED]
    if not affected:
        return []
    a = seen.attempts
    bulky = np.isin(a.flow, np.fromiter(seen.bulky(), np.int64))
    size = np.maximum(a.new_up, a.new_down)
    mine = bulky & np.isin(a.flow, _flows_of(affected))
    targets = [seen.number(control.target) for control in verdict.controls]
    control = np.isin(a.target, targets)
    others = bulky & ~np.isin(a.flow, _flows_of(verdict.methods)) & np.isin(a.client, a.client[mine])
    picked = []
    for mask in (mine, others):
        at = np.flatnonzero(mask)
        picked += a.flow[at[np.lexsort((a.flow[at], -size[at], ~control[at]))][:SERIES_OF_A_KIND]].tolist()
    return picked


def _flows_of(methods: Sequence[Named]) -> np.ndarray:
    return np.fromiter((key.flow for named in methods for key in named.flows), np.int64)
