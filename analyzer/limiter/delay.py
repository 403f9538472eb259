"""How long packets were held, and whether they came out evenly: a queue delays and smooths, a policer does neither.

Round trips are timed from a packet sent once to the ACK that first covers it (Karn's rule), and not across a resend:
an ACK that repairs a hole answers no packet in particular. The 25th percentile is used because loss recovery inflates
the upper half of the samples.
"""

from __future__ import annotations

import numpy as np

from analyzer.limiter.loss import SOONER_THAN_RESEND
from analyzer.limiter.stream import Stream, first_ack
from analyzer.serial import ahead
from analyzer.tables import Table

QUEUE_SECONDS = 0.025  # standing delay below which a shallow queue and a policer cannot be told apart by delay
FULL_PACKET = 1518  # bytes
QUEUE_PACKETS = 1.5  # full packets at the limit's rate: a packet being sent is no queue
QUEUE_SHARE = 0.25  # of the base round trip: jitter grows with the path
SAMPLES = 8
RUN_BYTES = 2 * 1448  # output is judged over runs of two packets: the shortest burst that has a rate
FASTER = 2.0  # times the limit's rate: a line that is the limit cannot send two packets closer than this
CLOCKS = 100, 250, 1000  # ticks per second of the timestamp clocks in use; slower ones are too coarse for a queue
CLOCK_ERROR = 0.05  # of a tick rate by which a clock may seem too fast
SLOWEST = 0.6  # of a tick rate: a queue that grows all the time makes the sender's clock seem slow
CLOCK_SECONDS = 2.0  # a span that is long beside one tick and one queue
DRIFT = 1e-4  # seconds per second that two clocks may diverge (crystals: 50 ppm each)


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


def repairs(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """(when sent, least round trip) of packets sent again whose ACK moved the receiver on.

    Where loss never ends nothing else is timed. The last copy before the ACK is taken, so that no wait is overstated.
    """
    if not len(stream.t):
        return stream.t, stream.t
    high = np.concatenate(([-(1 << 62)], np.maximum.accumulate(stream.end)[:-1]))
    again = np.flatnonzero(stream.start < high)
    t, start = stream.t[again], stream.start[again]
    at = np.searchsorted(stream.acked, start, "right")
    back = np.concatenate((stream.ack_t, [np.inf]))[at]
    first_missing = np.concatenate(([-(1 << 62)], stream.acked))[at] == start
    order = np.lexsort((t, start))
    last = np.ones(len(order), bool)
    last[order[:-1]] = (start[order[1:]] != start[order[:-1]]) | (t[order[1:]] > back[order[:-1]])
    good = first_missing & last & np.isfinite(back) & (back - t >= SOONER_THAN_RESEND * np.nan_to_num(stream.behind))
    return t[good], (back - t)[good]


def stamped(series: Table, up: bool) -> tuple[np.ndarray, np.ndarray]:
    """(when they came, seconds later than the least delayed of them) of data packets with TCP timestamps (RFC 7323).

    Near the receiver this is the only sight of a queue: arrival minus the sender's own clock, whose tick is one of a few.
    """
    nothing = np.empty(0), np.empty(0)
    some = series[(series.up == up) & (series.tsval >= 0) & (series.payload_len > 0)]
    if len(some) < SAMPLES:
        return nothing
    t = (some.ts - some.ts[0]) / 1e9
    value = ahead(some.tsval, some.tsval[0])
    span = float(t.max())
    if span < CLOCK_SECONDS:
        return nothing
    ticks = float(value[-1]) / span
    tick = next((hertz for hertz in CLOCKS if SLOWEST * hertz <= ticks <= (1 + CLOCK_ERROR) * hertz), None)
    if tick is None:
        return nothing
    late = t - value / tick
    waits = np.maximum(late - late.min() - DRIFT * span, 0.0)
    return t + float(some.ts[0] - series.ts.min()) / 1e9, waits


def floor(base: float, rate: float) -> float:
    """Seconds beyond the base round trip above which a wait is a queue's."""
    return max(QUEUE_SECONDS, QUEUE_PACKETS * FULL_PACKET / rate, QUEUE_SHARE * base)


def queued(waits: np.ndarray, base: float, rate: float) -> bool | None:
    """Whether packets stood in a queue, from what they waited beyond `base`; None where too few were timed."""
    if len(waits) < SAMPLES:
        return None
    return bool(np.quantile(waits, 0.25) > floor(base, rate))


def burstiness(t: np.ndarray, size: np.ndarray, rate: float) -> float:
    """Share of the output that left in runs much faster than `rate`: none behind a queue that drains at it."""
    total = np.cumsum(size)
    after = np.searchsorted(total, total + RUN_BYTES, "left")
    start = np.flatnonzero(after < len(total))
    if not len(start):
        return float("nan")
    stop = after[start]
    return float(((total[stop] - total[start]) > FASTER * rate * (t[stop] - t[start])).mean())
