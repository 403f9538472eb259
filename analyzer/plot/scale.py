"""Axes: where a value stands, and at which values a reader wants a line."""

from __future__ import annotations

import math
from typing import NamedTuple

_STEPS = (1.0, 2.0, 5.0, 10.0)
_CLOCK_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
                3600, 7200, 14400, 43200, 86400)  # fmt: skip


class Scale(NamedTuple):
    """Maps values from `low` to `high` onto pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        return self.start + (self.end - self.start) * (value - low) / ((high - low) or 1.0)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values (1, 2, 5 times a power of ten) between two, at most `most`."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next((power * s for s in _STEPS if (high - low) / (power * s) <= most), power * 10)
    first = math.ceil(low / step - 1e-9)
    return [step * k for k in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten between two positive values."""
    return [10.0**k for k in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]


def clock_ticks(low: float, high: float, most: int) -> list[float]:
    """Seconds at which a clock stands round, between two."""
    step = next((s for s in _CLOCK_STEPS if (high - low) / s <= most), None)
    if step is None:
        return round_ticks(low, high, most)
    first = math.ceil(low / step - 1e-9)
    return [step * k for k in range(first, math.floor(high / step + 1e-9) + 1)]
