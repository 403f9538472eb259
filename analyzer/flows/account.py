"""The per-packet loop: every decoded packet finds its conversation, is accounted and, within quotas, kept."""

from analyzer.flows.arenas import (
    ALONE, BAD_PACKETS, BYTES, CHUNK, CHUNK_TOP, CHUNKS_FREE, CLIENT, CLOCK, CLOCK_STEPS, COUNT, DOUBLED_ORDINARY, DUPLICATES, ENTRY, ENTRY_FREE,
    ENTRY_TOP, FIN_TS, FIRST_DATA, FRAGMENTS, FUTURE_RUN, ICMP_AT, ICMP_LOST, IP_BYTES, KNOWN, LAST_FRAME, LAST_NEW, LAST_TS, LIVE, NEED, NEED_CHUNKS,
    NEED_ENTRIES, NEED_NOTHING, NEED_ROWS, NEED_SEGMENTS, NEED_SLOTS, NEW_BYTES, NEXT, NEXT_TCP, NEXT_UDP, NUMBERED, OFFLOADED, ORDINARY, PACKETS, RECYCLED, ROW, ROW_FREE,
    ROW_TOP, SEG_FREE, SEG_TOP, SEGMENT, SIDE, SIDE_LAST, SIDE_WIDTH, SLOT_FREE, SLOT_TOP, SNAPLEN_CUT, START, STREAM, SYN_SEQ, SYNS, WIDTH,
)  # fmt: skip
from analyzer.flows.keep import keep_entry, keep_error, keep_head, keep_row
from analyzer.flows.records import follow_records
from analyzer.flows.sequence import copy_of, segment
from analyzer.flows.table import find, forget, number, open_flow, unlink
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
def begins_anew(s, base, direction, seq):
    """Whether a SYN opens the same ports again: its sequence number is not the one this side began with (RFC 9293 §3.6)."""
    if s[base + SYNS] > 0 and s[base + CLIENT] == direction:
        return s[base + SYN_SEQ] != seq
    side = base + SIDE + direction * SIDE_WIDTH
    if s[side + KNOWN] == 0:
        return False
    # Begun before the capture: what came before would follow this SYN if the two had only changed places on the way.
    first = (s[side + NEXT] - s[side + NEW_BYTES] - 1) & 0xFFFFFFFF
    return first != seq and (s[side + FIN_TS] < 0 or (first - 1) & 0xFFFFFFFF != seq)


@kernel
def conversation(arenas, packets, i, slot, direction, bucket, ts, frame, iface):
    """(slot, direction) of packet i's conversation, given what was found: opened if need be."""
    proto = packets.proto[i]
    s = arenas.state
    stream = -1
    if slot >= 0 and s[slot * WIDTH + LIVE] == NUMBERED:
        stream = s[slot * WIDTH + STREAM]
        forget(arenas, slot)
        slot = -1
    if slot >= 0 and proto == 6 and packets.flags[i] & (_SYN | _ACK | _RST) == _SYN:
        if begins_anew(s, slot * WIDTH, direction, packets.seq[i]):
            unlink(arenas, slot)
            s[slot * WIDTH + LIVE] = RECYCLED
            slot = -1
    if slot < 0:
        slot = open_flow(arenas, packets, i, bucket, ts, frame, iface)
        direction = 0
        if stream >= 0:
            s[slot * WIDTH + STREAM] = stream
            arenas.counters[NEXT_TCP if proto == 6 else NEXT_UDP] -= 1
    return slot, direction


@kernel
def client_by_hello(data, at, size, direction):
    """Begun before the capture, a TLS hello (RFC 8446 §4.1) still tells which side is the client; -1 without one."""
    if size < 6 or data[at] != 22 or data[at + 1] != 3:
        return -1
    if data[at + 5] == 1:
        return direction
    return 1 - direction if data[at + 5] == 2 else -1


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
        if packets.outer_sport[i] >= 0:
            number(arenas, packets.outer, 8 * i, packets.outer_sport[i], packets.outer_dport[i], 17)
        proto = packets.proto[i]
        if (proto != 6 and proto != 17) or packets.sport[i] < 0:
            continue
        slot, direction, bucket = find(arenas, packets.address, 8 * i, packets.sport[i], packets.dport[i], proto)
        if packets.icmp[i] >= 0:
            if slot < 0 and packets.whole[i]:
                number(arenas, packets.address, 8 * i, packets.sport[i], packets.dport[i], proto)
            if slot < 0 or arenas.state[slot * WIDTH + LIVE] == NUMBERED:
                c[ICMP_LOST] += 1
                continue
            base = slot * WIDTH
            if s[base + ICMP_AT] < 0:
                s[base + ICMP_AT] = ts
            keep_error(arenas, packets, i, slot, 1 - direction, ts, frame, iface)
            continue
        slot, direction = conversation(arenas, packets, i, slot, direction, bucket, ts, frame, iface)
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
            if s[base + CLIENT] < 0:
                s[base + CLIENT] = client_by_hello(frames.data, packets.at[i], packets.captured[i], direction)
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
