"""A deterministic packet-level emulator: TCP senders, a path of policers, queues and losses, and a capture at one end.

    net = Network(rtt=0.08)
    net.download(2_000_000, path=[Policer(60_000, 20_000)])
    frames = net.run()               # what a capture at the client sees

Congestion control is NewReno's window with SACK-based recovery (RFC 5681, RFC 6675) and delayed ACKs (RFC 1122): enough
that losses fall where a real sender's would. Frames carry headers only, as a snapshot length would leave them.
"""

from __future__ import annotations

import heapq
import random
import socket
import struct
from collections.abc import Sequence
from itertools import count

import numpy as np

from analyzer.decode import Frames

MSS = 1448
HEADERS = 52
EPOCH = 1_790_000_000_000_000_000
RAW_IP = 101  # DLT_RAW


class Policer:
    """A token bucket that drops what exceeds it."""

    def __init__(self, rate: float, depth: float, after: float = 0.0):
        self.rate, self.depth, self.level, self.t, self.after = rate, depth, depth, 0.0, after

    def transit(self, t: float, size: int) -> float | None:
        if t < self.after:
            return t
        self.level = min(self.depth, self.level + self.rate * (t - self.t))
        self.t = t
        if self.level < size:
            return None
        self.level -= size
        return t


class Queue:
    """A drop-tail queue that drains at `rate`: a shaper, or any bottleneck."""

    def __init__(self, rate: float, limit: float):
        self.rate, self.limit, self.free = rate, limit, 0.0

    def transit(self, t: float, size: int) -> float | None:
        self.free = max(self.free, t)
        if (self.free - t) * self.rate + size > self.limit:
            return None
        self.free += size / self.rate
        return self.free


class Loss:
    """Losses with no memory, or in bursts (Gilbert–Elliott) when `burst` is over 1."""

    def __init__(self, share: float, seed: int = 1, burst: float = 1.0):
        self.random, self.bad = random.Random(seed), False
        self.leave = 1 / burst
        self.enter = share / (1 - share) * self.leave
        self.share, self.bursty = share, burst > 1

    def transit(self, t: float, size: int) -> float | None:
        if not self.bursty:
            return None if self.random.random() < self.share else t
        self.bad = self.random.random() >= self.leave if self.bad else self.random.random() < self.enter
        return None if self.bad else t


class Jitter:
    """Delay that reorders."""

    def __init__(self, most: float, seed: int = 1, share: float = 1.0):
        self.random, self.most, self.share = random.Random(seed), most, share

    def transit(self, t: float, size: int) -> float | None:
        return t + (self.random.random() * self.most if self.random.random() < self.share else 0.0)


