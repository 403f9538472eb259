"""Residual blocking: after one forbidden connection, its three-tuple stays cut off for a while, whatever is said in it.

**How it shows.** A connection was greeted, and then cut or silenced. Soon after, SYNs of the same client to the same
address and port get nothing, although other hosts answer; before and afterwards the address answers. The machine in the
path remembers (client, address, port), for 60 to 180 seconds in what has been described.

**What it cannot see.** A server that was down for just that while; residual blocking of a five-tuple, since clients do
not reuse ports so soon; SYNs that are reset: a program that crashes and is started anew looks the same.

**References.** Bock et al., *GET /out* (GFW, residual censorship of 90 s), 2021; Xue et al., IMC 2022 (75 to 480 s);
Wang et al., IMC 2017.
"""

from __future__ import annotations

import numpy as np

from analyzer.controls import RESIDUAL, Fate, attempt_numbers, fates, groups_of
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, Witness
from analyzer.tables import Table, Vantage

METHOD = "residual_blocking"

EPISODES = 2  # after two triggers each: an outage does not wait for a hello twice
OTHERS_WITHIN = 60_000_000_000  # ns around the dead while in which another host must have answered

REPEATED = Rule(
    "sni.residual", "interference", "strong", "silence",
    "Twice or more, after a connection was cut, the same address was cut off from its first packet on, and came back.",
    "A server that fails so by itself.",
    "Xue et al., IMC 2022; Bock et al., WOOT 2021",
    action="drop", needs_headers=False,
)  # fmt: skip
ONCE = Rule(
    "sni.residual_once", "interference", "supporting", "silence",
    "After a connection was cut, the same address was cut off from its first packet on, and came back.",
    "A server that was down for that while.",
    "Xue et al., IMC 2022; Bock et al., WOOT 2021",
    action="drop", needs_headers=False,
)  # fmt: skip

RULES = (REPEATED, ONCE)


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Addresses that went dead behind a cut connection and came back."""
    a = seen.attempts
    a = a[(a.proto == 6) & (a.vantage != Vantage.SERVER)]
    fate = fates(a, seen.text)
    dead = fate == Fate.SYN_SILENT
    if not dead.any():
        return []
    failed, fine = (fate >= Fate.FAILED) & (a.synacks > 0), fate == Fate.FINE
    found = []
    for group in groups_of(a, dead, "client", "server", "port"):
        here = (a.client == a.client[group[0]]) & (a.server == a.server[group[0]]) & (a.port == a.port[group[0]])
        episodes = _episodes(a, group, here & failed, here & (a.synacks > 0))
        others = fine & (a.client == a.client[group[0]]) & (a.server != a.server[group[0]])
        if episodes and _alive(a, others, a[group]):
            found.append(_finding(a, episodes, seen, len(np.unique(attempt_numbers(a, fate)[list(episodes.values())]))))
    return found


def _episodes(a: Table, dead: np.ndarray, cut: np.ndarray, greeted: np.ndarray) -> dict[int, int]:
    """Dead flow -> the cut connection before it, for those behind which the address answered again."""
    cuts, answers = np.sort(a.start[cut]), np.sort(a.start[greeted])
    rows = np.flatnonzero(cut)[np.argsort(a.start[cut], kind="stable")]
    episodes = {}
    for flow in dead.tolist():
        begun = a.start[flow]
        before = int(np.searchsorted(cuts, begun)) - 1
        if before < 0 or begun - cuts[before] > RESIDUAL:
            continue
        between = np.searchsorted(answers, begun) - np.searchsorted(answers, cuts[before], side="right")
        if between == 0 and answers[-1] > begun:  # nothing greeted in between; something greeted afterwards
            episodes[flow] = int(rows[before])
    return episodes


def _alive(a: Table, others: np.ndarray, dead: Table) -> bool:
    """Whether another host answered this client while the address was dead."""
    starts = a.start[others]
    return bool(((starts >= dead.start.min() - OTHERS_WITHIN) & (starts <= dead.end.max() + OTHERS_WITHIN)).any())


def _finding(a: Table, episodes: dict[int, int], seen: Seen, triggers: int) -> Finding:
    mine, cut = a[np.array(list(episodes))], a[np.array(sorted(set(episodes.values())))]
    measured = {
        "cut_connections": triggers,
        "dead_after_s": round(float((mine.start - cut.start.min()).min()) / 1e9, 1),
        "dead_for_s": round(float(mine.end.max() - mine.start.min()) / 1e9, 1),
    }
    witnesses = [Witness(frame, "trigger") for frame in cut.asked_frame.tolist()[:8] if frame >= 0]
    witnesses += [Witness(frame, "missing_after") for frame in mine.frame.tolist()[:8]]
    rule = REPEATED if triggers >= EPISODES else ONCE
    method = Method("drop", "ip_address", "in_path", seen.text(mine.server[0]))
    subject = f"address {seen.text(mine.server[0])}"
    return Finding(rule, subject, tuple(mine.flow.tolist()), int(mine.end.max()), measured, tuple(witnesses), method)
