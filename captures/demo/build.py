"""Makes the bundled example, byte for byte the same each time: `python -m captures.demo.build`.

A minute at a laptop. WhatsApp's site opens, but every time its web client is opened, resets come that the server never
sent; in between, another name at the very same address and three other services work. All packets are invented
(scapy); the addresses of services are theirs, the client's are for private networks.
"""

from __future__ import annotations

import random

from scapy.layers.dns import DNS, DNSQR, DNSRR

from analyzer.api import demo_capture
from tests.conversation import SERVER_HELLO, Conversation, datagram, pcap_of

CLIENT, RESOLVER = "10.0.0.2", "10.0.0.1"
ALIAS = "mmx-ds.cdn.whatsapp.net"
META = ("157.240.0.60", 42.0, 52), ("157.240.205.60", 61.0, 49)  # as ELSEWHERE; the second from the second lookup on
BLOCKED, BESIDE = "web.whatsapp.com", "www.whatsapp.com"
ELSEWHERE = {  # name: (address, round trip in ms, hops left)
    "en.wikipedia.org": ("185.15.59.224", 38.0, 55),
    "web.telegram.org": ("149.154.167.99", 47.0, 53),
    "www.youtube.com": ("142.250.74.46", 29.0, 114),
}
FORGER = {"ttl": 58, "id": 0}  # nearer than the server (TTL 52), and without a counter of its own

STARTS = 1_000.0, 15_400.0, 29_300.0, 42_800.0, 57_600.0

Place = tuple[str, float, int]
Packets = list[tuple[float, bytes]]


class Laptop:
    """Opens pages one after the other; ports, transaction and sequence numbers come from one seed."""

    def __init__(self) -> None:
        self.dice = random.Random(2026)
        self.port = 50410
        self.packets: Packets = []

    def resolve(self, name: str, address: str, at: float, alias: str | None = None) -> None:
        question, port, number = DNSQR(qname=name), self.dice.randrange(32768, 60999), self.dice.randrange(1 << 16)
        answers = [DNSRR(rrname=name, type="CNAME", ttl=3600, rdata=alias)] if alias else []
        answers.append(DNSRR(rrname=alias or name, type="A", ttl=30, rdata=address))
        query = DNS(id=number, rd=1, qd=[question])
        answer = DNS(id=number, qr=1, rd=1, ra=1, qd=[question], an=answers)
        self.packets += [
            datagram(CLIENT, RESOLVER, port, 53, bytes(query), at),
            datagram(RESOLVER, CLIENT, 53, port, bytes(answer), at + self.dice.uniform(8, 15)),
        ]

    def greet(self, name: str, place: Place, at: float) -> Conversation:
        """A handshake and a browser's hello, in the two segments that a post-quantum key share takes."""
        server, rtt, hops = place
        self.port += self.dice.choice((2, 4, 6))
        talk = Conversation(
            name, server, CLIENT, at=at, rtt=rtt + self.dice.uniform(0, 3), sport=self.port, server_ttl=hops,
            isn=self.dice.randrange(1 << 32), peer_isn=self.dice.randrange(1 << 32),
        )  # fmt: skip
        return talk.open().hello(share=1216)

    def works(self, name: str, place: Place, at: float) -> None:
        self.packets += self.greet(name, place, at).answer().chat().close().packets

    def cut(self, place: Place, at: float) -> None:
        """Three equal resets long before the answer is due; then the server's answer, to a client that has hung up."""
        talk = self.greet(BLOCKED, place, at)
        for gap in (self.dice.uniform(5, 8), 0.2, 0.2):
            talk.reset("RA", after=gap, **FORGER)
        talk.down(after=talk.rtt - 8)
        talk.down("PA", SERVER_HELLO, after=0.6)
        talk.up("R", after=0.05, id=0)
        self.packets += talk.packets


def build() -> bytes:
    """The capture, as a pcap file's bytes."""
    laptop = Laptop()
    for name, (address, _, _) in ELSEWHERE.items():
        laptop.resolve(name, address, at=laptop.dice.uniform(0, 300))
    for start, meta in zip(STARTS, META[:1] * 3 + META[1:] * 2, strict=True):
        for name in (BESIDE, BLOCKED):
            laptop.resolve(name, meta[0], at=start + laptop.dice.uniform(0, 5), alias=ALIAS)
        laptop.works(BESIDE, meta, start + 100)
        laptop.cut(meta, start + 2_600)
        laptop.cut(meta, start + 2_960)  # the browser's own second try
        for i, (name, place) in enumerate(ELSEWHERE.items()):
            laptop.works(name, place, start + 4_500 + 1_700 * i)
    return pcap_of(laptop.packets)


if __name__ == "__main__":
    demo_capture().write_bytes(build())
