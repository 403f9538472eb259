"""Flows leave the arenas: what they kept goes back to the free lists, and their slots too."""

from analyzer.flows.arenas import CHAIN, FREE, LIVE, LIVE_FLOW, LIVE_FLOWS, SLOT_FREE, WIDTH
from analyzer.flows.cold import remember
from analyzer.flows.keep import release
from analyzer.flows.table import unlink
from analyzer.kernels import kernel


@kernel
def leave(arenas, slots, n, early):
    """Empty `n` slots; `early`: what goes on of their flows is to be the same flow."""
    s, c = arenas.state, arenas.counters
    for i in range(n):
        slot = slots[i]
        if early:
            remember(arenas, slot)
        if s[slot * WIDTH + LIVE] == LIVE_FLOW:
            unlink(arenas, slot)
        release(arenas, slot)
        s[slot * WIDTH + LIVE] = FREE
        s[slot * WIDTH + CHAIN] = c[SLOT_FREE]
        c[SLOT_FREE] = slot
        c[LIVE_FLOWS] -= 1
