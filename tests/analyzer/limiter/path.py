"""What stands in the way: a path is a list of these, and a packet passes them in order or is lost.

`transit(t, size)` gives the time at which a packet that comes at `t` goes on, or None. Elements keep their own state, so
the same element in the paths of several transfers is shared by them.
"""

from __future__ import annotations

import random


class Policer:
    """A token bucket that drops what exceeds it."""

    def __init__(self, rate: float, depth: float, after: float = 0.0):
        self.rate, self.depth, self.level, self.t, self.after = rate, depth, depth, 0.0, after

    def transit(self, t: float, size: int) -> float | None:
        if t < self.after:
            return t
        self.level = min(self.depth, self.level + self.rate * (t - self.t))
        self.t = t
        if self.level < size:
            return None
        self.level -= size
        return t


class Queue:
    """A drop-tail queue that drains at `rate`: a shaper, or any bottleneck."""

    def __init__(self, rate: float, limit: float):
        self.rate, self.limit, self.free = rate, limit, 0.0

    def transit(self, t: float, size: int) -> float | None:
        self.free = max(self.free, t)
        if (self.free - t) * self.rate + size > self.limit:
            return None
        self.free += size / self.rate
        return self.free


class Loss:
    """Losses with no memory, or in bursts (Gilbert–Elliott) when `burst` is over 1."""

    def __init__(self, share: float, seed: int = 1, burst: float = 1.0):
        self.random, self.bad = random.Random(seed), False
        self.leave = 1 / burst
        self.enter = share / (1 - share) * self.leave
        self.share, self.bursty = share, burst > 1

    def transit(self, t: float, size: int) -> float | None:
        if not self.bursty:
            return None if self.random.random() < self.share else t
        self.bad = self.random.random() >= self.leave if self.bad else self.random.random() < self.enter
        return None if self.bad else t


class Jitter:
    """Delay that reorders."""

    def __init__(self, most: float, seed: int = 1, share: float = 1.0):
        self.random, self.most, self.share = random.Random(seed), most, share

    def transit(self, t: float, size: int) -> float | None:
        return t + (self.random.random() * self.most if self.random.random() < self.share else 0.0)


class Delay:
    """Every packet takes so much longer, from some time on."""

    def __init__(self, seconds: float, after: float = 0.0):
        self.seconds, self.after = seconds, after

    def transit(self, t: float, size: int) -> float | None:
        return t + self.seconds if t >= self.after else t


class Outage:
    """Nothing passes for a while."""

    def __init__(self, start: float, stop: float):
        self.start, self.stop = start, stop

    def transit(self, t: float, size: int) -> float | None:
        return None if self.start <= t < self.stop else t
