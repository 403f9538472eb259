"""What a box recognises. All conditions of a trigger must hold; it fires once a flow, on the packet that completes them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from tests.lab.flow import Flow
from tests.lab.packet import UDP

# First bytes of what is not TLS; None: looks random (obfuscated MTProto), told from the rest by elimination
PROTOCOLS = {
    "noise": lambda head: head[:4] == b"ED\0\1" or head[:2] == b"WA",
    "stun": lambda head: head[4:8] == b"\x21\x12\xa4\x42",
    "quic": lambda head: len(head) >= 1200 and head[0] & 0xC0 == 0xC0,
    "tls": lambda head: head[:2] == b"\x16\3",
    "rtp": lambda head: len(head) >= 12 and head[0] & 0xC0 == 0x80,
    "mtproto": lambda head: (
        len(head) >= 64 and head[:2] != b"\x16\3" and head[:2] != b"ED" and head[:4] not in _METHODS
    ),
}
_METHODS = (b"GET ", b"POST", b"HEAD")


@dataclass(frozen=True)
class Trigger:
    """Conditions on a flow. Names match themselves and what ends in them after a dot."""

    sni: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    qname: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()  # addresses that are in none of these prefixes
    ports: tuple[int, ...] = ()
    proto: int | None = None
    protocol: str | None = None
    version6: bool | None = None
    quic_version: bytes | None = None
    fingerprint: bytes | None = None  # bytes that only one make of client has in its hello
    whole_hello: bool = False  # a box that waits for the last byte of the hello
    down_bytes: int = 0
    chance: float = 1.0  # boxes skip connections: load, routing, sampling
    clients: tuple[str, ...] = ()
    axis_word: str | None = None

    @property
    def axis(self) -> str:
        """The word of the trigger axis."""
        if self.axis_word:
            return self.axis_word
        named = (
            (self.qname, "dns_name"), (self.sni, "sni"), (self.host, "http_host"), (self.protocol, "protocol"),
            (self.fingerprint, "fingerprint"),
            (self.addresses or self.prefixes or self.outside, "ip_address"), (self.version6 is not None, "address_family"),
            (self.ports, "port"), (self.down_bytes, "volume"),
        )  # fmt: skip
        return next((word for given, word in named if given), "none_seen")

    @property
    def detail(self) -> str:
        if self.fingerprint:
            return self.fingerprint.hex()
        named = (*self.qname, *self.sni, *self.host, *self.addresses, *self.prefixes)
        return self.protocol or ", ".join(named or map(str, self.ports))

    def holds(self, flow: Flow) -> bool:
        address, port = flow.server
        return (
            (self.proto is None or flow.proto == self.proto)
            and (not self.clients or flow.client[0] in self.clients)
            and (not self.addresses or address in self.addresses)
            and (not self.ports or port in self.ports)
            and (self.version6 is None or self.version6 == (":" in address))
            and (not self.prefixes or any(_within(address, prefix) for prefix in self.prefixes))
            and (not self.outside or not any(_within(address, prefix) for prefix in self.outside))
            and (self.fingerprint is None or self.fingerprint in flow.head)
            and (not self.whole_hello or flow.whole)
            and (not self.sni or _named(flow.sni, self.sni))
            and (not self.host or _named(flow.host, self.host))
            and (not self.qname or _named(flow.qname, self.qname))
            and (self.protocol is None or (bool(flow.head) and PROTOCOLS[self.protocol](flow.head)))
            and (self.quic_version is None or (flow.proto == UDP and flow.head[1:5] == self.quic_version))
            and flow.octets[False] >= self.down_bytes
        )


def _named(name: str | None, wanted: tuple[str, ...]) -> bool:
    return name is not None and any(name == entry or name.endswith("." + entry) for entry in wanted)


def _within(address: str, prefix: str) -> bool:
    return ipaddress.ip_address(address) in _network(prefix)


_network = lru_cache(maxsize=256)(ipaddress.ip_network)
