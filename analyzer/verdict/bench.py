"""The bench before the judge: attempts by target, how they fared, what speaks about them, and what they are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from analyzer import limits
from analyzer.controls import ATTEMPT, Fate, attempt_numbers, controls_of, counted, fates
from analyzer.result import Control, Coverage
from analyzer.signature import Finding, Knowledge, Seen
from analyzer.tables import End, Stage, Vantage
from analyzer.verdict.cases import Case
from analyzer.verdict.network import stopped

SHARED = "throttle.shared_by_all"
PORTAL = ("http.portal_everywhere", "http.portal_page")
Label = tuple[str | None, str | None]  # service and role of a target, as far as they are known


class Bench:
    """Attempts are rows of `attempts`; in `merged`, those that count as one are one row."""

    def __init__(self, seen: Seen, findings: Sequence[Finding], known: Knowledge):
        self.seen, self.known = seen, known
        self.attempts = seen.attempts
        self.fate = fates(self.attempts, seen.text)
        self.void = self._void(findings)
        self.fate[self.void] = Fate.UNKNOWN
        self.numbers = attempt_numbers(self.attempts, self.fate)
        self.merged, self.merged_fate = counted(self.attempts, self.fate)
        self._targets = np.unique(self.attempts.target)
        self._rows = _by_value(self.attempts.target)
        self._merged_rows = _by_value(self.merged.target)
        self.given_up = self._given_up()
        self.got_in = (self.fate == Fate.FINE) & (self.attempts.refusal < 0)
        self.working = set(self.merged.target[self.merged_fate == Fate.FINE].tolist())
        failing = (self.merged_fate >= Fate.FAILED) & (self.merged.service < 0)
        self.few_fail = len(np.unique(self.merged.target[failing])) <= limits.MAX_COMPARED
        self.findings = self._by_target(findings)
        self.suspects = {
            self.seen.number(target) for target, about in self.findings.items() if any(map(_accuses, about))
        }
        self.shared = {flow for f in findings if f.rule.id == SHARED for flow in f.flows}  # as slow as everything else

    def _given_up(self) -> np.ndarray:
        """Attempts (mask) that the client's side reset before they were answered: for its own reasons, which nobody knows."""
        a = self.attempts
        return (a.stage == Stage.ASKED) & (a.ended_by == End.RST_UP) & (self.fate == Fate.UNKNOWN)

    def _void(self, findings: Iterable[Finding]) -> np.ndarray:
        """Attempts (mask) that tell of no target: a sign-in page answered, or the network itself was down."""
        rules = {finding.rule.id for finding in findings}
        pages = [flow for f in findings if f.rule.id in PORTAL for flow in f.flows]
        failed = self.fate >= Fate.FAILED
        if PORTAL[0] not in rules:
            last = stopped(self.attempts)
            failed &= (self.attempts.end > last) if last is not None else False
        return failed | np.isin(self.attempts.flow, pages)

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
        where = self.where(finding.flows)
        return sorted({self.seen.text(t) or "" for t in self.attempts.target[where].tolist()})

    def order(self, coverage: Coverage) -> list[str]:
        """Targets to be judged: all with findings or a known service, and others up to the cap.

        Not those of which no answer was to be expected: a multicast group, everybody in the network.
        """
        text, a = self.seen.text, self.attempts
        service = np.isin(self._targets, a.target[a.service >= 0])
        answerable = np.isin(self._targets, a.target[(a.stage != Stage.NONE) | (a.proto == 6)])
        first = [text(t) or "" for t in self._targets[service].tolist()]
        plain = [text(t) or "" for t in self._targets[~service & answerable].tolist()]
        if len(plain) > limits.MAX_VERDICTS:
            coverage.limits_reached.append("verdicts")
            plain = plain[: limits.MAX_VERDICTS]
        return list(dict.fromkeys([*self.findings, *first, *plain]))

    def untroubled(self) -> set[str]:
        """Targets of which nothing is found and no attempt failed, not more were given up than were fine, and some got in."""
        fine = self.merged_fate == Fate.FINE
        counts = [
            np.bincount(np.searchsorted(self._targets, targets), minlength=len(self._targets))
            for targets in (
                self.merged.target[fine],
                self.merged.target[~fine],
                self.attempts.target[self.given_up],
                self.attempts.target[self.got_in],
            )
        ]
        good = self._targets[(counts[3] > 0) & (counts[1] == 0) & (counts[2] <= counts[0])]
        return {self.seen.text(target) or "" for target in good.tolist()} - self.findings.keys()

    def rows(self, target: str) -> np.ndarray:
        """Rows of the attempts on a target."""
        return self._rows.get(self.seen.number(target), np.empty(0, np.int64))

    def merged_rows(self, target: str) -> np.ndarray:
        """The same in `merged`; at a server, only the clients that something happened to: the others are their control."""
        merged = self._merged_rows.get(self.seen.number(target), np.empty(0, np.int64))
        if target not in self.findings or not len(merged) or not (self.merged.vantage[merged] == Vantage.SERVER).all():
            return merged
        findings = self.findings.get(target, ())
        affected = self.where(f for finding in findings if finding.rule.leans == "interference" for f in finding.flows)
        clients = self.attempts.client[affected]
        return merged[np.isin(self.merged.client[merged], clients)] if len(clients) else merged

    def refusals(self, mine: np.ndarray) -> set[str]:
        """How attempts (rows) were turned away (`refusal`), where most of them were and none got in; else nothing."""
        known, refusal = self.fate[mine] != Fate.UNKNOWN, self.attempts.refusal[mine]
        turned_away = known & (refusal >= 0)
        if self.got_in[mine].any() or 2 * turned_away.sum() <= known.sum():
            return set()
        return {self.seen.text(number) or "" for number in np.unique(refusal[turned_away]).tolist()}

    def where(self, flows: Iterable[int]) -> np.ndarray:
        """Rows of the attempts table for flow numbers."""
        flow = np.array(sorted(set(flows)), np.int64)
        if not len(flow):
            return flow
        at = np.searchsorted(self.attempts.flow, flow)
        inside = at < len(self.attempts)
        at, flow = at[inside], flow[inside]
        return at[self.attempts.flow[at] == flow]

    def label(self, target: str, mine: np.ndarray) -> Label:
        """Those of the first attempt that has any; without attempts, those of the name."""
        service = self.attempts.service[mine]
        known = np.flatnonzero(service >= 0)
        if len(known):
            at = mine[known[0]]
            return self.seen.text(self.attempts.service[at]), self.seen.text(self.attempts.role[at])
        label = self.known.label_name(target) if not len(mine) else None
        return (label.service, label.role) if label else (None, None)

    def servers(self, rows: np.ndarray) -> list[str]:
        """Addresses that attempts went to."""
        return sorted(self.seen.text(server) or "" for server in np.unique(self.attempts.server[rows]).tolist())

    def clients_at_server(self, rows: np.ndarray) -> int:
        """How many clients some attempts (rows) are of, where they were seen from their server; else 0."""
        at_server = len(rows) and (self.attempts.vantage[rows] == Vantage.SERVER).all()
        return len(np.unique(self.attempts.client[rows])) if at_server else 0

    def separate(self, where: np.ndarray) -> int:
        """How many attempts these rows are; those of unknown fate count when another client, address or ten seconds apart."""
        numbers = self.numbers[where]
        known = len(np.unique(numbers[numbers >= 0]))
        undecided = where[numbers < 0]
        if not len(undecided):
            return known
        a = self.attempts[undecided].sort("client", "server", "port", "start")
        same = (np.diff(a.client) == 0) & (np.diff(a.server) == 0) & (np.diff(a.port) == 0)
        return known + 1 + int((~same | (np.diff(a.start) >= ATTEMPT)).sum())

    def others_worked(self, target: str) -> bool:
        """Whether any other target was reached in this capture."""
        return len(self.working) > (self.seen.number(target) in self.working)

    def closed_ports(self, merged: np.ndarray) -> tuple[int, ...]:
        """Ports that refused every attempt, while another one answered."""
        fate, ports = self.merged_fate[merged], self.merged.port[merged]
        if not (fate == Fate.REFUSED).any() or not (fate == Fate.FINE).any():
            return ()
        return tuple(np.setdiff1d(ports[fate == Fate.REFUSED], ports[fate != Fate.REFUSED]).tolist())

    def controls(self, merged: np.ndarray, target: str) -> tuple[Control, ...]:
        """What the attempts are compared with; other targets that somebody interferes with are no measure."""
        if not len(merged):
            return ()
        found = []
        suspects = list(self.suspects - {self.seen.number(target)})
        for fared in controls_of(merged, self.merged, self.seen, self.known):
            rows = fared.rows[~np.isin(self.merged.target[fared.rows], suspects)]
            if not len(rows):
                continue
            found += sorted(self._fared(fared.kind, rows), key=lambda c: (-c.attempts, c.target))[: limits.MAX_CONTROLS]
        return tuple(found)

    def alike(self, merged: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
        """Attempts over the transports that the cases speak of: where only QUIC suffers, TCP is no measure."""
        if not cases:
            return merged
        affected = self.where(flow for case in cases for flow in case.flows)
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


def _by_value(column: np.ndarray) -> dict[int, np.ndarray]:
    """Row numbers of each value, in order."""
    if not len(column):
        return {}
    order = np.argsort(column, kind="stable")
    values, starts = np.unique(column[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _accuses(finding: Finding) -> bool:
    return finding.rule.leans == "interference" and finding.rule.strength in ("conclusive", "strong")
