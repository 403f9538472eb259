"""What a middlebox remembers of a conversation: enough to find names, and to forge what fits into it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

from tests.lab.names import dns_name, hello_name, http_host, quic_crypto, tls_name, whole_hello
from tests.lab.packet import ACK, SYN, TCP, UDP, Endpoint, Packet

_HEAD = 8192  # bytes of the client's stream that are looked at; a post-quantum hello has about 1,800


@dataclass
class Flow:
    """A 5-tuple as it passes the box, with the client's first bytes put in order."""

    proto: int
    client: Endpoint
    server: Endpoint
    number: int
    began: float = 0.0
    dice: dict[bool, random.Random] = field(default_factory=lambda: {True: random.Random(), False: random.Random()})
    head: bytes = b""
    sni: str | None = None
    host: str | None = None
    qname: str | None = None
    whole: bool = False  # nothing is missing of the first message
    packets: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    octets: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})  # payload
    last: dict[bool, Packet] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)  # "rule:what" -> packets
    seen: float = 0.0
    idle: float = 0.0  # the pause before the present packet
    _first: int | None = None
    _pieces: dict[int, bytes] = field(default_factory=dict)
    _memory: dict[int, SimpleNamespace] = field(default_factory=dict)

    def memory(self, owner: object, **initial: object) -> SimpleNamespace:
        """What an action keeps about this flow."""
        return self._memory.setdefault(id(owner), SimpleNamespace(**initial))

    @property
    def name(self) -> str | None:
        return self.sni or self.host or self.qname

    def is_over(self, packet: Packet) -> bool:
        """Whether a packet opens another connection on the same ports: a SYN with another sequence number."""
        opens = packet.proto == TCP and packet.up and packet.flags & (SYN | ACK) == SYN
        return bool(opens) and self._first is not None and self._first != packet.seq + 1

    def see(self, packet: Packet, now: float) -> None:
        self.idle, self.seen = now - (self.seen or now), now
        self.packets[packet.up] += 1
        self.octets[packet.up] += packet.end - packet.data
        self.last[packet.up] = packet
        if packet.up and packet.end > packet.data and len(self.head) < _HEAD and not (self.name and self.whole):
            if self.proto == TCP:
                self._tcp(packet)
            elif self.proto == UDP:
                self._udp(packet)
        elif packet.up and packet.flags & SYN:
            self._first = packet.seq + 1

    def _tcp(self, packet: Packet) -> None:
        if self._first is None:
            self._first = packet.seq
        offset = (packet.seq - self._first) % 2**32
        if offset < _HEAD:
            self._pieces.setdefault(offset, packet.payload)
        self.head = _joined(self._pieces)
        self.sni, self.host = tls_name(self.head), http_host(self.head)
        self.whole = whole_hello(self.head)

    def _udp(self, packet: Packet) -> None:
        payload = packet.payload
        self.head, self.whole = self.head or payload, True
        if self.server[1] == 53:
            self.qname = dns_name(payload)
        elif payload[0] & 0xC0 == 0xC0 and (initial := quic_crypto(payload)):
            self._pieces.update(initial[1])
            self.whole = False
            self.sni = hello_name(_joined(self._pieces))


def _joined(pieces: dict[int, bytes]) -> bytes:
    """The bytes from offset 0 without a gap."""
    stream = b""
    for offset in sorted(pieces):
        if offset > len(stream):
            break
        stream += pieces[offset][len(stream) - offset :]
    return stream
