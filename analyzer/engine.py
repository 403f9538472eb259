"""The loop that connects the rooms: frames in, findings and verdicts out.

Offline, live and batch are this one loop; live only asks for an answer before the end. The answer to a prefix of the
packets never depends on how they were split into blocks or how often it was asked for: findings about one flow are
keyed by (rule, subject) and the later one stands, `across` replaces its last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from analyzer import kernels, limits
from analyzer.decode import Frames
from analyzer.exhibits import Exhibits
from analyzer.flows import arenas as a
from analyzer.flows.app_watch import AppWatch
from analyzer.flows.dns_watch import DnsWatch
from analyzer.flows.fingerprints import ja3_of
from analyzer.flows.finished import FinishedFlows
from analyzer.flows.icmp_watch import IcmpWatch
from analyzer.flows.identify import Identifier
from analyzer.flows.seen import SeenStore
from analyzer.flows.tracker import Tracker
from analyzer.result import CaptureInfo, Coverage, Network, Result, Verdict
from analyzer.signature import Finding, Loaded, Rule
from analyzer.tables import FLOWS, Cut, Stage, Table, Vantage
from analyzer.verdict import SEALED, judge

_MIRRORED = (
    0.2  # share of ordinary packets that are copies, from which on copies are the capture's and not an injector's
)


class Analysis:
    """One capture on its way through the house.

    Parameters
    ----------
    loaded : Loaded
        Signatures and knowledge, as `signatures.load()` gives them.
    keep_flows : bool
        Keep the flows table of the whole capture for `Result.flow_table`.
    apps : sequence of str
        Names that `Frames.app` stands for; may grow while frames are fed.
    with_ja3 : bool
        Work out `Result.ja3`.
    """

    def __init__(self, loaded: Loaded, *, keep_flows: bool = True, apps: Sequence[str] = (), with_ja3: bool = False):
        self.loaded = loaded
        self.rules: dict[str, Rule] = {rule.id: rule for module in loaded.signatures for rule in module.RULES}
        self.tracker = Tracker()
        self.seen = SeenStore()
        self.dns, self.icmp = DnsWatch(self.seen), IcmpWatch(self.seen)
        self.apps = AppWatch(apps)
        self.identifier = Identifier(loaded.knowledge, self.dns, self.apps)
        self.exhibits = Exhibits()
        self.keep_flows = keep_flows
        self._ja3: dict[int, str] | None = {} if with_ja3 else None
        self._flows: list[Table] = []
        self._findings: dict[tuple[str, str], Finding] = {}
        self._full = False
        self._cut_flows: dict[Cut, int] = dict.fromkeys(Cut, 0)
        self._bytes = 0
        self._vantage: dict[int, int] = {}

    def feed(self, frames: Frames) -> None:
        """Take a block of frames. Once a capture proves big, kernels run compiled from there on."""
        self._bytes += len(frames.data)
        if self._bytes > limits.INTERPRETED_BYTES:
            kernels.compiled()
        for done in self.tracker.feed(frames, self._look):
            self._take(done, self.seen, self._findings, self._flows, self.exhibits)

    def _look(self, *batch) -> None:
        """See decoded packets as they pass, before they are accounted."""
        self.dns.look(*batch)
        self.icmp.look(*batch)
        self.apps.look(*batch)

    def snapshot(self, capture: CaptureInfo) -> Result:
        """The answer so far, open flows included as they stand. Changes nothing."""
        seen, findings, flows = self.seen.fork(), dict(self._findings), list(self._flows)
        exhibits = self.exhibits.fork()
        before = dict(self._cut_flows), dict(self._vantage)
        for open_flows in self.tracker.snapshot():
            self._take(open_flows, seen, findings, flows, exhibits)
        result = self._answer(capture, seen, findings, flows, exhibits)
        self._cut_flows, self._vantage = before
        return result

    def finish(self, capture: CaptureInfo, more: Callable[[Table], Iterable[Finding]] | None = None) -> Result:
        """The answer at the end of the capture; `more` adds findings from elsewhere, given the flows table."""
        for done in self.tracker.close():
            self._take(done, self.seen, self._findings, self._flows, self.exhibits)
        self._flows = [Table.drain(FLOWS, self._flows, "flow", "part")]
        if more is not None:
            self._enter(more(self._flows[0]), self._findings)
        return self._answer(capture, self.seen, self._findings, self._flows, self.exhibits)

    def _take(
        self, done: FinishedFlows, seen: SeenStore, findings: dict, flows: list[Table], exhibits: Exhibits
    ) -> None:
        self.identifier.identify(done)
        if not seen.add(done):
            return
        for cut in Cut:
            self._cut_flows[cut] += int((done.flows.cut & cut != 0).sum())
        talks = done.flows.stage != Stage.NONE  # a neighbour's broadcasts do not tell where the talks were captured
        for vantage, times in zip(*np.unique(done.flows.vantage[talks], return_counts=True), strict=True):
            self._vantage[int(vantage)] = self._vantage.get(int(vantage), 0) + int(times)
        if self.keep_flows:
            flows.append(done.flows)
        if self._ja3 is not None:
            self._ja3 |= ja3_of(done)
        found: list[Finding] = []
        for module in self.loaded.signatures:
            if hasattr(module, "detect") and (mask := module.WANTS.flows(done.flows)).any():
                found += module.detect(done.take(mask), self.loaded.knowledge)
        self._enter(found, findings)
        exhibits.add(done, found)

    def _enter(self, new: Iterable[Finding], findings: dict) -> None:
        for finding in new:
            if len(findings) >= limits.MAX_FINDINGS:
                self._full = True
                return
            findings[finding.rule.id, finding.subject] = finding

    def _answer(
        self, capture: CaptureInfo, seen: SeenStore, findings: dict, flows: list[Table], exhibits: Exhibits
    ) -> Result:
        seen.start, seen.end = self.tracker.start, self.tracker.clock
        everything = dict(findings)
        for module in self.loaded.signatures:
            if hasattr(module, "across"):
                self._enter(module.across(seen, self.loaded.knowledge), everything)
        ordered = sorted(everything.values(), key=lambda finding: (finding.ts, finding.rule.id, finding.subject))
        coverage = self._coverage(seen, ordered)
        answers, network = judge(seen, ordered, coverage, self.loaded.knowledge, self.rules)
        table = Table.concat(FLOWS, flows).sort("flow", "part") if self.keep_flows else None
        services = {v.service: self.loaded.knowledge.service_name(v.service) for v in answers if v.service}
        return Result(
            capture=self._info(capture),
            answers=answers,
            network=network,
            coverage=coverage,
            findings=tuple(ordered),
            flow_table=table,
            rules=self.rules,
            rules_version=self.loaded.version,
            services_date=self.loaded.date,
            service_names=services,
            exhibits=exhibits.of(answers, seen),
            ja3=dict(self._ja3 or {}),
        )

    def without(self, rule: str, result: Result) -> tuple[tuple[Verdict, ...], Network]:
        """What `result`, the answer at the end, would have been without one rule: what a rule is worth."""
        kept = [finding for finding in result.findings if finding.rule.id != rule]
        return judge(self.seen, kept, self._coverage(self.seen, kept), self.loaded.knowledge, self.rules)

    def _info(self, capture: CaptureInfo) -> CaptureInfo:
        known = {v: n for v, n in self._vantage.items() if v != Vantage.UNKNOWN}
        vantage = Vantage(max(known, key=lambda v: (known[v], -v))).name.lower() if known else "unknown"
        some = self.tracker.frames > 0
        return CaptureInfo(
            name=capture.name,
            format=capture.format,
            sha256=capture.sha256,
            packets=self.tracker.frames + capture.other_records,
            other_records=capture.other_records,
            bytes=capture.bytes,
            start=self.tracker.start if some else None,
            end=self.tracker.clock if some else None,
            vantage=vantage,
            comments=capture.comments,
            capturer=capture.capturer,
        )

    def _coverage(self, seen: SeenStore, findings: Sequence[Finding]) -> Coverage:
        c, tracker = self.tracker.counters, self.tracker
        reached = tracker.limits_reached | seen.limits_reached
        reached |= {"findings"} if self._full else set()
        reached |= {"strings"} if seen.strings.full else set()
        ordinary = int(c[a.ORDINARY])
        return Coverage(
            packets=tracker.frames,
            packets_bad=int(c[a.BAD_PACKETS]),
            bad={bit.name.lower(): count for bit, count in tracker.bad.items() if count},
            links_unknown=dict(tracker.links_unknown),
            flows=int(c[a.NEXT_ID]),
            flows_midway=self._cut_flows[Cut.MIDWAY],
            gaps=self._cut_flows[Cut.GAP],
            snaplen_cut=int(c[a.SNAPLEN_CUT]),
            one_direction=self._cut_flows[Cut.ONE_DIRECTION],
            evicted=tracker.evicted,
            duplicates=int(c[a.DUPLICATES]),
            mirrored=ordinary > 0 and int(c[a.DOUBLED_ORDINARY]) > _MIRRORED * ordinary,
            fragments=int(c[a.FRAGMENTS]),
            icmp_unmatched=int(c[a.ICMP_LOST]),
            clock_steps=int(c[a.CLOCK_STEPS]),
            offload=int(c[a.OFFLOADED]) > 0,
            proxied=self._cut_flows[Cut.PROXIED] > 0,
            tunnelled=len({flow for finding in findings if finding.rule.id == SEALED for flow in finding.flows}),
            tunnels={tunnel.name.lower(): packets for tunnel, packets in tracker.tunnels.items() if packets},
            limits_reached=sorted(reached),
        )


def unusable(name: str, why: str) -> Result:
    """The result of a capture that could not be read at all."""
    return Result(CaptureInfo(name=name), network=Network("unknown", "nothing_captured"), error=why)
