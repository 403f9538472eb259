"""What ordinary machines do to packets: load balancers, route changes, duplicating links, tools that fool filters."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from tests.lab.flow import Flow
from tests.lab.packet import ACK, FIN, PSH, RST, SYN, TCP, Packet, checksum, ip_frame, tcp_segment
from tests.lab.rules import DROP, Action, Fate, Hold, Rewrite

_BEHIND = 0.001  # seconds


@dataclass(frozen=True)
class Hops(Action):
    """The server's packets lose or gain hops: by class of packet, by connection, or from some moment on."""

    handshake: int = 0  # added to the TTL of SYN/ACKs
    data: int = 0
    ending: int = 0  # of FIN and RST
    per_flow: int = 0  # a connection's own addition is below this
    after: float = 0.0  # seconds since the flow's first packet

    word: ClassVar[str] = "none"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        memory = flow.memory(self, began=box.now, own=box.dice.randrange(self.per_flow) if self.per_flow else 0)
        if packet.up or box.now - memory.began < self.after:
            return None
        kind = self.handshake if packet.flags & SYN else self.ending if packet.flags & (FIN | RST) else self.data
        return Rewrite(with_ttl(packet, packet.ttl + kind + memory.own)) if kind + memory.own else None


def with_ttl(packet: Packet, ttl: int) -> bytes:
    """The frame with another TTL or hop limit."""
    frame = bytearray(packet.frame)
    if ":" in packet.src:
        frame[21] = ttl
        return bytes(frame)
    frame[22] = ttl
    frame[24:26] = b"\0\0"
    frame[24:26] = struct.pack("!H", checksum(bytes(frame[14 : packet.l4])))
    return bytes(frame)


@dataclass(frozen=True)
class Double(Action):
    """A link that delivers some packets twice."""

    share: float = 0.3
    later: float = 0.0008

    word: ClassVar[str] = "none"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if box.dice.random() < self.share:
            box.at(box.now + self.later, lambda: box.forward(packet))
        return None


@dataclass(frozen=True)
class Decoy(Action):
    """A desync tool on the device: before the hello a false one, which dies on the way or is ignored by the server (zapret).

    `hops` is its TTL; a wrong checksum or an old sequence number makes the server ignore it where the TTL does not.
    """

    name: str = "www.iana.org"
    hops: int = 4
    bad_checksum: bool = False
    seq_off: int = 0

    word: ClassVar[str] = "forged_data"
    in_path: ClassVar[bool] = True

    def start(self, box, flow: Flow, packet: Packet) -> Fate:
        body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0"
        name = self.name.encode()
        entry = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name
        extension = struct.pack("!HH", 0, len(entry)) + entry
        body += struct.pack("!H", len(extension)) + extension
        hello = b"\1" + len(body).to_bytes(3, "big") + body
        record = b"\x16\3\1" + struct.pack("!H", len(hello)) + hello
        segment = tcp_segment(
            packet.client, packet.server, ACK | PSH, packet.seq + self.seq_off, packet.ack, packet.window, b"", record
        )
        if self.bad_checksum:
            segment = segment[:16] + bytes([segment[16] ^ 0x5A]) + segment[17:]
        ttl = self.hops or packet.ttl
        box.inject(
            flow, False, lambda ether: ip_frame(ether, packet.src, packet.dst, TCP, segment, ttl, packet.ipid), 0.0
        )
        return self.each(box, flow, packet)

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        """The genuine hello goes behind it."""
        memory = flow.memory(self, until=box.now + _BEHIND)
        return Hold(memory.until - box.now) if packet.up and box.now < memory.until else None


@dataclass(frozen=True)
class Split(Action):
    """A desync tool that cuts the hello into two segments and sends the second first."""

    at: int = 40

    word: ClassVar[str] = "none"
    in_path: ClassVar[bool] = True

    def start(self, box, flow: Flow, packet: Packet) -> Fate:
        halves = [(packet.seq + self.at, packet.payload[self.at :]), (packet.seq, packet.payload[: self.at])]
        options = packet.frame[packet.l4 + 20 : packet.data]
        frames = []
        for i, (seq, part) in enumerate(halves):
            segment = tcp_segment(
                packet.client, packet.server, ACK | PSH, seq, packet.ack, packet.window, options, part
            )
            frames.append(
                ip_frame(packet.frame[:12], packet.src, packet.dst, TCP, segment, packet.ttl, packet.ipid + i)
            )
        box.inject(flow, False, lambda _: frames[0], 0.0)
        box.inject(flow, False, lambda _: frames[1], 0.0002)
        return DROP  # the two halves go in its place

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        return None
