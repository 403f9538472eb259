"""What stands around a reset, and findings about it: the words of this folder.

Figures such as "0 | 26" are flows that fire, benign | with interference; the folder's docstring says of how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from analyzer.serial import ahead
from analyzer.signature import Finding, Method, Rule, Witness
from analyzer.tables import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Cut, Table

MS = 1_000_000
REORDERED_WITHIN, REORDERED_SHARE = 3 * MS, 0.25  # packets overtake each other by no more (NDSS 2009, section 3)
RESTED = 3000 * MS  # a pause after which a NAT or a balancer near the client may answer for what it has forgotten
TTL_APART = 3  # routes shift by a hop or two; 0 | 105 and 0 | 51 at three
SHOWN = 8  # resets and values named per finding

NDSS = "Weaver, Sommer, Paxson, NDSS 2009"
RACES_PROVE = Method("rst", position="on_path")  # both the injected and the genuine packet arrived


def forged(name: str, strength: str, family: str, says: str, blind: str, source: str) -> Rule:
    return Rule(f"rst.{name}", "interference", strength, family, says, blind, source, action="rst")


class Talk:
    """One flow's own packets in order, as plain values."""

    def __init__(self, flow: SimpleNamespace, rows: Table, of_client: bool):
        self.flow = flow
        self.packets = [p for p in rows[rows.icmp < 0].rows() if p.tcp_flags >= 0]
        rtts = (flow.ack_gap, flow.data_rtt_down) if of_client else (flow.syn_rtt, flow.data_rtt)
        self.rtt = next((rtt for rtt in rtts if rtt >= 0), 0)
        self.whole = not flow.cut & (Cut.ROWS | Cut.GAP)  # every packet of it is here
        self.guard = max(REORDERED_WITHIN, int(REORDERED_SHARE * self.rtt))


class Race:
    """The first reset of one side, while neither had closed, among what both sides sent before it and after."""

    def __init__(self, talk: Talk, reset: SimpleNamespace):
        self.talk, self.reset = talk, reset
        self.peer = [p for p in talk.packets if p.up != reset.up]
        own = [p for p in talk.packets if p.up == reset.up]
        self.before = [p for p in own if p.frame < reset.frame]
        after = []
        for p in talk.packets:  # up to a new connection on the same ports
            if p.frame > reset.frame:
                if p.tcp_flags & TCP_SYN and p.up:
                    break
                if p.up == reset.up:
                    after.append(p)
        self.after = after
        self.resets = [reset, *(p for p in after if p.tcp_flags & TCP_RST)]
        self.alive = [p for p in after if not p.tcp_flags & (TCP_RST | TCP_SYN)]

    @cached_property
    def behind(self) -> int:
        """Bytes by which the reset's number lies before the end of what its side had sent."""
        written = [end(p) for p in self.before if p.payload_len]
        return max([0, *(ahead(last, self.reset.seq) for last in written)])

    @cached_property
    def later(self) -> list[SimpleNamespace]:
        """What its side sent after the reset and not merely out of order."""
        # A true abort carries the sender's next number, so a reset from behind cannot have been overtaken by what follows.
        if self.behind:
            return self.alive
        return [p for p in self.alive if p.ts - self.reset.ts > self.talk.guard]

    @cached_property
    def unspoken(self) -> list[SimpleNamespace]:
        """Its resets until the other side has closed too: after a FIN, host and edge may both reset."""
        closes = (p.frame for p in self.peer if p.frame > self.reset.frame and p.tcp_flags & (TCP_FIN | TCP_RST))
        over = min(closes, default=None)
        return [r for r in self.resets if over is None or r.frame < over]

    @cached_property
    def earned(self) -> set[int]:
        """Where no socket is left, each packet that was still on its way earns a bare reset with that packet's ACK number."""
        return {p.ack for p in self.peer if p.tcp_flags & TCP_ACK}

    @cached_property
    def usual(self) -> set[int]:
        """TTLs of what its side sent before the reset."""
        return {p.ttl for p in self.before}

    def witnesses(self, resets: Sequence[SimpleNamespace]) -> list[Witness]:
        """Some of its resets: forged, but for those that the machine itself made when it had no socket left.

        Known by what they answer and by their distance, where another reset came over a distance of its own.
        """
        foreign = any(min((abs(r.ttl - ttl) for ttl in self.usual), default=0) >= TTL_APART for r in self.resets)

        def own(r: SimpleNamespace) -> bool:
            return foreign and r.ttl in self.usual and not r.tcp_flags & TCP_ACK and r.seq in self.earned

        return [Witness(r.frame, "contradicts" if own(r) else "forged") for r in resets[:SHOWN]]


def about(
    rule: Rule,
    reset: SimpleNamespace,
    measured: dict[str, Any],
    contradicted_by: SimpleNamespace | None = None,
    method: Method | None = None,
    resets: Sequence[Witness] = (),
) -> Finding:
    """A finding about a flow's reset: what triggered it, the reset or resets, and the packet that gives it away."""
    witnesses = [Witness(reset.request_frame, "trigger")] if reset.request_frame >= 0 else []
    witnesses += resets or [Witness(reset.frame, "forged" if rule.leans == "interference" else "baseline")]
    ts = reset.ts
    if contradicted_by is not None:
        witnesses.append(Witness(contradicted_by.frame, "contradicts"))
        ts = contradicted_by.ts
    return Finding(rule, f"flow {reset.flow}", (reset.flow,), ts, measured, tuple(witnesses), method)


def end(p: SimpleNamespace) -> int:
    """Sequence number after a packet."""
    return (p.seq + p.payload_len + bool(p.tcp_flags & TCP_SYN) + bool(p.tcp_flags & TCP_FIN)) & 0xFFFFFFFF


def in_ms(ns: int) -> float:
    return round(ns / MS, 3)
