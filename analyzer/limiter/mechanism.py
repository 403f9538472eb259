"""Name the mechanism that limits a flow, from losses, delay and the shape of the output taken together.

A policer and a drop-tail queue of the same rate and depth drop the same packets: the bucket's fit alone names neither.
The second axis is what happened to the packets that passed: behind a queue they waited, and left evenly at its rate;
behind a policer they did not wait, and bursts passed as bursts.
"""

from __future__ import annotations

import numpy as np

from analyzer.limiter.bucket import Bucket
from analyzer.limiter.delay import FULL_PACKET, burstiness, queued
from analyzer.limiter.leg import Leg

LOSSES, EPOCHS, SECONDS = 8, 4, 2.0  # evidence: precision falls below 0.97 with fewer epochs, recall below 3 s [lab]
# (spread of the slopes at most, AUC at least): random loss has an AUC of 0.53 to 0.77, a policer a spread under 5 %
FITS = (0.10, 0.80), (0.15, 0.90)
CHANCE = 0.05  # of as good a fit with the same losses elsewhere
# What passes by each loss strays from rate times time by a packet or so; under random loss it wanders like a Brownian
# bridge, whose mean square is a sixth of the variance (of bursts, where it comes in bursts).
WANDER = 0.10
# Near the receiver a slow policer's packets each wait for their token, so the level hardly varies and the AUC says
# little. Then the count must do, if so much is lost that an application's own steady rate could not have been kept up:
# random loss of 10 % breaks it by timeouts. Mean squares under 0.006 come once in 10^8 by chance, under 0.015 once in
# 3,000 (Cramér and von Mises), which is enough where the AUC is not chance either.
STARVED_LOSS = 0.10
STARVED = (0.006, 0.95, 0.15, 1.0, 0.0), (0.015, 0.85, 0.05, 0.01, 0.65)  # wander <=, empty >=, spread <=, p <=, AUC >=
# What two flows of one service must show, if their rates agree besides: each comes twice in a hundred by chance.
NEARLY = (0.02, 0.80, 0.05, 0.02, 0.68)  # wander <=, empty >=, spread <=, p <=, AUC >=
NEARLY_LOSS, NEARLY_EPOCHS, ALIKE = 0.09, 3, 0.03  # share of packets, epochs, of the rate
BURSTS = 0.2  # share of the output faster than twice the rate: over 0.26 behind policers, under 0.14 in queues [lab]
UNHELD_PACKETS = 0.75  # median wait in packets at the rate: behind a queue that is the limit, one is always being sent
QUEUE_SPREAD = 0.02  # of the slopes between a full queue's drops: a line's clock does not stray further [lab]
SHALLOW = 0.15  # of the time in which the fitted depth drains: a shallow queue holds a quarter of its packets longer
PLATEAU, PLATEAU_SHARE = 0.10, 0.60  # of the output within this of its median rate: a line's clock, idle ends apart
PLATEAU_RUN = 16 * 1448  # bytes of a run: single packets are too uneven to have a rate


def plateau(t: np.ndarray, out: np.ndarray) -> float | None:
    """The rate (bytes/s) at which most of the output left; None where it had no common rate."""
    total = np.cumsum(out)
    after = np.searchsorted(total, total + PLATEAU_RUN, "left")
    start = np.flatnonzero(after < len(total))
    if not len(start):
        return None
    stop = after[start]
    size, seconds = total[stop] - total[start], np.maximum(t[stop] - t[start], 1e-6)
    rate = float(np.median(size / seconds))
    even = np.abs(size / seconds - rate) <= PLATEAU * rate
    if even.mean() < PLATEAU_SHARE or t[-1] - t[0] < SECONDS:
        return None
    return float(size[even].sum() / seconds[even].sum())


def fits(bucket: Bucket) -> bool:
    """Whether the losses are those of a token bucket (a policer's, or a drop-tail queue's)."""
    b = bucket
    if b.losses < LOSSES or b.epochs < EPOCHS or b.seconds < SECONDS:
        return False
    if b.p <= CHANCE and b.wander * b.epochs / b.losses <= WANDER:
        if any(b.spread <= spread and b.auc >= auc for spread, auc in FITS):
            return True
    if b.loss_share < STARVED_LOSS:
        return False
    return any(_within(b, bounds) for bounds in STARVED)


def nearly(bucket: Bucket) -> bool:
    """Whether it would be a token bucket if another flow had the same rate."""
    enough = bucket.losses >= LOSSES and bucket.epochs >= NEARLY_EPOCHS and bucket.seconds >= SECONDS
    return enough and bucket.loss_share >= NEARLY_LOSS and _within(bucket, NEARLY)


def alike(one: float, other: float) -> bool:
    """Whether two rates are one."""
    return abs(one - other) <= ALIKE * max(one, other)


def _within(b: Bucket, bounds: tuple[float, float, float, float, float]) -> bool:
    wander, empty, spread, p, auc = bounds
    return b.wander <= wander and b.empty >= empty and b.spread <= spread and b.p <= p and b.auc >= auc


def held(leg: Leg, rate: float, depth: float) -> bool | None:
    """Whether packets stood in a queue that drains at `rate`; None where delay and evenness do not tell."""
    queue = queued(leg.waits, leg.rtt, rate)
    if queue is not False:
        return queue
    if np.quantile(leg.waits, 0.75) > SHALLOW * depth / rate:
        return None
    if np.median(leg.waits) <= UNHELD_PACKETS * FULL_PACKET / rate:
        return False
    return False if burstiness(leg.out_t, leg.out, rate) >= BURSTS else None


def queue_rate(leg: Leg, bucket: Bucket | None) -> float | None:
    """The rate (bytes/s) at which a queue drained that packets stood in; None where none is seen."""
    rate = plateau(leg.out_t, leg.out)
    if rate is None and bucket is not None and bucket.losses >= LOSSES and bucket.epochs >= EPOCHS:
        even = bucket.spread <= QUEUE_SPREAD or bucket.wander <= STARVED[0][0]
        if even and bucket.auc >= FITS[0][1]:
            rate = bucket.rate  # ACKs that jump hide the evenness; the drops of a full queue show the rate as well
    return rate if rate is not None and queued(leg.waits, leg.rtt, rate) else None


def unheld(leg: Leg, bucket: Bucket) -> bool:
    """Whether what passed surely did not wait in a queue of this rate and depth."""
    return held(leg, bucket.rate, bucket.depth) is False


def polices(bucket: Bucket, leg: Leg) -> bool:
    """Whether it is a policer: drops of a token bucket, and what passed did not wait."""
    return fits(bucket) and unheld(leg, bucket)
