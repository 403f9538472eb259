"""Media that count themselves: which packets of a call never came, and whether a token bucket took them.

RTP numbers its packets (RFC 3550 §5.1), so near the receiver a gap is a loss, and the media clock tells when the lost
one was sent and how long those that came had waited. Nobody resends and no window shrinks: where more is said than a
policer lets through, packets pass exactly as tokens come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.limiter.bucket import Bucket, fit
from analyzer.limiter.epochs import PACKET
from analyzer.limiter.loss import Offered
from analyzer.limiter.mechanism import EPOCHS, LOSSES, SECONDS, UNHELD_PACKETS
from analyzer.limiter.units import UDP_HEADERS
from analyzer.signature import Segment
from analyzer.wire import rtp

LEAST = 25  # packets that came: below, no share of losses is one
FARTHEST = 100  # packets missing in a row, two seconds of speech: more is a pause or another numbering
REGULAR = 0.9  # of the steps must be so short: else these are no sequence numbers
SHARE, LOST = 0.10, 8  # of the packets; what speech cannot be mended over any more (RFC 7198 §2, ITU-T G.113)
# Speech comes at one rate, and so does what random loss leaves of it: the slopes agree, and only the level tells. It is
# under one packet wherever a policer drops, and over it where it passes (the AUC of 2,711 emulated calls with losses was
# 0.82 at most). Shifted losses are no measure of chance: a policer that takes every other packet looks the same shifted.
SEPARATED, SPREAD = 0.90, 0.10  # AUC at least, spread of the slopes at most


class Media(NamedTuple):
    """One source's packets in one direction, in the order of their numbers, lost ones among them."""

    origin: int  # ns since 1970
    offered: Offered  # sizes at the IP level; a lost packet is as large as the others are on average
    waits: np.ndarray  # seconds that those which came were later than the least delayed of them
    frames: tuple[int, ...]  # of packets before which others are missing

    @property
    def share(self) -> float:
        """Of the packets lost."""
        return float(self.offered.lost.mean())

    @property
    def lossy(self) -> bool:
        """Whether so many are missing that speech breaks up."""
        return int(self.offered.lost.sum()) >= LOST and self.share >= SHARE


def media(pieces: Sequence[Segment], size: float | None = None) -> Media | None:
    """The packets of the source that sent most; None where it is no RTP, or too little of it.

    `size` is what a packet has at the IP level (bytes), where the capture kept less of each.
    """
    heard = [(header, piece) for piece in pieces if (header := rtp.read(piece.data)) is not None]
    sources = Counter(header.source for header, _ in heard)
    source, count = max(sources.items(), key=lambda item: (item[1], -item[0]), default=(0, 0))
    if count < LEAST:
        return None
    mine = [(header, piece) for header, piece in heard if header.source == source]
    number = _unwrap(np.array([header.sequence for header, _ in mine]), 16)
    number, which = np.unique(number, return_index=True)
    steps = np.diff(number)
    if len(number) < LEAST or (steps <= FARTHEST).mean() < REGULAR or (steps > FARTHEST).any():
        return None
    stamp = _unwrap(np.array([header.timestamp for header, _ in mine]), 32)[which]
    origin = mine[0][1].ts
    t = np.array([piece.ts - origin for _, piece in mine])[which] / 1e9
    sizes = np.array([size or len(piece.data) + UDP_HEADERS for _, piece in mine], float)[which]
    if stamp[-1] <= stamp[0] or t[-1] <= t[0]:
        return None
    late = t - (stamp - stamp[0]) * ((t[-1] - t[0]) / (stamp[-1] - stamp[0]))
    every = np.arange(number[0], number[-1] + 1)
    lost = ~np.isin(every, number)
    everyones = np.full(len(every), sizes.mean())
    everyones[~lost] = sizes
    order = np.argsort(sent := np.interp(every, number, t), kind="stable")
    offered = Offered(sent[order], everyones[order], lost[order], True, 0)
    frames = tuple(mine[at][1].frame for at in which[1:][steps > 1].tolist())
    return Media(origin, offered, late - late.min(), frames)


def policed(heard: Media, seed: int) -> Bucket | None:
    """The token bucket that took the missing ones; None where none did, or packets waited as in a queue."""
    gone = heard.offered
    small = float(gone.size.mean()) / PACKET  # the fit thinks in full packets
    bucket = fit(Offered(gone.t, gone.size / small, gone.lost, True, 0), 0.0, seed)
    if bucket is None or bucket.losses < LOSSES or bucket.epochs < EPOCHS or bucket.seconds < SECONDS:
        return None
    if bucket.auc < SEPARATED or bucket.spread > SPREAD:
        return None
    names = "rate", "rate_low", "rate_high", "depth"
    bucket = bucket._replace(**{name: getattr(bucket, name) * small for name in names})
    each = float(gone.size.mean()) / bucket.rate  # seconds for which a queue would hold each packet at least
    return bucket if np.quantile(heard.waits, 0.75) <= UNHELD_PACKETS * each else None


def _unwrap(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Counters of so many bits as offsets from the first, the shorter way round each time."""
    half = 1 << bits - 1
    steps: np.ndarray = ((numbers[1:] - numbers[:-1] + half) & (2 * half - 1)) - half
    return np.concatenate(([0], np.cumsum(steps)))
