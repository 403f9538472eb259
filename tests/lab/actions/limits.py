"""Rates: a policer drops what exceeds its bucket, a shaper queues it; a delay holds everything equally long.

Rates count bytes of IP packets. Bucket and queue belong to a flow, to a client, to a server or to everybody (`scope`):
shared ones are what several connections of one service run into together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tests.lab.flow import Flow
from tests.lab.packet import Packet
from tests.lab.rules import DROP, Action, Fate, Hold

_SCOPES = {
    "flow": lambda flow: flow.number,
    "client": lambda flow: flow.client[0],
    "server": lambda flow: flow.server[0],
    "all": lambda flow: None,
}


@dataclass(frozen=True)
class _Limiter(Action):
    kbps: float = 150.0
    direction: str = "both"  # each way has its own bucket or queue
    scope: str = "flow"

    in_path: ClassVar[bool] = True

    def _memory(self, box, flow: Flow, packet: Packet, **initial):
        return box.memory(self, (_SCOPES[self.scope](flow), packet.up), **initial)

    def _meant(self, packet: Packet) -> bool:
        return self.direction == "both" or packet.up == (self.direction == "up")

    @property
    def parameters(self) -> dict[str, object]:
        return {**super().parameters, "rate_kbps": self.kbps}


@dataclass(frozen=True)
class Police(_Limiter):
    """A token bucket, full at first; what finds too few tokens is dropped (Russia 2021: 130 to 150 kbit/s, IMC 2021)."""

    bucket: int = 20_000  # bytes

    word: ClassVar[str] = "police"

    @property
    def parameters(self) -> dict[str, object]:
        return {**super().parameters, "bucket_bytes": self.bucket}

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if not self._meant(packet):
            return None
        memory = self._memory(box, flow, packet, tokens=float(self.bucket), last=box.now)
        memory.tokens = min(self.bucket, memory.tokens + (box.now - memory.last) * self.kbps * 125)
        memory.last = box.now
        if memory.tokens < packet.length:
            return DROP
        memory.tokens -= packet.length
        return None


@dataclass(frozen=True)
class Shape(_Limiter):
    """A queue that empties at a rate; what finds it full is dropped."""

    queue: int = 60_000  # bytes

    word: ClassVar[str] = "shape"

    @property
    def parameters(self) -> dict[str, object]:
        return {**super().parameters, "queue_bytes": self.queue}

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        if not self._meant(packet):
            return None
        memory = self._memory(box, flow, packet, free_at=box.now)
        wait = max(0.0, memory.free_at - box.now)
        if wait * self.kbps * 125 + packet.length > self.queue:
            return DROP
        memory.free_at = box.now + wait + packet.length / (self.kbps * 125)
        return Hold(memory.free_at - box.now) if wait else None


@dataclass(frozen=True)
class Slow(Action):
    """Every packet takes so much longer (Belarus 2020: 300 to 450 ms instead of 50)."""

    seconds: float = 0.3
    direction: str = "down"

    word: ClassVar[str] = "shape"
    in_path: ClassVar[bool] = True

    def each(self, box, flow: Flow, packet: Packet) -> Fate:
        return Hold(self.seconds) if self.direction == "both" or packet.up == (self.direction == "up") else None
