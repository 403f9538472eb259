"""What the findings about one target amount to: one case per action, with what speaks for it.

A finding that names no action of its own (a name effect, faster controls) joins the cases whose flows it shares; what
only compares speeds joins none but those that slow down.
Silence has several faces (drop, delayed drop, freeze): where they share a flow they are one case, under the action of
its strongest finding. A genuine explanation cancels what headers, silence and controls say about its own flows; it
never cancels a conclusive finding, for then it is the explanation that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analyzer.signature import Finding, Method

SILENT_ACTIONS = ("freeze", "drop", "delayed_drop", "ack_drop")  # of equals the first: it says more
SLOWING = ("police", "shape", "random_loss", "ack_drop")
_RANK = {"conclusive": 3, "strong": 2, "supporting": 1, "weak": 0}
_CANCELLED_BY_GENUINE = ("header", "silence", "control")
_TRIGGERS_BY_WORTH = ("none_seen", "ip_address", "port", "address_family", "protocol", "fingerprint", "volume")


@dataclass(slots=True)
class Case:
    """One action against one target, and the findings behind it."""

    action: str
    findings: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)  # neutral: they describe, and count for nothing

    @property
    def flows(self) -> set[int]:
        return {flow for finding in self.findings for flow in finding.flows}

    @property
    def conclusive(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.rule.strength == "conclusive"]

    @property
    def strong_families(self) -> set[str]:
        """Families, apart from controls, in which something strong (or conclusive) was found."""
        return {f.rule.family for f in self.findings if _RANK[f.rule.strength] >= 2 and f.rule.family != "control"}

    @property
    def supporting(self) -> int:
        """Supporting findings of different rules; all header rules count once, for one cause makes them all."""
        rules = {f.rule for f in self.findings if f.rule.strength == "supporting" and f.rule.family != "control"}
        headers = any(rule.family == "header" for rule in rules)
        return sum(rule.family != "header" for rule in rules) + headers

    def effect(self, strength: str) -> bool:
        """Whether a control experiment of at least this strength agrees."""
        return any(f.rule.family == "control" and _RANK[f.rule.strength] >= _RANK[strength] for f in self.findings)

    @property
    def strength(self) -> int:
        return max((_RANK[finding.rule.strength] for finding in self.findings), default=0)

    def method(self) -> Method:
        """The axes as far as some finding shows them: the trigger that was tested, the position that was proven."""
        methods = [f.method for f in sorted(self.findings, key=_weight) if f.method is not None]
        both_ends = [f.method.position for f in self.findings if f.rule.id.startswith("pair.") and f.method]
        order = ("in_path", "on_path") if "in_path" in both_ends else ("on_path", "in_path", "device")
        position = next((p for p in order if any(m.position == p for m in methods)), None)
        triggers = [m for m in methods if m.trigger != "none_seen"]
        best = max(triggers, key=lambda m: _worth(m.trigger), default=None)
        return Method(
            self.action,
            best.trigger if best else "none_seen",
            position or next((m.position for m in methods), "unknown"),
            best.trigger_detail if best else None,
        )


def cases_of(findings: Sequence[Finding]) -> list[Case]:
    """Cases of one target, the best founded first."""
    accusing = list(_uncancelled(findings))
    cases: dict[str, Case] = {}
    joining = []
    for finding in accusing:
        action = finding.rule.action or (finding.method.action if finding.method else None)
        if finding.method is not None and finding.rule.action is not None:
            action = finding.method.action
        if finding.rule.family == "control":
            joining.append((finding, action))
        elif action is not None:
            cases.setdefault(action, Case(action)).findings.append(finding)
    _merge_silences(cases)
    for finding, action in joining:
        kindred = [case for case in cases.values() if action not in SLOWING or case.action in SLOWING]
        sharing = [case for case in kindred if case.flows & set(finding.flows)]
        if not sharing and action is not None:
            sharing = [cases.setdefault(action, Case(action))]
        for case in sharing:
            case.findings.append(finding)
    for finding in findings:
        if finding.rule.leans == "neutral" and finding.rule.action in cases:
            case = cases[finding.rule.action]
            if case.flows & set(finding.flows):
                case.remarks.append(finding)
    return sorted(cases.values(), key=lambda case: (-case.strength, min(f.ts for f in case.findings), case.action))


def _uncancelled(findings: Sequence[Finding]) -> Iterable[Finding]:
    excused = {
        flow
        for finding in findings
        if finding.rule.leans == "genuine" and _RANK[finding.rule.strength] >= 2
        for flow in finding.flows
    }
    for finding in findings:
        if finding.rule.leans != "interference":
            continue
        weaker = finding.rule.strength != "conclusive" and finding.rule.family in _CANCELLED_BY_GENUINE
        if weaker and finding.flows and excused.issuperset(finding.flows):
            continue
        yield finding


def _merge_silences(cases: dict[str, Case]) -> None:
    for one in SILENT_ACTIONS:
        for other in SILENT_ACTIONS:
            if one == other or one not in cases or other not in cases:
                continue
            if cases[one].flows & cases[other].flows:
                keep, give = (one, other) if cases[one].strength >= cases[other].strength else (other, one)
                cases[keep].findings += cases.pop(give).findings


def _weight(finding: Finding) -> tuple[int, int]:
    return -_RANK[finding.rule.strength], finding.ts


def _worth(trigger: str) -> int:
    """Names tell more than addresses and looks: they are only ever named after a test."""
    return _TRIGGERS_BY_WORTH.index(trigger) if trigger in _TRIGGERS_BY_WORTH else len(_TRIGGERS_BY_WORTH)
