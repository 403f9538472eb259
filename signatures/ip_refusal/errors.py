"""ICMP errors of machines that are not the destination."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.controls import groups_of
from analyzer.joins import flow_of
from analyzer.signature import Finding, Method, Rule, Witness
from analyzer.tables import Table, Vantage
from signatures.ip_refusal.scene import NETWORKS, SHOWN, Scene, forged

MOST = 200  # targets that errors speak about, judged one by one
PROHIBITED = (3 * 256 + 9, 3 * 256 + 10, 3 * 256 + 13, *(65536 + 256 + code for code in (1, 5, 6)))
UNREACHABLE = (3 * 256, 3 * 256 + 1, 3 * 256 + 3, *(65536 + 256 + code for code in (0, 3, 4)))

ADMIN = forged(
    "icmp_admin", "strong", "content",
    "A router says that its administrator prohibits this destination.",
    "Whose administrator; some prohibit ports of their own customers.",
    "RFC 1812 §5.2.7.1, codes 9, 10, 13; RFC 4443 §3.1, codes 1, 5, 6",
    "icmp_reject",
)  # fmt: skip
BY_ROUTER = forged(
    "icmp_by_router", "strong", "content",
    "One router calls hosts of a service in unrelated networks unreachable, while everybody else is reached through it.",
    "Routes to both that fail together.",
    "RFC 1812 §4.3.3.1: such errors come from where the route ends, and that is not one place for unrelated networks",
    "icmp_reject",
)  # fmt: skip
PORT_BY_ROUTER = forged(
    "icmp_port_by_router", "strong", "content",
    "A machine that is not the destination says that nothing listens on its TCP port; hosts say that with a reset.",
    "NATs that speak for a host of their own.",
    "RFC 1122 §4.2.3.9; RFC 9293 §3.10.7.1",
    "icmp_reject",
)  # fmt: skip
ANSWERED = forged(
    "icmp_then_answer", "conclusive", "order",
    "A router called the destination unreachable or prohibited, and the destination answered the same packet.",
    "Routers that drop what they refuse.",
    "A packet that was refused on the way cannot have arrived",
    "icmp_reject",
)  # fmt: skip

RULES = (ADMIN, BY_ROUTER, PORT_BY_ROUTER, ANSWERED)


def of_routers(scene: Scene) -> list[Finding]:
    """By target, and by service where one router speaks for all of it."""
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


def _about_target(scene: Scene, errors: Table, mine: Table) -> list[Finding]:
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


def _by_router(scene: Scene, errors: Table, mine: Table) -> list[Finding]:
    found = []
    dead = ~((mine.packets_down > 0) & (mine.last_down > errors.ts))
    for router in np.unique(errors.router[dead]).tolist():
        his = dead & (errors.router == router) & np.isin(errors.code, UNREACHABLE)
        if scene.networks(mine.server[his]) >= NETWORKS and len(baseline := scene.alive(mine[his])):
            found.append(_error(scene, BY_ROUTER, errors[his], mine[his], baseline, "in_path"))
    return found


def _error(
    scene: Scene, rule: Rule, errors: Table, mine: Table, baseline: np.ndarray, position: str
) -> Finding:  # fmt: skip
    routers = sorted({scene.text(n) for n in errors.router.tolist()})
    servers = sorted({scene.text(n) for n in mine.server.tolist()})
    measured: dict[str, Any] = {
        "errors": len(errors), "routers": routers[:4], "addresses": len(servers), "codes": sorted(set(errors.code.tolist())),
    }  # fmt: skip
    witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:SHOWN]]
    witnesses += [Witness(frame, "forged") for frame in errors.frame.tolist()[:SHOWN]]
    witnesses += [Witness(frame, "baseline") for frame in scene.a.frame[baseline].tolist()[:2]]
    method = Method("icmp_reject", "ip_address", position, ", ".join(servers[:4]))
    subject = f"service {scene.text(mine.service[0])}" if rule is BY_ROUTER else f"target {scene.text(mine.target[0])}"
    flows = tuple(sorted(set(mine.flow.tolist())))
    return Finding(rule, subject, flows, int(errors.ts.max()), measured, tuple(dict.fromkeys(witnesses)), method)
