"""What kind of place an address is (RFC 6890 and the IANA registries of special addresses)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from enum import Enum

import numpy as np


class Place(Enum):
    """Where an address can be."""

    PUBLIC = "public"  # on the internet, or an address of it behind NAT64
    PRIVATE = "private"  # in a home, an office or behind a carrier's NAT
    SINK = "sink"  # nowhere, by convention: 0.0.0.0, ::, the loopback
    TOOL = "tool"  # 198.18.0.0/15: benchmarks, and what local proxies hand out in place of addresses
    IMPOSSIBLE = (
        "impossible"  # no host has it: reserved, for documentation, multicast, outside of the IPv6 in use, Teredo
    )


# Teredo (RFC 4380) made addresses for hosts without IPv6 and is switched off; no name ever led to one but forged ones.
_TEREDO = ipaddress.ip_network("2001::/32")
_TOOL = ipaddress.ip_network("198.18.0.0/15")
_GLOBAL6 = ipaddress.ip_network("2000::/3")
_NAT64 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48")))
_CARRIER = ipaddress.ip_network("100.64.0.0/10")
_PRIVATE4 = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")))
_EXAMPLES = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))
_PRIVATE6 = tuple(map(ipaddress.ip_network, ("fc00::/7", "fe80::/10")))
_COMMON4 = frozenset(map(str, set(range(1, 224)) - {10, 100, 127, 169, 172, 192, 198, 203}))


def place(address: str) -> Place:
    """The kind of an address as text; PUBLIC for what is no address."""
    if address.partition(".")[0] in _COMMON4:
        return Place.PUBLIC
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return Place.PUBLIC
    if ip.is_unspecified or ip.is_loopback:
        return Place.SINK
    if any(ip in block for block in _EXAMPLES):
        return Place.IMPOSSIBLE
    if ip.version == 4:
        if ip in _TOOL:
            return Place.TOOL
        if ip in _CARRIER or any(ip in block for block in _PRIVATE4):
            return Place.PRIVATE
        return Place.IMPOSSIBLE if ip.is_multicast or ip.is_reserved or int(ip) < 1 << 24 else Place.PUBLIC
    if any(ip in block for block in _PRIVATE6):
        return Place.PRIVATE
    if any(ip in block for block in _NAT64):
        return Place.PUBLIC
    return Place.PUBLIC if ip in _GLOBAL6 and ip not in _TEREDO else Place.IMPOSSIBLE


def network(address: str) -> str:
    """The surroundings of an address: /16 (IPv4) or /32 (IPv6). Addresses in different ones are unrelated enough."""
    return ":".join(address.split(":")[:2]) if ":" in address else ".".join(address.split(".")[:2])


def networks(addresses: np.ndarray, text: Callable[[int], str | None]) -> set[str]:
    """Those of interned addresses, `text` being their text."""
    return {network(text(number) or "") for number in np.unique(addresses).tolist()}


def client_network(address: str) -> str:
    """The network of a client: /24 (IPv4) or /48 (IPv6), the least that is routed by itself on the internet."""
    return ":".join(address.split(":")[:3]) if ":" in address else ".".join(address.split(".")[:3])
