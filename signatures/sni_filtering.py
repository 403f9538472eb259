"""SNI filtering: a name spoken in the clear decides whether a connection may go on.

**How it shows.** The handshake works, for the filter has seen nothing yet. Then the ClientHello (or the HTTP request)
names somebody, and from there nothing is heard: the hello is never acknowledged, or its first segment is and its tail,
which completes the name, never; or some packets still come and then no more. The same name fails again and again while
others are served meanwhile. Filters that reset, close or alert instead show in `rst_injection`, `tls_alerts` and, by
comparison with other names, in `name_effect`.

**What it cannot see.** Whether a server rejects a name by itself (with resets and alerts that looks the same);
names hidden by ECH; who drops. Silence after one hello is nothing: packets get lost and servers hang. An ACK, though,
is the kernel's word, not the application's, so a host that greets every SYN and never acknowledges a small hello is cut
off.

**References.** Xue et al., *TSPU: Russia's Decentralized Censorship System*, IMC 2022; Sundara Raman et al., *Global,
Passive Detection of Connection Tampering*, SIGCOMM 2023; RFC 6298 on resending; tldr.fail on servers that cannot take a
hello of two segments. "x |" counts flows that fire in open benign captures.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from analyzer.controls import GAVE_UP, Fate, counted, fates, groups_of
from analyzer.serial import ahead
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import TCP_ACK, TCP_RST, TCP_SYN, Cut, Kind, Table, Vantage

METHOD = "sni_filtering"

SECOND = 1_000_000_000
RESENT = 3  # three resends are lost together once in 1,000 at 10 % loss, and no radio link holds out that long unheard
UNHEARD_FOR = 2 * SECOND  # three resends take 0.3 + 0.6 + 1.2 s at the least RTO of today's systems (RFC 6298, Linux)
DEAD_FOR = 10 * SECOND  # a server application that answers later than this has been given up by every client
HANDSHAKE_ACK = 1  # packet of the client that is neither SYN nor payload
YOUNG = 20 * SECOND  # of talk
RESTED = 3 * SECOND  # a NAT or a balancer may have forgotten after that (RFC 5382 asks for hours; many take less)
AGAIN = 2  # what befell the first attempt, or segment, befell the second, with a sign of life in between
CONTROLS_WITHIN = 60 * SECOND  # of the failures, for "others were fine meanwhile"
TWO_SEGMENTS = 1300  # bytes: a hello that fits no single segment on any common path


def _rule(name, strength, says, blind, source, family="silence", leans="interference", action="drop") -> Rule:
    action = action if leans == "interference" else None
    return Rule(f"sni.{name}", leans, strength, family, says, blind, source, action, needs_headers=family == "silence")


UNANSWERED = _rule(
    "hello_unanswered", "weak",
    "The first thing the client said was resent and never acknowledged, although the connection had just been made.",
    "Path MTU holes, radio silence, a capture that ends.",
    "Xue et al., IMC 2022",
)  # fmt: skip
TAIL = _rule(
    "tail_unanswered", "supporting",
    "The first part of what the client said was acknowledged, the part that completes it never.",
    "Servers that cannot take a hello of two segments (tldr.fail).",
    "tldr.fail; captures of 2024 to 2026",
)  # fmt: skip
DEAD = _rule(
    "dead_after_hello", "supporting",
    "The server had begun to answer when the connection went dead: what the client sends is no longer acknowledged.",
    "Outages that strike in that moment.",
    "Xue et al., IMC 2022, SNI-II",
    action="delayed_drop",
)  # fmt: skip
ACKS_UNHEARD = _rule(
    "acks_unheard", "strong",
    "The server resends bytes that the client has acknowledged several times: the client's packets no longer reach it.",
    "One lost ACK, therefore three resends are required; a link that was deaf for a while, if the capture ends there.",
    "telemt #844, 2026",
    action="delayed_drop",
)  # fmt: skip
DROPPED_AGAIN = _rule(
    "hello_dropped_again", "strong",
    "Each time the server greets the client and acknowledges nothing of its hello as long as the client waits, while "
    "others are fine.",
    "A dead machine behind a proxy that greets in its name.",
    "The kernel acknowledges, not the application; 0 of 1,500 benign flows |",
)  # fmt: skip
DEAD_AGAIN = _rule(
    "dead_again", "strong",
    "Each time a connection begins well and soon nothing that the client sends is acknowledged any more, while others "
    "are fine and the next one is greeted.",
    "A host that dies with every connection; a connection tracker that forgets within seconds.",
    "Xue et al., IMC 2022, SNI-II; the kernel acknowledges, not the application",
    action="delayed_drop",
)  # fmt: skip
TWO_HELLOS = _rule(
    "conflicting_hello", "weak",
    "Two different contents were sent for the same bytes of the hello: a local packet tool is at work.",
    "Which of the two the server took.",
    "Khattak et al., FOCI 2013, on overlapping segments",
    family="content", leans="limit",
)  # fmt: skip

RULES = (UNANSWERED, TAIL, DEAD, ACKS_UNHEARD, DROPPED_AGAIN, DEAD_AGAIN, TWO_HELLOS)


def _silenced(flows: Table) -> np.ndarray:
    judged = (flows.proto == 6) & (flows.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED | Cut.PROBE) == 0)
    unheard = (flows.unacked_up > 0) & (flows.resent_up >= RESENT)
    return judged & (flows.synacks > 0) & (flows.asked_frame >= 0) & (unheard | (flows.resent_down >= RESENT))


WANTS = Wants(_silenced, packets=True, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Where a conversation fell silent, packet by packet."""
    findings = []
    p = done.packets
    copies = ~p.up & (p.kind == Kind.SPURIOUS) & (p.dup_of < 0) & (p.payload_len > 0)
    again, times = np.unique(done.which[copies] << 32 | p.seq[copies], return_counts=True)
    repeated = np.zeros(len(done.flows), bool)
    repeated[again[times >= RESENT] >> 32] = True
    unheard = (done.flows.unacked_up > 0) & (done.flows.resent_up >= RESENT)
    twice = done.overlapping(True)
    for i in np.flatnonzero(repeated | unheard).tolist():
        flow = done.flows.row(i)
        rows = done.rows(i)
        rows = rows[(rows.icmp < 0) & (rows.tcp_flags >= 0) & (rows.tcp_flags & TCP_RST == 0)]
        if unheard[i]:
            findings += _fell_silent(flow, list(rows.rows()))
        if repeated[i] and flow.vantage != Vantage.SERVER:
            findings += _unheard_acks(flow, rows)
        if twice[i] and _two_contents(done, i):
            findings.append(_found(TWO_HELLOS, flow, flow.start, {}, [Witness(flow.asked_frame, "trigger")]))
    return findings


