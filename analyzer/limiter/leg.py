"""One direction of one flow, or of several flows pooled: what was offered, what came out, how long it waited.

Flows that share a limiter are pooled before anything is fitted: alone, each sees losses that the others caused, which
is why tests of single flows find one in eight of them (Flach et al., SIGCOMM 2016, validation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.limiter.delay import repairs, samples, stamped
from analyzer.limiter.loss import Offered, offered
from analyzer.limiter.stream import MSS, Stream, stream
from analyzer.tables import Table


class Leg(NamedTuple):
    """Times are seconds since `origin`."""

    origin: float  # seconds since 1970
    offered: Offered
    out_t: np.ndarray  # when bytes came out, as far as it is seen here: data near the receiver, ACKs near the sender
    out: np.ndarray  # bytes at the IP level
    wait_t: np.ndarray  # when packets were sent (near the sender) or came (near the receiver)
    waits: np.ndarray  # seconds that they waited beyond the base round trip
    rtt: float  # base round trip, seconds; 0 when not seen
    stream: Stream | None  # of a single flow


def leg(series: Table, up: bool, ipv6: bool = False) -> Leg:
    """The `up` (or down) direction of one TCP flow."""
    seen = stream(series, up, ipv6)
    gone = offered(seen)
    origin = float(series.ts.min()) / 1e9 if len(series) else 0.0
    if not gone.at_sender:
        wait_t, waits = stamped(series, up)
        return Leg(origin, gone, gone.t[~gone.lost], gone.size[~gone.lost], wait_t, waits, seen.rtt, seen)
    wait_t, waited = (np.concatenate(both) for both in zip(samples(seen), repairs(seen), strict=True))
    order = np.argsort(wait_t, kind="stable")
    wait_t, waited = wait_t[order], waited[order]
    base = np.nanmin((waited.min(initial=np.inf), seen.behind))
    size = np.diff(seen.acked, prepend=seen.acked[:1])
    out = size + seen.headers * np.ceil(size / MSS)
    return Leg(origin, gone, seen.ack_t, out, wait_t, waited - base, seen.rtt, seen)


def pool(legs: Sequence[Leg]) -> Leg:
    """Several flows as one."""
    origin = min(one.origin for one in legs)

    def merged(times: list[np.ndarray], *values: list[np.ndarray]) -> list[np.ndarray]:
        t = np.concatenate([part + (one.origin - origin) for one, part in zip(legs, times, strict=True)])
        order = np.argsort(t, kind="stable")
        return [t[order], *(np.concatenate(column)[order] for column in values)]

    parts = [one.offered for one in legs]
    t, size, lost = merged([p.t for p in parts], [p.size for p in parts], [p.lost for p in parts])
    gone = Offered(t, size, lost, all(p.at_sender for p in parts), sum(p.resent for p in parts))
    out_t, out = merged([one.out_t for one in legs], [one.out for one in legs])
    wait_t, waits = merged([one.wait_t for one in legs], [one.waits for one in legs])
    return Leg(origin, gone, out_t, out, wait_t, waits, float(np.median([one.rtt for one in legs])), None)
