"""The hash table of live conversations: innermost addresses, ports and protocol lead to a slot.

VLAN ids, tunnel ids and interfaces are no part of the key (they differ by direction); both directions hash alike.
"""

from analyzer.flows.arenas import (
    ACKED, CHAIN, CLIENT, CONTROL_RING, FIN_TS, FIRST_DATA, FIRST_FRAME, FIRST_TS, ICMP_AT, ID, IFACE, KEY, LAST_NEW, LIVE, LIVE_FLOWS,
    NEXT_ID, NEXT_TCP, NEXT_UDP, PORT_A, PORT_B, PROBE_END, PROTO, RING, ROW_FIRST, ROW_LAST, RST_AT, RTT, SEG_FIRST, SEG_LAST,
    SERIES_FIRST, SERIES_LAST, SIDE, SIDE_LAST, SIDE_WIDTH, SLOT_FREE, SLOT_TOP, STREAM, SYN_RTT, SYN_SEQ, SYN_TS, SYNACK_TS, ACK_GAP,
    WIDTH,
)  # fmt: skip
from analyzer.kernels import kernel


@kernel
def half_hash(words, at, port, key):
    """A keyed hash of one endpoint. Bits 15..46 of each product: the same whether integers wrap at 64 bits or not."""
    h = key ^ port
    for k in range(4):
        h = (((h ^ words[at + k]) * 0x5851F42D) >> 15) & 0xFFFFFFFF
        h = ((h ^ (h >> 13)) * 0x2545F491 >> 11) & 0xFFFFFFFF
    return h


@kernel
def bucket_of(words, at, port_a, port_b, proto, key, buckets):
    both = half_hash(words, at, port_a, key) + half_hash(words, at + 4, port_b, key) + proto
    return ((both * 0x9E3779B1) >> 17) & (buckets - 1)


@kernel
def same_end(words, at, others, there):
    return (
        words[at] == others[there]
        and words[at + 1] == others[there + 1]
        and words[at + 2] == others[there + 2]
        and words[at + 3] == others[there + 3]
    )


@kernel
def find(arenas, packets, i):
    """(slot, direction, bucket) of packet i's conversation; slot -1 when there is none yet."""
    sport, dport, proto = packets.sport[i], packets.dport[i], packets.proto[i]
    bucket = bucket_of(packets.address, 8 * i, sport, dport, proto, arenas.counters[KEY], len(arenas.buckets))
    slot = arenas.buckets[bucket]
    while slot >= 0:
        base = slot * WIDTH
        if arenas.state[base + PROTO] == proto:
            a, b = arenas.state[base + PORT_A], arenas.state[base + PORT_B]
            if a == sport and b == dport:
                if same_end(arenas.address, 8 * slot, packets.address, 8 * i) and same_end(
                    arenas.address, 8 * slot + 4, packets.address, 8 * i + 4
                ):
                    return slot, 0, bucket
            if a == dport and b == sport:
                if same_end(arenas.address, 8 * slot, packets.address, 8 * i + 4) and same_end(
                    arenas.address, 8 * slot + 4, packets.address, 8 * i
                ):
                    return slot, 1, bucket
        slot = arenas.state[base + CHAIN]
    return -1, 0, bucket


@kernel
def unlink(arenas, slot):
    """Take a flow out of its hash chain; its slot and what it keeps stay."""
    base = slot * WIDTH
    bucket = bucket_of(
        arenas.address, 8 * slot, arenas.state[base + PORT_A], arenas.state[base + PORT_B], arenas.state[base + PROTO],
        arenas.counters[KEY], len(arenas.buckets),
    )  # fmt: skip
    before = -1
    at = arenas.buckets[bucket]
    while at >= 0:
        if at == slot:
            if before < 0:
                arenas.buckets[bucket] = arenas.state[base + CHAIN]
            else:
                arenas.state[before * WIDTH + CHAIN] = arenas.state[base + CHAIN]
            return
        before = at
        at = arenas.state[at * WIDTH + CHAIN]


@kernel
def rehash(arenas):
    """Enter every live flow into (empty, larger) buckets."""
    for slot in range(arenas.counters[SLOT_TOP]):
        base = slot * WIDTH
        if arenas.state[base + LIVE] == 1:
            bucket = bucket_of(
                arenas.address, 8 * slot, arenas.state[base + PORT_A], arenas.state[base + PORT_B], arenas.state[base + PROTO],
                arenas.counters[KEY], len(arenas.buckets),
            )  # fmt: skip
            arenas.state[base + CHAIN] = arenas.buckets[bucket]
            arenas.buckets[bucket] = slot


@kernel
def open_flow(arenas, packets, i, bucket, ts, frame, iface):
    """A new conversation begins with packet i. There must be a free slot."""
    c = arenas.counters
    slot = c[SLOT_FREE]
    if slot >= 0:
        c[SLOT_FREE] = arenas.state[slot * WIDTH + CHAIN]
    else:
        slot = c[SLOT_TOP]
        c[SLOT_TOP] += 1
    base = slot * WIDTH
    s = arenas.state
    for k in range(WIDTH):
        s[base + k] = 0
    for k in range(8):
        arenas.address[8 * slot + k] = packets.address[8 * i + k]
    s[base + ID] = c[NEXT_ID]
    c[NEXT_ID] += 1
    s[base + PROTO] = packets.proto[i]
    if packets.proto[i] == 6:
        s[base + STREAM] = c[NEXT_TCP]
        c[NEXT_TCP] += 1
    else:
        s[base + STREAM] = c[NEXT_UDP]
        c[NEXT_UDP] += 1
    s[base + PORT_A] = packets.sport[i]
    s[base + PORT_B] = packets.dport[i]
    s[base + FIRST_TS] = ts
    s[base + FIRST_FRAME] = frame
    s[base + IFACE] = iface
    for column in (
        CLIENT, ROW_FIRST, ROW_LAST, RING, CONTROL_RING, SERIES_FIRST, SERIES_LAST, SYN_TS, SYNACK_TS, SYN_RTT, ACK_GAP, RST_AT, ICMP_AT, SYN_SEQ,
    ):  # fmt: skip
        s[base + column] = -1
    for direction in range(2):
        side = base + SIDE + direction * SIDE_WIDTH
        for column in (FIN_TS, FIRST_DATA, SIDE_LAST, LAST_NEW, RTT, SEG_FIRST, SEG_LAST, PROBE_END, ACKED):
            s[side + column] = -1
    s[base + LIVE] = 1
    s[base + CHAIN] = arenas.buckets[bucket]
    arenas.buckets[bucket] = slot
    c[LIVE_FLOWS] += 1
    return slot
