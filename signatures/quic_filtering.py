"""QUIC filtering: HTTP/3 is cut by name, by version or altogether, and the client falls back to TCP.

**How it shows.** Initials of one name are repeated and never answered while the same address answers for other names;
or the first flight is answered and then the client is not heard any more: its packets stay alone, or the server repeats
itself at doubling intervals although it is acknowledged each time. Where everything goes, every host is silent over
QUIC, unrelated ones too, while TCP to the same hosts and other UDP work.

**What it cannot see.** Whether a host that never answers QUIC speaks it at all: silence at one address, of whatever
names, is a firewall at that site or a filter, and no capture tells which. Names inside a hello that cannot be opened.
What interferes with QUIC only drops; a CONNECTION_CLOSE is the server's own.

**References.** Zohaib et al., *QUIC SNI censorship in China*, USENIX Security 2025; Xue et al., IMC 2022 (TSPU, QUIC);
Elmenhorst et al., *Web Censorship Measurements of HTTP/3*, WebSci 2021; RFC 9000 §8.1, RFC 9002 §6.2 (probe timeouts).
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np

from analyzer.addresses import networks
from analyzer.controls import RESIDUAL, SAME_MINUTES, Fate, counted, groups_of, same_device, used_by_people
from analyzer.exact import Counts, holm, stratified_fisher, tally
from analyzer.quic_attempts import STALLED, QuicAttempts
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness, rules_of
from analyzer.tables import Cut, Table, Vantage

METHOD = "quic_filtering"

MS, SECOND = 1_000_000, 1_000_000_000
AGAIN = 2  # attempts: what befell the first befell the second, with others well in between
HOSTS = 3  # in unrelated networks: what they all have in common is QUIC
FEW, SURE = 0.05, 0.01  # one-sided, after Holm over the names tested
ROUNDS, LEAST_ROUND, DOUBLED = 3, 150 * MS, (1.6, 2.6)  # probe timeouts double (RFC 9002 §6.2.1); timers are coarse
HEARD_WITHIN = 100 * MS  # the client's own acknowledgement of a repeated packet; max_ack_delay is 25 ms by default

_rule = rules_of("quic", "drop", needs_headers=False)

UNANSWERED = _rule(
    "initial_unanswered", "weak", "silence",
    "QUIC to this name was never answered, TCP was.",
    "Hosts that do not speak QUIC, and firewalls at their site.",
    "Elmenhorst et al., WebSci 2021",
)  # fmt: skip
BY_NAME = _rule(
    "dropped_by_name", "strong", "silence",
    "QUIC for this name is never answered, and the same address answers QUIC for other names.",
    "A server program that does not serve this name over QUIC and does not say so.",
    "Zohaib et al., USENIX Security 2025",
)  # fmt: skip
TOO = _rule(
    "dropped_too", "strong", "silence",
    "QUIC for this service is silent at the same time as for a name that is proven to be filtered; its TCP works.",
    "A site without QUIC that was tried all the same.",
    "A filter by name knows more than one",
)  # fmt: skip
CUT = _rule(
    "cut_after_answer", "strong", "silence",
    "Again and again the server answers the first flight and then hears no more, while other QUIC hosts are fine.",
    "A server whose QUIC is broken.",
    "Zohaib et al., USENIX Security 2025: the Initial arrives, what follows does not",
    "delayed_drop",
)  # fmt: skip
ACKS_UNHEARD = _rule(
    "acks_unheard", "strong", "silence",
    "The server repeats itself at doubling intervals although the client acknowledges every time: it is not heard.",
    "Losses that hit the client alone at each of these moments.",
    "RFC 9002 §6.2.1",
    "delayed_drop",
)  # fmt: skip
ALL = _rule(
    "all_unanswered", "supporting", "silence",
    "No host answers QUIC, in unrelated networks, while the same hosts answer over TCP and other UDP works.",
    "Who does it: offices, hotels and apps on the device drop QUIC as well as networks do.",
    "OONI on Iran, 2022; PCAPdroid, setting to block QUIC",
)  # fmt: skip
VERSION = _rule(
    "version_unanswered", "strong", "silence",
    "No host answers one version of QUIC, in unrelated networks, and one of them answers another version.",
    "Hosts that have given up a version, all of them.",
    "Xue et al., IMC 2022 (TSPU looks for version 1)",
)  # fmt: skip
NAME_EFFECT = _rule(
    "name_effect", "strong", "control",
    "Over QUIC this name fails and others at the same address do not; chance does that less than once in a hundred.",
    "A server that does not serve this name.",
    "Fisher's exact test over attempts, by address, Holm over names",
    None,
)  # fmt: skip
NAME_EFFECT_FEW = _rule(
    "name_effect_few", "supporting", "control",
    "Over QUIC this name fails and others at the same address do not; with so few chance does that once in twenty.",
    "A server that does not serve this name.",
    "Fisher's exact test over attempts, by address, Holm over names",
    None,
)  # fmt: skip
SHORT = _rule(
    "stops_short", "supporting", "silence",
    "Each time QUIC stopped short and the client took TCP for the same name instead; other names at the address go on.",
    "Clients that prefer TCP by themselves.",
    "Clients fall back when QUIC stalls (RFC 9308 §2)",
    "delayed_drop",
)  # fmt: skip

RULES = (UNANSWERED, BY_NAME, TOO, CUT, ACKS_UNHEARD, ALL, VERSION, NAME_EFFECT, NAME_EFFECT_FEW, SHORT)


def _slow(flows: Table) -> np.ndarray:
    """Conversations with few packets over a long time: what stalls looks so."""
    few = (flows.packets_down > ROUNDS) & (flows.packets_up > ROUNDS) & (flows.packets_down < 100)
    return (flows.protocol == "quic") & few & (flows.last_down - flows.first_down_data > SECOND)


WANTS = Wants(_slow, packets=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Servers that repeat themselves to a client that answers."""
    return [found for i in range(len(done.flows)) if (found := _repeats(done.flows.row(i), done.rows(i))) is not None]


