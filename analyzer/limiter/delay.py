"""How long packets were held, and whether they came out evenly: a queue delays and smooths, a policer does neither.

Round trips are timed from a packet sent once to the ACK that first covers it (Karn's rule), and not across a resend:
an ACK that repairs a hole answers no packet in particular. The 25th percentile is used because loss recovery inflates
the upper half of the samples.
"""

from __future__ import annotations

import numpy as np

from analyzer.limiter.stream import Stream, first_ack
from analyzer.tables import Table

QUEUE_SECONDS = 0.025  # standing delay below which a shallow queue and a policer cannot be told apart by delay
FULL_PACKET = 1518  # bytes
QUEUE_PACKETS = 1.5  # full packets at the limit's rate: a packet being sent is no queue
QUEUE_SHARE = 0.25  # of the base round trip: jitter grows with the path
SAMPLES = 8
RUN_BYTES = 2 * 1448  # output is judged over runs of two packets: the shortest burst that has a rate
FASTER = 2.0  # times the limit's rate: a line that is the limit cannot send two packets closer than this
CLOCKS = 100, 250, 1000  # ticks per second of the timestamp clocks in use; slower ones are too coarse for a queue
CLOCK_ERROR = 0.05  # of a tick rate, over
CLOCK_SECONDS = 2.0  # a span in which a queue's own delay does not yet look like another clock


def samples(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """(when sent, round trip behind the capture) of packets sent once, with no resend while they were under way."""
    if not len(stream.t):
        return stream.t, stream.t
    high = np.concatenate(([-(1 << 62)], np.maximum.accumulate(stream.end)[:-1]))
    once = stream.start >= high
    again, t = stream.t[~once], stream.t[once]
    back = first_ack(stream, stream.end[once])
    clean = np.isfinite(back) & (np.searchsorted(again, t, "right") == np.searchsorted(again, back, "right"))
    return t[clean], (back - t)[clean]


def stamped(rows: Table, up: bool) -> np.ndarray:
    """Seconds that data packets with TCP timestamps (RFC 7323) came later than the least delayed of them.

    Near the receiver this is the only sight of a queue: arrival minus the sender's own clock, whose tick is fitted.
    """
    some = rows[(rows.up == up) & (rows.tsval >= 0) & (rows.payload_len > 0) & (rows.icmp < 0)]
    if len(some) < SAMPLES:
        return np.empty(0)
    t = (some.ts - some.ts[0]) / 1e9
    value = ((some.tsval - some.tsval[0] + 0x80000000) & 0xFFFFFFFF) - 0x80000000
    if t[-1] < CLOCK_SECONDS:
        return np.empty(0)
    ticks = float(value[-1] / t[-1])
    tick = min(CLOCKS, key=lambda hertz: abs(hertz - ticks))
    if abs(tick - ticks) > CLOCK_ERROR * tick:
        return np.empty(0)
    late = t - value / tick
    return late - late.min()


def queued(waits: np.ndarray, base: float, rate: float) -> bool | None:
    """Whether packets stood in a queue, from what they waited beyond `base`; None where too few were timed."""
    if len(waits) < SAMPLES:
        return None
    floor = max(QUEUE_SECONDS, QUEUE_PACKETS * FULL_PACKET / rate, QUEUE_SHARE * base)
    return bool(np.quantile(waits, 0.25) > floor)


def burstiness(t: np.ndarray, size: np.ndarray, rate: float) -> float:
    """Share of the output that left in runs much faster than `rate`: none behind a queue that drains at it."""
    total = np.cumsum(size)
    after = np.searchsorted(total, total + RUN_BYTES, "left")
    start = np.flatnonzero(after < len(total))
    if not len(start):
        return float("nan")
    stop = after[start]
    return float(((total[stop] - total[start]) > FASTER * rate * (t[stop] - t[start])).mean())
