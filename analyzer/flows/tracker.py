"""Packet batches to finished flows: the state machine around the kernels.

It owns no clock and reads no files: frames go in, batches of finished flows come out. While the arenas have room nothing
is finished before the end, so that unrelated traffic cannot change how a flow is seen; only when a limit is reached are
the least recently active flows finished early (closed ones first). They go on as the same flow, `part` + 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer import limits
from analyzer.decode import Fragments, Frames, Packets, decode, decode_one
from analyzer.flows import arenas as a
from analyzer.flows.account import account
from analyzer.flows.arenas import Arenas
from analyzer.flows.finished import FinishedFlows
from analyzer.flows.keep import release
from analyzer.flows.summary import summarize
from analyzer.flows.table import forget, unlink
from analyzer.tables import Bad, Cut, Tunnel

BATCH = 4096  # packets decoded at once: their columns stay in the processor's cache
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
        self.bad = dict.fromkeys(Bad, 0)
        self.tunnels = dict.fromkeys(Tunnel, 0)  # packets of conversations, by the tunnel that they were read out of
        self.links_unknown: dict[int, int] = {}
        self.frames = 0
        self.evicted = 0
        self.limits_reached: set[str] = set()
        self._cold: dict[bytes, tuple[int, int, int]] = {}  # key of a finished early flow -> number, part, stream
        self._new_from = 0  # first flow number that was not yet looked up there

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
                if self._cold:
                    self._continue_cold()
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
        if not bad.any():
            return
        for bit in Bad:
            self.bad[bit] += int((bad & bit != 0).sum())
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
        self.limits_reached.add(what)
        slots = self._slots(a.LIVE_FLOW)
        state = self.arenas.state.reshape(-1, a.WIDTH)[slots]
        open_still = (state[:, a.RST_AT] < 0) & (state[:, a.SIDE + a.FIN_TS] < 0)
        order = np.lexsort((state[:, a.ID], state[:, a.LAST_TS], open_still))
        oldest = slots[order[: max(1, len(slots) // 4)]]
        self._remember(oldest)
        self.arenas.state.reshape(-1, a.WIDTH)[oldest, a.CUT] |= int(Cut.PART)
        self.evicted += len(oldest)
        yield from self._finish(oldest)

    def _finish(self, slots: np.ndarray) -> Iterator[FinishedFlows]:
        for some in _in_batches(self._in_order(slots)):
            yield self._batch(some, final=True)
            state, counters = self.arenas.state.reshape(-1, a.WIDTH), self.counters
            for slot in some.tolist():
                if state[slot, a.LIVE] == a.LIVE_FLOW:
                    unlink(self.arenas, slot)
                release(self.arenas, slot)
                state[slot, a.LIVE] = a.FREE
                state[slot, a.CHAIN] = counters[a.SLOT_FREE]
                counters[a.SLOT_FREE] = slot
            counters[a.LIVE_FLOWS] -= len(some)

    def _batch(self, slots: np.ndarray, final: bool) -> FinishedFlows:
        batch = FinishedFlows(self.arenas, slots)
        batch.flows = summarize(batch, self.clock, final)
        return batch

    def _remember(self, slots: np.ndarray) -> None:
        """Keep the numbers of flows that are finished early, so that what goes on is the same flow."""
        if len(self._cold) >= limits.MAX_COLD_FLOWS:
            self.limits_reached.add("cold_flows")
            return
        state = self.arenas.state.reshape(-1, a.WIDTH)
        for slot in slots.tolist():
            row = state[slot]
            self._cold[self._key(slot)] = (int(row[a.ID]), int(row[a.PART]), int(row[a.STREAM]))
        self._new_from = int(self.counters[a.NEXT_ID])

    def _continue_cold(self) -> None:
        """Give flows opened since the last look their old numbers back."""
        state = self.arenas.state.reshape(-1, a.WIDTH)
        live = self._slots(a.LIVE_FLOW)
        for slot in live[state[live, a.ID] >= self._new_from].tolist():
            row = state[slot]
            known = self._cold.pop(self._key(slot), None)
            if known is not None and row[a.SYNS] == 0:
                row[a.ID], row[a.PART], row[a.STREAM] = known[0], known[1] + 1, known[2]
        self._new_from = int(self.counters[a.NEXT_ID])

    def _key(self, slot: int) -> bytes:
        row = self.arenas.state[slot * a.WIDTH : (slot + 1) * a.WIDTH]
        words = self.arenas.address[8 * slot : 8 * slot + 8]
        ends = sorted(((words[:4].tobytes(), int(row[a.PORT_A])), (words[4:].tobytes(), int(row[a.PORT_B]))))
        return b"%d %b%d %b%d" % (row[a.PROTO], ends[0][0], ends[0][1], ends[1][0], ends[1][1])


def _in_batches(slots: np.ndarray) -> Iterator[np.ndarray]:
    for at in range(0, len(slots), limits.FINISHED_BATCH):
        yield slots[at : at + limits.FINISHED_BATCH]
