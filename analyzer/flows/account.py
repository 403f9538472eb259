"""The per-packet loop: every decoded packet finds its conversation, is accounted and, within quotas, kept."""

from analyzer.flows.arenas import (
    ALONE, BAD_PACKETS, BYTES, CHUNK, CHUNK_TOP, CHUNKS_FREE, CLIENT, CLOCK, CLOCK_STEPS, COUNT, DOUBLED_ORDINARY, DUPLICATES, ENTRY, ENTRY_FREE,
    ENTRY_TOP, FIRST_DATA, FRAGMENTS, FUTURE_RUN, ICMP_AT, ICMP_LOST, IP_BYTES, LAST_FRAME, LAST_NEW, LAST_TS, LIVE, NEED, NEED_CHUNKS,
    NEED_ENTRIES, NEED_NOTHING, NEED_ROWS, NEED_SEGMENTS, NEED_SLOTS, NEW_BYTES, OFFLOADED, ORDINARY, PACKETS, RECYCLED_TOP, ROW, ROW_FREE,
    ROW_TOP, SEG_FREE, SEG_TOP, SEGMENT, SIDE, SIDE_LAST, SIDE_WIDTH, SLOT_FREE, SLOT_TOP, SNAPLEN_CUT, START, SYN_SEQ, SYNS, TUNNELLED, WIDTH,
)  # fmt: skip
from analyzer.flows.keep import keep_entry, keep_head, keep_row
from analyzer.flows.records import follow_records
from analyzer.flows.sequence import copy_of, segment
from analyzer.flows.table import find, open_flow, unlink
from analyzer.kernels import kernel
from analyzer.limits import CLOCK_STEP_FRAMES, CLOCK_STEP_NS, FIRST_ROWS

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_NEW = 1  # tables.Kind
_FRAGMENT = 8  # tables.Bad
_TROUBLE = 1 | 4 | 16 | 32  # and its bits that are damage: another protocol, or a fragment, is none
# Ports below 1024 belong to services; of two equals, the first to speak is the client.
_PRIVILEGED = 1024
# Larger than any Ethernet jumbo frame: the network card put several packets together (TSO, GRO).
_SUPER_PACKET = 9200


@kernel
def advance_clock(c, ts):
    """Packet time, which is hostile: a jump of over an hour counts only once enough frames in a row agree."""
    if c[START] < 0:
        c[START] = ts
        c[CLOCK] = ts
    elif ts - c[CLOCK] > CLOCK_STEP_NS:
        c[FUTURE_RUN] += 1
        if c[FUTURE_RUN] >= CLOCK_STEP_FRAMES:
            c[CLOCK] = ts
            c[CLOCK_STEPS] += 1
            c[FUTURE_RUN] = 0
    else:
        c[FUTURE_RUN] = 0
        if ts > c[CLOCK]:
            c[CLOCK] = ts


@kernel
def shortage(arenas):
    """What one packet might lack. Checked before anything is changed, so that the loop can stop and go on."""
    c = arenas.counters
    if c[SLOT_FREE] < 0 and c[SLOT_TOP] * WIDTH >= len(arenas.state):
        return NEED_SLOTS
    if c[ROW_FREE] < 0 and (c[ROW_TOP] + 2) * ROW > len(arenas.rows):
        return NEED_ROWS
    if c[ENTRY_FREE] < 0 and c[ENTRY_TOP] * ENTRY >= len(arenas.entries):
        return NEED_ENTRIES
    if c[SEG_FREE] < 0 and c[SEG_TOP] * SEGMENT >= len(arenas.segments):
        return NEED_SEGMENTS
    if c[CHUNKS_FREE] < 40 and (c[CHUNK_TOP] + 40) * CHUNK > len(arenas.chunks):
        return NEED_CHUNKS
    return NEED_NOTHING


@kernel
def conversation(arenas, packets, i, ts, frame, iface):
    """(slot, direction) of packet i's conversation, opened if need be."""
    slot, direction, bucket = find(arenas, packets, i)
    s = arenas.state
    if slot >= 0 and packets.proto[i] == 6 and packets.flags[i] & (_SYN | _ACK | _RST) == _SYN:
        base = slot * WIDTH
        if s[base + SYNS] > 0 and s[base + CLIENT] == direction and s[base + SYN_SEQ] != packets.seq[i]:
            # The same ports again with another initial sequence number: a new connection (RFC 9293 §3.6).
            unlink(arenas, slot)
            s[base + LIVE] = 2
            arenas.done[arenas.counters[RECYCLED_TOP]] = slot
            arenas.counters[RECYCLED_TOP] += 1
            slot = -1
    if slot < 0:
        slot = open_flow(arenas, packets, i, bucket, ts, frame, iface)
        direction = 0
    return slot, direction


