"""SNI filtering: a name spoken in the clear decides whether a connection may go on.

**How it shows.** The handshake works, for the filter has seen nothing yet. Then the ClientHello (or the HTTP request)
names somebody, and from there nothing is heard: the hello is never acknowledged, or its first segment is and its tail,
which completes the name, never; or some packets still come and then no more; or a reset, a close, an alert ends it. The
same name fails again and again while other names at the same address are served.

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

from analyzer.controls import Fate, counted, fates
from analyzer.exact import holm, stratified_fisher
from analyzer.serial import ahead
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import TCP_ACK, TCP_RST, TCP_SYN, Cut, Kind, Table, Vantage

METHOD = "sni_filtering"

SECOND = 1_000_000_000
RESENT = 3  # three resends are lost together once in 1,000 at 10 % loss, and no radio link holds out that long unheard
UNHEARD_FOR = 2 * SECOND  # three resends take 0.3 + 0.6 + 1.2 s at the least RTO of today's systems (RFC 6298, Linux)
DEAD_FOR = 10 * SECOND  # a server application that answers later than this has been given up by every client
AGAIN = 2  # attempts: what befell the first befell the second, with a live SYN/ACK in between
CONTROLS_WITHIN = 60 * SECOND  # of the failures, for "others were fine meanwhile"
NAMED = 3  # failing attempts before a name effect is tested; three against three is the least that reaches 5 %
SURE, FEW = 0.01, 0.05  # one-sided, after Holm over the names tested
K1_WITHIN = 300 * SECOND
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
    "One lost ACK; therefore three resends are required.",
    "telemt #844, 2026",
    action="delayed_drop",
)  # fmt: skip
DROPPED_AGAIN = _rule(
    "hello_dropped_again", "strong",
    "Each time the server greets the client and then never acknowledges its hello, while others are fine.",
    "A dead machine behind a proxy that greets in its name.",
    "The kernel acknowledges, not the application; 0 of 1,500 benign flows |",
)  # fmt: skip
NAME_EFFECT = _rule(
    "name_effect", "strong",
    "This name fails and other names at the same address do not; chance does that in less than one case in a hundred.",
    "A server that does not serve this name.",
    "Fisher's exact test over attempts, by address, Holm over names",
    family="control", action=None,
)  # fmt: skip
NAME_EFFECT_FEW = _rule(
    "name_effect_few", "supporting",
    "This name fails and other names at the same address do not; with so few attempts chance does that once in twenty.",
    "A server that does not serve this name.",
    "Fisher's exact test over attempts, by address, Holm over names",
    family="control", action=None,
)  # fmt: skip
ELSEWHERE = _rule(
    "name_elsewhere", "supporting",
    "The same name fails at several unrelated addresses.",
    "One operator's fault at all of them.",
    "Controls of name-based filtering",
    family="control", action=None,
)  # fmt: skip
LARGE_FAILS = _rule(
    "large_hello_fails", "supporting",
    "At this server every hello of two segments fails and every smaller one passes: a known fault of servers.",
    "Filters that act on the size.",
    "tldr.fail",
    family="control", leans="genuine",
)  # fmt: skip
TWO_HELLOS = _rule(
    "conflicting_hello", "weak",
    "Two different contents were sent for the same bytes of the hello: a local packet tool is at work.",
    "Which of the two the server took.",
    "Khattak et al., FOCI 2013, on overlapping segments",
    family="content", leans="limit",
)  # fmt: skip

RULES = (
    UNANSWERED, TAIL, DEAD, ACKS_UNHEARD, DROPPED_AGAIN, NAME_EFFECT, NAME_EFFECT_FEW, ELSEWHERE, LARGE_FAILS,
    TWO_HELLOS,
)  # fmt: skip


def _silenced(flows: Table) -> np.ndarray:
    judged = (flows.proto == 6) & (flows.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED | Cut.PROBE) == 0)
    unheard = (flows.unacked_up > 0) & (flows.resent_up >= RESENT)
    return judged & (flows.synacks > 0) & (flows.asked_frame >= 0) & (unheard | (flows.resent_down >= RESENT))


WANTS = Wants(_silenced, packets=True, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Where a conversation fell silent, packet by packet."""
    findings = []
    for i, flow in enumerate(done.flows.rows()):
        packets = [p for p in done.rows(i).rows() if p.icmp < 0 and p.tcp_flags >= 0 and not p.tcp_flags & TCP_RST]
        if flow.unacked_up > 0 and flow.resent_up >= RESENT:
            findings += _fell_silent(flow, packets)
        if flow.resent_down >= RESENT and flow.vantage != Vantage.SERVER:
            findings += _unheard_acks(flow, packets)
        if _two_contents(done, i):
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


