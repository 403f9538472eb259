"""Refusals that the host did not make: somebody on the path says no in its name, or in his own.

**How it shows.** Hosts in unrelated networks refuse a service's connections in one voice: the same distance, the same
delay, one numbering. Or a refusal is sooner than that host can be reached. Or a router says that hosts are prohibited
or unreachable, of one service and of no other; or says so, and the host answers the same packet after all. Or one SYN
is greeted by two machines, or one machine greets for several networks and then cuts everybody off.

**What it cannot see.** A host that refuses by itself, at its own distance and in its own time: a closed port. A forger
as far away as the host, that refuses once and drops the rest, looks the same.

**References.** RFC 9293 §3.10.7.1; RFC 1812 §5.2.7.1 and RFC 4443 §3.1 (ICMP); net4people/bbs #106 (TSPU answers SYNs with
RST/ACK), #294 (sinks that take connections); Wang et al., IMC 2017 (forged SYN/ACKs).
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from analyzer.addresses import network
from analyzer.controls import Fate, fates, groups_of, same_device
from analyzer.joins import flow_of
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import TCP_ACK, TCP_RST, TCP_SYN, Cut, Table, Vantage

METHOD = "ip_refusal"

MS, SECOND = 1_000_000, 1_000_000_000
NETWORKS = 2  # unrelated ones that one machine speaks for
WHOLE_SERVICE = 3  # addresses that refuse alike, and none that greets: two can be one site that is closed
SAME_DELAY = 4 * MS  # between refusals of one machine: its own path varies, hosts in unrelated networks differ by more
COUNTER = 256  # IP-IDs that one machine uses up between two refusals
HALF, HALF_MARGIN = 0.5, 5 * MS  # no detour halves the path and saves 5 ms as well
SAMPLES = 2  # round trips to a host, or hosts reached, before their least counts
TTL_APART = 3  # hops: routes shift by one or two
ONE_SYN = SECOND  # later, a SYN/ACK answers a repeated SYN (RFC 6298 §2.1)
AROUND = 60 * SECOND  # controls tell of the network as it was within this
OTHERS = 2  # hosts that answered meanwhile
MOST = 200  # targets that errors speak about, judged one by one
USED_BY_PEOPLE = ("messenger", "social")
PROHIBITED = (3 * 256 + 9, 3 * 256 + 10, 3 * 256 + 13, *(65536 + 256 + code for code in (1, 5, 6)))
UNREACHABLE = (3 * 256, 3 * 256 + 1, 3 * 256 + 3, *(65536 + 256 + code for code in (0, 3, 4)))


def _rule(name: str, strength: str, family: str, says: str, blind: str, source: str, action: str) -> Rule:
    return Rule(f"ip.{name}", "interference", strength, family, says, blind, source, action)


RESPONDER = _rule(
    "one_responder", "strong", "timing",
    "Hosts in unrelated networks refuse a service's connections from one distance, after one delay, in one numbering.",
    "Refusals made by unlike machines, or only for one network.",
    "net4people/bbs #106; closed ports of unrelated hosts share no numbering",
    "rst",
)  # fmt: skip
TOO_SOON = _rule(
    "refused_too_soon", "conclusive", "timing",
    "The connection was refused in less than half the shortest time to that host and back.",
    "Machines near the host.",
    "Speed of the path",
    "rst",
)  # fmt: skip
ADMIN = _rule(
    "icmp_admin", "strong", "content",
    "A router says that its administrator prohibits this destination.",
    "Whose administrator; some prohibit ports of their own customers.",
    "RFC 1812 §5.2.7.1, codes 9, 10, 13; RFC 4443 §3.1, codes 1, 5, 6",
    "icmp_reject",
)  # fmt: skip
BY_ROUTER = _rule(
    "icmp_by_router", "strong", "content",
    "One router calls hosts of a service in unrelated networks unreachable, while everybody else is reached through it.",
    "Routes to both that fail together.",
    "RFC 1812 §4.3.3.1: such errors come from where the route ends, and that is not one place for unrelated networks",
    "icmp_reject",
)  # fmt: skip
PORT_BY_ROUTER = _rule(
    "icmp_port_by_router", "strong", "content",
    "A machine that is not the destination says that nothing listens on its TCP port; hosts say that with a reset.",
    "NATs that speak for a host of their own.",
    "RFC 1122 §4.2.3.9; RFC 9293 §3.10.7.1",
    "icmp_reject",
)  # fmt: skip
ANSWERED = _rule(
    "icmp_then_answer", "conclusive", "order",
    "A router called the destination unreachable or prohibited, and the destination answered the same packet.",
    "Routers that drop what they refuse.",
    "A packet that was refused on the way cannot have arrived",
    "icmp_reject",
)  # fmt: skip
TWO_SYNACKS = _rule(
    "two_synacks", "strong", "order",
    "One SYN was greeted twice, with different sequence numbers, from different distances.",
    "Hosts that answer twice by themselves, from one distance.",
    "Wang et al., IMC 2017",
    "forged_synack",
)  # fmt: skip
GREETER = _rule(
    "one_greeter", "strong", "timing",
    "One machine greets for hosts in unrelated networks, nearer than any other host, and then cuts every connection.",
    "Greeters as far away as the hosts.",
    "net4people/bbs #294",
    "forged_synack",
)  # fmt: skip

RULES = (RESPONDER, TOO_SOON, ADMIN, BY_ROUTER, PORT_BY_ROUTER, ANSWERED, TWO_SYNACKS, GREETER)


def _greeted_twice(flows: Table) -> np.ndarray:
    honest = flows.cut & (Cut.PROXIED | Cut.ONE_DIRECTION | Cut.MIDWAY) == 0
    return honest & (flows.proto == 6) & (flows.synacks > 1) & (flows.syns > 0) & (flows.vantage != Vantage.SERVER)


WANTS = Wants(_greeted_twice, packets=True)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
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


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Refusals beside each other, and beside what the same hosts and others do."""
    scene = _Scene(seen, known)
    return [*_refusals(scene), *_greeters(scene), *_icmp(scene)]


