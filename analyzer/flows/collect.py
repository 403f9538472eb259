"""Gathering what was kept of finished flows out of the arenas, many flows at a time."""

from __future__ import annotations

import numpy as np

from analyzer.flows.arenas import (
    CHUNK, CONTROL_RING, ENTRY, G_CHUNK, G_FRAME, G_LENGTH, G_NEXT, G_SEQ, G_TS, HEAD_BYTES, NONE, R_ACK, R_BITS, R_CAPTURED, R_DUP, R_FRAME,
    R_ICMP, R_IPID, R_NEXT, R_OPTIONS, R_PAYLOAD, R_SEQ, R_TS_HIGH, R_TS_LOW, R_TSECR, R_TSVAL, R_WIN, RING, ROW, ROW_FIRST, S_NEXT, SEG_FIRST,
    SEGMENT, SERIES_FIRST, SIDE, SIDE_WIDTH, WIDTH, Arenas,
)  # fmt: skip
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


def packet_columns(arenas: Arenas, slots: np.ndarray, flow: np.ndarray, client: np.ndarray) -> tuple[Table, np.ndarray]:
    """tables.PACKETS of the flows in `slots`, by (flow, frame), and where each flow's packets begin (n + 1 values).

    `flow` and `client` hold each flow's number and which side is its client.
    """
    numbers = np.empty(len(slots) * MOST_ROWS, np.int64)
    counts = np.zeros(len(slots), np.int64)
    total = collect_rows(arenas, slots, len(slots), numbers, counts)
    start = np.concatenate(([0], np.cumsum(counts)))
    words = arenas.rows.reshape(-1, ROW)[numbers[:total]]
    which = np.repeat(np.arange(len(slots)), counts)
    order = np.lexsort((words[:, R_FRAME], which))
    words, which = words[order].astype(np.int64), which[order]
    bits, icmp = words[:, R_BITS], words[:, R_ICMP] - 1
    tcp = (bits >> 27 & 1).astype(bool)
    has_ts = (bits >> 20 & 1).astype(bool)
    return (
        Table(
            PACKETS,
            {
                "frame": words[:, R_FRAME],
                "ts": words[:, R_TS_HIGH] << 32 | words[:, R_TS_LOW],
                "flow": flow[which],
                "up": (bits >> 16 & 1) == client[which],
                "ttl": (words[:, R_WIN] >> 16 & 0xFF).astype(np.int16),
                "ipid": np.where(bits >> 23 & 1, words[:, R_IPID] & 0xFFFF, -1).astype(np.int32),
                "df": np.where(bits >> 23 & 1, bits >> 17 & 1, -1).astype(np.int8),
                "ecn": (bits >> 12 & 3).astype(np.int8),
                "tcp_flags": np.where(tcp, bits & 0xFF, -1).astype(np.int16),
                "seq": np.where(tcp | (icmp >= 0), words[:, R_SEQ], -1),
                "ack": np.where(tcp, words[:, R_ACK], -1),
                "win": np.where(tcp, words[:, R_WIN] & 0xFFFF, -1).astype(np.int32),
                "tsval": np.where(has_ts, words[:, R_TSVAL], -1),
                "tsecr": np.where(has_ts, words[:, R_TSECR], -1),
                "mss": np.where(bits >> 21 & 1, words[:, R_OPTIONS] & 0xFFFF, -1).astype(np.int32),
                "wscale": np.where(bits >> 22 & 1, words[:, R_OPTIONS] >> 16 & 0xFF, -1).astype(np.int16),
                "dsack": (bits >> 19 & 1).astype(bool),
                "optlen": (words[:, R_WIN] >> 24 << 2).astype(np.int16),
                "payload_len": words[:, R_PAYLOAD].astype(np.int32),
                "captured": words[:, R_CAPTURED].astype(np.int32),
                "kind": (bits >> 8 & 15).astype(np.int8),
                "dup_of": words[:, R_DUP] - 1,
                "iface": (words[:, R_IPID] >> 16).astype(np.int16),
                "encap": (bits >> 24 & 7).astype(np.int16),
                "icmp": icmp.astype(np.int32),
                "from_target": (bits >> 18 & 1).astype(bool),
            },
        ),
        start,
    )