def _fell_silent(flow: SimpleNamespace, packets: list) -> list[Finding]:
    acked = None
    for p in packets:
        if not p.up and p.tcp_flags & TCP_ACK and (acked is None or ahead(p.ack, acked) > 0):
            acked = p.ack
    if acked is None or any(not p.up and p.win == 0 for p in packets[-8:]):
        return []  # a closed window is the receiver's own wish
    lost = [p for p in packets if p.up and p.payload_len and ahead(p.seq + p.payload_len, acked) > 0]
    first = [p for p in packets if p.up and p.payload_len][:1]
    again = [p for p in lost if p.kind in (Kind.SPURIOUS, Kind.RESENT)]
    heard_after = [p for p in packets if not p.up and lost and p.frame > lost[0].frame]
    if not first or len(again) < RESENT or again[-1].ts - lost[0].ts < UNHEARD_FOR:
        return []
    waited = again[-1].ts - lost[0].ts
    measured = {"resent": len(again), "unheard_s": round(waited / SECOND, 1), "unacknowledged_bytes": flow.unacked_up}
    witnesses = [Witness(lost[0].frame, "trigger"), *(Witness(p.frame, "missing_after") for p in again[:4])]
    baseline = [Witness(p.frame, "baseline") for p in packets if not p.up and p.tcp_flags & TCP_SYN][:1]
    ts = again[RESENT - 1].ts
    if flow.new_down:
        late = [p for p in heard_after if p.payload_len]
        if waited < DEAD_FOR and not late:
            return []
        return [_found(DEAD, flow, ts, measured, witnesses + baseline)]
    rule = UNANSWERED if ahead(first[0].seq, acked) >= 0 else TAIL
    return [_found(rule, flow, ts, measured, witnesses + baseline)]


