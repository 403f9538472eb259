"""A deterministic packet-level emulator: senders, a path of policers, queues and losses, and a capture at one end.

    net = Network(rtt=0.08)
    net.download(2_000_000, path=[Policer(60_000, 20_000)])
    frames = net.run()               # what a capture at the client sees

ACKs are delayed (RFC 1122). Frames carry headers only, as a snapshot length would leave them. With `udp=True` a transfer
looks like QUIC: no sequence numbers, and an acknowledgment is a small datagram.
"""

from __future__ import annotations

import heapq
import socket
import struct
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

from analyzer.decode import Frames
from tests.analyzer.limiter.senders import MSS, Sender

HEADERS = 52  # IPv4, TCP, timestamps
UDP_HEADERS = 28
ACK_DATAGRAM = 42  # bytes of a QUIC packet that acknowledges
EPOCH = 1_790_000_000_000_000_000
RAW_IP = 101  # DLT_RAW
DELAYED_ACK = 0.04
Plan = Callable[..., None]


class Network:
    """Transfers over paths, and the capture of them at the client or the server."""

    def __init__(
        self, rtt: float = 0.08, *, capture: str = "client", line: float = 12_500_000, client: str = "10.0.0.2"
    ):
        self.rtt, self.capture, self.line, self.client = rtt, capture, line, client
        self.senders: list[Sender] = []
        self.frames: list[tuple[float, bytes, int]] = []
        self.ports = count(40000)

    def download(self, total: float, path: Sequence = (), **how) -> Sender:
        """The server sends `total` bytes; path elements may be shared between transfers. `at`, `server`, `rtt`, limits.

        With `by_server=True` it is the server that opens the connection.
        """
        return self._add(total, path, False, **how)

    def upload(self, total: float, path: Sequence = (), **how) -> Sender:
        """The client sends."""
        return self._add(total, path, True, **how)

    def _add(self, total, path, up, *, at=0.0, server="192.0.2.9", rtt=None, by_server=False, **limits) -> Sender:
        ends = (server, self.client) if by_server else (self.client, server)
        names = (*ends, next(self.ports))
        sender = Sender(round(total), at, up != by_server, path, rtt or self.rtt, names, **limits)
        sender.near = (self.capture == "client") != by_server
        self.senders.append(sender)
        return sender

    def run(self, until: float = 60.0) -> Frames:
        """The capture of the first `until` seconds."""
        events: list[tuple[float, int, str, Sender, tuple]] = []
        ticket = count()

        def plan(t: float, what: str, sender: Sender, *rest) -> None:
            heapq.heappush(events, (t, next(ticket), what, sender, rest))

        for sender in self.senders:
            self._handshake(sender)
            plan(sender.at + 2 * sender.rtt + sender.think, "send", sender)
        steps = {
            "send": self._send, "hop": self._hop, "arrive": self._receive, "wait": self._waited, "back": self._back,
            "ack": self._acked, "rto": self._timer,
        }  # fmt: skip
        while events:
            t, _, what, sender, rest = heapq.heappop(events)
            if t > until:
                break
            steps[what](plan, t, sender, *rest)
        return self._frames()

    # -- one step of a packet or an acknowledgment -----------------------------------------------------------------
    def _send(self, plan: Plan, t: float, sender: Sender) -> None:
        at = max(t, sender.sending)  # the line is still busy with what was handed to it before
        while (k := sender.next_packet(t)) is not None:
            order = next(sender.order)
            sender.flying[k] = (at, order)
            if sender.rto_at == float("inf"):
                sender.rto_at = t + sender.rto
                plan(sender.rto_at, "rto", sender)
            number = next(sender.numbers[sender.up])
            self._record(at, sender, sender.up, k, MSS, number, at_sender=True)
            plan(at, "hop", sender, k, order, number, at, 0)
            at += (MSS + HEADERS) / self.line
            sender.sending = at
            if sender.paced:
                sender.pace_free = max(sender.pace_free, t) + 1 / sender.paced
                plan(sender.pace_free, "send", sender)
                break
        if sender.app_rate and sender.wake <= t and sender.written(t) <= sender.next < sender.packets:
            sender.wake = t + sender.chunk / sender.app_rate
            plan(sender.wake, "send", sender)

    def _hop(
        self, plan: Plan, t: float, sender: Sender, k: int, order: int, number: int, sent: float, stage: int
    ) -> None:
        if stage == len(sender.path):
            plan(t + sender.rtt / 2, "arrive", sender, k, order, number, sent)
            return
        after = sender.path[stage].transit(t, MSS + HEADERS)
        if after is not None:
            plan(after, "hop", sender, k, order, number, sent, stage + 1)

    def _receive(self, plan: Plan, t: float, sender: Sender, k: int, order: int, number: int, sent: float) -> None:
        self._record(t, sender, sender.up, k, MSS, number, at_sender=False, sent=sent)
        in_order = k == sender.expected
        if k >= sender.expected:
            sender.received.add(k)
        while sender.expected in sender.received:
            sender.received.discard(sender.expected)
            sender.expected += 1
        sender.unacked += 1
        if not in_order or sender.received or sender.unacked >= 2:
            self._ack(plan, t, sender, order, sent)
        else:
            plan(t + DELAYED_ACK, "wait", sender, order, sent)

    def _waited(self, plan: Plan, t: float, sender: Sender, order: int, sent: float) -> None:
        if sender.unacked:
            self._ack(plan, t, sender, order, sent)

    def _ack(self, plan: Plan, t: float, sender: Sender, order: int, sent: float) -> None:
        sender.unacked = 0
        number = next(sender.numbers[not sender.up])
        self._record(t, sender, not sender.up, sender.expected, 0, number, at_sender=False, echo=sent)
        plan(t, "back", sender, (sender.expected, set(sender.received), order), number, sent, 0)

    def _back(self, plan: Plan, t: float, sender: Sender, what: tuple, number: int, echo: float, stage: int) -> None:
        if stage == len(sender.return_path):
            plan(t + sender.rtt / 2, "ack", sender, what, number, echo)
            return
        after = sender.return_path[stage].transit(t, HEADERS)
        if after is not None:
            plan(after, "back", sender, what, number, echo, stage + 1)

    def _acked(self, plan: Plan, t: float, sender: Sender, what: tuple, number: int, echo: float) -> None:
        self._record(t, sender, not sender.up, what[0], 0, number, at_sender=True, echo=echo)
        sender.on_ack(t, *what, t - echo)
        if sender.una >= sender.packets and sender.done_at is None:
            sender.done_at = t
        plan(sender.rto_at, "rto", sender)
        self._send(plan, t, sender)

    def _timer(self, plan: Plan, t: float, sender: Sender) -> None:
        if t >= sender.rto_at:
            sender.on_timeout(t)
            plan(sender.rto_at, "rto", sender)
            self._send(plan, t, sender)

    # -- the capture -----------------------------------------------------------------------------------------------
    def _handshake(self, sender: Sender) -> None:
        half = 0.0 if sender.near else sender.rtt / 2
        t = sender.at + half
        far = sender.rtt if sender.near else 1e-4
        near = 1e-4 if sender.near else sender.rtt
        if sender.udp:
            self._datagram(t, sender, True, 1200)
            self._datagram(t + far, sender, False, 1200)
            self._datagram(t + far + near, sender, True, 120)
            return
        up, down = (sender.numbers[way] for way in (True, False))
        self._packet(t, sender, True, 2, 0, 0, 0, t, 0, next(up))
        self._packet(t + far, sender, False, 18, 0, 1, 0, t + far, t, next(down))
        self._packet(t + far + near, sender, True, 16, 1, 1, 0, t, t, next(up))
        if not sender.up:  # a request, so that the server has something to answer
            self._packet(t + far + near + 1e-4, sender, True, 24, 1, 1, 100, t, t, next(up))

    def _record(self, t, sender, up, segment, length, number, *, at_sender, sent=None, echo=0.0) -> None:
        """A packet, where it passes the capture: at its sender's side or the other."""
        if at_sender != (sender.up == sender.near):
            return
        if sender.udp:
            self._datagram(t, sender, up, length or ACK_DATAGRAM)
            return
        asked = 0 if sender.up else 100
        seq, ack = (1 + segment * MSS, 1 + asked) if length else (1 + asked, 1 + segment * MSS)
        self._packet(t, sender, up, 24 if length else 16, seq, ack, length, t if sent is None else sent, echo, number)

    def _packet(self, t, sender, up, flags, seq, ack, length, tsval, tsecr, number) -> None:
        source, target = (sender.port, 443) if up else (443, sender.port)
        tcp = struct.pack(">HHIIBBHHH", source, target, seq % 2**32, ack % 2**32, 0x80, flags, 64240, 0, 0)
        stamps = struct.pack(">BBBBII", 1, 1, 8, 10, 1_000 + int(1e3 * tsval), 1_000 + int(1e3 * tsecr))
        self.frames.append((t, self._ip(sender, up, 6, HEADERS + length, number) + tcp + stamps, HEADERS + length))

    def _datagram(self, t, sender, up, length) -> None:
        source, target = (sender.port, 443) if up else (443, sender.port)
        udp = struct.pack(">HHHH", source, target, 8 + length, 0)
        self.frames.append((t, self._ip(sender, up, 17, UDP_HEADERS + length) + udp, UDP_HEADERS + length))

    def _ip(self, sender: Sender, up: bool, proto: int, length: int, number: int = 0) -> bytes:
        ends = (sender.client, sender.server) if up else (sender.server, sender.client)
        addresses = b"".join(map(socket.inet_aton, ends))
        return struct.pack(">BBHHHBBH", 0x45, 0, length, number % 2**16, 0x4000, 64, proto, 0) + addresses

    def _frames(self) -> Frames:
        self.frames.sort(key=lambda frame: frame[0])
        n = len(self.frames)
        sizes = np.array([len(data) for _, data, _ in self.frames], np.int64)
        return Frames(
            data=np.frombuffer(b"".join(data for _, data, _ in self.frames), np.uint8).copy(),
            offset=np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64),
            caplen=sizes,
            origlen=np.array([size for _, _, size in self.frames], np.int64),
            ts=np.array([round(t * 1e9) for t, _, _ in self.frames], np.int64) + EPOCH,
            link=np.full(n, RAW_IP, np.int32),
            iface=np.zeros(n, np.int32),
            number=np.arange(1, n + 1, dtype=np.int64),
        )
