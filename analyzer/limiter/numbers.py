"""A limit's numbers by name and unit, as findings give them."""

from __future__ import annotations

from typing import Any

from analyzer.limiter.attribution import Held
from analyzer.limiter.bucket import Bucket
from analyzer.limiter.datagrams import Envelope


def measured_of(held: Held, up: bool, start: int) -> dict[str, Any]:
    """Values by name and unit; the onset counts from `start`, the beginning of its first flow (ns)."""
    limit, found = held.limit, held.seen
    measured: dict[str, Any] = {"rate_kbps": kbps(limit.rate), "direction": word(up)}
    measured["onset_s"] = round(held.first - start / 1e9, 3)
    if isinstance(found, Bucket):
        return measured | {
            "rate_low_kbps": kbps(found.rate_low),
            "rate_high_kbps": kbps(found.rate_high),
            "bucket_bytes": round(found.depth),
            "at_least": found.depth < found.rate * held.rtt,  # TCP cannot use up a bucket smaller than its window
            "losses": found.losses,
            "loss_epochs": found.epochs,
            "loss_share": round(found.loss_share, 4),
            "slope_spread_share": round(found.spread, 4),
            "auc": round(found.auc, 3),
            "rtt_ms": _ms(held.rtt),
        }
    if isinstance(found, Envelope):
        acks = {"widened_acks_share": round(found.widened, 3), "ceiling_packets": round(found.ceiling, 1)}
        return measured | {"bucket_bytes": round(found.depth)} | acks
    return measured | {"queue_ms": _ms(found), "queue_bytes": round(limit.rate * found), "rtt_ms": _ms(held.rtt)}


def kbps(rate: float) -> float:
    """Kilobits per second, of bytes per second."""
    return round(rate * 8 / 1e3, 1)


def word(up: bool) -> str:
    """A direction."""
    return "up" if up else "down"


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 1)