def _unheard_acks(flow: SimpleNamespace, p: Table) -> list[Finding]:
    """Bytes that come again and again although the client has acknowledged them."""
    acks = np.flatnonzero(p.up & (p.tcp_flags & TCP_ACK != 0))
    if not len(acks):
        return []
    told = ahead(p.ack, p.ack[acks[0]])
    most = np.maximum.accumulate(told[acks])
    acks = acks[np.concatenate(([True], np.diff(most) > 0))]  # those that told something new
    copies = np.flatnonzero(~p.up & (p.payload_len > 0) & (p.kind == Kind.SPURIOUS) & (p.dup_of < 0))
    copies = copies[copies > acks[0]]
    ack = acks[np.searchsorted(acks, copies) - 1]  # the last before each
    known = (ahead(p.seq[copies] + p.payload_len[copies], p.ack[ack]) <= 0) & (p.ts[copies] - p.ts[ack] > flow.syn_rtt)
    copies, ack = copies[known], ack[known]
    _, first, number = np.unique(p.seq[copies], return_index=True, return_inverse=True)
    times = np.bincount(number)
    runs = np.flatnonzero(times >= RESENT)
    if not len(runs):
        return []
    runs = runs[np.argsort(first[runs])]
    if len(runs) < AGAIN and _goes_on(p, copies[number == runs[0]][-1]):
        return []
    worst = runs[np.argmax(times[runs])]
    copies, ack = copies[number == worst], ack[number == worst]
    measured = {
        "resent_by_server": len(copies), "over_s": round(int(p.ts[copies[-1]] - p.ts[copies[0]]) / SECOND, 1),
    }  # fmt: skip
    witnesses = [Witness(flow.asked_frame, "trigger")] * (flow.asked_frame >= 0)
    witnesses += [Witness(int(p.frame[ack[0]]), "baseline")]
    witnesses += [Witness(frame, "contradicts") for frame in p.frame[copies[:4]].tolist()]
    return [_found(ACKS_UNHEARD, flow, int(p.ts[copies[RESENT - 1]]), measured, witnesses)]


def _goes_on(p: Table, copy: int) -> bool:
    """Whether the server, after the last of its repeats, hears the client after all: a hole in the air has closed."""
    later = ~p.up & (p.frame > p.frame[copy])
    more = (p.tcp_flags & TCP_ACK != 0) & (ahead(p.ack, p.ack[copy]) > 0)
    return bool((later & ((p.kind == Kind.NEW) | more)).any())


