"""DNS of the laboratory: messages, the resolvers that answer, and the stub that asks."""

from __future__ import annotations

import random
import socket
import struct
from dataclasses import dataclass, field

from tests.lab import ports
from tests.lab.names import dns_name
from tests.lab.packet import address_bytes, address_text
from tests.lab.world import Site

A, CNAME, SOA, AAAA, HTTPS, OPT = 1, 5, 6, 28, 65, 41
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5
EXTENDED_ERROR = 15  # an option of EDNS


@dataclass(frozen=True)
class Zone:
    """How a resolver answers: from the world, unless a name (or everything, `"*"`) is said to be otherwise.

    An answer is a tuple of addresses, or a response code. `censors` says that somebody means it.
    """

    other: dict[str, tuple[str, ...] | int] = field(default_factory=dict)
    silent: bool = False
    censors: bool = False
    edns: bool = True
    says_why: int = 0  # an extended error with its denials (RFC 8914): 15 blocked, 16 censored, 17 filtered

    def find(self, name: str) -> tuple[str, ...] | int | None:
        labels = name.split(".")
        ends = (".".join(labels[i:]) for i in range(len(labels)))
        return next((self.other[end] for end in ends if end in self.other), self.other.get("*"))


def question(name: str, kind: int, number: int, edns: bool = True) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    message = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, edns) + labels + b"\0" + struct.pack("!HH", kind, 1)
    return message + (b"\0" + struct.pack("!HHIH", OPT, 1232, 0, 0) if edns else b"")


def _record(kind: int, ttl: int, data: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(message: bytes, sites: dict[str, Site], zone: Zone) -> bytes | None:
    """The resolver's answer to a question; None when it keeps silent."""
    name = dns_name(message)
    if zone.silent or name is None:
        return None
    end = 12 + len(_encoded(name))
    kind = struct.unpack_from("!H", message, end)[0]
    other = zone.find(name)
    site = next((site for site in sites.values() if name in site.names), None)
    records: list[bytes] = []
    authority, rcode, owner = b"", 0, b"\xc0\x0c"
    if isinstance(other, int):
        rcode = other
    elif other is None and site is None:
        rcode = NXDOMAIN
    else:
        addresses = other if other is not None else site.addresses
        if other is None and site.cname and name == site.name:
            records.append(_record(CNAME, 60, _encoded(site.cname)))
            owner = _encoded(site.cname)
        wanted = {A: 4, AAAA: 16}.get(kind)
        records += [_record(kind, 120, raw, owner) for raw in map(address_bytes, addresses) if len(raw) == wanted]
    if rcode == NXDOMAIN or (not rcode and not records):
        soa = (
            _encoded("a.gtld-servers.net")
            + _encoded("nstld.verisign-grs.com")
            + struct.pack("!5I", 1700000000, 1800, 900, 604800, 86400)
        )
        authority = _record(SOA, 900, soa, b"\0")
    asked = message[10:12] != b"\0\0" and zone.edns
    head = message[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(records), bool(authority), asked)
    reason = struct.pack("!HHH", EXTENDED_ERROR, 2, zone.says_why) if zone.says_why and other is not None else b""
    extra = b"\0" + struct.pack("!HHIH", OPT, 1232, 0, len(reason)) + reason if asked else b""
    return head + message[12 : end + 4] + b"".join(records) + authority + extra


class Stub:
    """The resolver of a device: asks over UDP, tries again, and keeps what it learnt."""

    def __init__(
        self, server: str, dice: random.Random, source: str | None = None, tries: int = 3, patience: float = 2.0
    ):
        self.server, self.dice, self.source, self.tries, self.patience = server, dice, source, tries, patience
        self.known: dict[tuple[str, int], list[str]] = {}

    def ask(self, name: str, kind: int = A, fresh: bool = False) -> list[str]:
        """Addresses of a name; empty when there are none or nobody answers."""
        if fresh or (name, kind) not in self.known:
            self.known[name, kind] = self._ask(name, kind)
        return self.known[name, kind]

    def _ask(self, name: str, kind: int) -> list[str]:
        family = socket.AF_INET6 if ":" in self.server else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            ports.bind(connection, self.source)
            connection.settimeout(self.patience)
            connection.connect((self.server, 53))
            message = question(name, kind, self.dice.randrange(1 << 16))
            for _ in range(self.tries):
                try:
                    connection.send(message)
                    while True:
                        reply = connection.recv(4096)
                        if reply[:2] == message[:2]:
                            return _addresses(reply, kind)
                except OSError:
                    continue
        return []


def _addresses(reply: bytes, kind: int) -> list[str]:
    found, count = [], struct.unpack_from("!H", reply, 6)[0]
    at = _after_name(reply, 12) + 4
    for _ in range(count):
        at = _after_name(reply, at)
        this, _, _, size = struct.unpack_from("!HHIH", reply, at)
        if this == kind:
            found.append(address_text(reply[at + 10 : at + 10 + size]))
        at += 10 + size
    return found


def _after_name(message: bytes, at: int) -> int:
    while message[at]:
        if message[at] & 0xC0 == 0xC0:
            return at + 2
        at += 1 + message[at]
    return at + 1
