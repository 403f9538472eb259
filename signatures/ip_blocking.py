"""Blocking by address or port: the first packet already goes nowhere.

**How it shows.** SYNs to a service's addresses are repeated and never answered, all of them, in unrelated networks,
while other hosts answer the same client in between; or one port of an address is dead and another answers. Connections
that were open when it began die with it. At the server the mirror image: its SYN/ACKs are repeated because the client
never hears one, though it hears others.

**What it cannot see.** One silent address is down or blocked, and no capture at one place tells which. A service whose
operator took all of it down looks blocked; a border that fails looks like a block of everything abroad, so somebody
abroad must answer. A family of addresses that is broken for the client (IPv6, mostly) is no block.

**References.** Xue et al., IMC 2022 (TSPU, IP); OONI on Telegram (2018) and Myanmar (2021); RFC 6298 on repeated SYNs.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from analyzer.addresses import networks
from analyzer.controls import DATAGRAMS, groups_of, same_device, used_by_people
from analyzer.signature import Finding, Finished, Knowledge, Method, Rule, Seen, Wants, Witness
from analyzer.tables import Cut, End, Stage, Table, Vantage

METHOD = "ip_blocking"

SECOND = 1_000_000_000
SYNS, ADDRESSES, LASTED = 8, 2, 10 * SECOND  # applications give up after two or three tries of three SYNs each
REPEATED = 3  # SYNs on one connection: two lost in a row happen once in a hundred at 10 % loss
AROUND = 60 * SECOND  # controls tell of the network as it was within this
OTHERS = 2  # hosts that must have answered around it, one of them in between
SAME_MOMENT = 15 * SECOND  # between the last byte heard on an open connection and the first SYN that is not
MOST = 1000  # silent addresses named one by one


def _rule(
    name: str, strength: str, family: str, says: str, blind: str, source: str, action: str | None = "drop"
) -> Rule:
    return Rule(f"ip.{name}", "interference", strength, family, says, blind, source, action, needs_headers=False)


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
WANTS = Wants(lambda flows: np.zeros(len(flows), bool), packets=False)


def detect(done: Finished, known: Knowledge) -> list[Finding]:
    """Nothing: one silent connection is nothing."""
    return []


def across(seen: Seen, known: Knowledge) -> list[Finding]:
    """Silent addresses beside those that answer."""
    scene = _Scene(seen, known)
    found = _at_server(scene)
    for device in scene.devices():
        told = [*_services(device), *_ports(device)]
        found += told + _lonely(device, {flow for finding in told for flow in finding.flows})
    return found


class _Scene:
    """Attempts with what is dead among them, and what answers meanwhile."""

    def __init__(self, seen: Seen, known: Knowledge):
        self.a, self.seen, self.known = seen.attempts, seen, known
        a = self.a
        honest = (a.vantage != Vantage.SERVER) & (
            a.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROBE | Cut.PROXIED) == 0
        )
        unanswered = (
            (a.proto == 6) & (a.stage == Stage.SYN) & (a.synacks == 0) & (a.rsts_down == 0) & (a.packets_down == 0)
        )
        self.dead = honest & unanswered & (a.ended_by != End.ICMP) & (a.ended_by != End.RST_UP) & (a.syns > 1)
        self.greeted = honest & (a.synacks > 0)
        # datagrams alone prove nothing, calls and QUIC have filters of their own; beside dead SYNs they count as well
        self.unheard = honest & (a.proto == 17) & (a.packets_down == 0) & (a.packets_up >= DATAGRAMS)
        text = seen.text
        self.people = used_by_people(a, seen, known)
        self.domestic = np.isin(a.service, [n for n in np.unique(a.service).tolist() if known.is_domestic(text(n))])
        six = {n: ":" in (text(n) or "") for n in np.unique(a.server).tolist()}
        self.six = np.isin(a.server, [n for n, is_six in six.items() if is_six])

    def devices(self) -> Iterator[_Scene]:
        """One scene for each device of which something is dead and enough is alive; the whole where there is one."""
        clients, at = np.unique(self.a.client, return_inverse=True)
        dead, greeted = (np.bincount(at, mask, len(clients)) for mask in (self.dead, self.greeted))
        if not dead.any():
            return
        if same_device(self.a, self.a[np.flatnonzero(self.dead)[:1]], self.seen).all():
            yield self
            return
        order = np.argsort(at, kind="stable")
        for rows, n, alive in zip(np.split(order, np.cumsum(np.bincount(at))[:-1]), dead, greeted, strict=True):
            if n and alive >= OTHERS:
                yield self._part(rows)

    def _part(self, rows: np.ndarray) -> _Scene:
        part = copy(self)
        for name in ("a", "dead", "greeted", "unheard", "people", "domestic", "six"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def text(self, number: int) -> str:
        return self.seen.text(int(number)) or ""

    def alive(self, group: np.ndarray) -> np.ndarray:
        """Hosts abroad that answered the same client around a dead group, one of them in between and over the same family."""
        a, mine = self.a, self.a[group]
        first, last = mine.start.min(), mine.end.max()
        other = self.greeted & ~self.domestic & ~np.isin(a.server, mine.server)
        other &= ~np.isin(a.service, mine.service[mine.service >= 0])
        near = other & (a.start >= first - AROUND) & (a.start <= last + AROUND)
        between = near & (a.start >= first) & (a.start <= last) & (self.six == self.six[group[0]])
        if len(np.unique(a.server[near])) < OTHERS or not between.any():
            return np.empty(0, np.int64)
        return np.concatenate((np.flatnonzero(between), np.flatnonzero(near & ~between)))

    def networks(self, rows: np.ndarray) -> int:
        return len(networks(self.a.server[rows], self.seen.text))

    def greeted_meanwhile(self, group: np.ndarray, *columns: str) -> bool:
        """Whether something that agrees with the group in these columns was greeted between its first and last SYN."""
        a, mine = self.a, self.a[group]
        same = self.greeted & (a.client == mine.client[0])
        for name in columns:
            same &= np.isin(a.columns[name], mine.columns[name])
        return bool((same & (a.start >= mine.start.min()) & (a.start <= mine.end.max())).any())

    def finding(
        self, rule: Rule, subject: str, group: np.ndarray, measured: dict[str, Any], baseline: np.ndarray, method: Method | None
    ) -> Finding:  # fmt: skip
        mine = self.a[group]
        witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:8]]
        witnesses += [Witness(frame, "missing_after") for frame in mine.last_frame.tolist()[:8]]
        witnesses += [Witness(frame, "baseline") for frame in self.a.frame[baseline].tolist()[:3]]
        flows = tuple(mine.flow.tolist())
        ts = int(mine.end.max())
        return Finding(rule, subject, flows, ts, measured, tuple(dict.fromkeys(witnesses)), method)


class _Extent(NamedTuple):
    """How much was tried in vain."""

    syns: int
    addresses: int
    lasted: int

    @classmethod
    def of(cls, a: Table) -> _Extent:
        return cls(int(a.syns.sum()), len(np.unique(a.server)), int(a.end.max() - a.start.min()))

    @property
    def enough(self) -> bool:
        return self.syns >= SYNS and self.lasted >= LASTED

    def measured(self) -> dict[str, Any]:
        return {"syns": self.syns, "addresses": self.addresses, "over_s": round(self.lasted / SECOND, 1)}


def _services(scene: _Scene) -> list[Finding]:
    """Services of which nothing answers, whole or in one role."""
    silent = [group for group in _silent_groups(scene) if len(scene.alive(group))]
    found, told = [], set()
    for n, group in enumerate(silent):
        extent = _Extent.of(scene.a[group])
        if extent.enough and extent.addresses >= ADDRESSES:
            found += _silent(scene, SERVICE, group, extent)
            told.add(n)
    for n, group in enumerate(silent):
        same_time = [other for other in silent if _together(scene, group, other)]
        together = np.concatenate(same_time)
        extent = _Extent.of(scene.a[together])
        services = np.unique(scene.a.service[together])
        with_told = any(other is silent[k] for other in same_time for k in told)
        if n not in told and len(services) > 1 and extent.enough and (with_told or scene.networks(together) > 1):
            found += _silent(scene, SERVICES, group, extent, services=len(services))
    return found


def _silent_groups(scene: _Scene) -> list[np.ndarray]:
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


def _together(scene: _Scene, group: np.ndarray, other: np.ndarray) -> bool:
    """Over the same family, and overlapping in time."""
    a, b = scene.a[group], scene.a[other]
    same = scene.six[group[0]] == scene.six[other[0]]
    return bool(same and a.start.min() <= b.end.max() and b.start.min() <= a.end.max())


def _silent(scene: _Scene, rule: Rule, group: np.ndarray, extent: _Extent, **more: Any) -> list[Finding]:
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


def _ports(scene: _Scene) -> list[Finding]:
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
        extent = _Extent.of(a[served])
        subject = f"port {port} of {scene.text(a.client[group[0]])}"
        method = Method("drop", "port", "in_path", port)
        found.append(scene.finding(PORT, subject, served, extent.measured(), scene.alive(group), method))
    return found


def _serves(scene: _Scene, row: int) -> bool:
    """Whether the address is of a service that is known to serve this port."""
    label = scene.known.label_address(scene.text(scene.a.server[row]), int(scene.a.port[row]), 6)
    return label is not None and label.role is not None


def _answers_elsewhere(attempt: Any, others: Table) -> bool:
    """Whether the address answered this client on another port, not long before or after."""
    same = (others.server == attempt.server) & (others.client == attempt.client) & (others.port != attempt.port)
    return bool((same & (others.start >= attempt.start - AROUND) & (others.start <= attempt.end + AROUND)).any())


def _at_server(scene: _Scene) -> list[Finding]:
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
        extent = _Extent.of(mine)
        heard = (a.client == mine.client[0]) & (a.stage >= Stage.OPEN) & ~np.isin(a.server, mine.server)
        heard &= (a.start >= mine.start.min() - AROUND) & (a.start <= mine.end.max() + AROUND)
        served = np.isin(a.server, mine.server) & (a.client == mine.client[0]) & (a.stage >= Stage.OPEN)
        if extent.addresses >= ADDRESSES and extent.enough and heard.any() and not served.any():
            method = Method("drop", "ip_address", "in_path", scene.text(mine.server[0]))
            subject = f"client {scene.text(mine.client[0])} {scene.text(mine.service[0])}"
            found.append(scene.finding(UNHEARD, subject, group, extent.measured(), np.flatnonzero(heard), method))
    return found


def _lonely(scene: _Scene, told: set[int]) -> list[Finding]:
    """Silent addresses about which nothing more can be said."""
    a, found = scene.a, []
    named = scene.dead & (a.syns >= REPEATED) & ((a.service >= 0) | (a.name >= 0)) & ~np.isin(a.flow, list(told))
    for group in groups_of(a, named, "client", "server", "port")[:MOST]:
        baseline = scene.alive(group)
        if len(baseline) and not scene.greeted_meanwhile(group, "server", "port"):
            subject = f"address {scene.text(a.server[group[0]])} port {a.port[group[0]]}"
            method = Method("drop", "none_seen", "unknown")
            found.append(scene.finding(SILENT, subject, group, _Extent.of(a[group]).measured(), baseline, method))
    return found
