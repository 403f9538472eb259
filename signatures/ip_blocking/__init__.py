"""Blocking by address or port: the first packet already goes nowhere.

**How it shows.** SYNs to a service's addresses are repeated and never answered, all of them, in unrelated networks,
while other hosts answer the same client in between; or one port of an address is dead and another answers. Connections
that were open when it began die with it. At the server the mirror image: its SYN/ACKs are repeated because the client
never hears one, though it hears others. `scene` says what counts as dead, and who counts as alive meanwhile.

**What it cannot see.** One silent address is down or blocked, and no capture at one place tells which. A service whose
operator took all of it down looks blocked; a border that fails looks like a block of everything abroad, so somebody
abroad must answer. A family of addresses that is broken for the client (IPv6, mostly) is no block.

**References.** Xue et al., IMC 2022 (TSPU, IP); OONI on Telegram (2018) and Myanmar (2021); RFC 6298 on repeated SYNs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.controls import groups_of
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, rules_of
from analyzer.tables import Stage, Table, Vantage
from signatures.ip_blocking.scene import ADDRESSES, AROUND, SECOND, Extent, Scene

METHOD = "ip_blocking"

REPEATED = 3  # SYNs on one connection: two lost in a row happen once in a hundred at 10 % loss
SAME_MOMENT = 15 * SECOND  # between the last byte heard on an open connection and the first SYN that is not
MOST = 1000  # silent addresses named one by one

_rule = rules_of("ip", "drop", needs_headers=False)

SILENT = _rule(
    "syn_silent", "weak", "silence",
    "An address never answers, while others do.",
    "A host that is down.",
    "RFC 9293 §3.8.3",
)  # fmt: skip
SERVICE = _rule(
    "service_silent", "strong", "silence",
    "Every address of a service that was tried is silent from the first packet on, while other hosts answer in between.",
    "A service that is down everywhere at once.",
    "Xue et al., IMC 2022; OONI on Telegram",
)  # fmt: skip
SERVICES = _rule(
    "services_silent", "strong", "silence",
    "Services that have nothing to do with each other are silent at the same time, while other hosts answer in between.",
    "Their common host, where they have one.",
    "messaging research 2018 to 2026: several messengers are blocked at once",
)  # fmt: skip
DIED_TOO = _rule(
    "died_with_it", "supporting", "silence",
    "A connection that was open to one of these addresses died at the moment from which on nothing is answered there.",
    "A host that goes down.",
    "Onset of address blocks inside a capture",
)  # fmt: skip
PORT = _rule(
    "one_port", "strong", "silence",
    "A port that the service is known to serve is silent, while the same address answers on another.",
    "A service that has closed the port.",
    "net4people/bbs #511; DNS over TLS in Iran, 2022",
)  # fmt: skip
UNHEARD = _rule(
    "synack_unheard", "strong", "silence",
    "Seen at the server: clients ask again and again although they were answered, and elsewhere the same client is fine.",
    "Clients that cannot receive at all.",
    "Xue et al., IMC 2022: addresses dropped in one direction",
)  # fmt: skip

RULES = (SILENT, SERVICE, SERVICES, DIED_TOO, PORT, UNHEARD)


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Silent addresses beside those that answer."""
    scene = Scene(seen, known)
    found = _at_server(scene)
    for device in scene.devices():
        told = [*_services(device), *_ports(device)]
        found += told + _lonely(device, {flow for finding in told for flow in finding.flows})
    return found


def _services(scene: Scene) -> list[Finding]:
    """Services of which nothing answers, whole or in one role."""
    silent = [group for group in _silent_groups(scene) if len(scene.alive(group))]
    found, told = [], set()
    for n, group in enumerate(silent):
        extent = Extent.of(scene.a[group])
        if extent.enough and extent.addresses >= ADDRESSES:
            found += _silent(scene, SERVICE, group, extent)
            told.add(n)
    for n, group in enumerate(silent):
        same_time = [other for other in silent if _together(scene, group, other)]
        together = np.concatenate(same_time)
        extent = Extent.of(scene.a[together])
        services = np.unique(scene.a.service[together])
        with_told = any(other is silent[k] for other in same_time for k in told)
        if n not in told and len(services) > 1 and extent.enough and (with_told or scene.networks(together) > 1):
            found += _silent(scene, SERVICES, group, extent, services=len(services))
    return found


def _silent_groups(scene: Scene) -> list[np.ndarray]:
    """Dead attempts by client, service and family; by role as well, where another role of the service answers."""
    a, groups = scene.a, []
    for six in (False, True):
        for group in groups_of(a, scene.dead & scene.people & (scene.six == six), "client", "service"):
            mask = np.zeros(len(a), bool)
            mask[group] = True
            if scene.greeted_meanwhile(group, "service"):
                parts = groups_of(a, mask, "role")
                groups += [part for part in parts if not scene.greeted_meanwhile(part, "service", "role")]
            else:
                groups.append(group)
    return [g for g in groups if a.syns[g].sum() >= REPEATED and not scene.greeted_meanwhile(g, "server", "port")]


def _together(scene: Scene, group: np.ndarray, other: np.ndarray) -> bool:
    """Over the same family, and overlapping in time."""
    a, b = scene.a[group], scene.a[other]
    same = scene.six[group[0]] == scene.six[other[0]]
    return bool(same and a.start.min() <= b.end.max() and b.start.min() <= a.end.max())


