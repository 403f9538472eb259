"""Senders: what one of them may send, what it believes lost, how fast it goes.

Congestion control is a loss-based window with SACK recovery (RFC 5681, RFC 6675; CUBIC's factor of 0.7), or, with
`bbr=True`, pacing at the highest delivery rate whatever is lost (Cardwell et al., ACM Queue 2016): enough that losses
fall where a real sender's would.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from itertools import count

MSS = 1448
STARTUP_GAIN, DRAIN_GAIN, GAINS = 2.89, 0.35, (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
FULL = 1.25, 3  # the pipe is full when the rate grew by less than this in so many round trips
LEAST_RTO = 0.2  # seconds (Linux)
ROUNDS = 10  # round trips over which the highest rate is remembered


class Bandwidth:
    """BBR's model of the path."""

    def __init__(self, rtt: float):
        self.rtt = rtt
        self.delivered = 0
        self.history: deque[tuple[float, int]] = deque([(0.0, 0)])
        self.rates: deque[tuple[float, float]] = deque()
        self.round_at, self.best_before, self.flat, self.rounds = 0.0, 0.0, 0, 0
        self.gain = STARTUP_GAIN

    def on_delivery(self, t: float, packets: int) -> tuple[float, float]:
        """(window in packets, packets per second) after `packets` more were delivered."""
        self.delivered += packets
        self.history.append((t, self.delivered))
        while len(self.history) > 1 and self.history[1][0] <= t - self.rtt:
            self.history.popleft()
        then, before = self.history[0]
        self.rates.append((t, (self.delivered - before) / max(t - then, self.rtt)))
        while self.rates[0][0] < t - ROUNDS * self.rtt:
            self.rates.popleft()
        best = max(rate for _, rate in self.rates)
        if t >= self.round_at + self.rtt:
            self.round_at, self.rounds = t, self.rounds + 1
            if self.flat < FULL[1]:
                self.flat = self.flat + 1 if best < FULL[0] * self.best_before else 0
                self.gain = DRAIN_GAIN if self.flat == FULL[1] else STARTUP_GAIN
            else:
                self.gain = GAINS[self.rounds % len(GAINS)]
            self.best_before = best
        return max(4.0, 2 * best * self.rtt + 3), max(self.gain * best, 1 / self.rtt)


class Sender:
    """One bulk transfer. `limits`:

    window       bytes the receiver takes at once
    app_rate     bytes per second that the application writes, in pieces of `chunk` bytes
    paced        bytes per second at which packets leave at most
    think        seconds before the server answers
    bbr, udp     see the module, and `emulated`
    return_path  what the acknowledgments pass
    """

    def __init__(self, total: int, at: float, up: bool, path: Sequence, rtt: float, names: tuple, **limits):
        self.packets, self.at, self.up, self.path, self.rtt = -(-total // MSS), at, up, list(path), rtt
        self.client, self.server, self.port = names
        self.near = True  # whether the capture stands at the end that opened the connection
        self.window = limits.pop("window", 1 << 30) / MSS
        self.app_rate = limits.pop("app_rate", 0.0) / MSS
        self.chunk = max(1, round(limits.pop("chunk", MSS) / MSS))
        self.paced = limits.pop("paced", 0.0) / MSS
        self.think = limits.pop("think", 0.0)
        self.udp = limits.pop("udp", False)
        self.bandwidth = Bandwidth(rtt) if limits.pop("bbr", False) else None
        self.return_path = list(limits.pop("return_path", ()))
        assert not limits, limits
        self.cwnd, self.ssthresh = 10.0, 1e9
        self.next, self.una, self.recover = 0, 0, -1
        self.sacked: set[int] = set()
        self.flying: dict[int, tuple[float, int]] = {}  # packet -> (sent, order)
        self.lost: list[int] = []
        self.order = count()
        self.numbers = {True: count(self.port), False: count(7)}  # of packets each way, as their IP headers count them
        self.highest_order = -1
        self.rto, self.rto_at = max(1.0, 2 * rtt), float("inf")
        self.pace_free, self.sending, self.wake = 0.0, 0.0, 0.0
        self.received: set[int] = set()
        self.expected, self.unacked = 0, 0
        self.done_at: float | None = None

    def on_ack(self, t: float, ack: int, sacked: set[int], newest: int, sample: float) -> None:
        advanced = ack > self.una
        before = len(self.flying)
        for k in range(self.una, ack):
            self.flying.pop(k, None)
        self.una = max(self.una, ack)
        for k in sacked:
            self.flying.pop(k, None)
        self.sacked |= sacked
        self.highest_order = max(self.highest_order, newest)
        if self.bandwidth is not None and before > len(self.flying):
            self.cwnd, self.paced = self.bandwidth.on_delivery(t, before - len(self.flying))
        gone = [k for k, (_, order) in self.flying.items() if order + 3 <= self.highest_order]
        for k in gone:
            del self.flying[k]
            heapq.heappush(self.lost, k)
        if self.bandwidth is None and self.una > self.recover:
            if gone:
                self.ssthresh = self.cwnd = max(2.0, 0.7 * self.cwnd)
                self.recover = self.next
            elif advanced and 2 * before >= self.cwnd:  # a window that is not used does not grow (RFC 7661)
                self.cwnd += 1.0 if self.cwnd < self.ssthresh else 1.0 / self.cwnd
        if advanced:
            self.rto = max(LEAST_RTO, 2 * sample)
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
        if self.next < self.written(t) and self.next < self.una + self.window:
            self.next += 1
            return self.next - 1
        return None

    def written(self, t: float) -> int:
        """Packets that the application has handed over by now."""
        if not self.app_rate:
            return self.packets
        pieces = int((t - self.at) * self.app_rate / self.chunk) + 1
        return min(self.packets, pieces * self.chunk)
