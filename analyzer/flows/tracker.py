"""Packet batches to finished flows: the state machine around the kernels.

It owns no clock and reads no files: frames go in, batches of finished flows come out. While the arenas have room nothing
is finished before the end, so that unrelated traffic cannot change how a flow is seen. Only when they have none do flows
that are over leave; and when none is, the least recently active ones (closed ones first), which is told as a limit. What
comes of either later is the same flow, `part` + 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer import limits
from analyzer.decode import Fragments, Frames, Packets, decode, decode_one
from analyzer.flows import arenas as a
from analyzer.flows.account import account
from analyzer.flows.arenas import Arenas
from analyzer.flows.collect import HeadRoom
from analyzer.flows.finished import FinishedFlows
from analyzer.flows.leaving import leave
from analyzer.flows.summary import summarize
from analyzer.flows.table import forget
from analyzer.tables import Bad, Cut, Tunnel

BATCH = 4096  # packets decoded at once: their columns stay in the processor's cache
# ns of silence of a closed flow: as long as Linux keeps one half closed, or its ports from being used again
OVER_AFTER = 60_000_000_000
_SHORT_OF = {
    a.NEED_SLOTS: "slots",
    a.NEED_ROWS: "rows",
    a.NEED_ENTRIES: "entries",
    a.NEED_SEGMENTS: "segments",
    a.NEED_CHUNKS: "chunks",
}


class Tracker:
    """Feed it frames; it yields batches of finished flows. Each batch is valid until the next is asked for."""

    def __init__(self):
        self.arenas: Arenas = a.allocate()
        self.packets = Packets.allocate(BATCH)
        self.fragments = Fragments()
        self._room = HeadRoom()
        self.bad = dict.fromkeys(Bad, 0)
        self.tunnels = dict.fromkeys(Tunnel, 0)  # packets of conversations, by the tunnel that they were read out of
        self.links_unknown: dict[int, int] = {}
        self.frames = 0
        self.evicted = 0
        self.limits_reached: set[str] = set()

    @property
    def counters(self) -> np.ndarray:
        return self.arenas.counters

    @property
    def clock(self) -> int:
        """Packet time, ns since 1970: the latest time that can be believed."""
        return int(self.counters[a.CLOCK])

    @property
    def start(self) -> int:
        return max(0, int(self.counters[a.START]))

    def feed(self, frames: Frames, look=None) -> Iterator[FinishedFlows]:
        """Account a block of frames. `look(packets, frames, first, count)` sees every decoded batch before it is accounted."""
        total = len(frames.offset)
        for first in range(0, total, BATCH):
            count = min(BATCH, total - first)
            decode(frames, first, count, self.packets)
            self._count_bad(frames, first, count)
            joined, again = self.fragments.join(frames, first, count, self.packets)
            for i in again:
                decode_one(joined, first + i, i, self.packets)
            self._count_tunnels(count)
            if look is not None:
                look(self.packets, joined, first, count)
            at = 0
            while True:
                at = account(self.arenas, self.packets, joined, first, at, count)
                need = int(self.counters[a.NEED])
                if need == a.NEED_NOTHING:
                    break
                yield from self._make_room(_SHORT_OF[need])
        self.frames += total

    def snapshot(self) -> Iterator[FinishedFlows]:
        """All live flows as they stand, without finishing them."""
        for slots in _in_batches(self._in_order(self._slots(a.LIVE_FLOW))):
            yield self._batch(slots, final=False)

    def close(self) -> Iterator[FinishedFlows]:
        """Finish everything."""
        yield from self._finish(np.concatenate((self._slots(a.RECYCLED), self._slots(a.LIVE_FLOW))))

    def _count_bad(self, frames: Frames, first: int, count: int) -> None:
        bad = self.packets.bad[:count]
        there = int(np.bitwise_or.reduce(bad))
        for bit in Bad:
            if there & bit:
                self.bad[bit] += np.count_nonzero(bad & int(bit))
        if not there & Bad.LINK:
            return
        unreadable = np.asarray(frames.link[first : first + count])[bad & Bad.LINK != 0]
        for link, times in zip(*np.unique(unreadable, return_counts=True), strict=True):
            self.links_unknown[int(link)] = self.links_unknown.get(int(link), 0) + int(times)

    def _count_tunnels(self, count: int) -> None:
        inside = (self.packets.encap[:count] > 0) & (self.packets.sport[:count] >= 0)
        if inside.any():
            for tunnel, times in enumerate(np.bincount(self.packets.tunnel[:count][inside]).tolist()):
                self.tunnels[Tunnel(tunnel)] += times

    def _slots(self, live: int) -> np.ndarray:
        top = int(self.counters[a.SLOT_TOP])
        return np.flatnonzero(self.arenas.state.reshape(-1, a.WIDTH)[:top, a.LIVE] == live)

    def _in_order(self, slots: np.ndarray) -> np.ndarray:
        return slots[np.argsort(self.arenas.state.reshape(-1, a.WIDTH)[slots, a.ID], kind="stable")]

    def _make_room(self, what: str) -> Iterator[FinishedFlows]:
        grown = a.grow(self.arenas, what)
        if grown is not None:
            self.arenas = grown
            return
        numbered = self._slots(a.NUMBERED) if what == "slots" else np.empty(0, np.int64)
        if len(numbered):
            for slot in numbered.tolist():
                forget(self.arenas, slot)
            return
        recycled = self._slots(a.RECYCLED)
        if len(recycled):
            yield from self._finish(recycled)
            return
        over = self._over()
        if len(over):
            yield from self._finish_early(over)
            return
        self.limits_reached.add(what)
        slots = self._slots(a.LIVE_FLOW)
        state = self.arenas.state.reshape(-1, a.WIDTH)
        open_still = (state[slots, a.RST_AT] < 0) & (state[slots, a.SIDE + a.FIN_TS] < 0)
        order = np.lexsort((state[slots, a.ID], state[slots, a.LAST_TS], open_still))
        oldest = slots[order[: max(1, len(slots) // 4)]]
        state[oldest, a.CUT] |= int(Cut.PART)
        self.evicted += len(oldest)
        yield from self._finish_early(oldest)

    def _over(self) -> np.ndarray:
        """Slots of conversations that a FIN or a reset has ended, and that have been silent for long since."""
        slots = self._slots(a.LIVE_FLOW)
        state = self.arenas.state.reshape(-1, a.WIDTH)[slots]
        fins = state[:, [a.SIDE + a.FIN_TS, a.SIDE + a.SIDE_WIDTH + a.FIN_TS]]
        closed = (fins >= 0).any(axis=1) | (state[:, a.RST_AT] >= 0)
        return slots[closed & (self.clock - state[:, a.LAST_TS] >= OVER_AFTER)]

    def _finish_early(self, slots: np.ndarray) -> Iterator[FinishedFlows]:
        """Finish what may go on, and is then to be the same flow."""
        roomier = a.room_for_cold(self.arenas, len(slots))
        if roomier is None:
            self.limits_reached.add("cold_flows")
        self.arenas = roomier or self.arenas
        yield from self._finish(slots, early=roomier is not None)

    def _finish(self, slots: np.ndarray, early: bool = False) -> Iterator[FinishedFlows]:
        for some in _in_batches(self._in_order(slots)):
            yield self._batch(some, final=True)
            leave(self.arenas, some, len(some), early)

    def _batch(self, slots: np.ndarray, final: bool) -> FinishedFlows:
        batch = FinishedFlows(self.arenas, slots, self._room)
        batch.flows = summarize(batch, self.clock, final)
        return batch


def _in_batches(slots: np.ndarray) -> Iterator[np.ndarray]:
    for at in range(0, len(slots), limits.FINISHED_BATCH):
        yield slots[at : at + limits.FINISHED_BATCH]