class _Scene:
    """Attempts, their fates, and who answered meanwhile."""

    def __init__(self, seen: Seen, known: Knowledge):
        self.seen, self.known, self.a = seen, known, seen.attempts
        self.fate = fates(self.a, seen.text)
        kinds = {n: known.kind(seen.text(n)) for n in np.unique(self.a.service).tolist() if n >= 0}
        self.people = np.isin(self.a.service, [n for n, kind in kinds.items() if kind in USED_BY_PEOPLE])

    def text(self, number: int) -> str:
        return self.seen.text(int(number)) or ""

    def rows(self, flows: Iterable[int]) -> np.ndarray:
        """Rows of the attempts of some flows."""
        return np.flatnonzero(np.isin(self.a.flow, list(flows)))

    def networks(self, servers: np.ndarray) -> int:
        return len({network(self.text(n)) for n in np.unique(servers).tolist()})

    def alive(self, mine: Table) -> np.ndarray:
        """Other hosts, of other services, that answered this client meanwhile."""
        a = self.a
        other = (self.fate == Fate.FINE) & (a.proto == 6)
        other &= same_device(a, mine, self.seen) & ~np.isin(a.server, mine.server)
        other &= ~np.isin(a.service, mine.service[mine.service >= 0])
        other &= (a.start >= mine.start.min() - AROUND) & (a.start <= mine.end.max() + AROUND)
        return np.flatnonzero(other) if len(np.unique(a.server[other])) >= OTHERS else np.empty(0, np.int64)

    def least_rtt(self, besides: np.ndarray, client: int) -> int:
        """Least round trip to hosts of other services, ns; 0 where too few were reached."""
        a = self.a
        timed = (a.syn_rtt >= 0) & (a.client == client) & ~np.isin(a.server, besides) & (self.fate == Fate.FINE)
        return int(a.syn_rtt[timed].min()) if len(np.unique(a.server[timed])) > SAMPLES else 0


def _refusals(scene: _Scene) -> list[Finding]:
    """Resets that answered a SYN."""
    r = scene.seen.resets
    r = r[(r.nth == 0) & ~r.up & (r.asked < 0) & (r.heard == 0) & ~r.peer_closed & (r.tcp_flags & TCP_ACK != 0)]
    at = np.searchsorted(scene.a.flow, r.flow)
    mine = scene.a[np.minimum(at, max(len(scene.a) - 1, 0))] if len(r) else scene.a[:0]
    young = (mine.new_up == 0) & (mine.syns > 0) & (mine.vantage != Vantage.SERVER) & (mine.cut & Cut.PROXIED == 0)
    r, mine = r[young], mine[young]
    found = _too_soon(scene, r, mine)
    people = np.isin(mine.flow, scene.a.flow[scene.people])
    for group in groups_of(mine, people, "client", "service"):
        found += _one_responder(scene, r[group], mine[group])
    return found


