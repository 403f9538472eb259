"""What the resets of one side look like, among themselves and beside ordinary packets."""

from __future__ import annotations

from analyzer.signature import Finding, Rule
from analyzer.tables import TCP_ACK, TCP_RST
from signatures.knowledge.injectors import match
from signatures.rst_injection.talk import MS, SHOWN, TTL_APART, Race, about, forged

MIXED_WITHIN = 50 * MS  # 1 | 8
BURST, BURST_WITHIN = 3, 20 * MS  # 0 | 60

TTLS_DISAGREE = forged(
    "ttl_disagree", "strong", "header",
    "Resets of one side of one connection came over different distances, before either side had closed.",
    "Forgers with one TTL. After a FIN, a host and its edge may both reset: not judged then.",
    "0 | 51",
)  # fmt: skip
UNLIKE_KINDS = forged(
    "unlike_kinds", "supporting", "header",
    "A bare reset and an RST/ACK came together: one TCP stack sends one kind.",
    "After a FIN both kinds are common; not judged then.",
    "1 | 8",
)  # fmt: skip
BURST_OF = forged(
    "burst", "supporting", "header",
    "Three or more resets within milliseconds, while ordinary packets come once.",
    "Late segments after a close earn a reset each; not judged then.",
    "0 | 60",
)  # fmt: skip
BARE_WITH_WINDOW = forged(
    "bare_with_window", "supporting", "header",
    "A reset without ACK carries a window, where today's systems send zero.",
    "Old systems.",
    "Linux tcp_v4_send_reset; 3 | 124",
)  # fmt: skip
HEADER_COPIED = forged(
    "header_copied", "supporting", "header",
    "The reset carries the IP-ID and the window of the packet that it answers.",
    "Either alone happens by chance.",
    "Captures of 2017 to 2024",
)  # fmt: skip
KNOWN_INJECTOR = Rule(
    "rst.known_injector", "neutral", "weak", "none",
    "The resets carry constants that one machine is described with: consistent with it, and no proof of it.",
    "Machines that are not described; anybody who sends the same constants.",
    "signatures/data/injectors, each with its own source",
    action="rst",
)  # fmt: skip

RULES = (TTLS_DISAGREE, UNLIKE_KINDS, BURST_OF, BARE_WITH_WINDOW, HEADER_COPIED, KNOWN_INJECTOR)


def habits(race: Race) -> list[Finding]:
    """Distances, kinds and numbers of resets, and the first one's header."""
    reset, peer, found = race.reset, race.peer, []
    ttls = [r.ttl for r in race.unspoken]
    if max(ttls) - min(ttls) >= TTL_APART:
        found.append(about(TTLS_DISAGREE, reset, {"ttls": ttls[:SHOWN]}, resets=race.witnesses(race.unspoken)))
    unearned = [
        r
        for r in race.unspoken
        if r is reset or r.tcp_flags & TCP_ACK or (race.talk.whole and r.seq not in race.earned)
    ]
    near = [r for r in unearned if r.ts - reset.ts <= MIXED_WITHIN]
    if len({bool(r.tcp_flags & TCP_ACK) for r in near}) == 2:
        found.append(about(UNLIKE_KINDS, reset, {"resets": len(near)}, resets=race.witnesses(near)))
    quick = [r for r in unearned if r.ts - reset.ts <= BURST_WITHIN]
    doubled = any(p.dup_of >= 0 and not p.tcp_flags & TCP_RST for p in race.talk.packets)
    if len(quick) >= BURST and not doubled:
        found.append(about(BURST_OF, reset, {"resets": len(quick)}, resets=race.witnesses(quick)))
    if not reset.tcp_flags & TCP_ACK and reset.win:
        found.append(about(BARE_WITH_WINDOW, reset, {"window": reset.win}))
    trigger = next((p for p in peer if p.frame == reset.asked_frame), None)
    if trigger and reset.ipid > 0 and (reset.ipid, reset.win) == (trigger.ipid, trigger.win) and reset.win:
        found.append(about(HEADER_COPIED, reset, {"ip_id": reset.ipid, "window": reset.win}))
    return found + _described(race)


def _described(race: Race) -> list[Finding]:
    """The described machine whose constants the resets of this side carry."""
    reset = race.reset
    resets = [p for p in race.talk.packets if p.frame == reset.frame] + race.resets[1:]
    known = match(resets)
    if known is None:
        return []
    measured = {"injector": known.name, "described_in": known.source}
    witnesses = tuple(race.witnesses(resets))
    return [Finding(KNOWN_INJECTOR, f"flow {reset.flow}", (reset.flow,), reset.ts, measured, witnesses)]
