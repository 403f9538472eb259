"""Acknowledgments that never came, counted at the server by the client's own packet counter.

Many stacks number the packets of a connection one by one in the IPv4 identification field (RFC 6864 asks no more of it
than Linux gives). What is missing between two packets that came was lost on the way; nothing else shows lost pure ACKs,
for a later one makes up for them. Clients with another habit (zero, random, one counter for all) say nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limits import FIRST_ROWS, LAST_ROWS
from analyzer.tables import TCP_FIN, TCP_RST, Table

STEPS = 10  # between packets of the client that came one after the other
FARTHEST = 64  # numbers between two of them: 64 lost in a row is an outage, or another habit
SHARE, MISSING = 0.30, 10  # of the client's packets, and how many: beyond what radio loses of 50-byte packets


class Missing(NamedTuple):
    """What a client sent and what came of it, among its first and last packets."""

    sent: int
    lost: int
    frames: tuple[int, ...]  # packets before which something is missing


def missing_acks(rows: Table) -> Missing | None:
    """Among a flow's first and last packets, of which all are kept; None where the numbers do not count, or few miss."""
    parts = [rows[:FIRST_ROWS], rows[max(FIRST_ROWS, len(rows) - LAST_ROWS) :]]
    steps, frames = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for part in parts:
        up = part[part.up & (part.icmp < 0) & (part.tcp_flags & (TCP_FIN | TCP_RST) == 0)]
        if (up.ipid < 0).any():
            return None
        steps.append(np.diff(up.ipid) & 0xFFFF)
        frames.append(up.frame[1:])
    step, frame = np.concatenate(steps), np.concatenate(frames)
    if len(step) < STEPS or (step == 0).any() or (step > FARTHEST).any():
        return None
    sent, lost = int(step.sum()), int((step - 1).sum())
    if lost < MISSING or lost < SHARE * sent:
        return None
    return Missing(sent, lost, tuple(frame[step > 1].tolist()))