def _too_soon(scene: _Scene, resets: Table, mine: Table) -> list[Finding]:
    """Resets that came in less than half the least round trip that other connections had to that host."""
    ends = scene.seen.endpoints
    ends = ends[(ends.proto == 6) & (ends.rtt >= 0) & ~np.isin(ends.flow, resets.flow)]
    servers, first, samples = np.unique(ends.server, return_index=True, return_counts=True)
    if not len(servers):
        return []
    least = np.minimum.reduceat(ends.rtt, first)  # endpoints come by server
    at = np.minimum(np.searchsorted(servers, resets.server), len(servers) - 1)
    reached = (servers[at] == resets.server) & (samples[at] >= SAMPLES)
    rtt = least[at]
    soon = reached & (mine.syns == 1) & (resets.idle < HALF * rtt) & (rtt - resets.idle >= HALF_MARGIN)
    found = []
    for i in np.flatnonzero(soon).tolist():
        reset = resets.row(i)
        measured = {"refused_after_ms": round(reset.idle / MS, 3), "least_rtt_ms": round(int(rtt[i]) / MS, 3)}
        witnesses = (Witness(int(mine.frame[i]), "trigger"), Witness(reset.frame, "forged"))
        method = Method("rst", "ip_address", "unknown", scene.text(reset.server))
        found.append(Finding(TOO_SOON, f"flow {reset.flow}", (reset.flow,), reset.ts, measured, witnesses, method))
    return found


def _one_responder(scene: _Scene, resets: Table, mine: Table) -> list[Finding]:
    once = mine.syns == 1
    if scene.networks(mine.server) < NETWORKS or not once.any():
        return []
    baseline = scene.alive(mine)
    delay = resets.idle[once]
    steady = len(np.unique(resets.ttl)) == 1 and int(delay.max() - delay.min()) <= SAME_DELAY
    how = _numbering(resets) or _nearer(scene, mine, int(delay.max())) or _all_alike(scene, mine)
    if not len(baseline) or not steady or not how or scene.networks(mine.server[once]) < NETWORKS:
        return []
    service, servers = scene.text(mine.service[0]), np.unique(mine.server)
    answered = np.isin(mine.flow, scene.a.flow[scene.a.synacks > 0])
    position = "on_path" if answered.all() else "in_path"
    method = Method("rst", "ip_address", position, ", ".join(scene.text(n) for n in servers[:4].tolist()))
    measured = {
        "refusals": len(mine), "networks": scene.networks(servers), "ttl": int(resets.ttl[0]),
        "delay_ms": [round(int(delay.min()) / MS, 3), round(int(delay.max()) / MS, 3)], "one_machine_by": how,
    }  # fmt: skip
    witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:8]]
    witnesses += [Witness(frame, "forged") for frame in resets.frame.tolist()[:8]]
    witnesses += [Witness(frame, "baseline") for frame in scene.a.frame[baseline].tolist()[:2]]
    flows = tuple(mine.flow.tolist())
    return [Finding(RESPONDER, f"service {service}", flows, int(resets.ts.max()), measured, tuple(witnesses), method)]


def _numbering(resets: Table) -> str | None:
    """What the IP-IDs of refusals show of one machine: one counter, one constant, or those of the SYNs."""
    ids = resets.ipid
    if len(ids) < 2 or (ids <= 0).any():
        return None
    if (ids == resets.answered_ipid).all():
        return "ip_id_of_the_syn"
    if (ids == ids[0]).all():
        return "ip_id_constant"
    steps = np.diff(ids[np.argsort(resets.ts, kind="stable")]) & 0xFFFF
    crossing = len(np.unique(resets.server)) > 1
    return "ip_id_counter" if crossing and ((steps > 0) & (steps <= COUNTER)).all() else None


def _nearer(scene: _Scene, mine: Table, delay: int) -> str | None:
    """Whether it is nearer than any host that was reached."""
    least = scene.least_rtt(mine.server, int(mine.client[0]))
    return "nearer_than_any_host" if delay < HALF * least and least - delay >= HALF_MARGIN else None


def _all_alike(scene: _Scene, mine: Table) -> str | None:
    """Whether it speaks for all of the service: several addresses, and none that ever greeted this client."""
    a = scene.a
    greeted = (a.service == mine.service[0]) & (a.client == mine.client[0]) & (a.proto == 6) & (a.synacks > 0)
    whole = len(np.unique(mine.server)) >= WHOLE_SERVICE and len(mine) > len(np.unique(mine.server))
    return "every_address_of_the_service" if whole and not greeted.any() else None