def _repeats(flow: SimpleNamespace, rows: Table) -> Finding | None:
    own = [p for p in rows[rows.icmp < 0].rows() if p.payload_len]
    rounds: list[list[SimpleNamespace]] = []
    for p in own:
        if not p.up and (not rounds or p.ts - rounds[-1][-1].ts >= LEAST_ROUND):
            rounds.append([])
        if not p.up:
            rounds[-1].append(p)
    heads = [r[0] for r in rounds]
    gaps = [b[0].ts - a[-1].ts for a, b in pairwise(rounds)]
    doubling = 0
    for late, early in zip(reversed(gaps), reversed(gaps[:-1]), strict=False):
        if not DOUBLED[0] * early <= late <= DOUBLED[1] * early:
            break
        doubling += 1
    if doubling + 1 < ROUNDS:
        return None
    repeated = heads[-doubling - 2 :]
    heard = [next((p for p in own if p.up and 0 < p.ts - r.ts <= HEARD_WITHIN), None) for r in repeated]
    if flow.vantage == Vantage.SERVER or not all(heard):
        return None
    measured = {"rounds": len(repeated), "gaps_s": [round(gap / SECOND, 2) for gap in gaps[-doubling - 1 :]]}
    witnesses = [Witness(flow.asked_frame, "trigger")] * (flow.asked_frame >= 0)
    witnesses += [Witness(p.frame, "baseline") for p in heard if p is not None][:4]
    witnesses += [Witness(p.frame, "contradicts") for p in repeated[1:5]]
    method = Method("delayed_drop", "none_seen", "in_path")
    return Finding(ACKS_UNHEARD, f"flow {flow.flow}", (flow.flow,), repeated[-1].ts, measured, tuple(witnesses), method)


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """QUIC attempts by name, by address and altogether, beside TCP to the same hosts."""
    quic = QuicAttempts(seen)
    if not len(quic):
        return []
    effects, proven = _name_effects(quic)
    everything = _everything(quic)
    taken = {flow for finding in (*effects, *everything) for flow in finding.flows}
    found = [*effects, *everything, *_cut(quic), *_too(quic, known, proven, taken)]
    return [*found, *_unanswered(quic, {flow for finding in found for flow in finding.flows})]


_ACTIONS = {int(Fate.SILENT): "drop", int(Fate.STALLED): "delayed_drop", int(Fate.ICMP): "icmp_reject"}


