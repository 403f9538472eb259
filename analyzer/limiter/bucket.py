"""Fit a token bucket (rate r, depth B) to what got through and what did not.

The slopes between loss epochs agree to a few per cent behind a policer, whatever the sender did; random loss has no such
memory. The fit needs no model of TCP. Flach et al., SIGCOMM 2016 (doi 10.1145/2934872.2934873) use one slope, from first
to last loss; the median of many also says how far they disagree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limiter.epochs import PACKET, epochs, slopes
from analyzer.limiter.loss import Offered

EMPTY_PACKETS = 2  # a policer drops below one packet; the other is for the time a lost packet has not
SHIFTS = 99  # circular shifts of the loss labels: p = 0.01 is reached when no shift fits as well
HIGHER = 1.02, 1.04, 1.06, 1.08, 1.11, 1.14, 1.17, 1.20  # times the median slope: tried too, for the bucket may have
# been full between epochs; not further up, where false fits begin [lab]
STEADY, STEADIER = 0.01, 0.25  # wander up to which the median slope is the rate; times it that another must reach


class Bucket(NamedTuple):
    """A fitted token bucket and how well the packets obey it."""

    rate: float  # bytes per second at the IP level
    rate_low: float  # 95 % interval
    rate_high: float
    depth: float  # bytes
    spread: float  # interquartile range of the slopes / rate
    auc: float  # probability that the bucket was fuller where a packet passed than where one was lost
    p: float  # of that AUC under circular shifts of the losses
    empty: float  # share of loss epochs at which the bucket stood within two packets of its usual level at a loss
    wander: float  # mean square of those levels' distance from it / variance of what as much random loss lets pass
    losses: int
    epochs: int
    loss_share: float  # of the packets from the first loss to the last
    seconds: float  # from first to last loss


class _Level(NamedTuple):
    """A virtual bucket that started full: what was in it."""

    rate: float
    depth: float
    lost: np.ndarray  # which of the levels compared, from the first loss on, belong to losses
    rank: np.ndarray  # of each of them, from 1 up
    auc: float


def fit(offered: Offered, rtt: float, seed: int) -> Bucket | None:
    """The bucket that explains the losses best; None where there are too few to say."""
    at_loss = np.flatnonzero(offered.lost)
    if len(at_loss) < 2:
        return None
    anchors = epochs(offered, rtt)
    between = slopes(offered, anchors, rtt)
    if not len(between.rate) or between.quantile(0.5) <= 0:
        return None
    median = between.quantile(0.5)
    variance = _variance(offered)
    level, strayed = _level(offered, median, anchors)
    if (strayed**2).mean() > STEADY * variance:
        tried = [(level, strayed), *(_level(offered, median * more, anchors) for more in HIGHER)]
        best = min((one for one in tried if one[0].auc >= level.auc), key=lambda one: (one[1] ** 2).mean())
        if (best[1] ** 2).mean() <= STEADIER * (strayed**2).mean():
            level, strayed = best
    low, high = between.interval(seed)
    return Bucket(
        level.rate, low * level.rate / median, high * level.rate / median, level.depth,
        (between.quantile(0.75) - between.quantile(0.25)) / median, level.auc, _chance(level),
        float((strayed <= EMPTY_PACKETS * PACKET).mean()), float((strayed**2).mean() / variance),
        len(at_loss), len(anchors),
        float(len(at_loss) / (at_loss[-1] - at_loss[0] + 1)), float(offered.t[at_loss[-1]] - offered.t[at_loss[0]]),
    )  # fmt: skip


def _level(offered: Offered, rate: float, anchors: np.ndarray) -> tuple[_Level, np.ndarray]:
    """A bucket of this rate, and how far from their median its levels at the epochs were.

    At the sender every packet has its own time, and the level before it is compared. At the receiver a lost one has
    none: there it is the level after each arrival, by whether a loss came next, so that the missing time favours neither.
    """
    deficit = _deficit(offered.t, np.where(offered.lost, 0, offered.size), rate)
    depth = float(deficit.max())
    after = depth - deficit
    first = int(np.flatnonzero(offered.lost)[0])
    if offered.at_sender:
        gained = rate * np.diff(offered.t, prepend=offered.t[0])
        compared = np.minimum(np.concatenate(([depth], after[:-1])) + gained, depth)[first:]
        lost = offered.lost[first:]
    else:
        arrivals = np.flatnonzero(~offered.lost)
        arrivals = arrivals[(arrivals >= first - 1) & (arrivals < len(offered) - 1)]
        compared, lost = after[arrivals], offered.lost[arrivals + 1]
    at_epoch = _just_before(offered, after)[anchors]
    strayed = np.abs(at_epoch - np.median(at_epoch))
    rank = _ranks(compared)
    return _Level(rate, depth, lost, rank, float(_auc(rank, lost))), strayed


def _deficit(t: np.ndarray, size: np.ndarray, rate: float) -> np.ndarray:
    """Bytes missing to a full bucket after each packet: a reflected walk, max over s of passed(s, t) - r (t - s)."""
    walk = np.cumsum(size) - rate * t
    return walk - np.minimum.accumulate(walk - size)


def _just_before(offered: Offered, after: np.ndarray) -> np.ndarray:
    """The level after the last packet that passed before each."""
    last = np.maximum.accumulate(np.where(offered.lost, -1, np.arange(len(offered))))
    return after[np.maximum(np.concatenate(([0], last[:-1])), 0)]


def _variance(offered: Offered) -> float:
    """Of the bytes that pass between first and last loss if each packet is lost by the same chance."""
    at_loss = np.flatnonzero(offered.lost)
    inside = slice(at_loss[0], at_loss[-1] + 1)
    passes = offered.size[inside][~offered.lost[inside]]
    share = len(at_loss) / (len(passes) + len(at_loss))
    return max(len(passes) * share * float(passes.mean() if len(passes) else 0.0) ** 2, 1.0)


def _ranks(level: np.ndarray) -> np.ndarray:
    """From 1 up; equal levels share the middle of theirs."""
    _, group, count = np.unique(level, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[group]


def _auc(rank: np.ndarray, lost: np.ndarray, shifts: np.ndarray | int = 0) -> np.ndarray:
    """Area under the curve of the level for pass against loss, the losses shifted around by so many packets."""
    losses = np.flatnonzero(lost)
    passes = len(lost) - len(losses)
    if not passes or not len(losses):
        return np.full(np.shape(shifts), 0.5)
    least = len(losses) * (len(losses) + 1) / 2
    shifted = (losses + np.asarray(shifts)[..., None]) % len(lost)
    return 1.0 - (rank[shifted].sum(-1) - least) / (passes * len(losses))


def _chance(level: _Level) -> float:
    """Share of circular shifts of the losses that fit as well, itself included."""
    shifts = np.unique(np.linspace(0, len(level.lost), SHIFTS + 2)[1:-1].astype(int))
    areas = _auc(level.rank, level.lost, shifts)
    return float((1 + (areas >= level.auc).sum()) / (1 + len(shifts)))
