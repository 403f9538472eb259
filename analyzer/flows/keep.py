"""Retention: which packets, payload bytes and rate entries of a flow are kept, in bounded memory.

Kept of every flow: its first 32 packets; SYN, FIN, RST and ICMP (the first and the last 16); holes, resends, duplicates
and closed windows (128); the last 16 packets, in a ring that is allocated only past the first 32 (without it the trigger
of a late reset, "the server talks on" and a freeze could not be shown); raw payload from the start of each direction;
and an entry of 24 bytes for every packet past the first 32, which is what rates, buckets and queues are fitted on.
"""

from analyzer.flows.arenas import (
    CHUNK, CHUNK_FREE, CHUNK_TOP, CHUNKS_FREE, CLIENT, CONTROL, CONTROL_RING, CONTROL_RING_COUNT, CUT, ENTRY, ENTRY_FREE, ENTRY_TOP, FIRST_TS,
    G_CHUNK, G_FRAME, G_LENGTH, G_NEXT, G_SEQ, G_TS, HEAD_BYTES, MOST_TICKS, NONE, NOTABLE, R_ACK, R_BITS, R_CAPTURED, R_DUP, R_FRAME, R_ICMP, R_IPID,
    R_NEXT, R_OPTIONS, R_PAYLOAD, R_SEQ, R_TS_HIGH, R_TS_LOW, R_TSECR, R_TSVAL, R_WIN, RING, RING_COUNT, ROW, ROW_COUNT, ROW_FIRST, ROW_FREE,
    ROW_LAST, ROW_TOP, S_ACK, S_LENGTH, S_NEXT, S_SEQ, S_TIME, S_TSVAL, SEG_FIRST, SEG_FREE, SEG_LAST, SEG_TOP, SEGMENT, SERIES_COUNT,
    SERIES_FIRST, SERIES_LAST, SERIES_LOST, SIDE, SIDE_WIDTH, TICK, WIDTH,
)  # fmt: skip
from analyzer.kernels import copy, kernel, rare_kernel
from analyzer.limits import (
    CONTROL_ROWS,
    FIRST_ROWS,
    HEAD_DOWN_BYTES,
    HEAD_UP_BYTES,
    LAST_ROWS,
    NOTABLE_ROWS,
    SERIES_PER_FLOW,
)

_CUT_SNAPLEN, _CUT_ROWS, _CUT_HEAD, _CUT_SERIES = 4, 16, 32, 64  # tables.Cut


