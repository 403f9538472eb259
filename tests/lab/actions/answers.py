"""Forged answers outside of a TCP stream: DNS, SYN/ACK, ICMP; and server packets rewritten into resets."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from tests.lab.flow import Flow
from tests.lab.packet import (
    ACK,
    RST,
    SYN,
    TCP,
    UDP,
    Packet,
    address_bytes,
    checksum,
    icmp_error,
    ip_frame,
    tcp_segment,
    transport_checksum,
    udp_datagram,
)  # fmt: skip
from tests.lab.rules import DROP, Action, Fate, Rewrite

_QR_RD_RA = 0x8180
A, AAAA = 1, 28


@dataclass(frozen=True)
class ForgeDns(Action):
    """An answer in the resolver's name. The genuine one follows, unless `swallow`s the question.

    With `v4`/`v6` addresses it lies; with none it denies: `rcode` 3 is NXDOMAIN, 5 REFUSED, 0 an empty answer.
    """

    v4: tuple[str, ...] = ()
    v6: tuple[str, ...] = ()
    rcode: int = 0
    header: int = _QR_RD_RA
    ttl: int = 300  # of the record
    hops: int | str = 64  # IP TTL; "trigger" mirrors the question's
    ipid: int = 0
    df: bool = True
    echoes_edns: bool = False  # an OPT record where the question had one
    copies: int = 1
    after: float = 0.0003
    swallow: bool = False

    @property
    def word(self) -> str:  # type: ignore[override]
        return "forged_dns" if self.v4 or self.v6 else "nxdomain"

    @property
    def in_path(self) -> bool:  # type: ignore[override]
        return self.swallow

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if not packet.up or packet.proto != UDP:
            return None
        question = packet.payload
        end = 12
        while question[end]:
            end += 1 + question[end]
        kind = struct.unpack_from("!H", question, end + 1)[0]
        rdata = [address_bytes(text) for text in (self.v4 if kind == A else self.v6 if kind == AAAA else ())]
        message = (
            question[:2] + struct.pack("!HHHHH", self.header | self.rcode, 1, len(rdata), 0, 0) + question[12 : end + 5]
        )
        for data in rdata:
            message += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(data)) + data
        if self.echoes_edns and question[10:12] != b"\0\0":
            message = message[:10] + b"\0\1" + message[12:] + b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
        hops = packet.ttl if self.hops == "trigger" else self.hops
        body = udp_datagram(flow.server, flow.client, message)
        ends = flow.server[0], flow.client[0]
        for i in range(self.copies):
            box.inject(
                flow,
                True,
                lambda ether: ip_frame(ether, *ends, UDP, body, hops, self.ipid, self.df),
                self.after + i * 0.0002,
            )
        return DROP if self.swallow else None


@dataclass(frozen=True)
class ForgeSynAck(Action):
    """A SYN/ACK in the server's name; with `wrong_ack` the client's stack answers it with a reset (GFW residual, IMC 2017)."""

    wrong_ack: bool = False
    hops: int = 64
    swallow: bool = False
    after: float = 0.0003
    then_reset: bool = False  # answers the client's first data with a reset (China's sink hosts, 2023)

    word: ClassVar[str] = "forged_synack"

    @property
    def in_path(self) -> bool:  # type: ignore[override]
        return self.swallow

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if packet.up and packet.flags & (SYN | ACK) == SYN:
            memory = flow.memory(self, isn=box.dice.randrange(2**32))
            ack = box.dice.randrange(2**32) if self.wrong_ack else packet.seq + 1
            body = tcp_segment(flow.server, flow.client, SYN | ACK, memory.isn, ack, 8192, b"\2\4\5\xb4")
            self._send(box, flow, body)
        elif self.then_reset and packet.up and packet.end > packet.data:
            body = tcp_segment(flow.server, flow.client, RST, packet.ack, 0, 0)
            self._send(box, flow, body)
        return DROP if self.swallow else None

    def _send(self, box, flow: Flow, body: bytes) -> None:
        ends = flow.server[0], flow.client[0]
        box.inject(
            flow,
            True,
            lambda ether: ip_frame(ether, *ends, TCP, body, self.hops, box.dice.randrange(1, 65536)),
            self.after,
        )


@dataclass(frozen=True)
class Reject(Action):
    """An ICMP error of a router for every packet of the client, which ends here. Type 3 for IPv4, 1 for IPv6."""

    code: int = 13
    source: str = "100.64.2.2"
    source6: str = "2001:db8:3::2"
    kind: int = 3
    drops: bool = True

    word: ClassVar[str] = "icmp_reject"

    @property
    def in_path(self) -> bool:  # type: ignore[override]
        return self.drops

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if packet.up:
            v6 = ":" in packet.src
            source = self.source6 if v6 else self.source
            proto, body = icmp_error(1 if v6 else self.kind, self.code, packet, source)
            box.inject(flow, True, lambda ether: ip_frame(ether, source, packet.src, proto, body, 64, 0, False), 0.0002)
        return DROP if self.drops else None


@dataclass(frozen=True)
class RewriteToReset(Action):
    """The server's packets become RST/ACKs, payload gone, TTL and sequence numbers their own (TSPU SNI-I, IMC 2022)."""

    word: ClassVar[str] = "rst"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if packet.up or packet.proto != TCP or packet.flags & RST:
            return None
        return Rewrite(_rewritten(packet))


def _rewritten(packet: Packet) -> bytes:
    head = packet.frame[: packet.data]
    l4 = packet.l4
    tcp = head[l4 : l4 + 13] + bytes([RST | ACK]) + head[l4 + 14 : l4 + 16] + b"\0\0" + head[l4 + 18 :]
    tcp = tcp[:16] + struct.pack("!H", transport_checksum(packet.src, packet.dst, TCP, tcp)) + tcp[18:]
    if ":" in packet.src:
        return head[:18] + struct.pack("!H", len(tcp)) + head[20:l4] + tcp
    ip = head[14:16] + struct.pack("!H", l4 - 14 + len(tcp)) + head[18:24] + b"\0\0" + head[26:l4]
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return head[:14] + ip + tcp
