"""The judge: one verdict for each target, worst first, after the network finding.

Targets that nothing happened to are decided column by column; Python loops only over targets with findings, and over
known services, because a capture may hold a million flows to as many addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from analyzer import limits
from analyzer.controls import ATTEMPT, Fate, attempt_numbers, controls_of, counted, fates
from analyzer.result import ACCUSING, STATES, Control, Coverage, FlowKey, Named, Network, Verdict
from analyzer.signature import Finding, Knowledge, Rule, Seen, Witness
from analyzer.tables import Cut, Vantage
from analyzer.verdict.cases import Case, cases_of
from analyzer.verdict.doubts import AT_HOME, Gaps, doubts_of, limits_of, next_step
from analyzer.verdict.network import network_finding
from analyzer.verdict.states import ANYBODYS, OTHER_CHANNEL, Setting, state_of

SHARED = "throttle.shared_by_all"
ON_THE_WAY = ("on_path", "in_path")
MOSTLY_FINE = 0.8  # share of fine attempts from which on a target works, and what failed is noise
_COPIED = (
    "rate_kbps", "rate_low_kbps", "rate_high_kbps", "bucket_bytes", "freeze_bytes", "freeze_low_bytes", "freeze_high_bytes",
    "injector", "hops",
)  # fmt: skip


def judge(
    seen: Seen, findings: Sequence[Finding], coverage: Coverage, known: Knowledge, rules: dict[str, Rule]
) -> tuple[tuple[Verdict, ...], Network]:
    """Combine evidence, attempts and coverage.

    Parameters
    ----------
    seen : Seen
        Attempts, names and endpoints of the whole capture (or of its prefix so far).
    findings : sequence of Finding
        Ordered by (time, rule, subject).
    coverage : Coverage
        What was not seen.
    known : Knowledge
        Services and middleboxes.
    rules : dict
        Rules by id.

    Returns
    -------
    (verdicts, network)
        Verdicts worst first, then by the time of their first attempt.
    """
    bench = _Bench(seen, findings, coverage, known)
    network = network_finding(bench.attempts, bench.fate, seen, known, findings, coverage)
    verdicts = [bench.verdict(target, network) for target in bench.order()]
    proven = {
        v.target for v in verdicts if v.state in ACCUSING and any(m.method.position in ON_THE_WAY for m in v.methods)
    }
    for i, verdict in enumerate(verdicts):
        settled = (ANYBODYS if proven - {verdict.target} else ()) + (
            OTHER_CHANNEL if verdict.state == "blocked" else ()
        )
        if any(finding.rule.id in settled for finding in verdict.findings):
            verdicts[i] = bench.verdict(verdict.target, network, settled)
    verdicts = _mark_controls(verdicts)
    verdicts.sort(key=lambda v: (STATES.index(v.state), v.first if v.first is not None else 0, v.target))
    return tuple(verdicts), network


Known = tuple[str | None, str | None]  # service and role of a target, as far as they are known


class _Bench:
    """The attempts by target, their fates, and the findings by target."""

    def __init__(self, seen: Seen, findings: Sequence[Finding], coverage: Coverage, known: Knowledge):
        self.seen, self.coverage, self.known = seen, coverage, known
        self.attempts = seen.attempts
        self.fate = fates(self.attempts, seen.text)
        self.numbers = attempt_numbers(self.attempts, self.fate)
        self.merged, self.merged_fate = counted(self.attempts, self.fate)
        self._targets = np.unique(self.attempts.target)
        self._rows = _by_value(self.attempts.target)
        self._merged_rows = _by_value(self.merged.target)
        self.findings = self._by_target(findings)
        self.suspects = {
            self.seen.number(target) for target, about in self.findings.items() if any(map(_accuses, about))
        }
        self.shared = {flow for f in findings if f.rule.id == SHARED for flow in f.flows}  # as slow as everything else

    def _by_target(self, findings: Iterable[Finding]) -> dict[str, list[Finding]]:
        by_target: dict[str, list[Finding]] = {}
        for finding in findings:
            for target in self._targets_of(finding):
                by_target.setdefault(target, []).append(finding)
        return by_target

    def _targets_of(self, finding: Finding) -> list[str]:
        """A finding about a name is about that name, wherever it was seen; others are about their flows' targets."""
        kind, _, about = finding.subject.partition(" ")
        if kind == "name":
            return [about]
        if kind == "target":
            return [about.partition(" at ")[0]]
        where = self._where(finding.flows)
        return sorted({self.seen.text(t) or "" for t in self.attempts.target[where].tolist()})

    def _where(self, flows: Iterable[int]) -> np.ndarray:
        """Rows of the attempts table for flow numbers."""
        flow = np.array(sorted(set(flows)), np.int64)
        at = np.searchsorted(self.attempts.flow, flow)
        inside = at < len(self.attempts)
        at, flow = at[inside], flow[inside]
        return at[self.attempts.flow[at] == flow]

    def order(self) -> list[str]:
        """Targets to be judged: all with findings or a known service, and others up to the cap."""
        text = self.seen.text
        service = np.isin(self._targets, self.attempts.target[self.attempts.service >= 0])
        first = [text(t) or "" for t in self._targets[service].tolist()]
        plain = [text(t) or "" for t in self._targets[~service].tolist()]
        if len(plain) > limits.MAX_VERDICTS:
            self.coverage.limits_reached.append("verdicts")
            plain = plain[: limits.MAX_VERDICTS]
        return list(dict.fromkeys([*self.findings, *first, *plain]))

    def verdict(self, target: str, network: Network, settled: tuple[str, ...] = ()) -> Verdict:
        findings = self.findings.get(target, [])
        number = self.seen.number(target)
        mine = self._rows.get(number, np.empty(0, np.int64))
        merged = self._merged_rows.get(number, np.empty(0, np.int64))
        merged = self._of_the_affected(merged, findings)
        label = self._label(target, mine)
        cases = cases_of(findings)
        closed = () if cases else self._closed_ports(merged)
        if closed and label[0] is None and (self.attempts.name[mine] < 0).all():  # an address: any port is as good
            merged = merged[~np.isin(self.merged.port[merged], closed)]
        fate = self.merged_fate[merged]
        tried, failed = len(merged), int((fate >= Fate.FAILED).sum())
        compared = self._alike(merged, cases)
        controls = self._controls(compared, target) if cases or (failed and label[0]) else ()
        state, named = self._weigh(cases, controls, label, settled)
        if state not in ACCUSING:
            state = self._plain_state(mine, merged, findings, state)
        if network.why in ("nothing_answered", "portal_page_everywhere") and state.startswith("likely"):
            state, named = "insufficient", ()
        affected = self._where(flow for method in named for flow in (key.flow for key in method.flows))
        if len(affected):
            failed = max(failed, self._separate(affected))
            tried = max(tried, failed)
        rows = mine if len(mine) else affected
        servers = sorted(self.seen.text(a) or "" for a in np.unique(self.attempts.server[rows]).tolist())
        clients = self._seen_from_server(affected if len(affected) else mine)
        gaps = Gaps(self.attempts.cut[rows], self.fate[rows] == Fate.UNKNOWN, len(servers), clients)
        limit = limits_of(gaps, controls, tried, state, self.coverage, findings)
        start, end = self.attempts.start[rows], self.attempts.end[rows]
        return Verdict(
            target=target,
            state=state,
            service=label[0],
            role=label[1],
            attempts=tried,
            failed=failed,
            methods=named,
            controls=tuple(controls),
            ruled_out=doubts_of(state, named, findings, controls, fate) if state != "ok" else (),
            limits=limit,
            next=next_step(state, limit, named, _at_home(findings), clients > 0),
            findings=tuple(findings),
            first=int(start.min()) if len(rows) else min((f.ts for f in findings), default=None),
            last=int(end.max()) if len(rows) else max((f.ts for f in findings), default=None),
            addresses=tuple(servers[: limits.MAX_ADDRESSES]),
            closed=closed,
        )

    def _seen_from_server(self, rows: np.ndarray) -> int:
        """How many clients some attempts (rows) are of, where they were seen from their server; else 0."""
        at_server = len(rows) and (self.attempts.vantage[rows] == Vantage.SERVER).all()
        return len(np.unique(self.attempts.client[rows])) if at_server else 0

    def _of_the_affected(self, merged: np.ndarray, findings: Sequence[Finding]) -> np.ndarray:
        """At a server, only the clients that something happened to: the others are their control."""
        if not len(merged) or not (self.merged.vantage[merged] == Vantage.SERVER).all():
            return merged
        affected = self._where(f for finding in findings if finding.rule.leans == "interference" for f in finding.flows)
        clients = self.attempts.client[affected]
        return merged[np.isin(self.merged.client[merged], clients)] if len(clients) else merged

    def _closed_ports(self, merged: np.ndarray) -> tuple[int, ...]:
        """Ports that refused every attempt, while another one answered."""
        fate, ports = self.merged_fate[merged], self.merged.port[merged]
        if not (fate == Fate.FINE).any():
            return ()
        return tuple(np.setdiff1d(ports[fate == Fate.REFUSED], ports[fate != Fate.REFUSED]).tolist())

    def _label(self, target: str, mine: np.ndarray) -> Known:
        service = self.attempts.service[mine]
        known = np.flatnonzero(service >= 0)
        if len(known):
            at = mine[known[0]]
            return self.seen.text(self.attempts.service[at]), self.seen.text(self.attempts.role[at])
        label = self.known.label_name(target) if not len(mine) else None
        return (label.service, label.role) if label else (None, None)

    def _controls(self, merged: np.ndarray, target: str) -> tuple[Control, ...]:
        """What the attempts are compared with; other targets that somebody interferes with are no measure."""
        if not len(merged):
            return ()
        found = []
        for fared in controls_of(merged, self.merged, self.seen, self.known):
            suspects = self.suspects - {self.seen.number(target)}
            rows = fared.rows[~np.isin(self.merged.target[fared.rows], list(suspects))]
            if not len(rows):
                continue
            found += sorted(self._fared(fared.kind, rows), key=lambda c: (-c.attempts, c.target))[: limits.MAX_CONTROLS]
        return tuple(found)

    def _alike(self, merged: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
        """Attempts over the transports that the cases speak of: where only QUIC suffers, TCP is no measure."""
        affected = self._where(flow for case in cases for flow in case.flows)
        alike = merged[np.isin(self.merged.proto[merged], self.attempts.proto[affected])]
        return alike if len(alike) else merged

    def _fared(self, kind: str, rows: np.ndarray) -> Iterator[Control]:
        """One kind of control, target by target."""
        for number, at in _by_value(self.merged.target[rows]).items():
            some = rows[at]
            fine = self.merged_fate[some] == Fate.FINE
            frames = tuple(self.merged.frame[some[fine]][:3].tolist())
            flows = tuple(self.merged.flow[some][: limits.MAX_FLOWS_NAMED].tolist())
            yield Control(kind, self.seen.text(number) or "", len(some), int(fine.sum()), frames, flows)

    def _weigh(
        self, cases: Sequence[Case], controls: Sequence[Control], label: Known, settled: tuple[str, ...]
    ) -> tuple[str, tuple[Named, ...]]:
        """The worst state that a case justifies, and the methods of all that accuse."""
        worst, named = "", []
        for case in cases:
            state = state_of(case, self._setting(case, controls, label)._replace(settled=settled))
            if state in ACCUSING:
                named.append((STATES.index(state), self._name(case)))
            if not worst or STATES.index(state) < STATES.index(worst):
                worst = state
        return worst, tuple(method for _, method in sorted(named, key=lambda pair: pair[0]))

    def _setting(self, case: Case, controls: Sequence[Control], label: Known) -> Setting:
        where = self._where(case.flows)
        servers = {self.seen.text(server) or "" for server in self.attempts.server[where].tolist()}
        home = any(self.known.owns_address(label[0], server) for server in servers)
        return Setting(controls, self._separate(where), home, bool(case.flows & self.shared))

    def _separate(self, where: np.ndarray) -> int:
        """How many attempts these rows are; those of unknown fate count when another client, address or ten seconds apart."""
        numbers = self.numbers[where]
        a = self.attempts[where[numbers < 0]].sort("client", "server", "port", "start")
        same = (np.diff(a.client) == 0) & (np.diff(a.server) == 0) & (np.diff(a.port) == 0)
        undecided = (len(a) > 0) + int((~same | (np.diff(a.start) >= ATTEMPT)).sum())
        return len(np.unique(numbers[numbers >= 0])) + undecided

    def _name(self, case: Case) -> Named:
        witnesses: dict[Witness, None] = {}
        for finding in sorted(case.findings, key=lambda f: f.rule.strength != "conclusive"):
            witnesses.update(dict.fromkeys(finding.witnesses))
        flows = self._where(case.flows)
        keys = tuple(self._key(int(at)) for at in flows[: limits.MAX_FLOWS_NAMED])
        measured = [f.measured for f in (*case.findings, *case.remarks)]
        copied = {key: next((m[key] for m in measured if m.get(key) is not None), None) for key in _COPIED}
        return Named(
            method=case.method(),
            rules=tuple(dict.fromkeys(f.rule.id for f in (*case.findings, *case.remarks))),
            witnesses=tuple(sorted(list(witnesses)[: limits.MAX_WITNESSES])),
            frames_total=len({witness.frame for witness in witnesses}),
            flows=keys,
            onset=self._onset(case, flows),
            **copied,
        )

    def _onset(self, case: Case, flows: np.ndarray) -> int:
        """When it began: where a limiter was fitted, its first loss; else the first thing asked in an affected flow."""
        begun = {int(f): int(s) for f, s in zip(self.attempts.flow[flows], self.attempts.start[flows], strict=True)}
        fitted = [
            begun[f.flows[0]] + round(f.measured["onset_s"] * 1e9)
            for f in case.findings
            if "onset_s" in f.measured and f.flows[0] in begun
        ]
        if fitted:
            return min(fitted)
        asked = np.where(
            self.attempts.first_up_data[flows] >= 0, self.attempts.first_up_data[flows], self.attempts.start[flows]
        )
        return int(asked.min()) if len(asked) else min(f.ts for f in case.findings)

    def _key(self, at: int) -> FlowKey:
        row = self.attempts.row(at)
        protocol = {6: "tcp", 17: "udp"}.get(row.proto, str(row.proto))
        text = self.seen.text
        stream = row.stream if row.stream >= 0 else None
        return FlowKey(
            row.flow, stream, protocol, text(row.client) or "", row.client_port, text(row.server) or "", row.port
        )

    def _plain_state(self, mine: np.ndarray, merged: np.ndarray, findings: Sequence[Finding], weighed: str) -> str:
        """The state of a target that nobody is accused over."""
        fate = self.merged_fate[merged]
        at_home = _at_home(findings) and not (fate == Fate.FINE).any()
        if at_home or not len(fate):
            return "impaired" if at_home else "insufficient"
        fine, failed = int((fate == Fate.FINE).sum()), int((fate >= Fate.FAILED).sum())
        if not failed:
            return "impaired" if weighed == "impaired" and _slow(findings) else "ok"
        if fine and fine >= MOSTLY_FINE * len(fate):
            return "ok"
        own = {flow for f in findings if f.rule.leans == "genuine" for flow in f.flows}
        refused = (fate == Fate.REFUSED) | (fate == Fate.ICMP)
        if not fine and refused.all() and own:
            return "down"
        if weighed == "insufficient" or (self.attempts.cut[mine] & Cut.ONE_DIRECTION).all():
            return "insufficient"
        return "impaired"


def _by_value(column: np.ndarray) -> dict[int, np.ndarray]:
    """Row numbers of each value, in order."""
    if not len(column):
        return {}
    order = np.argsort(column, kind="stable")
    values, starts = np.unique(column[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _accuses(finding: Finding) -> bool:
    return finding.rule.leans == "interference" and finding.rule.strength in ("conclusive", "strong")


def _at_home(findings: Sequence[Finding]) -> bool:
    return any(finding.rule.id in AT_HOME for finding in findings)


def _slow(findings: Sequence[Finding]) -> bool:
    return any(f.rule.id.startswith("throttle.") and f.rule.leans == "interference" for f in findings)


def _mark_controls(verdicts: Sequence[Verdict]) -> list[Verdict]:
    served = {control.target for verdict in verdicts if verdict.state in ACCUSING for control in verdict.controls}
    return [replace(v, is_control=True) if v.target in served else v for v in verdicts]
