"""Fit a token bucket (rate r, depth B) to what got through and what did not.

At every drop a policer's bucket is empty, so between any two drops the bytes that passed are r times the time: the
slopes between loss epochs agree to a few per cent, whatever the sender did. Random loss has no such memory. The fit
needs no model of TCP. Flach et al., SIGCOMM 2016 (doi 10.1145/2934872.2934873) use one slope, from first to last loss;
the median of many also says how far they disagree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limiter.loss import Offered

EPOCH_ROUND_TRIPS = 2.0  # losses closer than this are one event to a congestion control (RFC 5681 §4.3)
EPOCH_SECONDS = 0.05  # and at least this, where the round trip is short or unknown
NEXT_EPOCHS = 5  # slopes from each epoch to this many later ones: near enough that the limit stayed the same
SLOPE_SECONDS = 0.1  # shortest span of a slope, so that one packet is no longer a large error
IDLE_SECONDS = 0.4  # a pause in which the bucket may have filled to the brim: no slope is taken across it
IDLE_ROUND_TRIPS = 3.0
PACKET = 1500  # bytes
EMPTY_PACKETS = 2  # a policer drops below one packet; the other is for the time a lost packet has not
RESAMPLES = 200  # of the bootstrap over epochs; the interval's ends move by under 1 % with more
SHIFTS = 99  # circular shifts of the loss labels: p = 0.01 is reached when no shift fits as well


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
    head_start: float  # bytes that passed before the first loss beyond what the rate explains
    losses: int
    epochs: int
    loss_share: float
    seconds: float  # from first to last loss


def fit(offered: Offered, rtt: float, seed: int) -> Bucket | None:
    """The bucket that explains the losses best; None where there are too few to say."""
    at_loss = np.flatnonzero(offered.lost)
    if len(at_loss) < 2:
        return None
    t, size = offered.t, np.where(offered.lost, 0, offered.size)
    passed = np.cumsum(size)
    anchors = at_loss[_epochs(t[at_loss], max(EPOCH_ROUND_TRIPS * rtt, EPOCH_SECONDS))]
    slope, weight, origin = _slopes(offered, passed, anchors, rtt)
    if not len(slope):
        return None
    rate, low, high = (_weighted(slope, weight, q) for q in (0.5, 0.25, 0.75))
    if rate <= 0:
        return None
    rate_low, rate_high = _interval(slope, weight, origin, seed)
    deficit = _deficit(t, size, rate)
    depth = float(deficit.max())
    level, lost = _levels(offered, depth - deficit, rate, depth)
    at_epoch = _just_before(offered, depth - deficit)[anchors]
    empty = np.abs(at_epoch - np.median(at_epoch)) <= EMPTY_PACKETS * PACKET
    auc, p = _separation(level, lost)
    first = at_loss[0]
    return Bucket(
        rate, rate_low, rate_high, depth, (high - low) / rate, auc, p, float(empty.mean()),
        float(passed[first] - rate * (t[first] - t[0])), len(at_loss), len(anchors), len(at_loss) / len(offered),
        float(t[at_loss[-1]] - t[first]),
    )  # fmt: skip


def _levels(offered: Offered, after: np.ndarray, rate: float, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Levels of the bucket to be compared, and which of them belong to losses, from the first loss on.

    At the sender every packet has its own time. At the receiver a lost one has none: what is compared there is the
    level after each arrival, by whether a loss came next, so that the missing time favours neither.
    """
    first = int(np.flatnonzero(offered.lost)[0])
    if offered.at_sender:
        before = np.minimum(np.concatenate(([depth], after[:-1])) + rate * np.diff(offered.t, prepend=offered.t[0]), depth)
        return before[first:], offered.lost[first:]
    arrivals = np.flatnonzero(~offered.lost)
    arrivals = arrivals[(arrivals >= first - 1) & (arrivals < len(offered) - 1)]
    return after[arrivals], offered.lost[arrivals + 1]


def _just_before(offered: Offered, after: np.ndarray) -> np.ndarray:
    """The level after the last packet that passed before each."""
    last = np.maximum.accumulate(np.where(offered.lost, -1, np.arange(len(offered))))
    return after[np.maximum(np.concatenate(([0], last[:-1])), 0)]


def _epochs(t: np.ndarray, gap: float) -> np.ndarray:
    """Index of the first loss of each epoch."""
    first, at = [], 0
    while at < len(t):
        first.append(at)
        at = int(np.searchsorted(t, t[at] + gap, "right"))
    return np.array(first)


def _slopes(offered: Offered, passed: np.ndarray, anchors: np.ndarray, rtt: float) -> tuple[np.ndarray, ...]:
    """Rates between loss epochs, their spans, and the epoch each starts from."""
    idle = np.diff(offered.t, prepend=offered.t[0]) > max(IDLE_ROUND_TRIPS * rtt, IDLE_SECONDS)
    pauses = np.cumsum(idle)
    some, spans, origins = [], [], []
    for step in range(1, NEXT_EPOCHS + 1):
        a, b = anchors[:-step], anchors[step:]
        span = offered.t[b] - offered.t[a]
        good = (span >= max(EPOCH_ROUND_TRIPS * rtt, SLOPE_SECONDS)) & (pauses[a] == pauses[b])
        some.append((passed[b] - passed[a])[good] / span[good])
        spans.append(span[good])
        origins.append(np.flatnonzero(good))
    return np.concatenate(some), np.concatenate(spans), np.concatenate(origins)


def _weighted(values: np.ndarray, weights: np.ndarray, q: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(total, q * total[-1]), len(order) - 1)])


def _interval(slope: np.ndarray, weight: np.ndarray, origin: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of the weighted median, resampling the epochs that slopes start from."""
    random = np.random.default_rng(seed)
    order = np.argsort(slope)
    slope, weight, origin = slope[order], weight[order], origin[order]
    epochs = int(origin.max()) + 1
    medians = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        times = np.bincount(random.integers(0, epochs, epochs), minlength=epochs)
        total = np.cumsum(weight * times[origin])
        medians[i] = slope[min(np.searchsorted(total, total[-1] / 2), len(slope) - 1)]
    return float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def _deficit(t: np.ndarray, size: np.ndarray, rate: float) -> np.ndarray:
    """Bytes missing to a full bucket after each packet: a reflected walk, max over s of passed(s, t) - r (t - s)."""
    walk = np.cumsum(size) - rate * t
    floor = np.minimum.accumulate(walk - size)
    return walk - floor


def _separation(level: np.ndarray, lost: np.ndarray) -> tuple[float, float]:
    """(AUC of the level for pass against loss, share of circular shifts of the labels that do as well)."""
    passes, losses = int((~lost).sum()), int(lost.sum())
    if not passes or not losses:
        return 0.5, 1.0
    _, group, count = np.unique(level, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[group]
    most = passes * losses

    def auc(labels: np.ndarray) -> float:
        return 1.0 - (rank[labels].sum() - losses * (losses + 1) / 2) / most

    seen = auc(lost)
    shifts = np.unique(np.linspace(0, len(lost), SHIFTS + 2)[1:-1].astype(int))
    as_good = sum(auc(np.roll(lost, shift)) >= seen for shift in shifts.tolist())
    return float(seen), (1 + as_good) / (1 + len(shifts))
