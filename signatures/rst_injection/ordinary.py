"""Resets that a host, or the capturing device, made itself: farewells, refusals, and a client that is gone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from analyzer.addresses import Place, place
from analyzer.signature import Finding, Rule, Seen, Witness
from analyzer.tables import TCP_ACK, Stage, Table, Vantage
from signatures.rst_injection.path import sooner_than_half
from signatures.rst_injection.talk import MS, about, forged, in_ms

INITIAL_TTLS, AT_ONCE = (64, 128, 255), 2 * MS  # what hosts send; no access link answers sooner

CLIENT_GONE = forged(
    "client_gone", "supporting", "header",
    "Seen from the server, the client's machine denies a connection that it had just opened and never closed.",
    "Clients that crash, and closes that were lost on the way.",
    "Linux tcp_v4_send_reset: no ACK flag where no socket is left, ACK where a program aborts",
)  # fmt: skip
FROM_DEVICE = Rule(
    "rst.from_device", "genuine", "strong", "none",
    "The reset was made on the capturing device, or in the router next to it: it crossed no hop and took no time.",
    "A forger with that very TTL that is as near.",
    "IP: every router takes one off the TTL, and every link takes time",
)  # fmt: skip
AFTER_CLOSE = Rule(
    "rst.after_close", "genuine", "supporting", "none",
    "The reset came after a side had closed or reset the connection: an ordinary farewell.",
    "An injector that waits for the close.",
    "RFC 9293 §3.6.1, §3.10.7; 207 benign flows end so without timestamps alone",
)  # fmt: skip
REFUSED = Rule(
    "rst.refused", "genuine", "supporting", "none",
    "The connection was refused as a closed port does it: one RST/ACK to the SYN, not sooner than half the usual RTT.",
    "A machine in the path that refuses the same way; hosts on the internet that stand right beside the capture.",
    "RFC 9293 §3.10.7.1",
)  # fmt: skip

RULES = (CLIENT_GONE, FROM_DEVICE, AFTER_CLOSE, REFUSED)


def farewell(reset: SimpleNamespace, flow: SimpleNamespace) -> list[Finding]:
    """After a close; of connections that nobody asks about it is not told."""
    if not (flow.service or flow.sni or flow.host):
        return []
    witnesses = (Witness(reset.frame, "baseline"),)  # no request set it off: the close did
    return [Finding(AFTER_CLOSE, f"flow {reset.flow}", (reset.flow,), reset.ts, {}, witnesses)]


def gone(reset: SimpleNamespace) -> list[Finding]:
    """A machine answers for a socket that it no longer has; each late segment earns it one such reset more."""
    if not reset.up or reset.tcp_flags & TCP_ACK or reset.asked < 0 or not reset.heard:
        return []
    denial = [Witness(reset.frame, "contradicts")]  # its own; what was forged never came here
    return [about(CLIENT_GONE, reset, {"after_ms": in_ms(reset.ts - reset.asked)}, resets=denial)]


def answers_syn(resets: Table, flows: Table, seen: Seen) -> np.ndarray:
    """Which resets may be those of a closed port: once for each SYN, and from where a host can be."""
    to_syn = (flows.stage == Stage.SYN) & (resets.tcp_flags & TCP_ACK != 0) & (flows.rsts_down <= flows.syns)
    beside = (flows.vantage == Vantage.CLIENT) & np.isin(resets.ttl, INITIAL_TTLS) & (resets.idle <= AT_ONCE)
    for i in np.flatnonzero(to_syn & beside).tolist():  # where no host on the internet is
        to_syn[i] = place(seen.text(resets.server[i]) or "") in (Place.PRIVATE, Place.SINK)
    return to_syn


def refused(reset: SimpleNamespace, at_server: Table) -> list[Finding]:
    """In the host's own time."""
    if sooner_than_half(reset.idle, at_server.rtt[at_server.rtt >= 0]):
        return []
    return [about(REFUSED, reset, {"rst_after_syn_ms": in_ms(reset.idle)})]


def of_device(reset: SimpleNamespace, at_server: Table) -> list[Finding]:
    """A TTL that no router has touched, where the server's packets come with another, and no time to go anywhere."""
    if reset.ttl not in INITIAL_TTLS or reset.asked < 0 or reset.ts - reset.asked > AT_ONCE:
        return []
    others = {
        *at_server.ttl_low[at_server.ordinary > 0].tolist(),
        *at_server.ttl_synack[at_server.ttl_synack >= 0].tolist(),
    }
    if not others or reset.ttl in others:
        return []
    return [about(FROM_DEVICE, reset, {"after_ms": in_ms(reset.ts - reset.asked), "reset_ttl": reset.ttl})]
