"""Flows that were finished early, for want of memory: their numbers, so that what goes on is the same flow.

One table with linear probing, 32 bytes a flow, under a hash of its ends: of two million conversations, two share one
about once in two million captures.
"""

from analyzer.flows.arenas import (
    COLD, COLD_COUNT, COLD_FLOW, COLD_KEY, COLD_PART, COLD_STREAM, ID, KEY, PART, PORT_A, PORT_B, PROTO, STREAM, WIDTH,
)  # fmt: skip
from analyzer.flows.hashing import ends_key
from analyzer.kernels import kernel, rare_kernel


@kernel
def place_of(cold, key):
    """Where a key stands in the table, or would stand. The table is never full."""
    places = len(cold) // COLD
    at = key & (places - 1)
    while cold[at * COLD + COLD_KEY] != 0 and cold[at * COLD + COLD_KEY] != key:
        at = (at + 1) & (places - 1)
    return at * COLD


@rare_kernel
def remember(arenas, slot):
    """Note the number of the flow in a slot."""
    base, s, cold = slot * WIDTH, arenas.state, arenas.cold
    port_a, port_b = s[base + PORT_A], s[base + PORT_B]
    key = ends_key(arenas.address, 8 * slot, port_a, port_b, s[base + PROTO], arenas.counters[KEY])
    at = place_of(cold, key)
    arenas.counters[COLD_COUNT] += 1 if cold[at + COLD_KEY] == 0 else 0
    cold[at + COLD_KEY] = key
    cold[at + COLD_FLOW] = s[base + ID]
    cold[at + COLD_PART] = s[base + PART]
    cold[at + COLD_STREAM] = s[base + STREAM]


@rare_kernel
def recall(arenas, slot):
    """Give the flow in a slot the number that it had before; whether it had one."""
    base, s, cold = slot * WIDTH, arenas.state, arenas.cold
    port_a, port_b = s[base + PORT_A], s[base + PORT_B]
    at = place_of(cold, ends_key(arenas.address, 8 * slot, port_a, port_b, s[base + PROTO], arenas.counters[KEY]))
    if cold[at + COLD_KEY] == 0 or cold[at + COLD_FLOW] < 0:
        return False
    s[base + ID] = cold[at + COLD_FLOW]
    s[base + PART] = cold[at + COLD_PART] + 1
    s[base + STREAM] = cold[at + COLD_STREAM]
    cold[at + COLD_FLOW] = -1  # it is alive again; its place stays taken, for others may stand behind it
    return True


@rare_kernel
def is_cold(arenas, words, at, sport, dport, proto):
    """Whether a conversation's number is remembered here."""
    if arenas.counters[COLD_COUNT] == 0:
        return False
    place = place_of(arenas.cold, ends_key(words, at, sport, dport, proto, arenas.counters[KEY]))
    return arenas.cold[place + COLD_KEY] != 0 and arenas.cold[place + COLD_FLOW] >= 0


@kernel
def move_cold(old, new):
    """Enter what one table holds into a larger one; gives how many there are."""
    count = 0
    for i in range(0, len(old), COLD):
        if old[i + COLD_KEY] != 0 and old[i + COLD_FLOW] >= 0:
            at = place_of(new, old[i + COLD_KEY])
            for k in range(COLD):
                new[at + k] = old[i + k]
            count += 1
    return count
