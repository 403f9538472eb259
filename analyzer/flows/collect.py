"""Gathering what was kept of finished flows out of the arenas, many flows at a time."""

from __future__ import annotations

import numpy as np

from analyzer.flows.arenas import (
    CHUNK, CONTROL_RING, ENTRY, G_CHUNK, G_FRAME, G_LENGTH, G_NEXT, G_SEQ, G_TS, HEAD_BYTES, NONE, R_FRAME, R_NEXT, RING, ROW, ROW_FIRST, S_NEXT,
    SEG_FIRST, SEGMENT, SERIES_FIRST, SIDE, SIDE_WIDTH, WIDTH, Arenas,
)  # fmt: skip
from analyzer.flows.kept import KeptPackets
from analyzer.kernels import copy, kernel
from analyzer.limits import CONTROL_ROWS, FIRST_ROWS, LAST_ROWS, NOTABLE_ROWS
from analyzer.tables import PACKETS, Table

MOST_ROWS = FIRST_ROWS + 2 * CONTROL_ROWS + NOTABLE_ROWS + LAST_ROWS


@kernel
def collect_rows(arenas, slots, n, out, counts):
    """Row numbers of each flow's kept packets, flow after flow; gives how many there are."""
    total = 0
    for i in range(n):
        base = slots[i] * WIDTH
        before = total
        row = arenas.state[base + ROW_FIRST]
        if row >= 0:
            while row != NONE:
                out[total] = row
                total += 1
                row = arenas.rows[row * ROW + R_NEXT]
        for ring in (RING, CONTROL_RING):
            last = arenas.state[base + ring]
            if last >= 0:
                row = arenas.rows[last * ROW + R_NEXT]
                out[total] = row
                total += 1
                while row != last:
                    row = arenas.rows[row * ROW + R_NEXT]
                    out[total] = row
                    total += 1
        counts[i] = total - before
    return total


@kernel
def count_heads(arenas, slots, n, out):
    """Segments and bytes of kept payload: out[2 i + direction] segments, gives (segments, bytes) in all."""
    segments = 0
    size = 0
    for i in range(n):
        for direction in range(2):
            side = slots[i] * WIDTH + SIDE + direction * SIDE_WIDTH
            size += arenas.state[side + HEAD_BYTES]
            segment = arenas.state[side + SEG_FIRST]
            before = segments
            while segment >= 0:
                segments += 1
                segment = arenas.segments[segment * SEGMENT + G_NEXT]
            out[2 * i + direction] = segments - before
    return segments, size


@kernel
def collect_heads(arenas, slots, n, segments, data):
    """Copy the segments (frame, time, sequence number, length) and their bytes, flow after flow, up to `data`'s end."""
    k = 0
    at = 0
    for i in range(n):
        for direction in range(2):
            segment = arenas.state[slots[i] * WIDTH + SIDE + direction * SIDE_WIDTH + SEG_FIRST]
            while segment >= 0:
                g = segment * SEGMENT
                length = arenas.segments[g + G_LENGTH]
                segments[4 * k] = arenas.segments[g + G_FRAME]
                segments[4 * k + 1] = arenas.segments[g + G_TS]
                segments[4 * k + 2] = arenas.segments[g + G_SEQ]
                segments[4 * k + 3] = length
                k += 1
                chunk = arenas.segments[g + G_CHUNK]
                while length > 0:
                    part = min(length, CHUNK)
                    copy(arenas.chunks, chunk * CHUNK, data, at, part)
                    at += part
                    length -= part
                    chunk = arenas.chunk_next[chunk]
                segment = arenas.segments[g + G_NEXT]
    return k


@kernel
def collect_series(arenas, slot, out):
    """Entry numbers of one flow's series, in order."""
    n = 0
    entry = arenas.state[slot * WIDTH + SERIES_FIRST]
    if entry < 0:
        return 0
    while entry != NONE:
        out[n] = entry
        n += 1
        entry = arenas.entries[entry * ENTRY + S_NEXT]
    return n


class HeadRoom:
    """Memory for the kept payload of one batch after the other: new pages cost more time than what is copied to them."""

    def __init__(self) -> None:
        self._data = np.empty(0, np.uint8)

    def take(self, size: int) -> np.ndarray:
        if size > len(self._data):
            self._data = np.empty(size, np.uint8)
        return self._data[:size]


def packet_columns(arenas: Arenas, slots: np.ndarray, flow: np.ndarray, client: np.ndarray) -> tuple[Table, np.ndarray]:
    """tables.PACKETS of the flows in `slots`, by (flow, frame), and where each flow's packets begin (n + 1 values).

    `flow` and `client` hold each flow's number and which side is its client.
    """
    numbers = np.empty(len(slots) * MOST_ROWS, np.int64)
    counts = np.zeros(len(slots), np.int64)
    total = collect_rows(arenas, slots, len(slots), numbers, counts)
    words = arenas.rows.reshape(-1, ROW)[numbers[:total]]
    which = np.repeat(np.arange(len(slots)), counts)
    place = which << 32 | words[:, R_FRAME]
    if (place[1:] < place[:-1]).any():
        # The last packets of a long flow are kept apart; a stable sort is quick with the rest.
        words = words[np.argsort(place, kind="stable")]
    packets = KeptPackets(words, flow[which], client[which])
    return Table.lazy(PACKETS, packets.column), np.concatenate(([0], np.cumsum(counts)))
