"""Transfers that only crawl: too few packets to fit anything, but so slow and so full of losses that no fit is needed.

TSPU's 600 to 700 bytes a second (Xue et al., IMC 2022) let fifteen packets pass in half a minute. A unit is compared by
flows: how many of its transfers crawl, and how many of the others'. Rates that agree are a limiter's; chance would deal
each flow its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.exact import fisher
from analyzer.limiter.units import TCP_PROTOCOL, rates, unit_of
from analyzer.signature import Seen
from analyzer.tables import Cut

SECONDS = 10.0  # over which it lasted
SOME, ENOUGH = 5_000, 10_000  # bytes that came all the same; bytes of a transfer that is a control
CRAWL = 5_000.0  # bytes per second: less than the slowest mobile networks give (GPRS)
RUN = 20.0  # times as fast: what a control must be to count as fine
LOST, LOSSES = 0.20, 5  # share of its packets and number of them that were lost or sent again
FLOWS = 2
SURE = 0.02  # p-value: three of three against none of five is 1 in 56
ALIKE = 1.1  # greatest rate over least
NEAR = 60_000_000_000  # ns around them in which others tell of the same line


class Crawling(NamedTuple):
    """Transfers of one unit, as rows of the attempts table."""

    rows: np.ndarray
    controls: np.ndarray
    rate: float  # bytes per second of payload, in the middle
    alike: bool  # whether their rates agree
    p: float


def crawling(seen: Seen, foreign: np.ndarray, up: bool) -> Iterator[Crawling]:
    """Units whose transfers crawl while others run."""
    a = seen.attempts
    size, seconds = rates(a, up)
    rate = size / seconds
    lost = (a.lost_up + a.resent_up) if up else (a.lost_down + a.resent_down)
    packets = a.packets_up if up else a.packets_down
    whole = (a.proto == TCP_PROTOCOL) & (a.cut & (Cut.PROXIED | Cut.ONE_DIRECTION | Cut.GAP) == 0)
    slow = whole & (size >= SOME) & (seconds >= SECONDS) & (rate <= CRAWL)
    slow &= (lost >= LOSSES) & (lost >= LOST * np.maximum(packets, 1))
    unit, tried = unit_of(a), whole & (size >= SOME)
    for key in np.unique(np.stack((a.client, unit))[:, slow], axis=1).T.tolist():
        mine = (a.client == key[0]) & (unit == key[1])
        rows = np.flatnonzero(mine & slow)
        first, last = a.start[rows].min() - NEAR, a.end[rows].max() + NEAR
        others = (a.client == key[0]) & (unit != key[1]) & foreign & tried & (size >= ENOUGH)
        others = np.flatnonzero(others & (a.start <= last) & (a.end >= first))
        middle = float(np.median(rate[rows]))
        fine = others[~slow[others] & (rate[others] >= RUN * middle)]
        if len(rows) < FLOWS or len(fine) < len(others):
            continue
        p = fisher(len(rows), int((mine & tried).sum()), 0, len(fine))
        if p <= SURE:
            alike = float(rate[rows].max()) <= ALIKE * float(rate[rows].min())
            yield Crawling(rows, fine, middle, alike, p)