def _greeters(scene: _Scene) -> list[Finding]:
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
        if not len(baseline) or not _nearer(scene, mine, delay):
            continue
        measured = {
            "connections": len(mine), "networks": scene.networks(mine.server),
            "greeted_after_ms": round(delay / MS, 3),
        }  # fmt: skip
        witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:8]]
        witnesses += [Witness(frame, "baseline") for frame in a.frame[baseline].tolist()[:2]]
        servers = ", ".join(scene.text(n) for n in np.unique(mine.server)[:4].tolist())
        method = Method("forged_synack", "ip_address", "in_path", servers)
        subject = f"service {scene.text(mine.service[0])}"
        flows = tuple(mine.flow.tolist())
        found.append(Finding(GREETER, subject, flows, int(mine.end.max()), measured, tuple(witnesses), method))
    return found


def _icmp(scene: _Scene) -> list[Finding]:
    """ICMP errors of machines that are not the destination."""
    e = scene.seen.icmp_errors
    e = e[~e.from_target & np.isin(e.code, PROHIBITED + UNREACHABLE)]
    if not len(e):
        return []
    flow = flow_of(scene.a, e.client, e.client_port, e.server, e.port, e.proto, e.ts)
    at = np.searchsorted(scene.a.flow, flow)
    e, at = e[flow >= 0], at[flow >= 0]
    mine = scene.a[at]
    # at the client, and of hosts that it looked for by name or service: peers of file sharing are prohibited everywhere
    judged = (mine.vantage != Vantage.SERVER) & ((mine.name >= 0) | (mine.service >= 0))
    e, mine = e[judged], mine[judged]
    found = []
    for group in groups_of(mine, np.ones(len(mine), bool), "client", "target")[:MOST]:
        found += _about_target(scene, e[group], mine[group])
    people = np.isin(mine.flow, scene.a.flow[scene.people])
    for group in groups_of(mine, people, "client", "service"):
        found += _by_router(scene, e[group], mine[group])
    return found


def _about_target(scene: _Scene, errors: Table, mine: Table) -> list[Finding]:
    found = []
    baseline = scene.alive(mine)
    heard = (mine.packets_down > 0) & (mine.last_down > errors.ts)
    same_syn = heard & (mine.proto == 6) & (mine.syns == 1) & (mine.synacks > 0)
    if same_syn.any():
        found.append(_error(scene, ANSWERED, errors[same_syn], mine[same_syn], baseline, "on_path"))
    dead = ~heard
    prohibited = dead & np.isin(errors.code, PROHIBITED)
    if prohibited.any() and len(baseline):
        found.append(_error(scene, ADMIN, errors[prohibited], mine[prohibited], baseline, "in_path"))
    port = dead & np.isin(errors.code, (3 * 256 + 3, 65536 + 256 + 4)) & (mine.proto == 6)
    if port.any() and len(baseline):
        found.append(_error(scene, PORT_BY_ROUTER, errors[port], mine[port], baseline, "in_path"))
    return found


def _by_router(scene: _Scene, errors: Table, mine: Table) -> list[Finding]:
    found = []
    dead = ~((mine.packets_down > 0) & (mine.last_down > errors.ts))
    for router in np.unique(errors.router[dead]).tolist():
        his = dead & (errors.router == router) & np.isin(errors.code, UNREACHABLE)
        if scene.networks(mine.server[his]) >= NETWORKS and len(baseline := scene.alive(mine[his])):
            found.append(_error(scene, BY_ROUTER, errors[his], mine[his], baseline, "in_path"))
    return found


def _error(
    scene: _Scene, rule: Rule, errors: Table, mine: Table, baseline: np.ndarray, position: str
) -> Finding:  # fmt: skip
    routers = sorted({scene.text(n) for n in errors.router.tolist()})
    servers = sorted({scene.text(n) for n in mine.server.tolist()})
    measured: dict[str, Any] = {
        "errors": len(errors), "routers": routers[:4], "addresses": len(servers), "codes": sorted(set(errors.code.tolist())),
    }  # fmt: skip
    witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:8]]
    witnesses += [Witness(frame, "forged") for frame in errors.frame.tolist()[:8]]
    witnesses += [Witness(frame, "baseline") for frame in scene.a.frame[baseline].tolist()[:2]]
    method = Method("icmp_reject", "ip_address", position, ", ".join(servers[:4]))
    subject = f"service {scene.text(mine.service[0])}" if rule is BY_ROUTER else f"target {scene.text(mine.target[0])}"
    flows = tuple(sorted(set(mine.flow.tolist())))
    return Finding(rule, subject, flows, int(errors.ts.max()), measured, tuple(dict.fromkeys(witnesses)), method)