def _unheard_acks(flow: SimpleNamespace, packets: list) -> list[Finding]:
    """Bytes that come again and again although the client has acknowledged them."""
    acked = None
    copies: dict[int, list] = {}
    for p in packets:
        if p.up and p.tcp_flags & TCP_ACK and (acked is None or ahead(p.ack, acked[0]) > 0):
            acked = (p.ack, p)
        elif not p.up and p.payload_len and p.kind == Kind.SPURIOUS and acked and p.dup_of < 0:
            if ahead(p.seq + p.payload_len, acked[0]) <= 0 and p.ts - acked[1].ts > flow.syn_rtt:
                copies.setdefault(p.seq, []).append((p, acked[1]))
    worst = max(copies.values(), key=len, default=[])
    if len(worst) < RESENT:
        return []
    span = worst[-1][0].ts - worst[0][0].ts
    measured = {"resent_by_server": len(worst), "over_s": round(span / SECOND, 1)}
    witnesses = [Witness(worst[0][1].frame, "trigger"), *(Witness(p.frame, "contradicts") for p, _ in worst[:4])]
    return [_found(ACKS_UNHEARD, flow, worst[RESENT - 1][0].ts, measured, witnesses)]


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
    """What befell a name again and again, and what befell others meanwhile."""
    attempts = seen.attempts
    attempts = attempts[(attempts.proto == 6) & (attempts.vantage != Vantage.SERVER)]
    if not len(attempts):
        return []
    fate = fates(attempts, seen.text)
    merged, merged_fate = counted(attempts, fate)
    return [
        *_dropped_again(merged, merged_fate, seen),
        *_names(merged, merged_fate, seen),
        *_large_hellos(merged, merged_fate, seen),
    ]


def _dropped_again(a: Table, fate: np.ndarray, seen: Seen) -> list[Finding]:
    dropped = (fate == Fate.SILENT) & (a.synacks > 0) & (a.new_down == 0)
    dropped &= (a.unacked_up > 0) & (a.resent_up >= RESENT)
    dropped &= a.new_up < TWO_SEGMENTS  # larger ones fail at broken servers and path MTU holes
    fine = a[fate == Fate.FINE]
    found = []
    for group in _groups(a, dropped, "client", "target", "server", "port"):
        mine = a[group]
        others = (fine.server != mine.server[0]) | (fine.target != mine.target[0])
        others &= (fine.client == mine.client[0]) & (fine.start >= mine.start.min() - CONTROLS_WITHIN)
        others &= fine.start <= mine.end.max() + CONTROLS_WITHIN
        served = (fine.server == mine.server[0]) & (fine.target == mine.target[0]) & (fine.port == mine.port[0])
        served &= (fine.start >= mine.start.min()) & (fine.start <= mine.end.max())
        if len(group) < AGAIN or not others.any() or served.any():
            continue
        measured = {"attempts": len(group), "resent": mine.resent_up.tolist()[:8], "others_fine": int(others.sum())}
        witnesses = [Witness(f, "trigger") for f in mine.asked_frame.tolist()[:8]]
        witnesses += [Witness(f, "missing_after") for f in mine.last_frame.tolist()[:8]]
        witnesses += [Witness(f, "baseline") for f in fine.asked_frame[others].tolist()[:3] if f >= 0]
        subject = f"target {seen.text(mine.target[0])} at {seen.text(mine.server[0])}"
        found.append(_about(DROPPED_AGAIN, subject, mine, measured, witnesses, Method("drop", position="in_path")))
    return found


def _names(a: Table, fate: np.ndarray, seen: Seen) -> list[Finding]:
    """Names that fail against names that do not, address by address."""
    failed = fate >= Fate.FAILED
    greeted = a.synacks > 0  # without a SYN/ACK no name was ever spoken
    tested = []
    for group in _groups(a, failed & greeted & (a.name >= 0), "client", "name"):
        name, client = a.name[group[0]], a.client[group[0]]
        mine = (a.name == name) & (a.client == client) & greeted
        if len(group) < NAMED:
            continue
        strata, interleaved = _strata(a, failed, greeted, mine)
        if strata:
            tested.append((stratified_fisher(strata), group, mine, strata, interleaved))
    adjusted = holm([p for p, *_ in tested])
    found = []
    for p, (_, group, _, strata, interleaved) in zip(adjusted, tested, strict=True):
        if p > FEW or not interleaved:
            continue
        mine = a[group]
        fine = sum(tried - bad for _, _, bad, tried in strata)
        measured = {
            "p": float(f"{p:.3g}"), "failed": sum(s[0] for s in strata), "tried": sum(s[1] for s in strata),
            "others_tried": sum(s[3] for s in strata), "others_fine": fine,
        }  # fmt: skip
        witnesses = [Witness(f, "trigger") for f in mine.asked_frame.tolist()[:8] if f >= 0]
        word = seen.text(mine.protocol[0])
        trigger = {"http": "http_host"}.get(word or "", "sni")
        method = Method(_ACTION.get(int(fate[group[0]]), "drop"), trigger, "unknown", seen.text(mine.name[0]))
        rule = NAME_EFFECT if p <= SURE else NAME_EFFECT_FEW
        found.append(_about(rule, f"name {seen.text(mine.name[0])}", mine, measured, witnesses, method))
    for _, group, *_ in tested:
        mine = a[group]
        servers = np.unique(mine.server)
        if len({_network(seen.text(s) or "") for s in servers.tolist()}) > 1:
            measured = {"addresses": len(servers), "attempts": len(group)}
            witnesses = [Witness(f, "trigger") for f in mine.asked_frame.tolist()[:8] if f >= 0]
            found.append(_about(ELSEWHERE, f"name {seen.text(mine.name[0])}", mine, measured, witnesses, None))
    return found


