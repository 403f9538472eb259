"""One policer on the way from one host to another, whoever opened the flows between them.

What one host uploads and what another downloads from it pass the same limiter, though they are flows of two clients.
Alone, each sees losses that the others caused; pooled by the way that the bytes take, they fit (where the study of
Flach et al., SIGCOMM 2016, had cross traffic, its test of single flows found 22 of 103 traces, a pooled fit 91).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.limiter.attribution import Held, limited
from analyzer.limiter.leg import leg, pool
from analyzer.limiter.units import MOST, PART, TCP_PROTOCOL, seed_of
from analyzer.signature import Seen
from analyzer.tables import Cut


class Between(NamedTuple):
    """A policer, and the flows that share it, as rows of the attempts table by time."""

    rows: np.ndarray
    up: bool  # the direction in the first of them
    held: Held


def between(seen: Seen) -> Iterator[Between]:
    """Policers that flows opened by either of two hosts run into together."""
    a, text = seen.attempts, seen.text
    whole = np.isin(a.flow, np.array(seen.bulky(), np.int64)) & (a.proto == TCP_PROTOCOL)
    whole &= a.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0
    ways = []
    for up in (False, True):
        size, lost = (a.new_up, a.lost_up + a.resent_up) if up else (a.new_down, a.lost_down + a.resent_down)
        rows = np.flatnonzero(whole & (size >= PART) & (lost > 0))
        sender, receiver = (a.client[rows], a.server[rows]) if up else (a.server[rows], a.client[rows])
        ways.append(np.stack((rows, np.full(len(rows), up), sender, receiver)))
    row, is_up, *ends = np.concatenate(ways, axis=1)
    _, way = np.unique(np.stack(ends), axis=1, return_inverse=True)
    way = way.reshape(-1)
    for both in np.intersect1d(way[is_up == 1], way[is_up == 0]).tolist():
        mine = np.flatnonzero(way == both)
        mine = mine[np.argsort(row[mine], kind="stable")][:MOST]
        first = a.row(int(row[mine[0]]))
        ipv6 = ":" in (text(first.server) or "")
        legs = [leg(seen.series(int(a.flow[row[i]])), bool(is_up[i]), ipv6) for i in mine.tolist()]
        seed = seed_of(text(first.client) or "", first.client_port, text(first.server) or "", first.start)
        held = limited(pool(legs), tuple(row[mine].tolist()), seed)
        if held is not None and held.polices:
            yield Between(row[mine], bool(is_up[mine[0]]), held)
