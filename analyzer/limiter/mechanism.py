"""Name the mechanism that limits a flow, from losses, delay and the shape of the output taken together.

A policer and a drop-tail queue of the same rate and depth drop the same packets, so the bucket's fit alone names neither.
The second axis is what happened to the packets that passed: behind a queue they waited, and left evenly at its rate;
behind a policer they did not wait, and bursts passed as bursts.
"""

from __future__ import annotations

import numpy as np

from analyzer.limiter.bucket import Bucket

LOSSES, EPOCHS, SECONDS = 8, 4, 2.0  # evidence: precision falls below 0.97 with fewer epochs, recall below 3 s [lab]
# (spread of the slopes at most, AUC at least): random loss reaches an AUC of 0.53 to 0.77, a policer's spread is 0 to 5 %
FITS = (0.10, 0.80), (0.15, 0.90)
CHANCE = 0.05  # of as good a fit with the same losses elsewhere
BURSTS = (
    0.2  # share of the output faster than twice the rate; 0.36 and more behind policers, 0.14 at most behind queues
)


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
    enough = bucket.losses >= LOSSES and bucket.epochs >= EPOCHS and bucket.seconds >= SECONDS
    close = any(bucket.spread <= spread and bucket.auc >= auc for spread, auc in FITS)
    return enough and close and bucket.p <= CHANCE


def polices(bucket: Bucket, queued: bool | None, bursts: float) -> bool:
    """Whether it is a policer: packets passed without waiting and in bursts."""
    return fits(bucket) and queued is False and not np.isnan(bursts) and bursts >= BURSTS
