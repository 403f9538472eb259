"""DNS as a capture at the client sees it: questions to a resolver and what comes back, built with scapy.

    dns = Lookups(rtt=40)
    dns.ask("web.whatsapp.com").answer("10.10.34.35", after=3, ttl=62).answer("157.240.0.60")
    result = analyze(dns.packets, loaded=loaded)

Times are milliseconds; every answer belongs to the last question, `after` ms later.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRROPT, DNSRRSOA
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

_ports = count(30000)
_TYPES = {"A": 1, "AAAA": 28}


class Lookups:
    """A client that asks one resolver."""

    def __init__(
        self, resolver: str = "198.51.100.53", client: str = "10.0.0.2", *, at: float = 0.0, rtt: float = 40.0, ttl: int = 55
    ):  # fmt: skip
        self.resolver, self.client, self.rtt, self.ttl = resolver, client, rtt, ttl
        self.now = at
        self.packets: list[tuple[float, bytes]] = []
        self._ids = count(100)
        self._question: dict[str, Any] = {}

    def ask(self, name: str, kind: str = "A", *, after: float = 1000.0, edns: bool = True) -> Lookups:
        """A new question."""
        self.now += after
        self._question = {
            "name": name, "kind": kind, "id": next(self._ids), "sport": next(_ports), "edns": edns, "at": self.now,
        }  # fmt: skip
        return self._send_question()

    def again(self, *, after: float = 5000.0) -> Lookups:
        """The same question once more, as stub resolvers do."""
        self.now += after
        self._question["at"] = self.now
        return self._send_question()

    def _send_question(self) -> Lookups:
        q = self._question
        extra = {"ar": DNSRROPT(rclass=1232), "arcount": 1} if q["edns"] else {}
        message = DNS(id=q["id"], rd=1, qd=DNSQR(qname=q["name"], qtype=q["kind"]), **extra)
        packet = IP(src=self.client, dst=self.resolver, ttl=64) / UDP(sport=q["sport"], dport=53) / message
        self.packets.append((self.now, bytes(packet)))
        return self

    def answer(
        self,
        *addresses: str,
        after: float | None = None,
        rcode: int = 0,
        alias: str | None = None,
        zone: str | None = None,
        edns: bool | None = None,
        ttl: int | None = None,
        resolver: str | None = None,
        name: str | None = None,
        ede: int | None = None,
        aa: int = 0,
    ) -> Lookups:
        """An answer, one RTT after the question unless said otherwise; `zone` adds that zone's SOA."""
        q = self._question
        records: list[Any] = [DNSRR(rrname=q["name"], type="CNAME", rdata=alias, ttl=60)] if alias else []
        owner = alias or q["name"]
        records += [DNSRR(rrname=owner, type=28 if ":" in a else 1, rdata=a, ttl=60) for a in addresses]
        authority = [DNSRRSOA(rrname=zone, mname="a." + zone, rname="b." + zone)] if zone else []
        extra = []
        if q["edns"] if edns is None else edns:
            options = b"" if ede is None else b"\0\x0f\0\2" + ede.to_bytes(2, "big")
            extra = [Raw(b"\0\0\x29\x04\xd0\0\0\0\0" + len(options).to_bytes(2, "big") + options)]
        message = DNS(
            id=q["id"], qr=1, rd=1, ra=1, aa=aa, rcode=rcode, qd=DNSQR(qname=name or q["name"], qtype=q["kind"]),
            an=records, ns=authority, arcount=len(extra),
        )  # fmt: skip
        if extra:
            message = message / extra[0]
        source = resolver or self.resolver
        packet = IP(src=source, dst=self.client, ttl=ttl or self.ttl) / UDP(sport=53, dport=q["sport"]) / message
        self.packets.append((q["at"] + (self.rtt if after is None else after), bytes(packet)))
        return self

    def unreachable(self, *, after: float | None = None) -> Lookups:
        """The resolver's own address says that nothing listens on its port."""
        at, question = next(p for p in reversed(self.packets) if IP(p[1]).src == self.client)
        error = IP(src=self.resolver, dst=self.client, ttl=self.ttl) / ICMP(type=3, code=3) / Raw(question[:28])
        self.packets.append((at + (self.rtt if after is None else after), bytes(error)))
        return self

    def others(self, number: int = 3, *, start: int = 0) -> Lookups:
        """Ordinary lookups of unrelated names."""
        for i in range(start, start + number):
            self.ask(f"www.site{i}.org").answer(f"93.184.{i}.34", after=self.rtt + 0.3 * i)
        return self