def _name_effects(quic: QuicAttempts) -> tuple[list[Finding], list[Table]]:
    """Names that fail against other names at the same address; stopping short counts where nothing plainer does."""
    q = quic.table
    tested: list[tuple[float, list, Table, int, bool]] = []
    for short in (False, True):
        fate = np.where(quic.fell_back, Fate.STALLED, quic.fate).astype(np.int8) if short else quic.fate
        merged, merged_fate = counted(q, fate)
        for group in groups_of(merged, (merged_fate >= Fate.FAILED) & (merged.name >= 0), "client", "name"):
            strata = _strata(merged, merged_fate, group)
            name, client = merged.name[group[0]], merged.client[group[0]]
            p = stratified_fisher(strata) if strata else 1.0
            if strata and not (short and (p > FEW or any(mine.name[0] == name for _, _, mine, *_ in tested))):
                failed = (q.name == name) & (q.client == client) & (fate >= Fate.FAILED)
                tested.append((p, strata, q[failed], int(fate[failed][0]), short))
    found, proven = [], []
    for p, (_, strata, mine, fate_of_it, short) in zip(holm([t[0] for t in tested]), tested, strict=True):
        if p > FEW:
            continue
        name = quic.seen.text(mine.name[0])
        measured = tally(p, strata)
        method = Method(_ACTIONS[fate_of_it], "sni", "in_path", name)
        found.append(_finding(NAME_EFFECT if p <= SURE else NAME_EFFECT_FEW, f"name {name}", mine, measured, method))
        if not short or _stopped(mine).all():  # what went on slowly is somebody else's matter
            found.append(_finding(SHORT if short else BY_NAME, f"name {name}", mine, measured, method))
            proven += [] if short else [mine]
    return found, proven


def _stopped(q: Table) -> np.ndarray:
    """Attempts (mask) that ended before the client can have called them slow."""
    return q.end - q.start < STALLED


def _strata(a: Table, fate: np.ndarray, group: np.ndarray) -> list[Counts]:
    """Per address, (failed, tried) of a name and of other names there in the same minutes.

    What fails behind a failure of this name, at the same address, may be residual blocking: no control.
    """
    name, client = a.name[group[0]], a.client[group[0]]
    failed = fate >= Fate.FAILED
    strata = []
    for server in np.unique(a.server[group]).tolist():
        here = (a.server == server) & (a.client == client)
        own = here & (a.name == name)
        other = here & (a.name != name) & (a.name >= 0) & ~(failed & _behind(a, a.start[own & failed]))
        other &= (a.start >= a.start[own].min() - SAME_MINUTES) & (a.start <= a.start[own].max() + SAME_MINUTES)
        if other.any():
            strata.append((int((own & failed).sum()), int(own.sum()), int((other & failed).sum()), int(other.sum())))
    return strata


def _behind(a: Table, starts: np.ndarray) -> np.ndarray:
    """Attempts (mask) that began within residual blocking of others that began at `starts`."""
    starts = np.sort(starts)
    at = np.searchsorted(starts, a.start)
    return (at > 0) & (a.start - starts[np.maximum(at - 1, 0)] <= RESIDUAL)


def _everything(quic: QuicAttempts) -> list[Finding]:
    """Every host is silent, over every version or one."""
    q, fate, found = quic.table, quic.fate, []
    text, everything = quic.seen.text, quic.seen.attempts
    silent = ((fate == Fate.SILENT) | (fate == Fate.ICMP)) & (q.vantage != Vantage.SERVER) & (q.quic >= 0)
    for group in groups_of(q, silent, "client", "quic"):
        mine = q[group]
        answered = quic.near(q, mine) & (fate == Fate.FINE)
        silent_in = networks(mine.server, text)
        tcp = everything[quic.greeted(mine)]
        tcp_in = networks(tcp.server, text)
        if (answered & (q.quic == mine.quic[0])).any() or len(silent_in) < HOSTS or len(tcp_in) < AGAIN:
            continue
        udp = quic.near(everything, mine) & (everything.proto == 17) & ~np.isin(everything.flow, q.flow)
        invented = same_device(everything, mine, quic.seen) & (everything.cut & Cut.PROXIED != 0)
        if not (everything.packets_down[udp] > 0).any() or invented.any():
            continue  # no UDP at all is another matter; and capture apps on phones drop QUIC themselves
        other = q[answered & np.isin(q.server, mine.server)]
        what = f"quic version {mine.quic[0]:#x}" if len(other) else "quic"
        method = Method(_ACTIONS[int(fate[group[0]])], "protocol", "in_path" if len(other) else "unknown", what)
        measured = {
            "attempts": len(mine), "networks": len(silent_in), "tcp_answered_at": len(tcp_in),
            "other_versions": sorted({hex(v) for v in other.quic.tolist()}),
        }  # fmt: skip
        subject = f"protocol {what} of {text(mine.client[0])}"
        found.append(_finding(VERSION if len(other) else ALL, subject, mine, measured, method, tcp))
    return found


