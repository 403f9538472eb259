"""Whether a limit is the flow's own, or a line's that others share.

What passes one limiter adds up: while it limits, own and other bytes together are rate times time. If the others take
more, less is left, byte for byte; where the others' share varies and the own rate does not, they pass another way. One
slope says it: how many of the others' bytes came out of the own ones (1: shared, 0: apart). No model of TCP is needed.
Others that were never active at the same time are held to the bucket instead: what exceeds rate times time plus a burst
did not pass it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limiter.bucket import Bucket
from analyzer.limiter.delay import floor
from analyzer.limiter.epochs import PACKET, between_epochs
from analyzer.limiter.leg import Leg

LEAST = 6  # intervals for a slope with an error
HALF = 0.5  # a slope surely under it is nearer to apart, surely over it nearer to shared
SURELY = 2.0  # standard errors
BUSY, BUSY_LEAST = (
    0.5,
    2,
)  # times the rate that the others take in at least so many intervals: else they were no experiment
QUIET = 0.25  # of the rate: below, the others leave the limiter to the flow
QUIET_SECONDS = 2.0
ALONE = 0.5, 1.2  # times the limit that flows alone with it get: no more, and not much less if they want it
BIN_SECONDS, BIN_ROUND_TRIPS, BIN_PACKETS = (
    0.5,
    4.0,
    8.0,
)  # a bin in which a queue's output is counted: the longest of these
FASTER = 2.0  # times the rate: further apart than plans, shares and round trips explain
BURST_SECONDS = 3.0  # worth of tokens that a line's own bucket may hand out at once (Cisco: 1.5 s, extended 3 s)
SAME = 0.10  # of a rate: two limits that agree are one


class Limit(NamedTuple):
    """A limiter at work: intervals in which it had all it could pass. Times are seconds since 1970."""

    action: str  # police or shape
    rate: float  # bytes per second at the IP level
    depth: float  # bytes of bucket, or of queue
    start: np.ndarray
    stop: np.ndarray
    own: np.ndarray  # bytes that passed in each interval


class Passed(NamedTuple):
    """Bytes over time, of whatever flows."""

    t: np.ndarray  # seconds since 1970, ascending
    total: np.ndarray  # bytes so far, at the IP level

    @classmethod
    def of(cls, t: np.ndarray, size: np.ndarray) -> Passed:
        order = np.argsort(t, kind="stable")
        return cls(t[order], np.cumsum(size[order]))

    def between(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Bytes in (start, stop]."""
        total = np.concatenate(([0.0], self.total))
        return total[np.searchsorted(self.t, stop, "right")] - total[np.searchsorted(self.t, start, "right")]


class Comparison(NamedTuple):
    """How the others' bytes bear on a limit."""

    slope: float  # bytes lost to the limited ones per byte of the others; NaN without an experiment
    error: float
    fastest: float  # bytes per second of the others in the fastest interval
    quiet: float  # seconds in which the others left the limiter alone
    alone: float  # rate of the limited ones in them

    @property
    def apart(self) -> bool:
        return self.slope + SURELY * self.error <= HALF

    @property
    def shared(self) -> bool:
        return self.slope - SURELY * self.error >= HALF

    def limited_alone(self, rate: float) -> bool:
        """Whether it got no more than the limit while nobody else took any of it."""
        return self.quiet >= QUIET_SECONDS and ALONE[0] * rate <= self.alone <= ALONE[1] * rate


def policed(leg: Leg, bucket: Bucket) -> Limit:
    """A policer: between two drops its bucket went from empty to empty."""
    start, stop, passed = between_epochs(leg.offered, leg.rtt)
    return Limit("police", bucket.rate, bucket.depth, leg.origin + start, leg.origin + stop, passed)


def held(leg: Leg, rate: float) -> Limit:
    """A queue, in the bins in which packets stood in it."""
    width = max(BIN_SECONDS, BIN_ROUND_TRIPS * leg.rtt, BIN_PACKETS * PACKET / rate)
    last = leg.out_t[-1] if len(leg.out_t) else 0.0
    bins = max(1, int(last / width))
    out = np.bincount((leg.out_t / width).astype(int), leg.out, bins)[:bins]
    which = (leg.wait_t / width).astype(int)
    waited = leg.waits > floor(leg.rtt, rate)
    stood = np.bincount(which, waited, bins)[:bins] > 0.5 * np.bincount(which, minlength=bins)[:bins]
    at = np.flatnonzero(stood & (np.bincount(which, minlength=bins)[:bins] > 0))
    depth = rate * float(np.quantile(leg.waits, 0.9)) if len(leg.waits) else 0.0
    return Limit("shape", rate, depth, leg.origin + at * width, leg.origin + (at + 1) * width, out[at])


def compare(limit: Limit, others: Passed) -> Comparison:
    """What the others' bytes did to the limited ones, interval by interval."""
    span = limit.stop - limit.start
    taken = others.between(limit.start, limit.stop) / span
    own = limit.own / span
    quiet = taken < QUIET * limit.rate
    quiet_time = float(span[quiet].sum())
    alone = float(limit.own[quiet].sum() / quiet_time) if quiet_time else float("nan")
    fastest = float(taken.max(initial=0.0))
    slope, error = float("nan"), float("nan")
    if len(span) >= LEAST and min((taken >= BUSY * limit.rate).sum(), quiet.sum()) >= BUSY_LEAST:
        slope, error = _slope(taken, own, span)
    return Comparison(slope, error, fastest, quiet_time, alone)


def outran(limit: Limit, size: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Which transfers (bytes, and seconds that they took) cannot have passed this limiter, full bucket or not."""
    burst = max(BURST_SECONDS * limit.rate, 2 * limit.depth)
    return size > burst + FASTER * limit.rate * seconds


def exceeds(limit: Limit, passed: Passed) -> bool:
    """Whether any part of a transfer cannot have passed this limiter."""
    burst = max(BURST_SECONDS * limit.rate, 2 * limit.depth)
    if not len(passed.t):
        return False
    allowed = FASTER * limit.rate * (passed.t - passed.t[0])
    before = np.concatenate(([0.0], passed.total[:-1])) - allowed
    return bool((passed.total - allowed - np.minimum.accumulate(before)).max() > burst)


def agree(one: Limit, other: Limit) -> bool:
    """Whether two limits may be one."""
    return abs(one.rate - other.rate) <= SAME * max(one.rate, other.rate)


def _slope(taken: np.ndarray, own: np.ndarray, span: np.ndarray) -> tuple[float, float]:
    """Least squares of own = rate - slope * taken, weighted by the square of the span: its ends err by a packet or two."""
    weight = span**2 / (span**2).sum()
    x, y = taken - weight @ taken, own - weight @ own
    spread = weight @ x**2
    slope = -(weight @ (x * y)) / spread
    rest = weight @ (y + slope * x) ** 2
    effective = 1 / (weight**2).sum()
    return float(slope), float(np.sqrt(rest / (spread * max(effective - 2, 1.0))))
