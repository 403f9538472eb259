"""Forged endings and answers inside a TCP connection: resets of every known make, FINs, pages, alerts, bytes.

The parameters are the fields by which real injectors differ (rst_injection.py cites them): how many, with which
sequence numbers, with whose TTL and IP-ID, how soon, towards whom. A box beside the path can do all of this.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from tests.lab.flow import Flow
from tests.lab.packet import ACK, SYN, TCP, Packet, flags_of, ip_frame, tcp_segment
from tests.lab.rules import Action, Fate


@dataclass(frozen=True)
class Headers:
    """How a forger fills in what it does not need. A number is itself.

    ttl: `"trigger"` mirrors the packet it answers, `"peer"` copies the last packet of whom it pretends to be.
    ipid: `"trigger"` copies, `"peer"` counts on, `"random"`.  window: `"trigger"` copies.
    """

    ttl: int | str = 64
    ipid: int | str = 0
    window: int | str = 0
    df: bool = True
    rise: int = 0  # TTL and window grow by this from one packet of a burst to the next
    tsval_off: int | None = None  # carry timestamps, so far off the server's clock
    bad_checksum: bool = False


@dataclass(frozen=True)
class _Forger(Action):
    headers: Headers = Headers()
    after: float = 0.0003  # seconds between seeing and sending

    def _send(
        self, box, flow: Flow, about: Packet, to_client: bool, flags: int, seq: int, ack: int, payload: bytes,
        after: float, i: int = 0,
    ) -> None:  # fmt: skip
        """One forged segment, in the name of the other end."""
        src, dst = (flow.server, flow.client) if to_client else (flow.client, flow.server)
        peer, head = flow.last.get(not to_client), self.headers
        ttl = about.ttl if head.ttl == "trigger" else (peer or about).ttl if head.ttl == "peer" else head.ttl
        if head.ipid == "random":
            ipid = box.dice.randrange(1, 65536)
        elif head.ipid == "peer":
            ipid = ((peer.ipid if peer else 0) + 1 + i) % 65536
        else:
            ipid = about.ipid if head.ipid == "trigger" else head.ipid
        window = about.window if head.window == "trigger" else head.window
        options = b""
        if head.tsval_off is not None and peer and peer.timestamps:
            options = struct.pack(
                "!BBBBII", 1, 1, 8, 10, (peer.timestamps[0] + head.tsval_off) % 2**32, peer.timestamps[1]
            )
        ttl, window = min(ttl + i * head.rise, 255), min(window + i * head.rise, 65535)
        body = tcp_segment(src, dst, flags, seq, ack if flags & ACK else 0, window, options, payload)
        if head.bad_checksum:
            body = body[:16] + bytes([body[16] ^ 0x5A]) + body[17:]
        box.inject(flow, to_client, lambda ether: ip_frame(ether, src[0], dst[0], TCP, body, ttl, ipid, head.df), after)


def _answer(about: Packet) -> tuple[int, int]:
    """Sequence and acknowledgement of a segment that answers another (RFC 9293 section 3.10.7.1)."""
    length = about.end - about.data + bool(about.flags & SYN)
    return about.ack if about.flags & ACK else 0, about.seq + length


@dataclass(frozen=True)
class Reset(_Forger):
    """Forged RSTs: one per entry of `steps`, each so much beyond the sequence number expected."""

    to: str = "client"  # or "server", "both"
    flags: str = "RA"  # "R" for a bare one, "R,RA,RA,RA" for unlike ones in a row
    steps: tuple[int, ...] = (0,)
    gap: float = 0.0001
    ack_beyond: int = 0  # bytes that nobody sent are acknowledged, so many more by each further packet
    payload: bytes = b""
    each_time: int = 1  # how many packets of the client are answered so
    on_server: bool = False  # provoked by the server's next payload instead of by the trigger

    word: ClassVar[str] = "rst"

    def start(self, box, flow: Flow, packet: Packet) -> Fate:
        flow.memory(self, left=self.each_time)
        return self.each(box, flow, packet)

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        memory = flow.memory(self, left=self.each_time)
        provokes = not packet.up and packet.end > packet.data if self.on_server else packet.up
        if memory.left and provokes and packet.proto == TCP:
            memory.left -= 1
            for to_client in {"client": (True,), "server": (False,), "both": (True, False)}[self.to]:
                self._burst(box, flow, packet, to_client)
        return None

    def _burst(self, box, flow: Flow, about: Packet, to_client: bool) -> None:
        kinds = self.flags.split(",")
        seq, ack = _answer(about)
        if to_client != about.up:  # towards whom it came from the other way: goes on where that packet ended
            seq, ack = ack, seq
        for i, step in enumerate(self.steps):
            flags = flags_of(kinds[min(i, len(kinds) - 1)])
            acked = ack + (i + 1) * self.ack_beyond
            self._send(
                box, flow, about, to_client, flags, seq + step, acked, self.payload, self.after + i * self.gap, i
            )


@dataclass(frozen=True)
class Later(Action):
    """The action begins with the first packet so many seconds after the trigger."""

    action: Action = Action()
    seconds: float = 5.0

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.action.word

    @property
    def in_path(self) -> bool:  # type: ignore[override]
        return self.action.in_path

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        memory = flow.memory(self, due=box.now + self.seconds, begun=False)
        if memory.begun:
            return self.action.each(box, flow, packet)
        if box.now < memory.due or not packet.up:
            return None
        memory.begun = True
        return self.action.start(box, flow, packet)


@dataclass(frozen=True)
class Inject(_Forger):
    """Forged bytes or a forged FIN in the server's name, answering the packet that fired the trigger."""

    payload: bytes = b""
    flags: str = "PA"
    kind: str = "forged_data"  # or blockpage, tls_alert, fin
    reset_after: bool = False  # a RST behind it
    reset_server: bool = False

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.kind

    def start(self, box, flow: Flow, packet: Packet) -> Fate:
        seq, ack = _answer(packet)
        payload = self.payload.replace(b"{host}", (flow.name or "").encode())
        self._send(box, flow, packet, True, flags_of(self.flags), seq, ack, payload, self.after)
        if self.reset_after:
            end = seq + len(payload) + ("F" in self.flags)
            self._send(box, flow, packet, True, flags_of("RA"), end, ack, b"", self.after + 0.0002, 1)
        if self.reset_server:
            self._send(box, flow, packet, False, flags_of("RA"), ack, seq, b"", self.after)
        return None
