"""ICMP errors as they pass: who sent them about whose packet. Their flows keep the packets; this keeps the sender.

Which machine refuses is the whole point of an ICMP error: a router that speaks for hosts in unrelated networks is a filter.
"""

from __future__ import annotations

import numpy as np

from analyzer.decode import Frames, Packets, address_texts
from analyzer.flows.seen import SeenStore


class IcmpWatch:
    """Enters the ICMP errors of every decoded batch."""

    def __init__(self, seen: SeenStore):
        self.seen = seen

    def look(self, packets: Packets, frames: Frames, first: int, count: int) -> None:
        """See a decoded batch, before its packets are accounted."""
        errors = np.flatnonzero(packets.icmp[:count] >= 0)
        if not len(errors) or self.seen.errors.full:
            return
        words = packets.address.reshape(-1, 4)
        ends = np.concatenate((packets.sender.reshape(-1, 4)[errors], words[2 * errors], words[2 * errors + 1]))
        router, client, server = self.seen.strings.numbers(address_texts(ends)).reshape(3, -1)
        columns = (
            frames.number[first + errors], frames.ts[first + errors], router, packets.icmp[errors], packets.ttl[errors],
            client, packets.sport[errors], server, packets.dport[errors], packets.proto[errors], packets.near[errors],
        )  # fmt: skip
        for row in np.column_stack(columns).tolist():
            self.seen.errors.add(row)