def _cut(quic: QuicAttempts) -> list[Finding]:
    """Attempts that were answered and then not heard any more, again and again, with what their residue hits."""
    q, fate, text, found = quic.table, quic.fate, quic.seen.text, []
    stalled = (fate == Fate.STALLED) & (q.vantage != Vantage.SERVER)
    for group in groups_of(q, stalled, "client", "target", "server"):
        mine = q[group]
        fine = quic.others_fine(mine)
        here = (q.server == mine.server[0]) & (q.client == mine.client[0])
        served = here & (q.target == mine.target[0]) & (fate == Fate.FINE) & quic.near(q, mine)
        if len(group) < AGAIN or not len(fine) or served.any():
            continue
        # TCP to the same address is spared and the first flight passes: what decided stood in that flight, a name
        name = text(mine.name[0]) if quic.tcp_works(mine) else None
        method = Method("delayed_drop", "sni" if name else "none_seen", "in_path", name)
        residue = here & (q.target != mine.target[0]) & stalled & _behind(q, mine.start)
        measured = {
            "attempts": len(group), "answered_datagrams": mine.packets_down.tolist()[:8], "others_fine": len(fine),
            "others_hit_behind_it": int(residue.sum()),
        }  # fmt: skip
        subject = f"target {text(mine.target[0])} at {text(mine.server[0])}"
        rows = np.union1d(group, np.flatnonzero(residue))
        found.append(_finding(CUT, subject, q[rows], measured, method, q[fine]))
    return found


def _too(quic: QuicAttempts, known: Knowledge, proven: list[Table], taken: set[int]) -> list[Finding]:
    """Other services that are silent over QUIC while a name is proven to be filtered."""
    q, fate, text, found = quic.table, quic.fate, quic.seen.text, []
    people = used_by_people(q, quic.seen, known) & (q.name >= 0)
    silent = ((fate == Fate.SILENT) | (fate == Fate.ICMP)) & people & ~np.isin(q.flow, list(taken))
    for group in groups_of(q, silent, "client", "name"):
        mine = q[group]
        like = [one for one in proven if _together(one, mine)]
        ever = (fate == Fate.FINE) & (q.name == mine.name[0])
        if len(group) < AGAIN or not like or not quic.tcp_works(mine) or ever.any():
            continue
        name = text(mine.name[0])
        method = Method(_ACTIONS[int(fate[group[0]])], "sni", "in_path", name)
        measured = {"attempts": len(group), "as": text(like[0].name[0])}
        found.append(_finding(TOO, f"name {name}", mine, measured, method, like[0]))
    return found


def _together(one: Table, other: Table) -> bool:
    """The same client, at the same time."""
    same = one.client[0] == other.client[0]
    return bool(same and one.start.min() <= other.end.max() and other.start.min() <= one.end.max())


def _unanswered(quic: QuicAttempts, taken: set[int]) -> list[Finding]:
    """What was tried in vain and says little."""
    q, text, found = quic.table, quic.seen.text, []
    silent = (quic.fate == Fate.SILENT) & (q.vantage != Vantage.SERVER) & ~np.isin(q.flow, list(taken))
    for group in groups_of(q, silent, "client", "target", "server"):
        mine = q[group]
        fine = quic.others_fine(mine)
        if quic.greeted(mine).any():
            measured = {"attempts": len(group), "initials": int(mine.packets_up.sum()), "others_fine": len(fine)}
            subject = f"target {text(mine.target[0])} at {text(mine.server[0])}"
            method = Method("drop", "none_seen", "unknown")
            found.append(_finding(UNANSWERED, subject, mine, measured, method, q[fine]))
    return found


def _finding(
    rule: Rule, subject: str, mine: Table, measured: dict[str, Any], method: Method, baseline: Table | None = None
) -> Finding:  # fmt: skip
    witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:8]]
    witnesses += [Witness(frame, "missing_after") for frame in mine.last_frame.tolist()[:8]]
    if baseline is not None:
        witnesses += [Witness(frame, "baseline") for frame in baseline.frame.tolist()[:3]]
    flows = tuple(mine.flow.tolist())
    return Finding(rule, subject, flows, int(mine.end.max()), measured, tuple(dict.fromkeys(witnesses)), method)
