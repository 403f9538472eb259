"""Messengers, social and domestic services, and the controls beside them, as `analyzer.signature.Knowledge`.

Read from `data/services/*.toml`, one file a service (or a group of controls), every fact with its source and date. A
new messenger is a new file; its form is described in `data/services/README.md`.

Names are matched by the longest suffix that is known. An address names a service only where its blocks are the
service's own (`dedicated`) or, in rented ones, with a port of its own (`rented`); blocks that many share (`hosting`)
name nobody, and blocks of an operator name the operator only. A port alone never names anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.signature import Label, Payload
from signatures.knowledge.prefixes import Prefixes
from signatures.knowledge.wire_rules import PROTOCOLS, WireRule, WireRules, port_ranges, read_rules

DATA = Path(__file__).parents[1] / "data" / "services"
KINDS = ("messenger", "social", "domestic", "operator", "check", "resolver", "stun", "push", "time")
ROLES = ("web", "chat", "dc", "media", "calls", "api", "auth", "push", "updates", "check", "dns", "time")
APPS = ("messenger", "social", "domestic")  # kinds that people know as an app
SCOPES = ("dedicated", "rented", "hosting")
NO_ROLE = "any"  # names whose use is not known
MAX_LABELS = 8  # of a name, from its end: no known name has more
MAX_REMEMBERED = 4096  # addresses


class Ports(NamedTuple):
    """Ports of a service."""

    proto: int
    low: int
    high: int
    role: str | None


class Check(NamedTuple):
    """A connectivity check of a device: what it asks, and what it hears on an open network."""

    url: str
    status: int
    body: str | None  # None: not known
    asked_by: str


@dataclass(frozen=True, slots=True)
class Service:
    """One service, operator or control. `facts` is its data as read: notes, sources, prose on the wire format."""

    id: str
    name: str
    operator: str
    kind: str  # one of KINDS
    domestic_in: tuple[str, ...]  # ISO 3166 codes of countries in which it serves as a domestic control
    names: dict[str, tuple[str, ...]]  # by role
    scope: str | None  # one of SCOPES, of its own address blocks
    prefixes: tuple[str, ...]
    addresses_of: str | None  # the operator whose shared addresses it uses too
    ports: tuple[Ports, ...]
    facts: dict[str, Any]

    def role_of(self, proto: int, port: int) -> Ports | None:
        """The ports entry that a port falls under."""
        return next((p for p in self.ports if p.proto == proto and p.low <= port <= p.high), None)


class Services:
    """All services. `Services.load()` reads them; nothing changes afterwards."""

    def __init__(self, services: list[Service], rules: list[WireRule], checks: dict[str, Check], date: str):
        self.date = date  # newest date of the data, ISO
        self._services = {service.id: service for service in services}
        self._checks = checks
        self._rules = WireRules(rules)
        self._names: dict[str, Label] = {}
        self._apps = {service.name.lower(): service.id for service in services if service.kind in APPS}
        prefixes = Prefixes()
        for service in services:
            for role, names in service.names.items():
                for name in names:
                    label = Label(service.id, None if role == NO_ROLE else role, "name")
                    if self._names.setdefault(name, label) != label:
                        raise ValueError(f"{name} belongs to {self._names[name].service} and {service.id}")
            for prefix in service.prefixes:
                prefixes.add(prefix, service.id)
        self._holders = lru_cache(MAX_REMEMBERED)(lambda address: tuple(prefixes.holders(address)))

    @classmethod
    def load(cls, folder: Path = DATA) -> Services:
        """Read all files of a folder, in the order of their names. Errors: ValueError where they contradict."""
        services: list[Service] = []
        rules: list[WireRule] = []
        checks: dict[str, Check] = {}
        dates: list[str] = []
        for path in sorted(folder.glob("*.toml")):
            facts = tomllib.loads(path.read_text("utf-8"))
            dates.append(facts["date"])
            for row in facts.get("checks", ()):
                checks[row["url"].partition("://")[2]] = Check(
                    row["url"], row["status"], row.get("body"), row["asked_by"]
                )
            for service_id, member in _members(path.stem, facts):
                services.append(_service(service_id, member))
                rules += read_rules(service_id, member.get("wire", ()))
        return cls(services, rules, checks, max(dates, default=""))

    # -- identification ------------------------------------------------------------------------------------------
    def label_app(self, app: str) -> Label | None:
        """By the name that the capturing device gives the app: the service's own name, or that with a word behind it."""
        service = self._apps.get(app.lower()) or self._apps.get(app.lower().partition(" ")[0])
        return Label(service, None, "app") if service else None

    def label_name(self, name: str) -> Label | None:
        """By the longest known suffix of a host name."""
        labels = name.lower().rstrip(".").rsplit(".", MAX_LABELS)[-MAX_LABELS:]
        for start in range(len(labels)):
            label = self._names.get(".".join(labels[start:]))
            if label is not None:
                return label
        return None

    def label_address(self, address: str, port: int, proto: int) -> Label | None:
        """By the closest block that may name its holder."""
        for holder in self._holders(address):
            service = self._services[holder]
            ports = service.role_of(proto, port)
            if service.scope == "dedicated" or (service.scope == "rented" and ports):
                return Label(holder, ports.role if ports else None, "prefix")
        return None

    def label_bytes(self, up: Payload, down: Payload, proto: int, address: str, port: int) -> Label | None:
        """By strict byte patterns at the start of either direction."""
        rule = self._rules.match(up, down, proto, port, self._holders(address))
        return Label(rule.service, rule.role, "bytes") if rule else None

    # -- facts about services --------------------------------------------------------------------------------------
    def service_name(self, service: str) -> str:
        """The name that people know it by; the id itself where it is not known."""
        known = self._services.get(service)
        return known.name if known else service

    def kind(self, service: str | None) -> str | None:
        known = self._services.get(service or "")
        return known.kind if known else None

    def is_domestic(self, service: str | None) -> bool:
        """Whether it serves as a domestic control: hosted in one country, and hardly used elsewhere."""
        known = self._services.get(service or "")
        return known is not None and bool(known.domestic_in)

    def owns_address(self, service: str | None, address: str) -> bool:
        """Whether an address belongs to a service, or to its operator's addresses that it shares; not at hosters."""
        known = self._services.get(service or "")
        if known is None:
            return False
        own = {known.id, known.addresses_of}
        return any(holder in own and self._services[holder].scope != "hosting" for holder in self._holders(address))

    def has_addresses(self, service: str | None) -> bool:
        """Whether all addresses of a service are known: its own, or its operator's."""
        known = self._services.get(service or "")
        holders = (known, self._services.get(known.addresses_of or "")) if known else ()
        return any(holder is not None and holder.scope == "dedicated" and bool(holder.prefixes) for holder in holders)

    def is_resolver(self, address: str) -> bool:
        """Whether it is an address of a public DNS resolver."""
        return any(self._services[holder].kind == "resolver" for holder in self._holders(address))

    def check(self, host: str, path: str) -> Check | None:
        """The connectivity check that a device makes with such a request."""
        return self._checks.get(host.lower() + path)

    def all_services(self) -> tuple[Service, ...]:
        """All of them, by kind and name."""
        return tuple(sorted(self._services.values(), key=lambda s: (KINDS.index(s.kind), s.name.lower())))


