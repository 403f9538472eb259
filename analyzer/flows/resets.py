"""The first resets of each flow and side, with what each of them answers: the raw material of every question about forged ones.

Vectorised over the kept packets, which are ordered by (flow, frame): "the last payload of the other side before this
packet" is a running maximum over row numbers, cut off at the flow's first row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.limits import RESETS_PER_SIDE
from analyzer.tables import PACKETS, RESETS, TCP_ACK, TCP_FIN, TCP_RST, Kind, Table

if TYPE_CHECKING:
    from analyzer.flows.finished import FinishedFlows

_COPIED = tuple(c.name for c in RESETS if c.name in {column.name for column in PACKETS} and c.name != "flow")


def resets_of(done: FinishedFlows) -> Table:
    """tables.RESETS of a batch; `server` is filled in where addresses are interned."""
    cut = done.has(_resets(done.packets))
    if not cut.any():
        return Table.empty(RESETS)
    done = done.take(cut)
    p = done.packets
    own, reset = (p.icmp < 0) & (p.tcp_flags >= 0), _resets(p)
    start = done.row_start[done.which]
    rows = np.arange(len(p))

    def before(mask: np.ndarray) -> np.ndarray:
        """Row of the last packet in `mask` before each packet, in its flow; -1 where there is none."""
        last = np.maximum.accumulate(np.where(mask, rows, -1))
        earlier = np.concatenate(([-1], last[:-1]))
        return np.where(earlier >= start, earlier, -1)

    data = own & (p.payload_len > 0) & ~reset
    up = p.up
    said_up = before(data & up)
    request = said_up[reset]
    asked = np.where(up, before(data & ~up), said_up)[reset]
    answered = np.where(up, before(own & ~up), before(own & up))[reset]
    spoke = own & ~reset
    spoken = np.where(up, before(spoke & up), before(spoke & ~up))[reset]
    fin = own & (p.tcp_flags & TCP_FIN != 0)
    fin_up, fin_down = before(fin & up) >= 0, before(fin & ~up) >= 0
    closed = np.where(up, fin_up, fin_down)
    closed |= np.where(up, before(reset & ~up), before(reset & up)) >= 0
    count_up, count_down = np.cumsum(reset & up), np.cumsum(reset & ~up)
    nth = (
        np.where(up, count_up - _at(count_up, start, reset & up), count_down - _at(count_down, start, reset & ~up)) - 1
    )
    heard_up, heard_down = (np.cumsum(np.where(data & side, p.payload_len, 0)) for side in (up, ~up))
    heard = np.where(up, heard_up - _at(heard_up, start, data & up, p.payload_len), 0)
    heard += np.where(up, 0, heard_down - _at(heard_down, start, data & ~up, p.payload_len))
    last = before(own)[reset]
    picked = p[reset]
    known = asked >= 0
    end = (p.seq[asked] + p.payload_len[asked]) & 0xFFFFFFFF
    table = Table(
        RESETS,
        {name: picked.columns[name] for name in _COPIED}
        | {
            "flow": picked.flow,
            "server": np.full(len(picked), -1, np.int32),
            "nth": nth[reset].astype(np.int32),
            "syn_rtt": done.flows.syn_rtt[done.which[reset]],
            "asked": np.where(known, p.ts[asked], -1),
            "asked_frame": np.where(known, p.frame[asked], -1),
            "request_frame": np.where(request >= 0, p.frame[request], -1),
            "asked_once": known & (p.kind[asked] == Kind.NEW),
            "covers": known & (picked.tcp_flags & TCP_ACK != 0) & (picked.ack == end),
            "answered_ipid": np.where(answered >= 0, p.ipid[answered], -1).astype(np.int32),
            "pause": np.where(known & (spoken >= 0), np.maximum(p.ts[asked] - p.ts[spoken], 0), -1),
            "idle": np.where(last >= 0, picked.ts - p.ts[last], -1),
            "closed": closed[reset],
            "peer_closed": np.where(up, fin_down, fin_up)[reset],
            "heard": heard[reset],
        },
    )
    return table[table.nth < RESETS_PER_SIDE]


def _resets(p: Table) -> np.ndarray:
    return (p.icmp < 0) & (p.tcp_flags >= 0) & (p.tcp_flags & TCP_RST != 0)


def _at(total: np.ndarray, start: np.ndarray, mask: np.ndarray, amount: np.ndarray | None = None) -> np.ndarray:
    """The running total just before the flow's first row, for each row."""
    own = np.where(mask[start], 1 if amount is None else amount[start], 0)
    return total[start] - own
