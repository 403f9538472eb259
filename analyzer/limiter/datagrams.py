"""A policer seen through QUIC, whose packets show no sequence numbers: by what came, and by how ACKs grow.

Near the receiver, what a policer lets pass under lasting demand is a first burst of its depth and from then on one rate:
the bytes so far touch the line depth + rate * time again and again and never cross it. An application that paces itself
looks the same, but loses nothing. Losses show in the acknowledgments: each gap in the packet numbers takes two bytes or
more of an ACK frame (RFC 9000 §19.3), so datagrams that only acknowledge are of one size where nothing is missing, and
of many where something is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limiter.compare import Limit
from analyzer.limiter.units import UDP_HEADERS
from analyzer.tables import Table

SECONDS, PACKETS = 5.0, 100  # of the plateau
ENDING = 1.0  # seconds at the end that are not judged
EVEN = 0.15  # interquartile range of its rates second by second, over their median
TOUCHES = 6.0  # packets within which nine of ten peaks come near the line
LARGE = 500  # bytes of payload: data; PACKETS are judged by the mean of these
ACKS, SMALL = 30, 200  # acknowledgments that must be seen, bytes under which a datagram only acknowledges
GAP_BYTES = 4  # by which one that knows of two gaps is longer
WIDENED = (
    0.10  # share of them so much longer than the shortest tenth: 0 to 0.03 without loss, over 0.15 with 10 % [lab]
)
NEAR = 0.3  # of the first round trip by which the other half is shorter when the capture stands at the receiver


class Envelope(NamedTuple):
    """A line that the bytes so far keep to."""

    rate: float  # bytes per second at the IP level
    depth: float  # bytes passed before it began to hold
    ceiling: float  # packets between it and nine of ten peaks
    widened: float  # share of acknowledgments that tell of gaps
    onset: float  # seconds since 1970


def fit(series: Table, up: bool) -> tuple[Envelope, Limit] | None:
    """The envelope of what came in one direction of a UDP flow, and the limit that it is; None where there is none."""
    if not _at_receiver(series, up):
        return None
    mine = series[(series.up == up) & (series.payload_len > 0)]
    t, size = mine.ts / 1e9, mine.payload_len + float(UDP_HEADERS)
    large = mine.payload_len >= LARGE
    if large.sum() < PACKETS or t[-1] - t[0] < SECONDS:
        return None
    start = np.arange(t[0], t[-1] - 1.0, 1.0)
    total = np.concatenate(([0.0], np.cumsum(size)))
    own = total[np.searchsorted(t, start + 1.0, "right")] - total[np.searchsorted(t, start, "right")]
    low, rate, high = np.quantile(own[1:], (0.25, 0.5, 0.75))
    if rate <= 0 or high - low > EVEN * rate:
        return None
    onset = int(np.argmax(_above(t, size, rate) >= 0.9 * _above(t, size, rate).max()))
    if t[-1] - t[onset] < SECONDS:
        return None
    last = int(np.searchsorted(t, t[-1] - ENDING))  # what comes last the application has less of
    rate = float((total[last + 1] - total[onset + 1]) / (t[last] - t[onset]))
    above = _above(t, size, rate)
    depth, after = float(above.max()), above[onset:last]
    peaks = after[1:-1][(after[1:-1] >= after[:-2]) & (after[1:-1] > after[2:])]
    packet = float(size[large].mean())
    ceiling = (depth - float(np.quantile(peaks, 0.1))) / packet if len(peaks) else np.inf
    widened = _widened(series, up)
    if ceiling > TOUCHES or widened < WIDENED:
        return None
    later = start >= t[onset]
    limit = Limit("police", rate, depth, start[later], start[later] + 1.0, own[later])
    return Envelope(rate, depth, ceiling, widened, float(t[onset])), limit


def _above(t: np.ndarray, size: np.ndarray, rate: float) -> np.ndarray:
    """Bytes beyond rate * time since the emptiest moment before: a reflected walk."""
    walk = np.cumsum(size) - rate * (t - t[0])
    return walk - np.minimum.accumulate(walk - size)


def _widened(series: Table, up: bool) -> float:
    """Share of the receiver's acknowledgments that are longer than the ordinary one."""
    length = series.payload_len[(series.up != up) & (series.payload_len > 0) & (series.payload_len < SMALL)]
    if len(length) < ACKS:
        return 0.0
    return float((length >= np.quantile(length, 0.1) + GAP_BYTES).mean())


def _at_receiver(series: Table, up: bool) -> bool:
    """Whether the capture stands near whoever receives: of the first round trip, its side answers at once."""
    first = np.flatnonzero(np.diff(series.up.astype(np.int8), prepend=-1))[:3]  # where the direction changes
    if len(first) < 3 or not series.up[0]:
        return False
    server, client = np.diff(series.ts[first])
    return bool(server < NEAR * client if up else client < NEAR * server)
