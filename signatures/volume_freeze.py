"""Volume freeze: a connection runs as it should until a certain amount has passed, and then stops for good.

**How it shows.** Bytes come without loss, and after some 15 to 20 kB (or a number of packets) nothing more, neither data
nor an ACK, though the server had more to send and the capture goes on; a goodbye of the client is resent unheard.
The next connection is greeted as if nothing had been, and stops at the same place. At the server the same segment is
resent into the void. No reset, no close: Russia's treatment of foreign hosting since June 2025.

**What it cannot see.** One stopped transfer is nothing: servers stall, radio dies, people walk away. Any packet of the
server during the stall shows a living path and a stalled program. A stall of a program that had nothing more in its
send buffer looks like an idle connection until the client speaks. Freezes of datagrams, whose sender's intent no flag
shows, and those in which the client uploads, seen at the server.

**References.** Cloudflare, *Russian internet users are unable to access the open internet*, 26 June 2025 (10 to 14
packets); net4people/bbs #490 (15 to 20 kB to the client, per connection); Xue et al., *TSPU*, IMC 2022 (5 to 8 packets
after a name: that is SNI-II, not a volume); RFC 9293 §3.9.1.2 on PSH. In open benign captures 360 connections carried
enough to be judged; none was found stopped in the way required here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.exact import fisher
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, Witness, rules_of
from analyzer.tables import Cut, Table, Vantage

METHOD = "volume_freeze"

SECOND = 1_000_000_000
MSS = 1460  # bytes in a full packet
AFTER_A_NAME = 8 * MSS  # bytes that SNI-II lets pass: dropping after less is that, and no volume
AFTER_A_NAME_PACKETS = 16  # the same for small packets: handshake 3, hello 2, then 8, and some that crossed them
AFTER_A_NAME_SENT = 10  # of the server's alone: SYN/ACK, ACK of the hello, then 8
SMALL = 200_000  # bytes: what stops later is as well explained by what else went on
WITHIN = 4 * MSS  # bytes: plus or minus two packets, for the box counts at another place than we do
WITHIN_PACKETS = 4  # both directions; ACKs are sent for one packet or for two
QUIET, QUIET_RTTS = 5 * SECOND, 20  # a sender on a living path resends within this (RFC 6298)
UNHEARD, UNHEARD_FOR = 3, 2 * SECOND  # resends into the void after which it is not chance (see sni_filtering)
PROMPT = SECOND  # what is said later than this after the last answer was said into a pause: a NAT may have forgotten
TRAILING = SECOND  # an ACK of the server may follow its last data; later, somebody is alive
AGREE = 3  # flows: with two, chance puts one in ten into the other's window
ALMOST = 2
SAME_BYTE = MSS  # two that agree as closely do so by chance in one case of a hundred, if both paths died at all
FORGETS = 30 * SECOND  # a NAT keeps even idle connections longer: what is said sooner and goes unheard is not its doing
SURE, FEW = 0.01, 0.05  # one-sided
ENOUGH = 1000  # flows: more change no p-value that matters, only the time to count them
SAME_MINUTES = 300 * SECOND

_rule = rules_of("freeze", "freeze")

STOPPED = _rule(
    "stopped_midway", "weak", "volume",
    "The transfer stopped for good, although more was to come and the capture goes on.",
    "Servers that stall, radio silence: one stopped transfer is nothing.",
    "RFC 9293 §3.9.1.2; 0 of 360 |",
)  # fmt: skip
TWICE = _rule(
    "same_volume_twice", "strong", "volume",
    "Two transfers, one after the other, stopped for good within one packet of the same byte, and what was sent on went unheard.",
    "A fault of the server at this very byte, on a path that dies in the same moment.",
    "net4people #490; 0 of 360 transfers stop so by chance, and two of them at one byte in one case of a hundred",
)  # fmt: skip
SAME = _rule(
    "same_volume", "strong", "volume",
    "Transfers stop for good after the same amount of data, again and again, while other traffic goes on.",
    "A fault of the server at this very byte, on a path that dies in the same moment.",
    "Cloudflare, June 2025; net4people #490",
)  # fmt: skip
OTHERS_PASS = _rule(
    "others_pass", "strong", "control",
    "Others carry more than this amount at the same time; chance does that in less than one case in a hundred.",
    "Servers that are all bad in the same way.",
    "Fisher's exact test over flows that came so far",
    action=None,
)  # fmt: skip
OTHERS_PASS_FEW = _rule(
    "others_pass_few", "supporting", "control",
    "Others carry more than this amount at the same time; with so few flows chance does that once in twenty.",
    "Servers that are all bad in the same way.",
    "Fisher's exact test over flows that came so far",
    action=None,
)  # fmt: skip
RULES = (STOPPED, TWICE, SAME, OTHERS_PASS, OTHERS_PASS_FEW)


class _Leg(NamedTuple):
    """One direction of all attempts: how far each came, and which stopped for good."""

    up: bool
    passed: np.ndarray  # bytes that came through
    at_sender: np.ndarray  # where it was captured
    packets: np.ndarray  # of both sides; at a server its own that came through; -1 where they cannot be counted
    stopped: np.ndarray
    unheard: np.ndarray  # stopped, and what was sent into the silence was sent again and again
    quiet: np.ndarray  # fell silent and was not heard again, but may have had nothing to say
    at: np.ndarray  # time of the last new byte


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Transfers that stopped, and those that agree on where."""
    tried = seen.attempts
    a = tried[(tried.proto == 6) & (tried.synacks > 0)]
    a = a[a.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED) == 0]
    found: list[Finding] = []
    for leg in (_leg(a, False, seen.end), _leg(a, True, seen.end)):
        leg = leg._replace(stopped=leg.stopped & ~_no_longer_greeted(a, leg, tried))
        alone = leg.stopped.copy()
        for unit in _units(a, leg.stopped):
            group = _agreeing(leg, unit[leg.stopped[unit]])
            if _agree(a, leg, group) and _on_a_living_path(a, leg, unit, group):
                group = _with_the_quiet(a, leg, unit, group)
                alone[group] = False
                found += _cluster(a, leg, unit, group, seen)
        found += [_one(a, leg, i) for i in np.flatnonzero(alone).tolist()]
    return found


