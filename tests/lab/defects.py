"""What can be wrong with a capture while nothing is wrong with the network.

Each defect is applied to a finished capture and keeps, frame by frame, which original it came from, so that the truth's
frame numbers follow.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.lab.capture_file import Record
from tests.lab.packet import parse


class Kept(NamedTuple):
    """A frame and the number that it had in the original capture."""

    record: Record
    origin: int


Frames = list[Kept]


@dataclass(frozen=True)
class Defect:
    """One thing that went wrong; `size` means what the kind says."""

    kind: str
    size: float = 0.0

    def __call__(self, frames: Frames, seed: int) -> Frames:
        return _KINDS[self.kind](frames, self.size, random.Random(seed))


def _lossy(frames: Frames, share: float, dice: random.Random) -> Frames:
    """The capturing machine was too slow for a share of the packets."""
    return [kept for kept in frames if dice.random() >= share]


def _bursty(frames: Frames, seconds: float, dice: random.Random) -> Frames:
    """It lost everything for some time, in the middle."""
    start = frames[len(frames) // 2].record.ns
    return [kept for kept in frames if not start <= kept.record.ns < start + seconds * 1e9]


def _cut(frames: Frames, snaplen: float, _: random.Random) -> Frames:
    """Only the first bytes of each packet were kept."""
    return [kept._replace(record=kept.record._replace(frame=kept.record.frame[: int(snaplen)])) for kept in frames]


def _one_way(frames: Frames, up: float, _: random.Random) -> Frames:
    """Asymmetric routes, or a filter: one direction only. The SYN's sender is the client."""
    clients = set()
    kept_frames = []
    for kept in frames:
        packet = parse(kept.record.frame, True)
        if packet is None:
            continue
        ends = (packet.src, packet.sport), (packet.dst, packet.dport)
        if ends[0] not in clients and ends[1] not in clients:
            clients.add(ends[0])
        if (ends[0] in clients) == bool(up):
            kept_frames.append(kept)
    return kept_frames


def _late(frames: Frames, seconds: float, _: random.Random) -> Frames:
    """The capture began when the connections were already open."""
    begins = frames[0].record.ns + seconds * 1e9
    return [kept for kept in frames if kept.record.ns >= begins]


def _early(frames: Frames, share: float, _: random.Random) -> Frames:
    """The capture was stopped while things were still happening."""
    return frames[: int(len(frames) * share)]


def _mirrored(frames: Frames, delay_us: float, _: random.Random) -> Frames:
    """A mirror port that copies a packet at its entry and again at its exit."""
    doubled = [twice for kept in frames for twice in (kept, _later(kept, delay_us * 1e3))]
    return sorted(doubled, key=lambda kept: kept.record.ns)


def _stepped(frames: Frames, seconds: float, _: random.Random) -> Frames:
    """The clock was set in the middle of it."""
    half = len(frames) // 2
    return frames[:half] + [_later(kept, seconds * 1e9) for kept in frames[half:]]


def _shuffled(frames: Frames, window_us: float, dice: random.Random) -> Frames:
    """Several capture queues were merged: neighbours in time stand in the wrong order."""
    return sorted(frames, key=lambda kept: kept.record.ns + dice.random() * window_us * 1e3)


def _only(keep: Callable[[object], bool]) -> Callable:
    def apply(frames: Frames, _: float, __: random.Random) -> Frames:
        return [kept for kept in frames if (packet := parse(kept.record.frame, True)) is not None and keep(packet)]

    return apply


def _later(kept: Kept, ns: float) -> Kept:
    return kept._replace(record=kept.record._replace(ns=kept.record.ns + int(ns)))


_KINDS: dict[str, Callable[[Frames, float, random.Random], Frames]] = {
    "lossy": _lossy, "bursty": _bursty, "snaplen": _cut, "one_way": _one_way, "late": _late, "early": _early,
    "mirrored": _mirrored, "stepped": _stepped, "shuffled": _shuffled,
    "without_dns": _only(lambda packet: 53 not in (packet.sport, packet.dport)),
    "port_443": _only(lambda packet: 443 in (packet.sport, packet.dport)),
}  # fmt: skip


def apply(defects: tuple[Defect, ...], records: list[Record], seed: int) -> Frames:
    frames = [Kept(record, number) for number, record in enumerate(records, start=1)]
    for defect in defects:
        frames = defect(frames, seed)
    return frames
