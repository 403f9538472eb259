"""Causes on the capturing device itself: a firewall, a filter or security app, a hosts file, a tunnel.

**How it shows.** A capture on the device sees packets before its firewall takes them in, and after its firewall lets
them out. So a server's answer that is in the file, and that the device neither acknowledges nor refuses, was stopped on
the device. An app that filters as a proxy (a phone's capture app without root) refuses sooner than any network could
answer. A hosts file leads a name to an address that no lookup gave. A tunnel is told by its handshake.

**What it cannot see.** What never leaves the device: a firewall on the way out leaves nothing at all in the file, which
looks like an app that did not ask. A lookup before the capture looks like a hosts file. A router next to the device can
refuse as fast as the device. Tunnels in HTTPS look like HTTPS.

**References.** netfilter's packet flow: AF_PACKET sees packets before INPUT and after OUTPUT; RFC 9293 §3.10.7 on what
a host must acknowledge; PCAPdroid and zdtun, sources; Donenfeld, *WireGuard*, NDSS 2017, §5.4; OpenVPN's `ssl_pkt.h`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from analyzer.addresses import Place, place
from analyzer.controls import groups_of
from analyzer.serial import ahead
from analyzer.signature import Finding, Finished, Knowledge, Rule, Seen, Wants, Witness
from analyzer.tables import TCP_ACK, TCP_SYN, Cut, Stage, Table, Vantage
from analyzer.wire.tunnels import is_openvpn, sealed_tunnel, split_openvpn

METHOD = "device_causes"

MS, SECOND = 1_000_000, 1_000_000_000
AT_ONCE = 2 * MS  # no access link answers sooner (rst_injection)
UNTAKEN = 2  # copies of what fits and is not acknowledged: one may have been damaged, and dropped for that
INITIAL_TTLS = (64, 128, 255)  # what hosts send, and no router has touched
REFUSALS = 2  # before it is called a habit
OPENVPN_TCP = (443, 1194)  # where it is met over TCP
TUNNEL_LEAST = 10  # packets; whoever sends fewer has not sent anything through it
LOOKUPS = 3  # other names that the client looked up in the file, before a missing lookup is remarkable


def _rule(name: str, strength: str, says: str, blind: str, source: str, leans: str = "genuine", headers=False) -> Rule:
    return Rule(f"device.{name}", leans, strength, "none", says, blind, source, needs_headers=headers)


DEAF = _rule(
    "deaf", "strong",
    "The server's answers reached the device, and the device neither took nor refused them: a firewall or a filter on it.",
    "Damaged packets, which a system drops too; a capture beside the device; tools that write their own packets and stop.",
    "netfilter's packet flow; RFC 9293 §3.10.7: what fits is acknowledged, what does not as well; 0 of 13,882 benign flows",
    headers=True,
)  # fmt: skip
REFUSED_AT_ONCE = _rule(
    "refused_at_once", "strong",
    "The device, or the router next to it, refused the connections itself: at once, while everything outside takes time.",
    "Which of the two.",
    "Every link takes time, every router one off the TTL; zdtun greets or refuses when the real server has; 0 of 13,882",
)  # fmt: skip
NEVER_LOOKED_UP = _rule(
    "never_looked_up", "weak",
    "A known service was reached at an address that is not its own and that no lookup in this file gave: a setting on "
    "the device such as the hosts file, or an answer from before the capture.",
    "Which of the two; lookups that are encrypted for one name only.",
    "hosts(5): looked at before DNS is asked; 0 of 13,882 benign flows",
    leans="neutral",
)  # fmt: skip
SEALED = _rule(
    "sealed_tunnel", "weak",
    "This conversation is a tunnel: what runs inside is sealed, and no verdict speaks of it.",
    "Tunnels that look like something else.",
    "NDSS 2017, §5.4; OpenVPN's ssl_pkt.h; RFC 3948 and 7296; 19 flows in 1,684 captures, all of them tunnels",
    leans="limit",
)  # fmt: skip
RULES = (DEAF, REFUSED_AT_ONCE, NEVER_LOOKED_UP, SEALED)

_NOT_WHOLE = Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROXIED | Cut.GAP | Cut.PROBE


def _may_be_deaf(flows: Table) -> np.ndarray:
    untaken = (flows.new_down > 0) & (flows.unacked_down >= flows.new_down) & (flows.resent_down > 0)
    return _here(flows) & (_greeted_in_vain(flows) | untaken)


def _here(flows: Table) -> np.ndarray:
    """Of flows or attempts: TCP, captured at the client as it was, and never refused by it."""
    whole = (flows.proto == 6) & (flows.vantage == Vantage.CLIENT) & (flows.cut & _NOT_WHOLE == 0)
    return whole & (flows.rsts_up == 0)


def _greeted_in_vain(flows: Table) -> np.ndarray:
    return (flows.stage == Stage.SYNACK) & (flows.synacks >= UNTAKEN)


def _wanted(flows: Table) -> np.ndarray:
    other = (flows.protocol == "other") & (flows.bytes_up > 0)  # each tunnel's client says something
    other &= flows.packets_up + flows.packets_down >= TUNNEL_LEAST
    other &= (flows.proto == 17) | np.isin(flows.server_port, OPENVPN_TCP)
    return _may_be_deaf(flows) | other


WANTS = Wants(_wanted, packets=True, heads=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Answers that the device does not take, and tunnels."""
    found: list[Finding] = []
    deaf = _may_be_deaf(done.flows).tolist()
    for i, flow in enumerate(done.flows.rows()):
        if flow.protocol == "other" and (tunnel := _tunnel(done, i, flow)):
            witness = (Witness(flow.first_frame, "baseline"),)
            found.append(Finding(SEALED, f"flow {flow.flow}", (flow.flow,), flow.start, {"tunnel": tunnel}, witness))
        elif deaf[i]:
            found += _deaf(flow, done.rows(i))
    return found


