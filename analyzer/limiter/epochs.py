"""Loss epochs, and the rates between them.

At every drop a policer's bucket is empty, so between any two drops the bytes that passed are rate times time, whatever
the sender did, unless a pause let the bucket fill to the brim. Losses close together are one event to a congestion
control and one epoch here (RFC 5681 §4.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limiter.loss import Offered

EPOCH_ROUND_TRIPS = 2.0
EPOCH_SECONDS = 0.05  # and at least this, where the round trip is short or unknown
NEXT_EPOCHS = 5  # slopes from each epoch to this many later ones: near enough that the limit stayed the same
SLOPE_SECONDS, SLOPE_PACKETS = 0.1, 10  # shortest span of a slope, so that one packet is no longer a large error
IDLE_SECONDS = 0.4  # a pause in which the bucket may have filled to the brim: no slope is taken across it
IDLE_ROUND_TRIPS = 3.0
PACKET = 1500  # bytes
RESAMPLES = 200  # of the bootstrap over epochs; the interval's ends move by under 1 % with more
BURST_LOSSES = 3  # losses of one burst, between which the bucket stayed empty
BURST_PACKETS = 40  # that must have passed inside such bursts before their rate is worth trying


class Slopes(NamedTuple):
    """Rates (bytes per second) between loss epochs, ascending."""

    rate: np.ndarray
    span: np.ndarray  # seconds each was taken over, which are its weights
    origin: np.ndarray  # number of the epoch it starts from

    def quantile(self, q: float) -> float:
        total = np.cumsum(self.span)
        return float(self.rate[min(np.searchsorted(total, q * total[-1]), len(total) - 1)])

    def interval(self, seed: int) -> tuple[float, float]:
        """95 % interval of the median, resampling the epochs that slopes start from."""
        epochs = int(self.origin.max()) + 1
        drawn = np.random.default_rng(seed).integers(0, epochs, (RESAMPLES, epochs), np.int32)
        drawn += epochs * np.arange(RESAMPLES, dtype=np.int32)[:, None]  # each resample counts its own
        times = np.bincount(drawn.reshape(-1), minlength=RESAMPLES * epochs).reshape(RESAMPLES, epochs)
        total = np.cumsum(self.span * times[:, self.origin], axis=1)
        medians = self.rate[np.argmax(total >= total[:, -1:] / 2, axis=1)]
        low, high = np.quantile(medians, (0.025, 0.975)).tolist()
        return low, high


def epochs(offered: Offered, rtt: float) -> np.ndarray:
    """The first loss of each epoch, as indices of packets."""
    at_loss = np.flatnonzero(offered.lost)
    t, gap = offered.t[at_loss], max(EPOCH_ROUND_TRIPS * rtt, EPOCH_SECONDS)
    first, at = [], 0
    while at < len(t):
        first.append(at)
        at = int(np.searchsorted(t, t[at] + gap, "right"))
    return at_loss[first]


def slopes(offered: Offered, anchors: np.ndarray, rtt: float) -> Slopes:
    """Rates from each epoch to the next few that are far enough away."""
    passed, pauses = _passed(offered), _pauses(offered, rtt)
    all_of_it = offered.t[anchors[-1]] - offered.t[anchors[0]]
    each = all_of_it * PACKET / max(passed[anchors[-1]] - passed[anchors[0]], 1)  # seconds that a packet takes
    least = max(EPOCH_ROUND_TRIPS * rtt, SLOPE_SECONDS, SLOPE_PACKETS * each)
    following = np.searchsorted(offered.t[anchors], offered.t[anchors] + least, "left")
    rates, spans, origins = [], [], []
    for step in range(NEXT_EPOCHS):
        origin = np.flatnonzero(following + step < len(anchors))
        start, stop = anchors[origin], anchors[following[origin] + step]
        good = pauses[start] == pauses[stop]
        span = (offered.t[stop] - offered.t[start])[good]
        rates.append((passed[stop] - passed[start])[good] / span)
        spans.append(span)
        origins.append(origin[good])
    rate = np.concatenate(rates)
    order = np.argsort(rate, kind="stable")
    return Slopes(rate[order], np.concatenate(spans)[order], np.concatenate(origins)[order])


def burst_rate(offered: Offered, rtt: float) -> float | None:
    """The rate inside bursts of losses; None where too little passed in them.

    Where the window is smaller than the bucket, the bucket fills to the brim between epochs and the rate between them
    is what TCP could use, not what the limiter allows. Inside an epoch it stays empty.
    """
    anchors = epochs(offered, rtt)
    at_loss = np.flatnonzero(offered.lost)
    bounds = np.searchsorted(at_loss, np.append(anchors, len(offered)))
    enough = np.diff(bounds) >= BURST_LOSSES
    start, stop = at_loss[bounds[:-1][enough]], at_loss[bounds[1:][enough] - 1]
    passed = _passed(offered)
    size = float((passed[stop] - passed[start]).sum())
    seconds = float((offered.t[stop] - offered.t[start]).sum())
    return size / seconds if size >= BURST_PACKETS * PACKET and seconds > 0 else None


def between_epochs(offered: Offered, rtt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start, stop, bytes that passed) between neighbouring epochs without a pause."""
    anchors, passed, pauses = epochs(offered, rtt), _passed(offered), _pauses(offered, rtt)
    start, stop = anchors[:-1], anchors[1:]
    good = pauses[start] == pauses[stop]
    start, stop = start[good], stop[good]
    return offered.t[start], offered.t[stop], passed[stop] - passed[start]


def _passed(offered: Offered) -> np.ndarray:
    return np.cumsum(np.where(offered.lost, 0.0, offered.size))


def _pauses(offered: Offered, rtt: float) -> np.ndarray:
    """How many pauses lie before each packet."""
    return np.cumsum(np.diff(offered.t, prepend=offered.t[:1]) > max(IDLE_ROUND_TRIPS * rtt, IDLE_SECONDS))
