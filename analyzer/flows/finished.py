"""A batch of finished flows (`signature.Finished`): their table, and what was kept of them, gathered when first asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from analyzer.flows.arenas import (
    CLIENT, ENTRY, FIRST_TS, ID, NONE, PORT_A, PORT_B, PROTO, S_ACK, S_LENGTH, S_SEQ, S_TIME, S_TSVAL, SERIES_COUNT, TICK,
    WIDTH, Arenas,
)  # fmt: skip
from analyzer.flows.collect import collect_heads, collect_series, count_heads, packet_columns
from analyzer.flows.resets import resets_of
from analyzer.limits import FIRST_ROWS
from analyzer.serial import ahead
from analyzer.signature import Segment
from analyzer.tables import SERIES, Table

_PRIVILEGED = 1024


class FinishedFlows:
    """Flows in some slots of the arenas, by flow number. Valid until the tracker goes on; `taken` restricts it."""

    flows: Table

    def __init__(self, arenas: Arenas, slots: np.ndarray):
        state = arenas.state.reshape(-1, WIDTH)
        self.arenas = arenas
        self.slots = slots[np.argsort(state[slots, ID], kind="stable")]
        self.state = state[self.slots]
        self.client = client_side(self.state)
        self.number = self.state[:, ID]

    def __len__(self) -> int:
        return len(self.slots)

    @cached_property
    def _gathered(self) -> tuple[Table, np.ndarray]:
        return packet_columns(self.arenas, self.slots, self.number, self.client)

    @property
    def packets(self) -> Table:
        return self._gathered[0]

    @property
    def row_start(self) -> np.ndarray:
        """Packets of the i-th flow are rows row_start[i] to row_start[i + 1] of `packets`."""
        return self._gathered[1]

    @cached_property
    def resets(self) -> Table:
        """tables.RESETS of these flows, by (flow, frame)."""
        return resets_of(self)

    def rows(self, i: int) -> Table:
        return self.packets[slice(self.row_start[i], self.row_start[i + 1])]

    @cached_property
    def _heads(self) -> tuple[list[int], list[list[int]], bytes]:
        counts = np.zeros(2 * len(self), np.int64)
        number, size = count_heads(self.arenas, self.slots, len(self), counts)
        segments = np.zeros(4 * number, np.int64)
        data = np.zeros(size, np.uint8)
        collect_heads(self.arenas, self.slots, len(self), segments, data)
        table = segments.reshape(-1, 4)
        bounds = np.concatenate(([0], np.cumsum(table[:, 3])))
        self._table = np.column_stack((table, bounds[:-1])).tolist()
        return np.concatenate(([0], np.cumsum(counts))).tolist(), self._table, data.tobytes()

    def ends(self, i: int) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
        """Both ends of the i-th flow: the four words of the address as bytes, and the port."""
        words = self.arenas.address[8 * self.slots[i] : 8 * self.slots[i] + 8].tobytes()
        return (words[:16], int(self.state[i, PORT_A])), (words[16:], int(self.state[i, PORT_B]))

    def segments(self, i: int, up: bool) -> list[Segment]:
        starts, table, data = self._heads
        k = 2 * i + int(self.client[i] if up else 1 - self.client[i])
        return [
            Segment(frame, ts, seq, data[at : at + size])
            for frame, ts, seq, size, at in table[starts[k] : starts[k + 1]]
        ]

    def stream(self, i: int, up: bool) -> bytes:
        pieces = self.segments(i, up)
        if not pieces:
            return b""
        if self.state[i, PROTO] != 6:
            return b"".join(piece.data for piece in pieces)
        return assemble(pieces)

    def series(self, i: int) -> Table:
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
        """The same batch with only some of its flows."""
        if mask.all():
            return self
        part = FinishedFlows(self.arenas, self.slots[mask])
        part.flows = self.flows[mask]
        return part


def client_side(state: np.ndarray) -> np.ndarray:
    """Which side (0: sender of the first packet) is the client, for each row of `state`.

    The handshake says so. Begun midway, the privileged or else the lower port is the server's: ephemeral ports lie high.
    """
    a, b = state[:, PORT_A], state[:, PORT_B]
    by_port = np.where((np.minimum(a, b) < _PRIVILEGED) | (np.abs(a - b) > _PRIVILEGED), (a < b).astype(np.int64), 0)
    return np.where(state[:, CLIENT] >= 0, state[:, CLIENT], by_port)


def assemble(pieces: list[Segment]) -> bytes:
    """A TCP stream's first contiguous bytes. Sequence numbers wrap; the first copy of a byte wins."""
    base = min(pieces, key=lambda piece: ahead(piece.seq, pieces[0].seq)).seq
    if len(pieces) == 1:
        return pieces[0].data
    out = bytearray()
    waiting = sorted(((ahead(p.seq, base), order, p.data) for order, p in enumerate(pieces)), key=lambda item: item[:2])
    for at, _, data in waiting:
        if at > len(out):
            break
        # a longer segment that starts no later than the stream's end adds only its new tail
        out += data[len(out) - at :]
    return bytes(out)