def _tunnel(done: Finished, i: int, flow: SimpleNamespace) -> str | None:
    if flow.proto == 6:
        up, down = (split_openvpn(done.stream(i, side)) for side in (True, False))
        return "openvpn" if is_openvpn(up, down) else None
    up, down = ([piece.data for piece in done.segments(i, side)] for side in (True, False))
    return sealed_tunnel(up, down, flow.server_port)


def _deaf(flow: SimpleNamespace, packets: Table) -> Iterator[Finding]:
    """The server sends again and again what fits, and nothing from the client acknowledges it."""
    own = packets[(packets.icmp < 0) & (packets.tcp_flags >= 0) & (packets.dup_of < 0)]
    down, up = own[~own.up], own[own.up]
    said = down[(down.tcp_flags & TCP_SYN != 0) if flow.new_down == 0 else (down.payload_len > 0)]
    if not len(said) or not len(up):
        return
    offered = said[said.seq == said.seq[0]]
    beyond = ahead(up.ack, int(said.seq[0])) > 0
    later = up.ts > said.ts[0]  # the device is still there, and goes on asking
    taken = (up.tcp_flags & TCP_ACK != 0) & beyond & later
    if len(offered) < UNTAKEN or not later.any() or taken.any() or not _fits(offered, up):
        return
    witnesses = [Witness(int(frame), "contradicts") for frame in offered.frame[:UNTAKEN].tolist()]
    measured = {"answers": len(offered), "for_s": round(int(own.ts[-1] - offered.ts[0]) / SECOND, 1)}
    yield Finding(DEAF, f"flow {flow.flow}", (flow.flow,), int(offered.ts[UNTAKEN - 1]), measured, tuple(witnesses))