def _silent(scene: Scene, rule: Rule, group: np.ndarray, extent: Extent, **more: Any) -> list[Finding]:
    """A silent service, and what was open to its addresses when that began."""
    a, mine = scene.a, scene.a[group]
    baseline = scene.alive(group)
    first, last = mine.start.min(), mine.end.max()
    datagrams = scene.unheard & (a.client == mine.client[0]) & (a.service == mine.service[0])
    datagrams &= (a.start >= first - SAME_MOMENT) & (a.start <= last)
    service = scene.text(mine.service[0])
    addresses = sorted({scene.text(n) for n in mine.server.tolist()})
    method = Method("drop", "ip_address", "in_path", ", ".join(addresses[:4]))
    family = "IPv6" if scene.six[group[0]] else "IPv4"
    subject = f"service {service} {scene.text(mine.role[0])} over {family}"
    measured = extent.measured() | {"others_answered": len(np.unique(a.server[baseline]))} | more
    measured |= {"datagrams_unanswered": int(a.packets_up[datagrams].sum())} if datagrams.any() else {}
    whole = np.union1d(group, np.flatnonzero(datagrams))
    found = [scene.finding(rule, subject, whole, measured, baseline, method)]
    died = scene.greeted & np.isin(a.server, mine.server) & (a.client == mine.client[0]) & (a.unacked_up > 0)
    died &= (a.alone_up > 1) & (a.last_down <= first) & (a.last_down >= first - SAME_MOMENT)
    if died.any():
        rows = np.flatnonzero(died)
        before = {
            "connections": len(rows),
            "before_first_syn_s": round(float(first - a.last_down[rows].max()) / SECOND, 1),
        }
        found.append(scene.finding(DIED_TOO, subject, rows, before, baseline, method))
    return found


def _ports(scene: Scene) -> list[Finding]:
    """Ports that are dead at addresses which answer on another one."""
    a, found = scene.a, []
    others = a[a.packets_down > 0]
    for group in groups_of(a, scene.dead & (a.service >= 0), "client", "port"):
        alike = group[scene.people[group]]
        served = np.array(
            [row for row in group.tolist() if _serves(scene, row) and _answers_elsewhere(a.row(row), others)], np.int64
        )
        if len(served) < ADDRESSES or scene.greeted_meanwhile(group, "server", "port") or not len(scene.alive(group)):
            continue
        port = str(a.port[group[0]])
        served = np.union1d(served, alike)  # what else of such services is dead on that port meanwhile
        extent = Extent.of(a[served])
        subject = f"port {port} of {scene.text(a.client[group[0]])}"
        method = Method("drop", "port", "in_path", port)
        found.append(scene.finding(PORT, subject, served, extent.measured(), scene.alive(group), method))
    return found


def _serves(scene: Scene, row: int) -> bool:
    """Whether the address is of a service that is known to serve this port."""
    label = scene.known.label_address(scene.text(scene.a.server[row]), int(scene.a.port[row]), 6)
    return label is not None and label.role is not None


def _answers_elsewhere(attempt: Any, others: Table) -> bool:
    """Whether the address answered this client on another port, not long before or after."""
    same = (others.server == attempt.server) & (others.client == attempt.client) & (others.port != attempt.port)
    return bool((same & (others.start >= attempt.start - AROUND) & (others.start <= attempt.end + AROUND)).any())


def _at_server(scene: Scene) -> list[Finding]:
    """Clients that never hear that they were answered, and hear another address of this place."""
    a, found = scene.a, []
    at_server = (a.vantage == Vantage.SERVER) | (a.vantage == Vantage.UNKNOWN)
    deaf = (
        at_server
        & (a.stage == Stage.SYNACK)
        & (a.syns >= REPEATED)
        & (a.synacks >= REPEATED)
        & (a.packets_up == a.syns)
    )
    for group in groups_of(a, deaf, "client", "service"):
        mine = a[group]
        extent = Extent.of(mine)
        heard = (a.client == mine.client[0]) & (a.stage >= Stage.OPEN) & ~np.isin(a.server, mine.server)
        heard &= (a.start >= mine.start.min() - AROUND) & (a.start <= mine.end.max() + AROUND)
        served = np.isin(a.server, mine.server) & (a.client == mine.client[0]) & (a.stage >= Stage.OPEN)
        if extent.addresses >= ADDRESSES and extent.enough and heard.any() and not served.any():
            method = Method("drop", "ip_address", "in_path", scene.text(mine.server[0]))
            subject = f"client {scene.text(mine.client[0])} {scene.text(mine.service[0])}"
            found.append(scene.finding(UNHEARD, subject, group, extent.measured(), np.flatnonzero(heard), method))
    return found


def _lonely(scene: Scene, told: set[int]) -> list[Finding]:
    """Silent addresses about which nothing more can be said."""
    a, found = scene.a, []
    named = scene.dead & (a.syns >= REPEATED) & ((a.service >= 0) | (a.name >= 0)) & ~np.isin(a.flow, list(told))
    for group in groups_of(a, named, "client", "server", "port")[:MOST]:
        baseline = scene.alive(group)
        if len(baseline) and not scene.greeted_meanwhile(group, "server", "port"):
            subject = f"address {scene.text(a.server[group[0]])} port {a.port[group[0]]}"
            method = Method("drop", "none_seen", "unknown")
            found.append(scene.finding(SILENT, subject, group, Extent.of(a[group]).measured(), baseline, method))
    return found
