"""The hash table of live conversations: innermost addresses, ports and protocol lead to a slot.

VLAN ids, tunnel ids and interfaces are no part of the key (they differ by direction); both directions hash alike.
"""

from analyzer.flows.arenas import (
    ACKED, CHAIN, CLIENT, COLD_COUNT, CONTROL_RING, FIN_TS, FIRST_DATA, FIRST_FRAME, FIRST_TS, FREE, ICMP_AT, ID, IFACE, KEY, LAST_NEW, LIVE,
    LIVE_FLOW, LIVE_FLOWS, NEXT_ID, NEXT_TCP, NEXT_UDP, NUMBERED, PORT_A, PORT_B, PROBE_END, PROTO, RING, ROW_FIRST, ROW_LAST, RST_AT, RTT, SEG_FIRST, SEG_LAST,
    SERIES_FIRST, SERIES_LAST, SIDE, SIDE_LAST, SIDE_WIDTH, SLOT_FREE, SLOT_TOP, STREAM, SYN_RTT, SYN_SEQ, SYN_TS, SYNACK_TS, ACK_GAP,
    WIDTH,
)  # fmt: skip
from analyzer.flows.cold import is_cold, recall
from analyzer.flows.hashing import bucket_of
from analyzer.kernels import kernel, rare_kernel

_SYN, _RST, _ACK = 2, 4, 16


@kernel
def same_end(words, at, others, there):
    return (
        words[at] == others[there]
        and words[at + 1] == others[there + 1]
        and words[at + 2] == others[there + 2]
        and words[at + 3] == others[there + 3]
    )


@kernel
def find(arenas, words, at, sport, dport, proto):
    """(slot, direction, bucket) of the conversation between the ends whose addresses are at words[at]; slot -1: none."""
    bucket = bucket_of(words, at, sport, dport, proto, arenas.counters[KEY], len(arenas.buckets))
    slot = arenas.buckets[bucket]
    while slot >= 0:
        base = slot * WIDTH
        if arenas.state[base + PROTO] == proto:
            a, b = arenas.state[base + PORT_A], arenas.state[base + PORT_B]
            if a == sport and b == dport:
                if same_end(arenas.address, 8 * slot, words, at) and same_end(
                    arenas.address, 8 * slot + 4, words, at + 4
                ):
                    return slot, 0, bucket
            if a == dport and b == sport:
                if same_end(arenas.address, 8 * slot, words, at + 4) and same_end(
                    arenas.address, 8 * slot + 4, words, at
                ):
                    return slot, 1, bucket
        slot = arenas.state[base + CHAIN]
    return -1, 0, bucket


@rare_kernel
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
        if arenas.state[base + LIVE] == LIVE_FLOW or arenas.state[base + LIVE] == NUMBERED:
            bucket = bucket_of(
                arenas.address, 8 * slot, arenas.state[base + PORT_A], arenas.state[base + PORT_B], arenas.state[base + PROTO],
                arenas.counters[KEY], len(arenas.buckets),
            )  # fmt: skip
            arenas.state[base + CHAIN] = arenas.buckets[bucket]
            arenas.buckets[bucket] = slot


@kernel
def enter(arenas, words, at, sport, dport, proto, bucket, live):
    """Take a slot for a conversation and give it the next stream number. There must be a free slot."""
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
        arenas.address[8 * slot + k] = words[at + k]
    s[base + PROTO] = proto
    counter = NEXT_TCP if proto == 6 else NEXT_UDP
    s[base + STREAM] = c[counter]
    c[counter] += 1
    s[base + PORT_A] = sport
    s[base + PORT_B] = dport
    s[base + LIVE] = live
    s[base + CHAIN] = arenas.buckets[bucket]
    arenas.buckets[bucket] = slot
    return slot


@rare_kernel
def number(arenas, words, at, sport, dport, proto):
    """Give a conversation a stream number although none of its packets stands for itself.

    Wireshark numbers what an ICMP error quotes, and the outside of a UDP tunnel, like any other conversation; `stream`
    would not be its number if these were left out. They are no flows: nothing is kept of them, and they go first when
    slots run out.
    """
    c = arenas.counters
    slot, _, bucket = find(arenas, words, at, sport, dport, proto)
    spare = (c[SLOT_TOP] + 2) * WIDTH <= len(arenas.state)  # the packet itself may need a slot, too
    if slot < 0 and spare and not is_cold(arenas, words, at, sport, dport, proto):
        enter(arenas, words, at, sport, dport, proto, bucket, NUMBERED)


@rare_kernel
def forget(arenas, slot):
    """Give back the slot of a conversation that was only numbered."""
    unlink(arenas, slot)
    arenas.state[slot * WIDTH + LIVE] = FREE
    arenas.state[slot * WIDTH + CHAIN] = arenas.counters[SLOT_FREE]
    arenas.counters[SLOT_FREE] = slot


@rare_kernel
def open_flow(arenas, packets, i, bucket, ts, frame, iface):
    """A new conversation begins with packet i. There must be a free slot."""
    c = arenas.counters
    proto = packets.proto[i]
    slot = enter(arenas, packets.address, 8 * i, packets.sport[i], packets.dport[i], proto, bucket, LIVE_FLOW)
    base = slot * WIDTH
    s = arenas.state
    new_connection = proto == 6 and packets.flags[i] & (_SYN | _ACK | _RST) == _SYN
    if not new_connection and c[COLD_COUNT] > 0 and recall(arenas, slot):
        c[NEXT_TCP if proto == 6 else NEXT_UDP] -= 1
    else:
        s[base + ID] = c[NEXT_ID]
        c[NEXT_ID] += 1
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
    c[LIVE_FLOWS] += 1
    return slot
