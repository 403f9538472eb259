"""QUIC as a capture at the client sees it: Initials sealed under the keys of the RFC, and datagrams that nobody can open.

QuicTalk("web.whatsapp.com").initial(times=4)                 # never answered
QuicTalk("example.org", "93.184.215.14", at=500).works()
"""

from __future__ import annotations

from functools import cache
from itertools import count

from tests.analyzer.wire.hellos import chrome, crypto, initial
from tests.conversation import datagram, icmp_error

V1, V2 = 1, 0x6B3343CF
_ports = count(52000)


@cache
def _initial(name: str, version: int) -> bytes:
    """A client's first datagram, padded as RFC 9000 §14.1 asks."""
    return initial(crypto(0, chrome(name.encode())), bytes(range(8)), version=version)


class QuicTalk:
    """One QUIC conversation; times are milliseconds."""

    def __init__(
        self,
        name: str,
        server: str = "157.240.0.60",
        client: str = "10.0.0.2",
        *,
        at: float = 0.0,
        rtt: float = 80.0,
        version: int = V1,
        ttl: int = 64,
        server_ttl: int = 52,
    ):
        self.name, self.server, self.client, self.rtt, self.version = name, server, client, rtt, version
        self.ttl, self.server_ttl = ttl, server_ttl
        self.port, self.now = next(_ports), at
        self.packets: list[tuple[float, bytes]] = []

    def up(self, data: bytes, after: float = 0.1) -> QuicTalk:
        self.now += after
        self.packets.append(datagram(self.client, self.server, self.port, 443, data, self.now, ttl=self.ttl))
        return self

    def down(self, data: bytes, after: float | None = None) -> QuicTalk:
        self.now += self.rtt if after is None else after
        self.packets.append(datagram(self.server, self.client, 443, self.port, data, self.now, ttl=self.server_ttl))
        return self

    def initial(self, times: int = 1, *, first: float = 300.0) -> QuicTalk:
        """The first datagram, repeated at doubling intervals."""
        for i in range(times):
            self.up(_initial(self.name, self.version), after=0.0 if not i else first * 2 ** (i - 1))
        return self

    def flight(self) -> QuicTalk:
        """The server's first flight: as much as it may send before the client is known (RFC 9000 §8.1)."""
        long = bytes((0xC0,)) + self.version.to_bytes(4, "big") + bytes(1195)
        return self.down(long).down(long, 0.2).down(long, 0.2)

    def works(self) -> QuicTalk:
        """Handshake, a request, an answer."""
        self.initial().flight().up(bytes((0xE0,)) + bytes(80), 1).up(bytes(60), 1)
        for i in range(8):
            self.down(bytes(1200), self.rtt if not i else 1).up(bytes(40))
        return self

    def refused(self, router: str = "100.64.2.2") -> QuicTalk:
        """An ICMP error of a router about the last datagram."""
        self.packets.append(icmp_error(router, self.packets[-1][1], self.now + 12))
        return self