def _leg(a: Table, up: bool, end: int) -> _Leg:
    """One direction; what can be seen depends on whether the capture was made at its sender or at its receiver."""
    me, you = ("up", "down") if up else ("down", "up")

    def column(name: str, side: str) -> np.ndarray:
        return a.columns[f"{name}_{side}"]

    at_sender = (a.vantage == Vantage.SERVER) != up
    unacked, last_new = column("unacked", me), column("last_new", me)
    passed = np.where(at_sender, column("new", me) - np.maximum(unacked, 0), column("new", me))
    # At the sender what was never acknowledged did not come; who uploads also acknowledges, and none of it shows what came.
    through = -1 if up else column("packets", me) - column("resent", me) - -(-np.maximum(unacked, 0) // MSS)
    packets = np.where(at_sender, through, a.packets_up + a.packets_down - column("alone", you))
    # received: nothing more comes, neither data nor ACK, though a record, a body or a burst is not whole
    left_by_us = (a.rst_at >= 0) | (column("fin", you) >= 0)
    waited = np.where(left_by_us, a.end, end) - last_new >= np.maximum(QUIET, QUIET_RTTS * a.syn_rtt)
    silent = ~at_sender & waited & (column("last", me) - last_new <= TRAILING) & (unacked == 0)
    spoke = (column("alone", you) > UNHEARD) & (column("last", you) - column("last", me) >= UNHEARD_FOR)
    pressed = column("last_new", you) - column("last", me)
    pressed = spoke & (column("unacked", you) > 0) & (pressed > 0) & (pressed <= PROMPT)
    silent &= (column("fin", me) < 0) & (column("rsts", me) == 0)
    received = silent & (pressed | (column("left", me) > 0) | column("unfinished", me))
    # sent: the same bytes again and again, and no ACK of them; begun while the other side was just heard
    sent = at_sender & (unacked > 0) & (column("resent", me) >= UNHEARD) & (a.end - last_new >= QUIET)
    sent &= (last_new - column("last", you) <= PROMPT) & (column("rsts", you) == 0)
    soon = spoke & (column("last", you) - column("last", me) - UNHEARD_FOR <= FORGETS)
    far_enough = (passed >= AFTER_A_NAME) | (packets > np.where(at_sender, AFTER_A_NAME_SENT, AFTER_A_NAME_PACKETS))
    judged = (passed > 0) & (passed <= SMALL) & far_enough & (a.zero_windows == 0)
    judged &= (a.new_up > a.new_down) == up
    if up:
        judged &= a.fin_down < 0  # a server may close without reading on
    stopped = judged & (received | sent)
    return _Leg(up, passed, at_sender, packets, stopped, stopped & (soon | sent), judged & silent & spoke, last_new)


def _no_longer_greeted(a: Table, leg: _Leg, tried: Table) -> np.ndarray:
    """Flows after whose stop the same client was not greeted by the same server at all: not this one was cut off."""
    stopped = np.flatnonzero(leg.stopped)
    gone = np.zeros(len(a), bool)
    tried = tried[(tried.proto == 6) & np.isin(tried.server, a.server[stopped])]
    greeted, unheard = (_last_start(tried[which]) for which in (tried.synacks > 0, tried.synacks == 0))
    for i in stopped.tolist():
        pair, at = (int(a.client[i]), int(a.server[i])), int(leg.at[i])
        gone[i] = unheard.get(pair, -1) > at >= greeted.get(pair, -1)
    return gone


def _last_start(flows: Table) -> dict[tuple[int, int], int]:
    """When each client last began to talk to each server."""
    order = np.argsort(flows.start, kind="stable")
    pairs = zip(flows.client[order].tolist(), flows.server[order].tolist(), strict=True)
    return dict(zip(pairs, flows.start[order].tolist(), strict=True))


def _units(a: Table, stopped: np.ndarray) -> Iterator[np.ndarray]:
    """Row numbers of all flows of one client of which two or more stopped; all that was captured at servers is one."""
    far = a.vantage == Vantage.SERVER
    whose = np.where(far, -1, a.client)
    order = np.argsort(whose, kind="stable")
    for unit in np.split(order, np.flatnonzero(np.diff(whose[order])) + 1):
        if stopped[unit].sum() >= ALMOST:
            yield unit


def _agreeing(leg: _Leg, rows: np.ndarray) -> np.ndarray:
    """The most flows that stopped within one window of bytes, or else of packets."""
    best = _densest(leg.passed[rows], WITHIN)
    if (leg.packets[rows] >= 0).all():
        by_packets = _densest(leg.packets[rows], WITHIN_PACKETS)
        best = by_packets if len(by_packets) > len(best) else best
    return rows[best]


def _agree(a: Table, leg: _Leg, group: np.ndarray) -> bool:
    """Whether so many, or two at one byte and unheard, of which the later was greeted after the earlier had stopped."""
    if len(group) != ALMOST:
        return len(group) > ALMOST
    one_byte = np.ptp(leg.passed[group]) <= SAME_BYTE and leg.unheard[group].all()
    return bool(one_byte and a.start[group].max() > leg.at[group].min())


def _densest(values: np.ndarray, width: int) -> np.ndarray:
    """Positions of the most values that lie within `width` of each other."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.searchsorted(ordered, ordered + width, side="right")
    first = int(np.argmax(last - np.arange(len(ordered))))
    return np.sort(order[first : last[first]])


def _on_a_living_path(a: Table, leg: _Leg, unit: np.ndarray, group: np.ndarray) -> bool:
    """No single outage did it: one was greeted after another had stopped, or other places stayed alive meanwhile."""
    stopped = leg.at[group]
    if a.start[group].max() > stopped.min():
        return True
    places = len(np.unique(a.server[group])) + len(np.unique(a.client[group])) > 2
    others = np.setdiff1d(unit, group)
    return places and bool((a.last_down[others] > stopped.max()).any())


def _with_the_quiet(a: Table, leg: _Leg, unit: np.ndarray, group: np.ndarray) -> np.ndarray:
    """And flows of the same targets that fell silent there, without showing that more was to come."""
    volumes = leg.passed[group]
    same = leg.quiet[unit] & np.isin(a.target[unit], a.target[group]) & (len(group) >= AGREE)
    same &= (leg.passed[unit] >= volumes.max() - WITHIN) & (leg.passed[unit] <= volumes.min() + WITHIN)
    return np.union1d(group, unit[same])


def _cluster(a: Table, leg: _Leg, unit: np.ndarray, group: np.ndarray, seen: Seen) -> list[Finding]:
    """Findings about each target of flows that agree."""
    volumes = leg.passed[group]
    rule = SAME if len(group) >= AGREE else TWICE
    measured = {
        "freeze_bytes": int(np.median(volumes)), "freeze_low_bytes": int(volumes.min()),
        "freeze_high_bytes": int(volumes.max()), "flows_agreeing": len(group), "direction": "up" if leg.up else "down",
    }  # fmt: skip
    if not leg.at_sender[group].any():
        measured["freeze_packets"] = int(np.median(leg.packets[group]))
    first, last = a.start[group].min() - SAME_MINUTES, a.start[group].max() + SAME_MINUTES
    beyond = unit[(leg.passed[unit] > volumes.max() + WITHIN) & (a.start[unit] >= first) & (a.start[unit] <= last)]
    same = np.isin(a.target[beyond], a.target[group]) & np.isin(a.client[beyond], a.client[group])
    others = beyond[~same]
    went_on = dict(
        zip(*(column.tolist() for column in np.unique(a.target[beyond[same]], return_counts=True)), strict=True)
    )
    found = []
    by_target = group[np.argsort(a.target[group], kind="stable")]
    for mine in np.split(by_target, np.flatnonzero(np.diff(a.target[by_target])) + 1):
        survived = went_on.get(int(a.target[mine[0]]), 0)
        if survived >= len(mine):
            continue  # where most come further, what stops is no rule
        flows = a[mine]
        whose = flows.server[0] if flows.vantage[0] == Vantage.SERVER else flows.client[0]
        subject = f"target {seen.text(flows.target[0])} at {seen.text(whose)} ({measured['direction']})"
        witnesses = [Witness(frame, "trigger") for frame in flows.asked_frame.tolist()[:8] if frame >= 0]
        witnesses += [Witness(frame, "missing_after") for frame in flows.last_frame.tolist()[:8]]
        found.append(_about(rule, subject, flows, measured | {"flows_beyond": survived}, witnesses))
        stopped, passed = min(len(mine), ENOUGH), min(len(others), ENOUGH)
        p = fisher(stopped, stopped + survived, 0, passed)
        if p <= FEW:
            control = {"p": float(f"{p:.3g}"), "stopped": len(mine), "passed": survived, "others_passed": len(others)}
            witnesses = [Witness(frame, "baseline") for frame in a.last_frame[others].tolist()[:4]]
            found.append(_about(OTHERS_PASS if p <= SURE else OTHERS_PASS_FEW, subject, flows, control, witnesses))
    return found


def _about(rule: Rule, subject: str, mine: Table, measured: dict, witnesses: list[Witness]) -> Finding:
    method = Method("freeze", "volume", "in_path")
    return Finding(rule, subject, tuple(mine.flow.tolist()), int(mine.end.max()), measured, tuple(witnesses), method)


def _one(a: Table, leg: _Leg, i: int) -> Finding:
    measured = {"freeze_bytes": int(leg.passed[i]), "direction": "up" if leg.up else "down"}
    flow, witness = int(a.flow[i]), Witness(int(a.last_frame[i]), "missing_after")
    return Finding(STOPPED, f"flow {flow}", (flow,), int(a.end[i]), measured, (witness,), Method("freeze", "volume"))