@kernel
def write_row(arenas, packets, i, row, direction, ts, frame, kind, dup, iface):
    r = arenas.rows
    at = row * ROW
    tcp = packets.proto[i] == 6
    r[at + R_TS_LOW] = ts & 0xFFFFFFFF
    r[at + R_TS_HIGH] = ts >> 32
    r[at + R_FRAME] = frame & 0xFFFFFFFF
    r[at + R_SEQ] = packets.seq[i] & 0xFFFFFFFF
    r[at + R_ACK] = packets.ack[i] & 0xFFFFFFFF
    r[at + R_TSVAL] = packets.tsval[i] & 0xFFFFFFFF
    r[at + R_TSECR] = packets.tsecr[i] & 0xFFFFFFFF
    r[at + R_PAYLOAD] = packets.payload[i]
    r[at + R_CAPTURED] = packets.captured[i]
    window = packets.win[i] if tcp and packets.win[i] >= 0 else 0
    r[at + R_WIN] = window | (packets.ttl[i] & 0xFF) << 16 | (packets.optlen[i] // 4) << 24
    r[at + R_IPID] = (packets.ipid[i] & 0xFFFF) | (iface & 0xFFFF) << 16
    bits = (
        (packets.flags[i] & 0xFF if packets.flags[i] >= 0 else 0) | kind << 8 | packets.ecn[i] << 12 | direction << 16
    )
    bits |= (1 if packets.df[i] == 1 else 0) << 17 | packets.near[i] << 18 | packets.dsack[i] << 19
    bits |= (1 if packets.tsval[i] >= 0 else 0) << 20 | (1 if packets.mss[i] >= 0 else 0) << 21
    bits |= (1 if packets.wscale[i] >= 0 else 0) << 22 | (1 if packets.ipid[i] >= 0 else 0) << 23
    bits |= packets.encap[i] << 24 | (1 if tcp and packets.flags[i] >= 0 else 0) << 27
    r[at + R_BITS] = bits
    r[at + R_OPTIONS] = (packets.mss[i] & 0xFFFF) | (packets.wscale[i] & 0xFF) << 16
    r[at + R_DUP] = (dup + 1) & 0xFFFFFFFF
    r[at + R_ICMP] = packets.icmp[i] + 1


@kernel
def take_row(arenas):
    """A free row. The caller made sure that there is one."""
    c = arenas.counters
    row = c[ROW_FREE]
    if row >= 0:
        following = arenas.rows[row * ROW + R_NEXT]
        c[ROW_FREE] = -1 if following == NONE else following
    else:
        row = c[ROW_TOP]
        c[ROW_TOP] += 1
    return row


@kernel
def ring_row(arenas, base, ring, count, row):
    """The next row to write in a ring of rows: `row`, by which it grows, or its oldest (-1)."""
    s = arenas.state
    last = s[base + ring]
    if row >= 0:
        if last < 0:
            arenas.rows[row * ROW + R_NEXT] = row
        else:
            arenas.rows[row * ROW + R_NEXT] = arenas.rows[last * ROW + R_NEXT]
            arenas.rows[last * ROW + R_NEXT] = row
        s[base + count] += 1
    else:
        row = arenas.rows[last * ROW + R_NEXT]
    s[base + ring] = row
    return row


@kernel
def keep_row(arenas, packets, i, slot, direction, ts, frame, kind, dup, iface, control, notable):
    """Keep packet i of a flow where the quotas say so."""
    s = arenas.state
    base = slot * WIDTH
    room = s[base + ROW_COUNT] < FIRST_ROWS
    ring, count, most = RING, RING_COUNT, LAST_ROWS
    if not room and control:
        ring, count, most = CONTROL_RING, CONTROL_RING_COUNT, CONTROL_ROWS
        if s[base + CONTROL] < CONTROL_ROWS:
            s[base + CONTROL] += 1
            room = True
    elif not room and notable and s[base + NOTABLE] < NOTABLE_ROWS:
        s[base + NOTABLE] += 1
        room = True
    if not room and ring == RING and s[base + RING_COUNT] == LAST_ROWS:
        s[base + CUT] |= _CUT_ROWS
    row = take_row(arenas) if room or s[base + count] < most else -1
    if room:
        arenas.rows[row * ROW + R_NEXT] = NONE
        if s[base + ROW_LAST] < 0:
            s[base + ROW_FIRST] = row
        else:
            arenas.rows[s[base + ROW_LAST] * ROW + R_NEXT] = row
        s[base + ROW_LAST] = row
        if s[base + ROW_COUNT] < FIRST_ROWS:
            s[base + ROW_COUNT] += 1
    else:
        row = ring_row(arenas, base, ring, count, row)
    write_row(arenas, packets, i, row, direction, ts, frame, kind, dup, iface)


@rare_kernel
def keep_error(arenas, packets, i, slot, direction, ts, frame, iface):
    """Keep an ICMP error with the flow that it quotes."""
    keep_row(arenas, packets, i, slot, direction, ts, frame, 0, -1, iface, True, False)


@kernel
def keep_entry(arenas, packets, i, slot, direction, ts, kind):
    """Note packet i for the fitting of rates."""
    s = arenas.state
    c = arenas.counters
    base = slot * WIDTH
    ticks = max(0, (ts - s[base + FIRST_TS]) // TICK)
    if s[base + SERIES_COUNT] >= SERIES_PER_FLOW or ticks > MOST_TICKS:
        if s[base + CUT] & _CUT_SERIES == 0:
            c[SERIES_LOST] += 1
        s[base + CUT] |= _CUT_SERIES
        return
    entry = c[ENTRY_FREE]
    if entry >= 0:
        following = arenas.entries[entry * ENTRY + S_NEXT]
        c[ENTRY_FREE] = -1 if following == NONE else following
    else:
        entry = c[ENTRY_TOP]
        c[ENTRY_TOP] += 1
    at = entry * ENTRY
    e = arenas.entries
    e[at + S_TIME] = ticks
    e[at + S_SEQ] = packets.seq[i] & 0xFFFFFFFF if packets.seq[i] >= 0 else 0
    e[at + S_ACK] = packets.ack[i] & 0xFFFFFFFF if packets.ack[i] >= 0 else 0
    e[at + S_LENGTH] = min(packets.payload[i], 0xFFFFFF) | kind << 24 | direction << 28
    e[at + S_TSVAL] = packets.tsval[i] & 0xFFFFFFFF
    e[at + S_NEXT] = NONE
    if s[base + SERIES_LAST] < 0:
        s[base + SERIES_FIRST] = entry
    else:
        e[s[base + SERIES_LAST] * ENTRY + S_NEXT] = entry
    s[base + SERIES_LAST] = entry
    s[base + SERIES_COUNT] += 1


@kernel
def keep_head(arenas, packets, i, slot, direction, ts, frame, data):
    """Copy payload of packet i while its direction's quota lasts."""
    s = arenas.state
    c = arenas.counters
    base = slot * WIDTH
    side = base + SIDE + direction * SIDE_WIDTH
    quota = HEAD_DOWN_BYTES if s[base + CLIENT] == 1 - direction else HEAD_UP_BYTES
    length = packets.captured[i]
    if length < packets.payload[i]:
        s[base + CUT] |= _CUT_SNAPLEN
    if s[side + HEAD_BYTES] >= quota:
        s[base + CUT] |= _CUT_HEAD
        return
    if length > quota - s[side + HEAD_BYTES]:
        length = quota - s[side + HEAD_BYTES]
        s[base + CUT] |= _CUT_HEAD
    if length <= 0:
        return
    segment = c[SEG_FREE]
    if segment >= 0:
        c[SEG_FREE] = arenas.segments[segment * SEGMENT + G_NEXT]
    else:
        segment = c[SEG_TOP]
        c[SEG_TOP] += 1
    g = arenas.segments
    at = segment * SEGMENT
    g[at + G_FRAME] = frame
    g[at + G_TS] = ts
    g[at + G_SEQ] = packets.seq[i] if packets.seq[i] >= 0 else 0
    g[at + G_LENGTH] = length
    g[at + G_NEXT] = -1
    if s[side + SEG_LAST] < 0:
        s[side + SEG_FIRST] = segment
    else:
        g[s[side + SEG_LAST] * SEGMENT + G_NEXT] = segment
    s[side + SEG_LAST] = segment
    s[side + HEAD_BYTES] += length
    last = -1
    start = packets.at[i]
    for done in range(0, length, CHUNK):
        chunk = c[CHUNK_FREE]
        if chunk >= 0:
            c[CHUNK_FREE] = arenas.chunk_next[chunk]
            c[CHUNKS_FREE] -= 1
        else:
            chunk = c[CHUNK_TOP]
            c[CHUNK_TOP] += 1
        arenas.chunk_next[chunk] = -1
        if last < 0:
            g[at + G_CHUNK] = chunk
        else:
            arenas.chunk_next[last] = chunk
        last = chunk
        copy(data, start + done, arenas.chunks, chunk * CHUNK, min(CHUNK, length - done))


@kernel
def release(arenas, slot):
    """Give everything that a finished flow kept back to the free lists. The slot itself is freed by the caller."""
    s = arenas.state
    c = arenas.counters
    base = slot * WIDTH
    if s[base + ROW_FIRST] >= 0:
        arenas.rows[s[base + ROW_LAST] * ROW + R_NEXT] = NONE if c[ROW_FREE] < 0 else c[ROW_FREE]
        c[ROW_FREE] = s[base + ROW_FIRST]
    for ring in (RING, CONTROL_RING):
        last = s[base + ring]
        if last >= 0:
            first = arenas.rows[last * ROW + R_NEXT]
            arenas.rows[last * ROW + R_NEXT] = NONE if c[ROW_FREE] < 0 else c[ROW_FREE]
            c[ROW_FREE] = first
    if s[base + SERIES_FIRST] >= 0:
        arenas.entries[s[base + SERIES_LAST] * ENTRY + S_NEXT] = NONE if c[ENTRY_FREE] < 0 else c[ENTRY_FREE]
        c[ENTRY_FREE] = s[base + SERIES_FIRST]
    for direction in range(2):
        segment = s[base + SIDE + direction * SIDE_WIDTH + SEG_FIRST]
        while segment >= 0:
            at = segment * SEGMENT
            chunk = arenas.segments[at + G_CHUNK]
            while chunk >= 0:
                following = arenas.chunk_next[chunk]
                arenas.chunk_next[chunk] = c[CHUNK_FREE]
                c[CHUNK_FREE] = chunk
                c[CHUNKS_FREE] += 1
                chunk = following
            following = arenas.segments[at + G_NEXT]
            arenas.segments[at + G_NEXT] = c[SEG_FREE]
            c[SEG_FREE] = segment
            segment = following
