"""Points in time as people and machines read them. Packet time is hostile: any 64-bit value comes out."""

from __future__ import annotations

import numpy as np


def iso(ts: int | None) -> str | None:
    """ISO 8601 in UTC with Z, to the microsecond, or to the nanosecond where there is more; None for no time."""
    if ts is None or not -(1 << 63) < ts < 1 << 63:
        return None
    return str(np.datetime64(ts, "ns") if ts % 1000 else np.datetime64(ts // 1000, "us")) + "Z"


def clock(ts: int) -> str:
    """The time of the day in UTC, to the second."""
    seconds = ts // 10**9 % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def day(ts: int) -> str:
    return str(np.datetime64(ts // 10**9, "s"))[:10]
