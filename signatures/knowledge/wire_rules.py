"""Services known by their bytes: the `[[wire]]` rules of the data that are strict enough to name one.

A rule is a regular expression on the first bytes of one direction, or types, attributes and realms of STUN messages.
Rules of prose only, and shapes without fixed bytes (obfuscated MTProto outside of Telegram's addresses), never name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from analyzer.signature import Payload
from analyzer.wire import stun

MAX_STUN = 16  # messages looked at in one direction: a vendor shows in the first ones


class WireRule(NamedTuple):
    """What bytes must be like. `pattern` or the STUN words, one of them at least."""

    service: str
    role: str | None
    name: str
    proto: int
    up: bool  # the client's bytes, else the server's
    pattern: re.Pattern[bytes] | None
    stun_types: frozenset[int]
    stun_attributes: frozenset[int]
    stun_realms: tuple[str, ...]
    ports: tuple[tuple[int, int], ...]  # only to these server ports, from and to; empty: to any
    own_addresses: bool  # only at addresses of the service


PROTOCOLS = {"tcp": 6, "udp": 17}


def port_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """(from, to) of such as "500-600,1400"."""
    parts = (part.partition("-") for part in text.split(",") if part)
    return tuple((int(low), int(high or low)) for low, _, high in parts)


def read_rules(service: str, rows: Iterable[dict[str, Any]]) -> list[WireRule]:
    """The rules among a service's `[[wire]]` rows that machines can follow. Errors: ValueError on a wrong row."""
    return [_read(service, row) for row in rows if "proto" in row]


def _read(service: str, row: dict[str, Any]) -> WireRule:
    pattern = row.get("pattern")
    rule = WireRule(
        service=service,
        role=row.get("role"),
        name=row["name"],
        proto=PROTOCOLS[row["proto"]],
        up=row.get("side", "up") == "up",
        pattern=re.compile(pattern.encode("ascii"), re.DOTALL) if pattern else None,
        stun_types=frozenset(row.get("stun_types", ())),
        stun_attributes=frozenset(row.get("stun_attributes", ())),
        stun_realms=tuple(row.get("stun_realms", ())),
        ports=port_ranges(row.get("ports", "")),
        own_addresses=row.get("own_addresses", False),
    )
    if not (pattern or rule.stun_types or rule.stun_attributes or rule.stun_realms):
        raise ValueError(f"{service}: wire rule {rule.name} says nothing")
    return rule


class WireRules:
    """All rules, tried in the order of the data."""

    def __init__(self, rules: Iterable[WireRule]):
        rules = list(rules)
        self._patterns = {proto: [r for r in rules if r.pattern and r.proto == proto] for proto in PROTOCOLS.values()}
        self._stun = [r for r in rules if not r.pattern]
        # most flows match nothing, and one expression says so: of all patterns that hold at any address
        self._any = {
            proto: (_alternatives(some, True), _alternatives(some, False)) for proto, some in self._patterns.items()
        }
        self._homes = {proto: {r.service for r in some if r.own_addresses} for proto, some in self._patterns.items()}

    def match(self, up: Payload, down: Payload, proto: int, port: int, holders: Collection[str]) -> WireRule | None:
        """The first rule that holds. `holders`: services that the server's address belongs to."""
        if self._may_match(up, down, proto, holders):
            for rule in self._patterns[proto]:
                data = up if rule.up else down
                if data and rule.pattern and rule.pattern.match(data) and _is_there(rule, port, holders):
                    return rule
        tcp = proto == 6
        if not stun.may_hold_stun(up, tcp) and not stun.may_hold_stun(down, tcp):
            return None
        return self._match_stun(_messages(bytes(up), proto) + _messages(bytes(down), proto))

    def _may_match(self, up: Payload, down: Payload, proto: int, holders: Collection[str]) -> bool:
        if proto not in self._patterns:
            return False
        if holders and not self._homes[proto].isdisjoint(holders):
            return True
        sent, answered = self._any[proto]
        return bool((up and sent and sent.match(up)) or (down and answered and answered.match(down)))

    def _match_stun(self, messages: list[tuple[int, stun.Stun]]) -> WireRule | None:
        for kind, message in messages:
            numbers = {number for number, _ in message.attributes}
            realm = (message.realm or "").lower()
            for rule in self._stun:
                if kind in rule.stun_types or not rule.stun_attributes.isdisjoint(numbers):
                    return rule
                if realm and any(realm == name or realm.endswith("." + name) for name in rule.stun_realms):
                    return rule
        return None


def _alternatives(rules: Iterable[WireRule], up: bool) -> re.Pattern[bytes] | None:
    """One expression for the rules of one direction that hold at any address."""
    patterns = [r.pattern.pattern for r in rules if r.pattern and r.up == up and not r.own_addresses]
    return re.compile(b"|".join(b"(?:%s)" % pattern for pattern in patterns), re.DOTALL) if patterns else None


def _is_there(rule: WireRule, port: int, holders: Collection[str]) -> bool:
    at_port = not rule.ports or any(low <= port <= high for low, high in rule.ports)
    return at_port and (not rule.own_addresses or rule.service in holders)


def _messages(data: bytes, proto: int) -> list[tuple[int, stun.Stun]]:
    """(message type, message) of the STUN messages at the start of a stream or of joined datagrams."""
    found: list[tuple[int, stun.Stun]] = []
    if not stun.may_hold_stun(data, proto == 6):
        return found
    pieces = stun.split_tcp(data) if proto == 6 else [data]
    for piece in pieces:
        at = 0
        while len(found) < MAX_STUN and at + 20 <= len(piece):
            message = stun.parse_stun(piece[at:])
            if not isinstance(message, stun.Stun):
                break
            found.append((piece[at] << 8 | piece[at + 1], message))
            at += message.end
    return found
