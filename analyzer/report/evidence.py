"""Evidence in words: rules that fired, the strongest first, the same rule once with how often it fired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analyzer.report.escape import visible
from analyzer.report.words import N_, Words
from analyzer.signature import STRENGTHS, Finding, Rule


def by_rule(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of each rule together, the strongest rules first, then the earliest."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule.id, []).append(finding)
    return sorted(groups.values(), key=lambda found: (STRENGTHS.index(found[0].rule.strength), found[0].ts))


def strongest_first(ids: Iterable[str], rules: Mapping[str, Rule]) -> list[str]:
    """Rule ids by the strength of their rules; those of equal strength stay in their order."""
    return sorted(ids, key=lambda id: STRENGTHS.index(rules[id].strength) if id in rules else len(STRENGTHS))


def folded(found: Sequence[Finding], words: Words) -> str:
    """What one rule found: its id, what it means, what was measured the first time, and how often it fired."""
    values = words.listing(filter(None, (measured(found[0], words), times(found, words))))
    sentence = N_("{rule}: {says} [{measured}]") if values else N_("{rule}: {says}")
    rule = found[0].rule
    return words.say(sentence, rule=rule.id, says=words.rule(rule.says), measured=values)


def times(found: Sequence[Finding], words: Words) -> str:
    """How often a rule fired; empty for once."""
    return words.plural("{n} time", "{n} times", len(found)) if len(found) > 1 else ""


def measured(finding: Finding, words: Words) -> str:
    """The measured values, their units in their names."""
    return words.listing(f"{key} {_value(value, words)}" for key, value in finding.measured.items())


def yes_or_no(value: bool, words: Words) -> str:
    return words.say("yes") if value else words.say("no")


def _value(value: object, words: Words) -> str:
    if isinstance(value, bool):
        return yes_or_no(value, words)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value) if isinstance(value, int) else visible(str(value))