def _members(stem: str, facts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, facts) of the services of one file: the file itself, or its `[[service]]` tables, which inherit from it."""
    if "service" not in facts:
        yield stem, facts
        return
    common = {key: value for key, value in facts.items() if key != "service"}
    for member in facts["service"]:
        yield member["id"], common | member


def _service(service_id: str, facts: dict[str, Any]) -> Service:
    addresses = facts.get("addresses", {})
    service = Service(
        id=service_id,
        name=facts["name"],
        operator=facts["operator"],
        kind=facts["kind"],
        domestic_in=tuple(facts.get("domestic_in", ())),
        names={role: tuple(names.split()) for role, names in facts.get("names", {}).items()},
        scope=addresses.get("scope"),
        prefixes=tuple(addresses.get("prefixes", "").split()),
        addresses_of=facts.get("addresses_of"),
        ports=tuple(entry for row in facts.get("ports", ()) if not row.get("unverified") for entry in _ports(row)),
        facts=facts,
    )
    if service.kind not in KINDS or service.scope not in (None, *SCOPES) or not {NO_ROLE, *ROLES} >= {*service.names}:
        raise ValueError(f"{service_id}: kind, scope or role is not one of the known words")
    return service


def _ports(row: dict[str, Any]) -> Iterator[Ports]:
    """The entries of such as on = "udp/500-600,1400"."""
    proto, _, ranges = row["on"].partition("/")
    for low, high in port_ranges(ranges):
        yield Ports(PROTOCOLS[proto], low, high, row.get("role"))