def _two_contents(done: Finished, i: int) -> bool:
    """Two copies of the same bytes of the client's head that differ."""
    seen: dict[int, bytes] = {}
    for piece in done.segments(i, True):
        other = seen.setdefault(piece.seq, piece.data)
        shared = min(len(other), len(piece.data))
        if shared > 1 and other[:shared] != piece.data[:shared]:
            return True
    return False


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Small hellos that one host drops again and again, while others are fine."""
    attempts = seen.attempts
    attempts = attempts[(attempts.proto == 6) & (attempts.vantage != Vantage.SERVER)]
    attempts = attempts[attempts.cut & Cut.PROXIED == 0]
    if not len(attempts):
        return []
    fate = fates(attempts, seen.text)
    return _again(attempts, fate, seen)


def _again(flows: Table, flow_fate: np.ndarray, seen: Seen) -> list[Finding]:
    """What befell a target's connections again and again, each of them greeted, while others were fine."""
    a, fate = counted(flows, flow_fate)
    unheard = (a.synacks > 0) & (a.unacked_up > 0) & (a.resent_up >= RESENT)
    # Large segments are also lost to path MTU holes. The small last one of several is not: had it come through, the
    # receiver would have said so at once (RFC 5681, section 4.2).
    segments = a.packets_up - a.syns - a.resent_up - HANDSHAKE_ACK
    small = (a.unacked_up < TWO_SEGMENTS) | ((segments > 1) & (a.packets_down <= a.synacks))
    dropped = unheard & small & (fate == Fate.SILENT) & (a.new_down == 0)
    # Or heard at last, when the client had given up; a server that is only slow acknowledges at once.
    late = (fate == Fate.SILENT) & (a.new_down > 0) & (a.first_down_data - a.first_up_data >= DEAD_FOR)
    dropped |= late & (a.synacks > 0) & (a.resent_up >= RESENT)
    young = (a.last_down - a.first_up_data < YOUNG) & (a.unheard_at - a.last_down < RESTED)
    dead = unheard & (a.unacked_up < TWO_SEGMENTS) & (fate == Fate.STALLED) & young & (a.end - a.last_down >= GAVE_UP)
    return [
        *_each_time(a, fate, dropped, DROPPED_AGAIN, seen),
        *_each_time(a, fate, dead, DEAD_AGAIN, seen),
    ]


def _each_time(a: Table, fate: np.ndarray, befell: np.ndarray, rule: Rule, seen: Seen) -> list[Finding]:
    fine = a[fate == Fate.FINE]
    found = []
    for group in groups_of(a, befell, "client", "target", "port"):
        mine = a[group]
        same_host = np.isin(fine.server, mine.server)
        others = ~same_host | (fine.target != mine.target[0])
        others &= (fine.client == mine.client[0]) & (fine.start >= mine.start.min() - CONTROLS_WITHIN)
        others &= fine.start <= mine.end.max() + CONTROLS_WITHIN
        served = same_host & (fine.target == mine.target[0]) & (fine.port == mine.port[0])
        served &= (fine.ja4 < 0) | np.isin(fine.ja4, mine.ja4)  # another program's hello may be spared
        served &= (fine.start >= mine.start.min()) & (fine.start <= mine.end.max())
        if len(group) < AGAIN or not others.any() or served.any():
            continue
        measured = {"attempts": len(group), "resent": mine.resent_up.tolist()[:8], "others_fine": int(others.sum())}
        witnesses = [Witness(f, "trigger") for f in mine.asked_frame.tolist()[:8]]
        witnesses += [Witness(f, "missing_after") for f in mine.last_frame.tolist()[:8]]
        witnesses += [Witness(f, "baseline") for f in fine.asked_frame[others].tolist()[:3] if f >= 0]
        subject = f"target {seen.text(mine.target[0])} at port {mine.port[0]}"
        method = Method(rule.action or "drop", position="in_path")
        found.append(_about(rule, subject, mine, measured, witnesses, method))
    return found


def _found(rule: Rule, flow: SimpleNamespace, ts: int, measured: dict, witnesses: list[Witness]) -> Finding:
    method = Method(rule.action, position="in_path") if rule.action else None
    return Finding(rule, f"flow {flow.flow}", (flow.flow,), ts, measured, tuple(witnesses), method)


def _about(
    rule: Rule, subject: str, mine: Table, measured: dict, witnesses: list[Witness], method: Method | None
) -> Finding:
    flows = tuple(mine.flow.tolist())
    return Finding(rule, subject, flows, int(mine.end.max()), measured, tuple(witnesses), method)
