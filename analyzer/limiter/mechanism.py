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
# bridge, whose mean square is a sixth of the variance and under a hundredth of it once in 10,000 (Cramér and von Mises).
WANDER = 0.10
# Near the receiver a slow policer's packets each wait for their token, so the level hardly varies and the AUC is no
# help. Then the count alone must do, if so much is lost that an application's own steady rate could not have been kept
# up: random loss of 10 % breaks it by timeouts.
STARVED_WANDER, STARVED_EMPTY, STARVED_LOSS, STARVED_SPREAD = 0.006, 0.95, 0.10, 0.15
BURSTS = (
    0.2  # share of the output faster than twice the rate: over 0.26 behind policers, under 0.14 behind queues [lab]
)
UNHELD_PACKETS = 0.75  # median wait in packets at the rate: behind a queue that is the limit, one is always being sent
QUEUE_SPREAD = 0.02  # of the slopes between a full queue's drops: a line's clock does not stray further [lab]
PLATEAU, PLATEAU_SHARE = 0.10, 0.60  # of the output within this of its median rate: a line's clock, idle ends apart
PLATEAU_RUN = 16 * 1448  # bytes of a run: single packets are too uneven to have a rate


def plateau(t: np.ndarray, size: np.ndarray) -> float | None:
    """The rate (bytes/s) at which most of the output left; None where it had no common rate."""
    total = np.cumsum(size)
    after = np.searchsorted(total, total + PLATEAU_RUN, "left")
    start = np.flatnonzero(after < len(total))
    if not len(start):
        return None
    stop = after[start]
    rates = (total[stop] - total[start]) / np.maximum(t[stop] - t[start], 1e-6)
    rate = float(np.median(rates))
    even = (np.abs(rates - rate) <= PLATEAU * rate).mean() >= PLATEAU_SHARE
    return rate if even and t[-1] - t[0] >= SECONDS else None


def fits(bucket: Bucket) -> bool:
    """Whether the losses are those of a token bucket (a policer's, or a drop-tail queue's)."""
    if bucket.losses < LOSSES or bucket.epochs < EPOCHS or bucket.seconds < SECONDS or bucket.wander > WANDER:
        return False
    if bucket.p <= CHANCE and any(bucket.spread <= spread and bucket.auc >= auc for spread, auc in FITS):
        return True
    starved = bucket.loss_share >= STARVED_LOSS and bucket.empty >= STARVED_EMPTY
    return starved and bucket.spread <= STARVED_SPREAD and bucket.wander <= STARVED_WANDER


def held(leg: Leg, rate: float) -> bool | None:
    """Whether packets stood in a queue that drains at `rate`; None where delay and evenness do not tell."""
    queue = queued(leg.waits, leg.rtt, rate)
    if queue is not False:
        return queue
    if np.median(leg.waits) <= UNHELD_PACKETS * FULL_PACKET / rate:
        return False
    return False if burstiness(leg.out_t, leg.out, rate) >= BURSTS else None


def queue_rate(leg: Leg, bucket: Bucket | None) -> float | None:
    """The rate (bytes/s) at which a queue drained that packets stood in; None where none is seen."""
    rate = plateau(leg.out_t, leg.out)
    if rate is None and bucket is not None and bucket.spread <= QUEUE_SPREAD and fits(bucket):
        rate = bucket.rate  # ACKs that jump hide the evenness; the drops of a full queue show the rate as well
    return rate if rate is not None and queued(leg.waits, leg.rtt, rate) else None


def polices(bucket: Bucket, leg: Leg) -> bool:
    """Whether it is a policer: drops of a token bucket, and what passed did not wait."""
    return fits(bucket) and held(leg, bucket.rate) is False
