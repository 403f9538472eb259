"""Losses without memory, and whether one service has more of them than chance would deal it.

Lost packets cannot be counted for a test: one outage of two seconds loses a hundred, and they are one event. What is
counted are seconds in which a unit sent enough packets, and those of them in which it lost any; seconds of several flows
are merged. Only the controls' seconds between the first and the last bad one are compared, for radio has good and bad
minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.exact import fisher
from analyzer.limiter.bucket import fit
from analyzer.limiter.leg import Leg
from analyzer.limiter.mechanism import EPOCHS, fits, queue_rate

SHARE = 0.03  # of packets lost: below, a loss-based sender's own probing is enough of a cause (RFC 5681: 1.5 / window²)
OWN_PACKETS, PACKETS = 2, 10  # that a second must have seen; of the controls', more, for with few packets few are lost
NO_BUCKET = 0.80  # AUC from which on losses look like a bucket's or a queue's
LEAST = 3  # the controls' seconds
SURE = (0.03, 1e-3), (0.10, 1e-2)  # (share lost, p-value) before losses are called one service's


class Seconds(NamedTuple):
    """Seconds since 1970 in which enough was sent, ascending, and whether anything of it was lost."""

    when: np.ndarray
    bad: np.ndarray


def memoryless(leg: Leg, seed: int) -> bool:
    """Whether so much is lost by no rule that shows: neither on an empty bucket, nor from a queue."""
    lost = leg.offered.lost
    if lost.sum() < EPOCHS or lost.mean() < SHARE:
        return False
    found = fit(leg.offered, leg.rtt, seed)
    if found is not None and (found.auc >= NO_BUCKET or fits(found)):
        return False
    return queue_rate(leg, found) is None


def sure(share: float, p: float) -> bool:
    """Whether so much loss at such a p-value is more than bad luck."""
    return any(share >= least and p <= most for least, most in SURE)


def seconds(legs: Sequence[Leg], packets: int) -> Seconds:
    """Seconds of several flows, merged, with at least so many packets."""
    return marked([(one.offered.t + one.origin, one.offered.lost) for one in legs], packets)


def marked(flows: Sequence[tuple[np.ndarray, np.ndarray]], packets: int) -> Seconds:
    """The same of (when sent, whether lost)."""
    if not flows:
        return Seconds(np.empty(0, np.int64), np.empty(0, bool))
    when, lost = (np.concatenate(column) for column in zip(*flows, strict=True))
    which, where = np.unique(np.floor(when).astype(np.int64), return_inverse=True)
    enough = np.bincount(where.reshape(-1), minlength=len(which)) >= packets
    return Seconds(which[enough], (np.bincount(where.reshape(-1), lost, len(which)) > 0)[enough])


def unlucky(own: Seconds, others: Seconds) -> tuple[float, tuple[int, int, int, int]] | None:
    """(p, (bad, all, others' bad, others' all)) of the exact test; None where the others give no comparison."""
    if not own.bad.any():
        return None
    first, last = own.when[own.bad][[0, -1]]
    near = (others.when >= first) & (others.when <= last)
    if near.sum() < LEAST:
        return None
    counts = int(own.bad.sum()), len(own.bad), int(others.bad[near].sum()), int(near.sum())
    return fisher(*counts), counts
