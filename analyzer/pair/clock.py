"""Two clocks: offset and drift of one capture against the other, from packets that both of them have.

A packet up takes the clocks' difference plus the way up, a packet down the way down minus the difference. The least of
each in every stretch of time, halved against each other, is the offset, as in NTP (RFC 5905 §8), up to half the
asymmetry of the paths; a line through the stretches is the drift (Paxson, SIGMETRICS 1998).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

STRETCHES = 8  # parts of the common time; a drift shows between them
ENOUGH = 4  # packets each way before a stretch counts


class Clock(NamedTuple):
    """server time = client time + offset + drift * (client time - origin), all in ns (drift is a plain number)."""

    offset: float = 0.0
    drift: float = 0.0
    origin: int = 0
    one_way: float = 0.0  # least time between them, ns, both ways taken as equal; negative: given in the wrong order
    packets: int = 0  # that it rests on

    def at_server(self, client: np.ndarray) -> np.ndarray:
        return client + (self.offset + self.drift * (client - self.origin)).astype(np.int64)

    def at_client(self, server: np.ndarray) -> np.ndarray:
        guess = server - int(self.offset)
        return server - (self.offset + self.drift * (guess - self.origin)).astype(np.int64)


def estimate(up: np.ndarray, down: np.ndarray) -> Clock:
    """From pairs (client time, server time) of the same packets, int64[n, 2] each.

    With packets of one way only, the least difference stands for the offset and the way counts as no time.
    """
    if not len(up) and not len(down):
        return Clock()
    both = np.concatenate((up, down))
    origin = int(both[:, 0].min())
    if not len(up) or not len(down):
        return Clock(float((both[:, 1] - both[:, 0]).min()), 0.0, origin, 0.0, len(both))
    edges = np.linspace(origin, int(both[:, 0].max()) + 1, STRETCHES + 1)
    when, offset = [], []
    for low, high in pairwise(edges.tolist()):
        there = [way[(way[:, 0] >= low) & (way[:, 0] < high)] for way in (up, down)]
        if min(map(len, there)) >= ENOUGH:
            forth, back = _least(there[0]), -_least(there[1], greatest=True)
            when.append((low + high) / 2 - origin)
            offset.append((forth - back) / 2)
    forth, back = _least(up), -_least(down, greatest=True)
    whole = (forth - back) / 2
    if len(when) < 3:
        return Clock(whole, 0.0, origin, (forth + back) / 2, len(both))
    slopes = [(offset[j] - offset[i]) / (when[j] - when[i]) for i in range(len(when)) for j in range(i + 1, len(when))]
    drift = float(np.median(slopes))  # Theil–Sen: a queue in one stretch moves no median
    start = float(np.median(np.array(offset) - drift * np.array(when)))
    residual = [way[:, 1] - way[:, 0] - start - drift * (way[:, 0] - origin) for way in (up, down)]
    one_way = (float(residual[0].min()) - float(residual[1].max())) / 2
    return Clock(start, drift, origin, one_way, len(both))


def _least(way: np.ndarray, greatest: bool = False) -> float:
    differences = way[:, 1] - way[:, 0]
    return float(differences.max() if greatest else differences.min())
