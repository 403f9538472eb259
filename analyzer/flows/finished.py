"""A batch of finished flows (`signature.Finished`): their table, and what was kept of them, gathered when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cached_property, partial
from operator import itemgetter
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from analyzer.flows.arenas import (
    CLIENT, ENTRY, FIRST_TS, ID, NONE, PORT_A, PORT_B, PROTO, S_ACK, S_LENGTH, S_SEQ, S_TIME, S_TSVAL, SERIES_COUNT, TICK,
    WIDTH, Arenas,
)  # fmt: skip
from analyzer.flows.collect import HeadRoom, collect_heads, collect_series, count_heads, packet_columns
from analyzer.flows.resets import resets_of
from analyzer.limits import FIRST_ROWS
from analyzer.serial import ahead
from analyzer.signature import Payload, Segment
from analyzer.tables import SERIES, Table

TCP = 6
_PRIVILEGED = 1024
_SEGMENT = partial(tuple.__new__, Segment)  # from its four parts: a third of the time of its own constructor


class FinishedFlows:
    """Flows in some slots of the arenas, by flow number. Valid until the tracker goes on; `taken` restricts it."""

    flows: Table

    def __init__(self, arenas: Arenas, slots: np.ndarray, room: HeadRoom):
        state = arenas.state.reshape(-1, WIDTH)
        self.arenas, self._room = arenas, room
        self.slots = slots[np.argsort(state[slots, ID], kind="stable")]
        self.state = state[self.slots]
        self.client = client_side(self.state)
        self.number = self.state[:, ID]
        # What somebody remembers is not gathered twice.
        self._series: WeakValueDictionary[int, Table] = WeakValueDictionary()
        self._whole: FinishedFlows | None = None  # the batch that this is a part of, and which flows of it
        self._picked = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.slots)

    @cached_property
    def _gathered(self) -> tuple[Table, np.ndarray]:
        if self._whole is None:
            return packet_columns(self.arenas, self.slots, self.number, self.client)
        counts = np.diff(self._whole.row_start)
        picked = np.zeros(len(self._whole), bool)
        picked[self._picked] = True
        start = np.concatenate(([0], np.cumsum(counts[self._picked])))
        return self._whole.packets[np.repeat(picked, counts)], start

    @property
    def packets(self) -> Table:
        return self._gathered[0]

    @property
    def row_start(self) -> np.ndarray:
        """Packets of the i-th flow are rows row_start[i] to row_start[i + 1] of `packets`."""
        return self._gathered[1]

    @cached_property
    def which(self) -> np.ndarray:
        return np.repeat(np.arange(len(self)), np.diff(self.row_start))

    def has(self, packets: np.ndarray) -> np.ndarray:
        found = np.zeros(len(self), bool)
        found[self.which[packets]] = True
        return found

    @cached_property
    def resets(self) -> Table:
        """tables.RESETS of these flows, by (flow, frame)."""
        return resets_of(self)

    def rows(self, i: int) -> Table:
        return self.packets[slice(self.row_start[i], self.row_start[i + 1])]

    @cached_property
    def _heads(self) -> Heads:
        if self._whole is not None:
            return self._whole._heads.of_flows(self._picked)
        counts = np.zeros(2 * len(self), np.int64)
        number, size = count_heads(self.arenas, self.slots, len(self), counts)
        table, data = np.zeros(4 * number, np.int64), self._room.take(size)
        collect_heads(self.arenas, self.slots, len(self), table, data)
        tcp = np.repeat(self.state[:, PROTO] == TCP, 2)
        return Heads.of(table.reshape(-1, 4), np.concatenate(([0], np.cumsum(counts))), data, tcp)

    def ends(self, i: int) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
        """Both ends of the i-th flow: the four words of the address as bytes, and the port."""
        words = self.arenas.address[8 * self.slots[i] : 8 * self.slots[i] + 8].tobytes()
        return (words[:16], int(self.state[i, PORT_A])), (words[16:], int(self.state[i, PORT_B]))

    def segments(self, i: int, up: bool) -> list[Segment]:
        return self._heads.segments(self._side(i, up))

    def stream(self, i: int, up: bool) -> bytes:
        heads, side = self._heads, self._side(i, up)
        begin, end = int(heads.begin[side]), int(heads.end[side])
        return bytes(heads.view[begin:end]) if end >= 0 else heads.stream(side)

    def streams(self) -> Iterator[tuple[Payload, Payload]]:
        """What `stream` gives of both sides of each flow, the client's first; not copied where it need not be."""
        heads, view = self._heads, self._heads.view
        sides = [self._sides(up) for up in (True, False)]
        bounds = (bound[side].tolist() for side in sides for bound in (heads.begin, heads.end))
        for up, down, begin, end, begin_down, end_down in zip(*(s.tolist() for s in sides), *bounds, strict=True):
            yield (
                view[begin:end] if end >= 0 else heads.stream(up),
                view[begin_down:end_down] if end_down >= 0 else heads.stream(down),
            )

    def overlapping(self, up: bool) -> np.ndarray:
        return self._heads.end[self._sides(up)] < 0

    def first_bytes(self, up: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(bytes, begin, end): where in them each flow's stream stands; nothing where bytes came twice, or it is no TCP."""
        heads, sides = self._heads, self._sides(up)
        begin, end = heads.begin[sides], heads.end[sides]
        plain = (self.state[:, PROTO] == TCP) & (end >= 0)
        return heads.data, begin, np.where(plain, end, begin)

    def _sides(self, up: bool) -> np.ndarray:
        """Of both sides of all flows, those that the clients are, or the servers."""
        return 2 * np.arange(len(self)) + (self.client if up else 1 - self.client)

    def _side(self, i: int, up: bool) -> int:
        return 2 * i + (self._clients[i] if up else 1 - self._clients[i])

    @cached_property
    def _clients(self) -> list[int]:
        return self.client.tolist()

    def series(self, i: int) -> Table:
        known = self._series.get(int(self.number[i]))
        if known is None:
            known = self._series[int(self.number[i])] = self._series_of(i)
        return known

    def _series_of(self, i: int) -> Table:
        early = self.rows(i)
        entries = int(self.state[i, SERIES_COUNT])
        numbers = np.zeros(entries, np.int64)
        collect_series(self.arenas, int(self.slots[i]), numbers)
        words = self.arenas.entries.reshape(-1, ENTRY)[numbers].astype(np.int64)
        early = early[early.icmp < 0]
        if entries:  # rows kept for another reason than being the first are in the series too
            early = early[:FIRST_ROWS]
        later = words[:, S_LENGTH]
        return Table(
            SERIES,
            {
                "flow": np.full(len(early) + entries, self.number[i]),
                "ts": np.concatenate((early.ts, self.state[i, FIRST_TS] + words[:, S_TIME] * TICK)),
                "up": np.concatenate((early.up, (later >> 28 & 1) == self.client[i])),
                "seq": np.concatenate((np.maximum(early.seq, 0), words[:, S_SEQ])),
                "payload_len": np.concatenate((early.payload_len, later & 0xFFFFFF)).astype(np.int32),
                "kind": np.concatenate((early.kind, later >> 24 & 15)).astype(np.int8),
                "ack": np.concatenate((np.maximum(early.ack, 0), words[:, S_ACK])),
                "tsval": np.concatenate((early.tsval, np.where(words[:, S_TSVAL] == NONE, -1, words[:, S_TSVAL]))),
            },
        )

    def take(self, mask: np.ndarray) -> FinishedFlows:
        """The same batch with only some of its flows; what was gathered for all of them is not gathered again."""
        if mask.all():
            return self
        part = copy(self)
        for gathered in ("_gathered", "_heads", "_clients", "resets", "which"):
            part.__dict__.pop(gathered, None)
        part._whole, part._picked = self, np.flatnonzero(mask)
        part.slots, part.state, part.client, part.number = (
            column[mask] for column in (self.slots, self.state, self.client, self.number)
        )
        part.flows = self.flows[mask]
        return part


class Heads(NamedTuple):
    """Kept payload of both sides of each flow, side after side: the 2 i-th is the sender of flow i's first packet."""

    data: np.ndarray
    view: memoryview  # of the same: slices of it are cheaper
    begin: np.ndarray  # where in `data` each side's bytes stand, up to the first hole
    end: np.ndarray  # -1 where some came twice, and have to be put together
    first: np.ndarray  # where in `table` each side's segments stand
    last: np.ndarray
    table: np.ndarray  # frame, time, sequence number, length and place in `data` of each segment

    @classmethod
    def of(cls, segments: np.ndarray, first: np.ndarray, data: np.ndarray, tcp: np.ndarray) -> Heads:
        """From segments (frame, time, sequence number, length) that stand in `data` one after the other; `tcp` by side."""
        ends = np.concatenate(([0], np.cumsum(segments[:, 3])))
        apart = np.zeros(len(segments) + 1, np.int64)
        apart[1:-1] = ahead(segments[1:, 2], segments[:-1, 2] + segments[:-1, 3])
        apart[first] = 0  # a side's first segment follows nothing
        begin, end = first[:-1], first[1:]
        hole, back = (np.minimum(_first_from(odd, begin), end) for odd in (apart > 0, apart < 0))
        bounds = np.where(tcp & (back < end), -1, ends[np.where(tcp, hole, end)])
        table = np.column_stack((segments, ends[:-1]))
        return cls(data, data.data, ends[begin], bounds, begin, end, table)

    def of_flows(self, flows: np.ndarray) -> Heads:
        """Only the sides of some flows, over the same bytes."""
        sides = (2 * flows[:, None] + np.arange(2)).reshape(-1)
        begin, end, first, last = (bound[sides] for bound in (self.begin, self.end, self.first, self.last))
        return Heads(self.data, self.view, begin, end, first, last, self.table)

    def segments(self, side: int) -> list[Segment]:
        frame, ts, seq, size, at = self.table[self.first[side] : self.last[side]].T.tolist()
        return list(map(_SEGMENT, zip(frame, ts, seq, self._data(at, size), strict=True)))

    def stream(self, side: int) -> bytes:
        """A TCP stream's first contiguous bytes. Sequence numbers wrap; the first copy of a byte wins."""
        rows = self.table[self.first[side] : self.last[side], 2:].tolist()
        pieces = sorted(((ahead(seq, rows[0][0]), size, at) for seq, size, at in rows), key=itemgetter(0))
        end = pieces[0][0]
        out = []
        for start, size, at in pieces:
            if start > end:
                break
            if start + size > end:  # its tail is new
                out.append(self.view[at + end - start : at + size])
                end = start + size
        return b"".join(out)

    def _data(self, at: list[int], size: list[int]) -> list[bytes]:
        return [bytes(self.view[start : start + length]) for start, length in zip(at, size, strict=True)]


def _first_from(odd: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """From each place on, where the first odd one is; beyond all where there is none."""
    places = np.append(np.flatnonzero(odd), len(odd))
    return places[np.searchsorted(places, begin)]


def client_side(state: np.ndarray) -> np.ndarray:
    """Which side (0: sender of the first packet) is the client, for each row of `state`.

    The handshake says so. Begun midway, the privileged or else the lower port is the server's: ephemeral ports lie high.
    """
    a, b = state[:, PORT_A], state[:, PORT_B]
    by_port = np.where((np.minimum(a, b) < _PRIVILEGED) | (np.abs(a - b) > _PRIVILEGED), (a < b).astype(np.int64), 0)
    return np.where(state[:, CLIENT] >= 0, state[:, CLIENT], by_port)
