"""How sure a verdict may be: from the strength of a case, its independent families and its controls.

The table is that of the research (no score, no weights): a conclusive finding is interference, and is called so
outright when anything independent agrees; strong findings need another family, a fine control or a second attempt;
supporting ones need a control experiment; weak ones never count. Without a control nothing below conclusive is more
than "probably".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analyzer.result import Control
from analyzer.verdict.cases import SLOWING, Case

CLEAN = 0.8  # share of a control's attempts that must be fine: one of five may meet its own misfortune
ENOUGH_SUPPORT = 2  # supporting findings of different rules that stand for a strong one
# What is surely dropped, and only who does it stays open: the place that one is at, or somebody who filters elsewhere too.
ANYBODYS = ("quic.all_unanswered", "calls.relays_silent_only")
# What alone would be a site without QUIC, and is another matter where the same target is shown to be blocked over TCP.
OTHER_CHANNEL = ("quic.initial_unanswered",)
ANSWERING_FOR_ITSELF = ("rst", "fin", "tls_alert", "icmp_reject")  # what servers do themselves to names they refuse


class Setting(NamedTuple):
    """What surrounds a case."""

    controls: Sequence[Control]
    separate: int  # attempts of it, at different times or places
    at_home: bool  # the address is one of the service's own, where its own name is not refused
    shared: bool  # everything else is as slow (throttling only)
    settled: tuple[str, ...] = ()  # rules whose only doubt other verdicts have removed

    @property
    def some_fine(self) -> bool:
        return any(control.fine for control in self.controls)

    @property
    def all_failed(self) -> bool:
        return bool(self.controls) and not self.some_fine

    def clean(self, kind: str) -> bool:
        tried, fine = (
            sum(getattr(c, count) for c in self.controls if c.kind == kind) for count in ("attempts", "fine")
        )
        return bool(fine) and fine >= CLEAN * tried


def state_of(case: Case, setting: Setting) -> str:
    """The state that this case alone justifies; `impaired` when it justifies no accusation."""
    if case.action in SLOWING:
        return _slowed(case, setting)
    families, named = case.strong_families, case.effect("supporting")
    if case.conclusive:
        page = any(finding.rule.family == "content" for finding in case.conclusive)
        again = setting.separate > 1 or len({flow for finding in case.conclusive for flow in finding.flows}) > 1
        return "blocked" if named or page or again else "likely_blocked"
    if any(finding.rule.id in setting.settled for finding in case.findings):
        return "likely_blocked"
    if setting.all_failed:
        return "insufficient"
    if case.effect("strong") and families:
        return "blocked"
    if len(families) > 1:
        return "likely_blocked"
    if families and (case.supporting or named or setting.some_fine or setting.separate > 1):
        return "likely_blocked"
    refusable = case.action in ANSWERING_FOR_ITSELF and not setting.at_home
    if case.effect("strong") and not refusable:
        return "likely_blocked"
    clean = setting.clean("same_address_other_name") or setting.clean("other_client_networks")
    if named and clean and case.supporting and not refusable:
        return "likely_blocked"
    if case.supporting >= ENOUGH_SUPPORT and clean:
        return "likely_blocked"
    return "impaired"


def _slowed(case: Case, setting: Setting) -> str:
    """A mechanism is proven by its own physics; that it is meant for this target only by what others reached."""
    if setting.shared:
        return "impaired"
    slower = case.effect("strong")
    proven = "volume" in case.strong_families or bool(case.conclusive)
    if slower and (proven or case.supporting):
        return "throttled" if proven else "likely_throttled"
    return "likely_throttled" if proven else "impaired"
