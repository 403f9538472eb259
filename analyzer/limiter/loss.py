"""Which of a flow's packets were lost, seen from near their sender or near their receiver.

Near the sender a loss is a byte range sent again, unless the ACK of it came sooner after the resend than a round trip
takes: then the first copy had arrived (the Eifel test, RFC 3522, without timestamps). Near the receiver it is a hole
that stayed open longer than reordering explains: no resend can arrive within a round trip of the gap being noticed.
Bytes that the receiver acknowledged although they are not in the capture were lost by the capture, and by nobody else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.limiter.stream import MOST_PIECES, MSS, Stream, first_ack, split

NEAR = 0.2  # share of the round trip below which the capture stands at that end; the rest is mid-path
NEAR_SECONDS = 0.005  # the same where only one side's round trip is known: a LAN, or the host itself
SOONER_THAN_RESEND = 0.8  # of the base round trip; one whole is the physical bound, the rest is jitter
LATE_WITHOUT_RTT = 0.1  # seconds a hole must stay open where no round trip is known; reordering is shorter (RFC 4653)


class Offered(NamedTuple):
    """What reached a limiter, in order: every packet with its size and whether it got through."""

    t: np.ndarray  # seconds
    size: np.ndarray  # bytes at the IP level
    lost: np.ndarray  # bool
    at_sender: bool
    resent: int  # packets sent again, spurious ones included

    def __len__(self) -> int:
        return len(self.t)

    def only(self, which: np.ndarray) -> Offered:
        """Some of it."""
        return Offered(self.t[which], self.size[which], self.lost[which], self.at_sender, self.resent)


def offered(stream: Stream) -> Offered:
    """Passes and losses from wherever the capture stands."""
    total = stream.before + stream.behind
    if np.isnan(total):
        at_receiver = not stream.behind >= NEAR_SECONDS
        at_sender = False
    else:
        at_receiver = stream.behind < NEAR * total
        at_sender = stream.before < NEAR * total
    if at_receiver:
        return arrived(stream)
    sent_here = sent(stream)
    if at_sender:
        return sent_here
    upstream = arrived(stream)
    return upstream if upstream.lost.sum() > sent_here.lost.sum() else sent_here


def sent(stream: Stream) -> Offered:
    """Seen from the sender's side: what was sent again had been lost."""
    new = _first_copies(stream)
    t, start, end = split(stream.t[new], stream.start[new], stream.end[new])
    by_offset = np.argsort(start, kind="stable")
    t, start, end = t[by_offset], start[by_offset], np.maximum.accumulate(end[by_offset])
    again_t, again_start, again_end = split(stream.t[~new], stream.start[~new], stream.end[~new])
    spurious = first_ack(stream, again_end) - again_t < SOONER_THAN_RESEND * np.nan_to_num(stream.behind)
    resend, original = _overlaps(start, end, again_start, again_end)
    needed = ~spurious[resend]
    lost = np.zeros(len(t), bool)
    lost[original[needed]] = True
    last = np.full(len(t), -1)
    np.maximum.at(last, original[needed], resend[needed])
    lost_again = np.zeros(len(again_t), bool)
    lost_again[resend[last[original] > resend]] = True
    everything = np.concatenate((t, again_t))
    order = np.argsort(everything, kind="stable")
    size = np.concatenate((end - start, again_end - again_start)) + stream.headers
    return Offered(everything[order], size[order], np.concatenate((lost, lost_again))[order], True, len(again_t))


def _first_copies(stream: Stream) -> np.ndarray:
    """Packets that carry bytes not sent before, in whatever order the capture put them."""
    high = np.concatenate(([-(1 << 62)], np.maximum.accumulate(stream.end)[:-1])) if len(stream.t) else stream.end
    new = stream.end > high
    below = np.flatnonzero(~new)
    order = np.argsort(stream.start[new], kind="stable")
    start, end = stream.start[new][order], np.maximum.accumulate(stream.end[new][order])
    untouched = np.searchsorted(end, stream.start[below], "right") >= np.searchsorted(start, stream.end[below], "left")
    below = below[untouched]
    _, first = np.unique(stream.start[below], return_index=True)
    new[below[first]] = True
    return new


def _overlaps(
    start: np.ndarray, end: np.ndarray, again_start: np.ndarray, again_end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (resend, original) that share bytes; the originals are in order."""
    low = np.searchsorted(end, again_start, "right")
    count = np.clip(np.searchsorted(start, again_end, "left") - low, 0, MOST_PIECES)
    resend = np.repeat(np.arange(len(again_start)), count)
    return resend, np.repeat(low - (np.cumsum(count) - count), count) + np.arange(len(resend))


def arrived(stream: Stream) -> Offered:
    """Seen from the receiver's side: what filled a hole late had been lost."""
    if not len(stream.t):
        return Offered(stream.t, stream.end, np.empty(0, bool), False, 0)
    high = np.maximum.accumulate(stream.end)
    before = np.concatenate((stream.start[:1], high[:-1]))
    hole = stream.start > before
    hole_t, start, end = split(stream.t[hole], before[hole], stream.start[hole])
    if len(end):
        size = np.minimum(end - start, LARGEST_HOLE)
        end = start + size
    fill = stream.start < before
    which, piece = _overlaps(start, end, stream.start[fill], stream.end[fill])
    filled = np.full(len(hole_t), np.inf)
    np.minimum.at(filled, piece, stream.t[fill][which])
    patience = LATE_WITHOUT_RTT if np.isnan(stream.before) else SOONER_THAN_RESEND * stream.rtt
    late = np.isfinite(filled) & (filled - hole_t >= patience)
    everything = np.concatenate((hole_t[late], stream.t))  # a packet is lost before the one that shows it
    order = np.argsort(everything, kind="stable")
    size = np.concatenate(((end - start)[late], stream.end - stream.start)) + stream.headers
    lost = np.concatenate((np.ones(int(late.sum()), bool), np.zeros(len(stream.t), bool)))
    return Offered(everything[order], size[order], lost[order], False, int(fill.sum()))


LARGEST_HOLE = MOST_PIECES * MSS  # bytes of one gap taken as lost; a longer one is a hole in the capture
