"""Which packet of the sender is which of the receiver, one connection and direction at a time.

First by everything that no honest hop changes (sequence numbers, flags, timestamps, payload), then by sequence number
and payload alone, then by the bytes they cover, since offload joins segments on either side. What is left over at the
receiver was never sent: forged. What is left over at the sender never arrived: dropped. Where a leftover of each side
has the same identification and place in the stream at the same moment, the one became the other: rewritten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analyzer.pair.trace import TCP, Trace
from analyzer.serial import ahead
from analyzer.tables import TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN

SLOWEST = 20_000_000_000  # ns from end to end: the longest that queues are known to hold a packet
EARLY = 50_000_000  # ns that a packet may seem to arrive before it was sent: what the clocks' estimate may be off
MOST_BYTES = 1 << 16  # that offload joins in one segment
TOGETHER = 100_000_000  # ns by which a rewritten packet may come later than its original would have


class Sides(NamedTuple):
    """Outcome for one direction: row numbers of the sender's and the receiver's trace."""

    pairs: list[tuple[int, int]]
    dropped: list[int]
    forged: list[int]
    rewritten: list[tuple[int, int]]


def match(sender: Trace, sent: np.ndarray, sent_at: np.ndarray, receiver: Trace, got: np.ndarray) -> Sides:
    """Match packets of one direction.

    Parameters
    ----------
    sent, got : int64 arrays
        Row numbers of the direction's packets in both traces.
    sent_at : int64 array
        Times of `sent` on the receiver's clock, ns.
    """
    at = dict(zip(sent.tolist(), sent_at.tolist(), strict=True))
    pairs: list[tuple[int, int]] = []
    left, right = sent.tolist(), got.tolist()
    for key in (_everything, _place_and_bytes):
        found = _by_key(sender, left, at, receiver, right, key)
        pairs += found
        mine, theirs = {s for s, _ in found}, {r for _, r in found}
        left = [s for s in left if s not in mine]
        right = [r for r in right if r not in theirs]
    if left and right and sender.proto[left[0]] == TCP:
        left, right = _by_coverage(sender, left, at, receiver, right)
    rewritten = _rewritten(sender, left, at, receiver, right)
    changed, into = {s for s, _ in rewritten}, {r for _, r in rewritten}
    return Sides(pairs, [s for s in left if s not in changed], [r for r in right if r not in into], rewritten)


def _everything(trace: Trace, i: int) -> tuple:
    flags = int(trace.flags[i]) & ~TCP_PSH
    return (
        flags, int(trace.seq[i]), int(trace.ack[i]), int(trace.tsval[i]), int(trace.payload[i]), int(trace.crc[i]),
        int(trace.ipid[i]),
    )  # fmt: skip


def _place_and_bytes(trace: Trace, i: int) -> tuple:
    """What survives a NAT that numbers packets anew, and offload that clears flags."""
    flags = int(trace.flags[i]) & (TCP_SYN | TCP_FIN | TCP_RST)
    ack = int(trace.ack[i]) if not trace.payload[i] else -1
    return flags, int(trace.seq[i]), ack, int(trace.payload[i]), int(trace.crc[i])


def _by_key(
    sender: Trace, left: list[int], at: dict[int, int], receiver: Trace, right: list[int], key
) -> list[tuple[int, int]]:
    """Pairs of equal key, in the order of their times; a packet is not received before it is sent."""
    waiting: dict[tuple, list[int]] = defaultdict(list)
    for s in left:
        waiting[key(sender, s)].append(s)
    pairs = []
    for r in right:
        candidates = waiting.get(key(receiver, r))
        if not candidates:
            continue
        fits = [s for s in candidates if -EARLY <= receiver.ts[r] - at[s] <= SLOWEST]
        if fits:
            pairs.append((fits[0], r))
            candidates.remove(fits[0])
    return pairs


class _Pieces:
    """Payload of one side's leftovers, by place in the stream."""

    def __init__(self, trace: Trace, rows: list[int], base: int, at: dict[int, int] | None):
        plain = [i for i in rows if trace.payload[i] and not trace.flags[i] & (TCP_SYN | TCP_RST)]
        self.all = sorted(
            (ahead(int(trace.seq[i]), base), int(trace.payload[i]), int(trace.ts[i] if at is None else at[i]), i)
            for i in plain
        )
        self._starts = [start for start, *_ in self.all]

    def cover(self, start: int, end: int, fits: Callable[[int], bool]) -> bool:
        """Whether pieces at times that fit hold all bytes from start to end."""
        first = bisect_left(self._starts, start - MOST_BYTES)
        for a, size, ts, _ in self.all[first : bisect_left(self._starts, end)]:
            if a <= start < a + size and fits(ts):
                start = a + size
        return start >= end


def _by_coverage(
    sender: Trace, left: list[int], at: dict[int, int], receiver: Trace, right: list[int]
) -> tuple[list[int], list[int]]:
    """Take out the segments whose bytes the other side has in other pieces; gives what is left of both."""
    base = int(sender.seq[left[0]])
    mine, theirs = _Pieces(sender, left, base, at), _Pieces(receiver, right, base, None)
    arrived = {
        i
        for start, size, ts, i in mine.all
        if theirs.cover(start, start + size, lambda got, sent=ts: -EARLY <= got - sent <= SLOWEST)  # type: ignore[misc]
    }
    genuine = {
        i
        for start, size, ts, i in theirs.all
        if mine.cover(start, start + size, lambda sent, got=ts: -EARLY <= got - sent <= SLOWEST)  # type: ignore[misc]
    }
    return [s for s in left if s not in arrived], [r for r in right if r not in genuine]


def _rewritten(
    sender: Trace, left: list[int], at: dict[int, int], receiver: Trace, right: list[int]
) -> list[tuple[int, int]]:
    pairs, used = [], set()
    for r in right:
        for s in left:
            if s in used or not -EARLY <= receiver.ts[r] - at[s] <= TOGETHER:
                continue
            same_id = sender.ipid[s] > 0 and sender.ipid[s] == receiver.ipid[r]
            same_place = sender.proto[s] != TCP or sender.seq[s] == receiver.seq[r]
            if same_id and same_place and sender.ttl[s] >= receiver.ttl[r]:  # it went on from there, and only downwards
                pairs.append((s, r))
                used.add(s)
                break
    return pairs