def _fits(offered: Table, up: Table) -> bool:
    """Whether what the server offers acknowledges bytes that the client had really sent: else, no host would take it."""
    begin = int(up.seq[0])
    sent = ahead(up.seq, begin) + up.payload_len + (up.tcp_flags & TCP_SYN != 0)
    heard = ahead(offered.ack, begin)
    return bool((heard > 0).all() and (heard <= sent.max()).all() and len(np.unique(offered.ttl)) == 1)


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Refusals by the device itself, and services at addresses that nobody looked up."""
    a = seen.attempts
    return [*_gone_quiet(a), *_refused_at_once(a, seen), *_never_looked_up(a, seen, known)]


def _gone_quiet(a: Table) -> Iterator[Finding]:
    """Greeted again and again, and not a word more from a client that is busy elsewhere: it got no further than itself."""
    quiet = _here(a) & _greeted_in_vain(a) & (a.syns == 1) & (a.packets_up == 1) & (a.end - a.start >= SECOND)
    for group in groups_of(a, quiet, "client"):
        others = a[(a.client == a.client[group[0]]) & ~quiet & (a.stage >= Stage.ANSWERED)]
        busy = others.last_up.max() if len(others) else -1
        for row in a[group].rows():
            if busy > row.end:
                measured = {"answers": row.synacks, "for_s": round((row.end - row.start) / SECOND, 1)}
                witnesses = (Witness(row.frame, "trigger"), Witness(row.last_frame, "contradicts"))
                yield Finding(DEAF, f"flow {row.flow}", (row.flow,), row.end, measured, witnesses)


def _refused_at_once(a: Table, seen: Seen) -> Iterator[Finding]:
    """Resets that came sooner than anything ever came from outside; of real ones also from no hop away."""
    invented = a.cut & Cut.PROXIED != 0
    here = (a.proto == 6) & ((a.vantage == Vantage.CLIENT) | invented) & (a.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION) == 0)
    outside = a.syn_rtt[here & (a.syn_rtt >= 0)]
    if not here.any() or len(outside) < REFUSALS or outside.min() <= AT_ONCE:
        return  # a proxy greets when the real server did: where that takes no time, nothing can be told by time
    resets = seen.resets[~seen.resets.up & (seen.resets.nth == 0) & (seen.resets.heard == 0)]
    of = np.searchsorted(a.flow, resets.flow)
    inside = of < len(a)
    resets, of = resets[inside], of[inside]
    near = invented[of] | np.isin(resets.ttl, INITIAL_TTLS)
    mine = (a.flow[of] == resets.flow) & here[of] & near
    to_syn = (a.stage[of] == Stage.SYN) & (resets.idle <= AT_ONCE)
    to_data = (a.stage[of] == Stage.ASKED) & (resets.asked >= 0) & (resets.ts - resets.asked <= AT_ONCE)
    frames = dict(zip(of.tolist(), resets.frame.tolist(), strict=True))
    hit = np.zeros(len(a), bool)
    hit[of[mine & (to_syn | to_data)]] = True
    for group in groups_of(a, hit, "client", "server", "port"):
        address = seen.text(int(a.server[group[0]])) or ""
        if len(group) < REFUSALS or place(address) is not Place.PUBLIC:  # others at home are as near
            continue
        measured = {"refused": len(group), "least_rtt_ms": round(int(outside.min()) / MS, 1)}
        witnesses = tuple(Witness(frames[row], "baseline") for row in group.tolist())
        subject, flows = f"address {address} port {a.port[group[0]]}", tuple(a.flow[group].tolist())
        yield Finding(REFUSED_AT_ONCE, subject, flows, int(a.end[group[-1]]), measured, witnesses)


def _never_looked_up(a: Table, seen: Seen, known: Knowledge) -> Iterator[Finding]:
    q = seen.questions
    by_name = seen.number("name")
    named = (a.name >= 0) & (a.service >= 0) & (a.by == by_name) & (a.cut & (Cut.MIDWAY | Cut.PROXIED) == 0)
    named &= (a.port == 443) | (a.port == 80)
    named &= ~np.isin(a.name, q.name) & (a.vantage != Vantage.SERVER)
    for group in groups_of(a, named, "client", "name", "server"):
        first = a.row(int(group[0]))
        service, server = seen.text(first.service), seen.text(first.server) or ""
        if not known.has_addresses(service) or known.owns_address(service, server):
            continue
        names = len(np.unique(q.name[q.client == first.client]))
        if names < LOOKUPS:
            continue
        flows, witnesses = tuple(a.flow[group].tolist()), (Witness(first.frame, "baseline"),)
        measured = {"address": server, "other_lookups": names}
        yield Finding(NEVER_LOOKED_UP, f"name {seen.text(first.name)}", flows, first.start, measured, witnesses)
