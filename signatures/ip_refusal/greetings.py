"""SYN/ACKs that the host did not make: two to one SYN, or one machine that greets for many."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from analyzer.controls import Fate, groups_of
from analyzer.signature import Finding, Finished, Method, Witness
from analyzer.tables import TCP_ACK, TCP_RST, TCP_SYN, Cut, Table, Vantage
from signatures.ip_refusal.scene import MS, NETWORKS, SAME_DELAY, SECOND, SHOWN, Scene, forged

TTL_APART = 3  # hops: routes shift by one or two
ONE_SYN = SECOND  # later, a SYN/ACK answers a repeated SYN (RFC 6298 §2.1)

TWO_SYNACKS = forged(
    "two_synacks", "strong", "order",
    "One SYN was greeted twice, with different sequence numbers, from different distances.",
    "Hosts that answer twice by themselves, from one distance.",
    "Wang et al., IMC 2017",
    "forged_synack",
)  # fmt: skip
GREETER = forged(
    "one_greeter", "strong", "timing",
    "One machine greets for hosts in unrelated networks, nearer than any other host, and then cuts every connection.",
    "Greeters as far away as the hosts.",
    "net4people/bbs #294",
    "forged_synack",
)  # fmt: skip

RULES = (TWO_SYNACKS, GREETER)


def greeted_twice(flows: Table) -> np.ndarray:
    honest = flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION | Cut.MIDWAY) == 0
    return honest & (flows.proto == 6) & (flows.synacks > 1) & (flows.syns > 0) & (flows.vantage != Vantage.SERVER)


def of_two_machines(done: Finished) -> list[Finding]:
    """SYN/ACKs to one SYN that two machines made."""
    p = done.packets
    greeting = (
        ~p.up & (p.icmp < 0) & (p.tcp_flags >= 0) & (p.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN | TCP_ACK)
    )
    flow, seq = p.flow[greeting], p.seq[greeting]
    unlike = np.unique(flow[1:][(np.diff(flow) == 0) & (np.diff(seq) != 0)])  # of flows greeted with two numbers
    rows = np.searchsorted(done.flows.flow, unlike).tolist()
    return [found for i in rows if (found := _two_synacks(done.flows.row(i), done.rows(i))) is not None]


def _two_synacks(flow: SimpleNamespace, rows: Table) -> Finding | None:
    own = [p for p in rows[rows.icmp < 0].rows() if p.tcp_flags >= 0]
    greetings = [p for p in own if not p.up and p.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN | TCP_ACK]
    syns = [p for p in own if p.up and p.tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN and p.dup_of < 0]
    if not greetings or not syns:
        return None
    first = greetings[0]
    # A SYN/ACK for a number that no SYN carried answers none of them, however often they were repeated.
    astray = first.ack not in {(p.seq + 1) & 0xFFFFFFFF for p in syns}
    between = [p for p in syns if p.frame < greetings[-1].frame]
    other = next((p for p in greetings if p.seq != first.seq and p.ts - first.ts <= ONE_SYN), None)
    if other is None or (len(between) > 1 and not astray) or abs(other.ttl - first.ttl) < TTL_APART:
        return None
    measured = {"ttls": [first.ttl, other.ttl], "apart_ms": round((other.ts - first.ts) / MS, 3)}
    witnesses = (Witness(syns[0].frame, "trigger"), Witness(first.frame, "forged"), Witness(other.frame, "contradicts"))
    method = Method("forged_synack", "ip_address", "on_path", flow.server)
    return Finding(TWO_SYNACKS, f"flow {flow.flow}", (flow.flow,), other.ts, measured, witnesses, method)


def greeters(scene: Scene) -> list[Finding]:
    """Machines that greet for unrelated networks and cut what they are asked."""
    a = scene.a
    cut = scene.people & (a.proto == 6) & (scene.fate == Fate.RESET) & (a.new_down == 0) & (a.syn_rtt >= 0)
    found = []
    outside = (a.vantage != Vantage.SERVER) & (a.cut & Cut.PROXIED == 0)
    for group in groups_of(a, cut & outside, "client", "service"):
        mine = a[group]
        delay = int(mine.syn_rtt.max())
        if scene.networks(mine.server) < NETWORKS or delay - int(mine.syn_rtt.min()) > SAME_DELAY:
            continue
        baseline = scene.alive(mine)
        if not len(baseline) or not scene.nearer(mine, delay):
            continue
        measured = {
            "connections": len(mine), "networks": scene.networks(mine.server),
            "greeted_after_ms": round(delay / MS, 3),
        }  # fmt: skip
        witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:SHOWN]]
        witnesses += [Witness(frame, "baseline") for frame in a.frame[baseline].tolist()[:2]]
        servers = ", ".join(scene.text(n) for n in np.unique(mine.server)[:4].tolist())
        method = Method("forged_synack", "ip_address", "in_path", servers)
        subject = f"service {scene.text(mine.service[0])}"
        flows = tuple(mine.flow.tolist())
        found.append(Finding(GREETER, subject, flows, int(mine.end.max()), measured, tuple(witnesses), method))
    return found
