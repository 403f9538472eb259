"""A scenario: who talks to whom over which path, and what the boxes on it do. Data, not code; families are in scenarios/."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tests.lab.defects import Defect
from tests.lab.middlebox import Delays
from tests.lab.resolver import Zone
from tests.lab.rules import Rule
from tests.lab.topology import Topology
from tests.lab.traffic import Activity
from tests.lab.world import CLIENT, CLIENT6, RESOLVER, Site, world


@dataclass(frozen=True)
class Scenario:
    """Everything that a run needs; two runs differ in times, ports and initial sequence numbers alone."""

    name: str
    family: str
    about: str  # what happens, and which real system or misfortune it is taken from
    does: tuple[Activity, ...]
    rules: tuple[Rule, ...] = ()
    path: Delays = Delays()
    topology: Topology = Topology()
    changes: dict[str, dict[str, object]] = field(default_factory=dict)  # of the world: site -> fields
    zones: dict[str, Zone] = field(default_factory=dict)  # resolver -> how it answers; "*" for all
    resolver: str = RESOLVER
    hosts: dict[str, str] = field(default_factory=dict)  # the device's hosts file
    clients: tuple[str, ...] = (CLIENT, CLIENT6)
    congestion: str = "cubic"  # control of both ends
    tail: float = 1.0  # seconds that the capture goes on after the last activity
    cause: str = ""  # why flows of the sites in `changes` go wrong, where nobody interferes
    client_defects: tuple[Defect, ...] = ()  # what is wrong with the capture itself
    server_defects: tuple[Defect, ...] = ()
    vpn: bool = False  # the device's traffic goes through a tunnel
    phone: bool = False  # also as a phone's VPN-mode capture renders it
    vantages: tuple[str, ...] = ("client", "server")

    @property
    def sites(self) -> dict[str, Site]:
        return world(self.changes)

    @property
    def interferes(self) -> bool:
        meant = any(not rule.cause for rule in self.rules) or any(zone.censors for zone in self.zones.values())
        return meant or (not self.cause and any(site.intercepted for site in self.sites.values()))

    @property
    def seed(self) -> int:
        return int.from_bytes(hashlib.blake2b(self.name.encode(), digest_size=6).digest(), "big")

    def rules_of(self, device: bool) -> tuple[Rule, ...]:
        """The rules of one of the two boxes; its log numbers them in this order."""
        return tuple(rule for rule in self.rules if rule.device == device)
