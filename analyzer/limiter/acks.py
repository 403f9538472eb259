"""Acknowledgments that never came, counted at the server by the client's own packet counter.

Many stacks number the packets of a connection one by one in the IPv4 identification field (RFC 6864 asks no more of it
than Linux gives). How far the counter ran while so many packets came says how many were lost on the way; nothing else
shows lost pure ACKs, for a later one makes up for them. Clients with another habit (zero, random) say nothing; those
with one counter for all their connections look as if they lost some. Modems that thin acknowledgments out (RFC 3449
§5.2) drop them harmlessly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limits import FIRST_ROWS
from analyzer.serial import ahead
from analyzer.tables import TCP_FIN, TCP_RST, Kind, Table

STEPS = 5  # between packets at the flow's start that came one after the other, to see how the client counts
FARTHEST = 64  # numbers between two of them: 64 lost in a row is an outage, or another habit
SHARE, MISSING = 0.30, 10  # of the client's packets, and how many: beyond what radio loses of 50-byte packets
UNHEARD, UNHEARD_SHARE = 8, 0.25  # ACKs that never came, and of all that were sent
ALIKE = 0.25  # times the share of acknowledgments that are missing: if more of the data are resent, all is lost alike
PATIENCE, PATIENCE_SECONDS = 1.5, 0.05  # round trips, and seconds, within which an ACK may have crossed the resend
_NEVER = 1 << 62


class Missing(NamedTuple):
    """What a client sent and what came of it."""

    sent: int
    lost: int
    frames: tuple[int, ...]  # packets before which something is missing, as far as they are known


def missing_acks(rows: Table, packets: int) -> Missing | None:
    """From a flow's kept rows and how many packets of its client came, resets apart; None where few miss.

    None too where the client does not count its packets.
    """
    up = rows[rows.up & (rows.icmp < 0) & (rows.tcp_flags & TCP_RST == 0)]
    closing = np.flatnonzero(up.tcp_flags & TCP_FIN)
    mine = up[: closing[0] + 1] if len(closing) else up  # a closed connection counts no further
    came = packets - (len(up) - len(mine))
    up = mine
    step = ((np.diff(up.ipid) + 0x8000) & 0xFFFF) - 0x8000  # the shorter way round: packets may overtake each other
    together = step[: np.count_nonzero(up.frame <= rows.frame[:FIRST_ROWS].max(initial=0)) - 1]
    if (up.ipid < 0).any() or len(together) < STEPS or (step == 0).any():
        return None
    if (step < -FARTHEST).any() or (together > FARTHEST).any():
        return None
    sent = 1 + int(step.sum())
    if sent - came < max(MISSING, SHARE * sent):
        return None
    return Missing(sent, sent - came, tuple(up.frame[1:][: len(together)][together > 1].tolist()))


def unheard(series: Table, up: bool, rtt: float) -> tuple[np.ndarray, np.ndarray]:
    """(when each ACK was sent, in seconds since 1970, and whether it surely never came) of who receives the `up` direction.

    Seen near that receiver: what the sender sends again, though it was acknowledged more than a round trip earlier, it
    did not know of; so none of the ACKs that told it came. A modem that thins them out lets the last one through.
    """
    acks = (series.up != up) & (series.ack > 0)
    again = (series.up == up) & (series.kind == Kind.SPURIOUS) & (series.payload_len > 0)
    order = np.argsort(series.ts, kind="stable")
    order = order[acks[order] | again[order]]
    t, acks, again = series.ts[order] / 1e9, acks[order], again[order]
    number = np.where(acks, series.ack[order], series.seq[order] + series.payload_len[order])
    number = np.cumsum(ahead(number, np.concatenate((number[:1], number[:-1]))))  # no longer wrapping
    sent, told = t[acks], number[acks]
    least = np.minimum.accumulate(np.append(_NEVER, number[again][::-1]))[
        ::-1
    ]  # end of what is sent again from each time on
    later = np.searchsorted(t[again], sent + PATIENCE * rtt + PATIENCE_SECONDS, "left")
    return sent, told >= least[later]


def known(sent: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same up to the last ACK that is known to be lost: of later ones nothing is known."""
    until = int(np.flatnonzero(lost)[-1]) + 1 if lost.any() else 0
    return sent[:until], lost[:until]


def missing(lost: np.ndarray, holes: int, packets: int) -> bool:
    """Whether so many ACKs never came, and of the data far fewer: a path that loses everything loses both alike."""
    share = float(lost.mean()) if len(lost) else 0.0
    return int(lost.sum()) >= UNHEARD and share >= UNHEARD_SHARE and holes <= ALIKE * share * packets