def _large_hellos(a: Table, fate: np.ndarray, seen: Seen) -> list[Finding]:
    """Servers where size decides and not the name."""
    hello = (a.ja4 >= 0) & (a.synacks > 0)
    large = a.new_up >= TWO_SEGMENTS
    found = []
    for group in _groups(a, hello & large & (fate == Fate.SILENT), "client", "server", "port"):
        here = (
            hello & (a.server == a.server[group[0]]) & (a.port == a.port[group[0]]) & (a.client == a.client[group[0]])
        )
        names = len(np.unique(a.name[group]))
        passed_large, passed_small = here & large & (fate == Fate.FINE), here & ~large & (fate == Fate.FINE)
        if names >= AGAIN and not passed_large.any() and passed_small.sum() >= AGAIN:
            measured = {"names": names, "large_failed": len(group), "small_fine": int(passed_small.sum())}
            witnesses = [Witness(f, "baseline") for f in a.asked_frame[passed_small].tolist()[:4]]
            subject = f"address {seen.text(a.server[group[0]])}"
            found.append(_about(LARGE_FAILS, subject, a[group], measured, witnesses, None))
    return found


_ACTION = {
    int(Fate.SILENT): "drop", int(Fate.STALLED): "delayed_drop", int(Fate.RESET): "rst", int(Fate.CLOSED): "fin",
    int(Fate.ALERT): "tls_alert",
}  # fmt: skip


def _strata(a: Table, failed, greeted, mine) -> tuple[list[tuple[int, int, int, int]], bool]:
    """Per address, (failed, tried) of a name and of other names there in the same minutes; and whether they alternate."""
    strata, interleaved = [], False
    for server in np.unique(a.server[mine]).tolist():
        here = (a.server == server) & greeted & (a.name >= 0)
        own = here & mine
        first, last = a.start[own].min(), a.start[own].max()
        other = here & ~mine & (a.client == a.client[own][0]) & np.isin(a.port, a.port[own])
        other &= (a.start >= first - K1_WITHIN) & (a.start <= last + K1_WITHIN)
        hello = a.ja4[own]
        if (hello >= 0).any():  # the same kind of hello, or the filter may be about that
            other &= (a.ja4 < 0) | np.isin(a.ja4, hello)
        if not other.any():
            continue
        strata.append((int(failed[own].sum()), int(own.sum()), int(failed[other].sum()), int(other.sum())))
        bad = np.sort(a.start[own & failed])
        good = a.start[other & ~failed]
        interleaved |= len(bad) > 1 and bool(((good > bad[0]) & (good < bad[-1])).any())
    return strata, interleaved


def _network(address: str) -> str:
    """Addresses in different /16 (IPv4) or /32 (IPv6) are unrelated enough."""
    return ":".join(address.split(":")[:2]) if ":" in address else ".".join(address.split(".")[:2])


def _groups(a: Table, mask: np.ndarray, *names: str) -> list[np.ndarray]:
    """Row numbers of the masked rows, grouped by columns, in the order of their first rows."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return []
    keys = np.stack([a.columns[name][rows].astype(np.int64) for name in names], axis=1)
    _, where = np.unique(keys, axis=0, return_inverse=True)
    where = where.reshape(-1)
    order = np.lexsort((a.start[rows], where))
    groups = np.split(rows[order], np.flatnonzero(np.diff(where[order])) + 1)
    return sorted(groups, key=lambda group: int(a.start[group[0]]))


def _found(rule: Rule, flow: SimpleNamespace, ts: int, measured: dict, witnesses: list[Witness]) -> Finding:
    method = Method(rule.action, position="in_path") if rule.action else None
    return Finding(rule, f"flow {flow.flow}", (flow.flow,), ts, measured, tuple(witnesses), method)


def _about(
    rule: Rule, subject: str, mine: Table, measured: dict, witnesses: list[Witness], method: Method | None
) -> Finding:
    flows = tuple(mine.flow.tolist())
    return Finding(rule, subject, flows, int(mine.end.max()), measured, tuple(witnesses), method)