class Sender:
    """One bulk transfer: what it may send, what it believes lost."""

    def __init__(self, total: int, at: float, up: bool, path: Sequence, rtt: float, names: tuple, **limits: float):
        self.packets, self.at, self.up, self.path, self.rtt = -(-total // MSS), at, up, list(path), rtt
        self.client, self.server, self.port = names
        self.window = limits.get("window", 1 << 30) / MSS  # the receiver's
        self.app_rate = limits.get("app_rate", 0.0) / MSS  # packets per second the application writes; 0: all at once
        self.paced = limits.get("paced", 0.0) / MSS
        self.think = limits.get("think", 0.0)  # seconds before the server answers
        self.cwnd, self.ssthresh = 10.0, 1e9
        self.next, self.una, self.recover = 0, 0, -1
        self.sacked: set[int] = set()
        self.flying: dict[int, tuple[float, int]] = {}  # packet -> (sent, order)
        self.lost: list[int] = []
        self.order = count()
        self.highest_order = -1
        self.rto, self.rto_at = max(0.2, 2 * rtt), float("inf")
        self.pace_free, self.sending = 0.0, 0.0
        self.received: set[int] = set()
        self.expected, self.unacked = 0, 0
        self.done_at: float | None = None

    def on_ack(self, t: float, ack: int, sacked: set[int], newest: int) -> None:
        advanced = ack > self.una
        for k in range(self.una, ack):
            self.flying.pop(k, None)
        self.una = max(self.una, ack)
        for k in sacked:
            self.flying.pop(k, None)
        self.sacked |= sacked
        self.highest_order = max(self.highest_order, newest)
        gone = [k for k, (_, order) in self.flying.items() if order + 3 <= self.highest_order]
        for k in gone:
            del self.flying[k]
            heapq.heappush(self.lost, k)
        if gone and self.una > self.recover:
            self.ssthresh = self.cwnd = max(2.0, 0.7 * self.cwnd)
            self.recover = self.next
        elif advanced and self.una > self.recover:
            self.cwnd += 1.0 if self.cwnd < self.ssthresh else 1.0 / self.cwnd
        if advanced:
            self.rto = max(0.2, 2 * self.rtt)
        self.rto_at = t + self.rto if self.una < self.packets else float("inf")

    def on_timeout(self, t: float) -> None:
        self.ssthresh, self.cwnd = max(2.0, self.cwnd / 2), 1.0
        self.lost = sorted({*self.lost, *self.flying} - self.sacked)
        self.flying.clear()
        self.recover = self.next
        self.rto = min(60.0, 2 * self.rto)
        self.rto_at = t + self.rto

    def next_packet(self, t: float) -> int | None:
        if len(self.flying) >= self.cwnd or t < self.pace_free:
            return None
        while self.lost:
            k = heapq.heappop(self.lost)
            if k >= self.una and k not in self.sacked:
                return k
        written = self.packets if not self.app_rate else min(self.packets, int((t - self.at) * self.app_rate) + 1)
        if self.next < written and self.next < self.una + self.window:
            self.next += 1
            return self.next - 1
        return None


class Network:
    """Transfers over paths, and the capture of them at the client or the server."""

    def __init__(self, rtt: float = 0.08, *, capture: str = "client", line: float = 12_500_000, client: str = "10.0.0.2"):
        self.rtt, self.capture, self.line, self.client = rtt, capture, line, client
        self.senders: list[Sender] = []
        self.frames: list[tuple[float, bytes, int]] = []
        self.ports = count(40000)

    def download(
        self, total: int, path: Sequence = (), *, at: float = 0.0, server: str = "192.0.2.9", rtt: float | None = None, **limits
    ) -> Sender:
        """The server sends `total` bytes; path elements may be shared between transfers. `window`, `app_rate`, ..."""
        return self._add(total, path, at, server, rtt, False, limits)

    def upload(self, total: int, path: Sequence = (), *, at: float = 0.0, server: str = "192.0.2.9", **limits) -> Sender:
        """The client sends."""
        return self._add(total, path, at, server, None, True, limits)

    def _add(self, total, path, at, server, rtt, up, limits) -> Sender:
        names = (self.client, server, next(self.ports))
        sender = Sender(total, at, up, path, rtt or self.rtt, names, **limits)
        self.senders.append(sender)
        return sender

    def run(self, until: float = 60.0) -> Frames:
        events: list[tuple[float, int, str, Sender, tuple]] = []
        ticket = count()

        def plan(t: float, what: str, sender: Sender, *rest) -> None:
            heapq.heappush(events, (t, next(ticket), what, sender, rest))

        for sender in self.senders:
            self._handshake(sender)
            plan(sender.at + 2 * sender.rtt + sender.think, "try", sender)
        while events:
            t, _, what, sender, rest = heapq.heappop(events)
            if t > until:
                break
            if what == "try":
                self._send(t, sender, plan)
            elif what == "hop":
                k, order, sent, stage = rest
                after = sender.path[stage].transit(t, MSS + HEADERS)
                if after is not None:
                    self._hop(after, sender, k, order, sent, stage + 1, plan)
            elif what == "arrive":
                k, order, sent = rest
                self._receive(t, sender, k, order, sent, plan)
            elif what == "delack" and sender.unacked:
                self._ack(t, sender, rest[0], rest[1], plan)
            elif what == "ack":
                sender.on_ack(t, *rest)
                if sender.una >= sender.packets and sender.done_at is None:
                    sender.done_at = t
                plan(sender.rto_at, "rto", sender)
                self._send(t, sender, plan)
            elif what == "rto" and t >= sender.rto_at:
                sender.on_timeout(t)
                plan(sender.rto_at, "rto", sender)
                self._send(t, sender, plan)
        return self._frames()

    def _hop(self, t, sender, k, order, sent, stage, plan) -> None:
        if stage < len(sender.path):
            plan(t, "hop", sender, k, order, sent, stage)
        else:
            plan(t + sender.rtt / 2, "arrive", sender, k, order, sent)

    def _send(self, t: float, sender: Sender, plan) -> None:
        at = max(t, sender.sending)  # the line is still busy with what was handed to it before
        while (k := sender.next_packet(t)) is not None:
            order = next(sender.order)
            sender.flying[k] = (at, order)
            if sender.rto_at == float("inf"):
                sender.rto_at = t + sender.rto
                plan(sender.rto_at, "rto", sender)
            self._record(at, sender, sender.up, k, MSS, sender_side=True)
            self._hop(at, sender, k, order, at, 0, plan)
            at += (MSS + HEADERS) / self.line
            sender.sending = at
            if sender.paced:
                sender.pace_free = max(sender.pace_free, t) + 1 / sender.paced
                plan(sender.pace_free, "try", sender)
                break
        if sender.app_rate and sender.next < sender.packets:
            plan(t + 1 / sender.app_rate, "try", sender)

    def _receive(self, t: float, sender: Sender, k: int, order: int, sent: float, plan) -> None:
        self._record(t, sender, sender.up, k, MSS, sender_side=False, sent=sent)
        in_order = k == sender.expected
        sender.received.add(k)
        while sender.expected in sender.received:
            sender.received.discard(sender.expected)
            sender.expected += 1
        sender.unacked += 1
        if not in_order or sender.received or sender.unacked >= 2:
            self._ack(t, sender, order, sent, plan)
        else:
            plan(t + 0.04, "delack", sender, order, sent)

    def _ack(self, t: float, sender: Sender, order: int, sent: float, plan) -> None:
        sender.unacked = 0
        self._record(t, sender, not sender.up, sender.expected, 0, sender_side=False, echo=sent)
        self._record(t + sender.rtt / 2, sender, not sender.up, sender.expected, 0, sender_side=True, echo=sent)
        plan(t + sender.rtt / 2, "ack", sender, sender.expected, set(sender.received), order)

    def _here(self, sender: Sender, sender_side: bool) -> bool:
        at_client = self.capture == "client"
        return sender_side == (sender.up == at_client)

    def _handshake(self, sender: Sender) -> None:
        half = 0.0 if self.capture == "client" else sender.rtt / 2
        t = sender.at + half
        far = sender.rtt if self.capture == "client" else 1e-4
        near = 1e-4 if self.capture == "client" else sender.rtt
        self._packet(t, sender, True, 2, 0, 0, 0, t, 0)
        self._packet(t + far, sender, False, 18, 0, 1, 0, t + far, t)
        self._packet(t + far + near, sender, True, 16, 1, 1, 0, t, t)
        if not sender.up:  # a request, so that the server has something to answer
            self._packet(t + far + near + 1e-4, sender, True, 24, 1, 1, 100, t, t)

    def _record(self, t, sender, up, number, length, *, sender_side, sent=None, echo=0.0) -> None:
        if not self._here(sender, sender_side):
            return
        asked = 0 if sender.up else 100
        if length:
            seq, ack = 1 + number * MSS, 1 + asked
        else:
            seq, ack = 1 + asked, 1 + number * MSS
        self._packet(t, sender, up, 24 if length else 16, seq, ack, length, t if sent is None else sent, echo)

    def _packet(self, t, sender, up, flags, seq, ack, length, tsval, tsecr) -> None:
        src, dst = (sender.client, sender.server) if up else (sender.server, sender.client)
        sport, dport = (sender.port, 443) if up else (443, sender.port)
        ip = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, HEADERS + length, 0, 0x4000, 64, 6, 0, socket.inet_aton(src), socket.inet_aton(dst)
        )
        tcp = struct.pack(">HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, 0x80, flags, 64240, 0, 0)
        stamps = struct.pack(">BBBBII", 1, 1, 8, 10, 1_000 + int(1e3 * tsval), 1_000 + int(1e3 * tsecr))
        self.frames.append((t, ip + tcp + stamps, HEADERS + length))

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
