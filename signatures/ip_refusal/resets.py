"""Resets that refuse in the name of a host: too soon for it, or one machine for many."""

from __future__ import annotations

import numpy as np

from analyzer.controls import groups_of
from analyzer.signature import Finding, Method, Witness
from analyzer.tables import TCP_ACK, Cut, Table, Vantage
from signatures.ip_refusal.scene import HALF, HALF_MARGIN, MS, NETWORKS, SAME_DELAY, SAMPLES, SHOWN, Scene, forged

WHOLE_SERVICE = 3  # addresses that refuse alike, and none that greets: two can be one site that is closed
COUNTER = 256  # IP-IDs that one machine uses up between two refusals

RESPONDER = forged(
    "one_responder", "strong", "timing",
    "Hosts in unrelated networks refuse a service's connections from one distance, after one delay, in one numbering.",
    "Refusals made by unlike machines, or only for one network.",
    "net4people/bbs #106; closed ports of unrelated hosts share no numbering",
    "rst",
)  # fmt: skip
TOO_SOON = forged(
    "refused_too_soon", "conclusive", "timing",
    "The connection was refused in less than half the shortest time to that host and back.",
    "Machines near the host.",
    "Speed of the path",
    "rst",
)  # fmt: skip

RULES = (RESPONDER, TOO_SOON)


def refusals(scene: Scene) -> list[Finding]:
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


def _too_soon(scene: Scene, resets: Table, mine: Table) -> list[Finding]:
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


def _one_responder(scene: Scene, resets: Table, mine: Table) -> list[Finding]:
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
    witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:SHOWN]]
    witnesses += [Witness(frame, "forged") for frame in resets.frame.tolist()[:SHOWN]]
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


def _nearer(scene: Scene, mine: Table, delay: int) -> str | None:
    """Whether it is nearer than any host that was reached."""
    return "nearer_than_any_host" if scene.nearer(mine, delay) else None


def _all_alike(scene: Scene, mine: Table) -> str | None:
    """Whether it speaks for all of the service: several addresses, and none that ever greeted this client."""
    a = scene.a
    greeted = (a.service == mine.service[0]) & (a.client == mine.client[0]) & (a.proto == 6) & (a.synacks > 0)
    whole = len(np.unique(mine.server)) >= WHOLE_SERVICE and len(mine) > len(np.unique(mine.server))
    return "every_address_of_the_service" if whole and not greeted.any() else None