@kernel
def datagram(s, base, direction, packets, i, ts):
    """UDP has no handshake: who asks is the client, unless the ports say otherwise."""
    if s[base + CLIENT] < 0:
        backwards = packets.sport[i] < _PRIVILEGED and packets.dport[i] >= _PRIVILEGED
        s[base + CLIENT] = 1 - direction if backwards else direction
    side = base + SIDE + direction * SIDE_WIDTH
    if packets.payload[i] > 0:
        s[side + NEW_BYTES] += packets.payload[i]
        s[side + LAST_NEW] = ts
        if s[side + FIRST_DATA] < 0:
            s[side + FIRST_DATA] = ts


@kernel
def account(arenas, packets, frames, first, start, count):
    """Account packets start..count of a batch whose frames begin at `first`; gives where it stopped, `counters[NEED]` why."""
    c = arenas.counters
    s = arenas.state
    for i in range(start, count):
        c[NEED] = shortage(arenas)
        if c[NEED] != NEED_NOTHING:
            return i
        k = first + i
        ts = frames.ts[k]
        frame = frames.number[k]
        iface = frames.iface[k]
        advance_clock(c, ts)
        if packets.bad[i] & _TROUBLE:
            c[BAD_PACKETS] += 1
        if packets.bad[i] & _FRAGMENT:
            c[FRAGMENTS] += 1
        proto = packets.proto[i]
        if (proto != 6 and proto != 17) or packets.sport[i] < 0:
            continue
        if packets.encap[i] > 0:
            c[TUNNELLED] += 1
        if packets.icmp[i] >= 0:
            slot, direction, _ = find(arenas, packets, i)
            if slot < 0:
                c[ICMP_LOST] += 1
                continue
            base = slot * WIDTH
            if s[base + ICMP_AT] < 0:
                s[base + ICMP_AT] = ts
            keep_row(arenas, packets, i, slot, 1 - direction, ts, frame, 0, -1, iface, True, False)
            continue
        slot, direction = conversation(arenas, packets, i, ts, frame, iface)
        base = slot * WIDTH
        side = base + SIDE + direction * SIDE_WIDTH
        s[base + PACKETS] += 1
        s[base + LAST_TS] = ts
        s[base + LAST_FRAME] = frame
        s[side + COUNT] += 1
        s[side + BYTES] += packets.payload[i]
        s[side + IP_BYTES] += packets.ip_len[i]
        s[side + SIDE_LAST] = ts
        s[side + ALONE] += 1
        s[base + SIDE + (1 - direction) * SIDE_WIDTH + ALONE] = 0
        if packets.captured[i] < packets.payload[i]:
            c[SNAPLEN_CUT] += 1
        if packets.ip_len[i] > _SUPER_PACKET:
            c[OFFLOADED] += 1
        kind, notable, control, dup = 0, False, False, -1
        if proto == 6:
            dup = copy_of(s, side, packets, i, ts, frame)
            control = packets.flags[i] & (_SYN | _FIN | _RST) != 0
            if not control:
                c[ORDINARY] += 1
            if dup >= 0:
                c[DUPLICATES] += 1
                if not control:
                    c[DOUBLED_ORDINARY] += 1
            kind, notable = segment(s, base, direction, packets, i, ts)
            if kind == _NEW:
                seq, length = packets.seq[i], packets.payload[i]
                follow_records(s, side, seq, length, packets.captured[i], frames.data, packets.at[i])
        else:
            datagram(s, base, direction, packets, i, ts)
        if s[base + PACKETS] > FIRST_ROWS:
            keep_entry(arenas, packets, i, slot, direction, ts, kind)
        keep_row(arenas, packets, i, slot, direction, ts, frame, kind, dup, iface, control, notable)
        if packets.payload[i] > 0:
            keep_head(arenas, packets, i, slot, direction, ts, frame, frames.data)
    c[NEED] = NEED_NOTHING
    return count
