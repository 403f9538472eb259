"""One direction of one flow, or of several flows pooled: what was offered, what came out, how long it waited.

Flows that share a limiter are pooled before anything is fitted: alone, each sees losses that the others caused, which
is why tests of single flows find one in eight of them (Flach et al., SIGCOMM 2016, validation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.limiter.delay import samples
from analyzer.limiter.loss import Offered, offered
from analyzer.limiter.stream import IP_AND_TCP, Stream, stream
from analyzer.tables import Table


class Leg(NamedTuple):
    """Times are seconds since `origin`."""

    origin: float  # seconds since 1970
    offered: Offered
    out_t: np.ndarray  # when bytes came out, as far as it is seen here: data near the receiver, ACKs near the sender
    out: np.ndarray  # bytes at the IP level
    waits: np.ndarray  # seconds that packets waited beyond the base round trip
    base: float  # seconds
    stream: Stream | None  # of a single flow

    @property
    def rtt(self) -> float:
        return self.base


def leg(series: Table, up: bool) -> Leg:
    """The `up` (or down) direction of one TCP flow."""
    seen = stream(series, up)
    gone = offered(seen)
    _, waited = samples(seen)
    base = float(np.nanmin((waited.min(initial=np.inf), seen.behind)))
    if gone.at_sender:
        size = np.diff(seen.acked, prepend=seen.acked[:1])
        out_t, out = seen.ack_t, size + IP_AND_TCP * np.ceil(size / 1448)
    else:
        out_t, out = gone.t[~gone.lost], gone.size[~gone.lost]
    waits = waited - base if gone.at_sender else waited[:0]  # behind a receiver's capture nothing waits
    origin = float(series.ts.min()) / 1e9 if len(series) else 0.0
    return Leg(origin, gone, out_t, out, waits, seen.rtt, seen)


def pool(legs: Sequence[Leg]) -> Leg:
    """Several flows as one."""
    origin = min(one.origin for one in legs)

    def merged(times: list[np.ndarray], values: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        t = np.concatenate([part + one.origin - origin for one, part in zip(legs, times, strict=True)])
        order = np.argsort(t, kind="stable")
        return t[order], np.concatenate(values)[order]

    t, size = merged([one.offered.t for one in legs], [one.offered.size for one in legs])
    _, lost = merged([one.offered.t for one in legs], [one.offered.lost for one in legs])
    out_t, out = merged([one.out_t for one in legs], [one.out for one in legs])
    at_sender = all(one.offered.at_sender for one in legs)
    gone = Offered(t, size, lost, at_sender, sum(one.offered.resent for one in legs))
    waits = np.concatenate([one.waits for one in legs])
    return Leg(origin, gone, out_t, out, waits, max(one.base for one in legs), None)
