"""One direction of a TCP flow's series in the form the fits want: seconds, unwrapped offsets, the receiver's ACKs.

Where the capture stands decides what can be seen: near the sender, what was sent; near the receiver, what arrived.
The handshake tells: SYN to SYN/ACK is the round trip on the server's side of the capture, SYN/ACK to ACK the client's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.serial import ahead
from analyzer.tables import Kind, Table

IPV4, IPV6, TCP, TIMESTAMPS = 20, 40, 20, 12  # bytes of headers on a data packet (RFC 791, 8200, 9293, 7323)
MSS = (
    1448  # bytes; what a captured frame larger than any Ethernet packet (segmentation offload) is cut into on the wire
)
LARGEST_PACKET = 1500  # bytes of payload above which a frame cannot be one Ethernet packet
MOST_PIECES = 64  # packets in one offloaded frame: 64 KiB / MSS is 45
TWICE_SECONDS, TWICE_SHARE = (
    0.005,
    0.3,
)  # between two copies of a packet at one mirror port, of packets seen twice there


class Stream(NamedTuple):
    """Data packets of one direction by time, and what the receiver had acknowledged when."""

    t: np.ndarray  # seconds since the flow's first packet
    start: np.ndarray  # unwrapped sequence numbers
    end: np.ndarray
    ack_t: np.ndarray  # ACKs that advanced, by time
    acked: np.ndarray  # the highest acknowledged, in the same numbers
    asked_t: np.ndarray  # payload packets of the other direction
    before: float  # seconds of round trip between the capture and the sender; NaN when not seen
    behind: float  # and between the capture and the receiver
    headers: int  # bytes of IP and TCP header on each data packet

    @property
    def rtt(self) -> float:
        """The path's base round trip, as far as it was seen; 0 when nothing was."""
        return float(np.nansum((self.before, self.behind)))


def stream(series: Table, up: bool, ipv6: bool = False) -> Stream:
    """The `up` (or down) direction of one TCP flow."""
    if (series.ts[1:] < series.ts[:-1]).any():
        series = series[np.argsort(series.ts, kind="stable")]
    series = _seen_once(series)
    t = (series.ts - series.ts[0]) / 1e9 if len(series) else np.empty(0)
    data = (series.up == up) & (series.payload_len > 0) & (series.kind != Kind.KEEPALIVE)
    back = series.up != up
    start = _unwrap(series.seq[data])
    end = start + series.payload_len[data]
    ack_t, acked = t[:0], end[:0]
    if len(end):
        ack_t, acked = _acks(t, series, back & (series.ack > 0), end, int(series.seq[data][0]))
    before, behind = _round_trips(series, t, up)
    if np.isnan(behind):
        behind = _least_echo(t[data], end, ack_t, acked)
    headers = (IPV6 if ipv6 else IPV4) + TCP + TIMESTAMPS * bool((series.tsval >= 0).any())
    asked = t[back & (series.payload_len > 0)]
    return Stream(t[data], start, end, ack_t, acked, asked, before, behind, headers)


def _seen_once(series: Table) -> Table:
    """Without the second copies in a capture that shows most packets twice: those were not sent again."""
    data = series.payload_len > 0
    sent = series.seq[data] << 1 | series.up[data]
    order = np.argsort(sent, kind="stable")
    soon = np.diff(series.ts[data][order]) <= TWICE_SECONDS * 1e9
    if (soon & (np.diff(sent[order]) == 0)).sum() < TWICE_SHARE * len(sent):  # as in any ordinary capture
        return series
    columns = series.ack, series.tsval, series.payload_len, series.seq, series.up
    order = np.lexsort((series.ts, *columns))
    again = np.diff(series.ts[order], prepend=-(1 << 62)) <= TWICE_SECONDS * 1e9
    for column in columns:
        again[1:] &= np.diff(column[order].astype(np.int64)) == 0
    if (again & data[order]).sum() < TWICE_SHARE * len(sent):
        return series
    first = np.ones(len(series), bool)
    first[order[again]] = False
    return series[first]


def split(t: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames put together by the network card, as the packets they were on the wire."""
    length = end - start
    if not len(length) or length.max() <= LARGEST_PACKET:
        return t, start, end
    pieces = np.where(length > LARGEST_PACKET, np.minimum(-(-length // MSS), MOST_PIECES), 1)
    which = np.repeat(np.arange(len(t)), pieces)
    number = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = start[which] + number * MSS
    last = np.where(number == pieces[which] - 1, end[which], first + MSS)
    return t[which], first, last


def first_ack(stream: Stream, end: np.ndarray) -> np.ndarray:
    """Time of the first ACK at or beyond each offset; infinity when there is none."""
    at = np.searchsorted(stream.acked, end, "left")
    return np.concatenate((stream.ack_t, [np.inf]))[at]


def _acks(
    t: np.ndarray, series: Table, back: np.ndarray, end: np.ndarray, origin: int
) -> tuple[np.ndarray, np.ndarray]:
    """ACKs that advanced. One beyond anything sent (a forged reset's, or of data lost by the capture) is left out."""
    t, numbers = t[back], series.ack[back]
    if not len(t):
        return t, numbers
    acked = _unwrap(numbers) + ahead(int(numbers[0]), origin)
    sane = acked <= end.max() + 1  # a FIN counts one
    t, acked = t[sane], acked[sane]
    advance = acked > np.concatenate(([-(1 << 62)], np.maximum.accumulate(acked)[:-1]))
    return t[advance], acked[advance]


def _unwrap(numbers: np.ndarray) -> np.ndarray:
    """32-bit numbers as offsets from the first, the shorter way round each time."""
    if not len(numbers):
        return np.empty(0, np.int64)
    numbers = numbers.astype(np.int64)
    return np.concatenate(([0], np.cumsum(ahead(numbers[1:], numbers[:-1]))))


def _round_trips(series: Table, t: np.ndarray, up: bool) -> tuple[float, float]:
    """(to the sender, to the receiver) from the handshake; NaN where it was not seen whole."""
    few = series[:16]
    nothing = float("nan"), float("nan")
    if not len(few) or not few.up[0] or few.payload_len[0] or few.ack[0]:
        return nothing
    answer = np.flatnonzero(~few.up & (few.payload_len == 0) & (few.ack == (few.seq[0] + 1 & 0xFFFFFFFF)))
    if not len(answer):
        return nothing
    asked = np.flatnonzero(few.up[: answer[0]] & (few.seq[: answer[0]] == few.seq[0]))
    done = np.flatnonzero(few.up & (few.ack == (few.seq[answer[0]] + 1 & 0xFFFFFFFF)))
    done = done[done > answer[0]]
    if len(asked) != 1 or not len(done):
        return nothing
    server, client = t[answer[0]] - t[asked[0]], t[done[0]] - t[answer[0]]
    return (float(client), float(server)) if up else (float(server), float(client))


def _least_echo(t: np.ndarray, end: np.ndarray, ack_t: np.ndarray, acked: np.ndarray) -> float:
    """Least time from a packet to the ACK that first covers it."""
    at = np.searchsorted(acked, end, "left")
    waited = (np.concatenate((ack_t, [np.inf]))[at] - t) if len(t) else t
    waited = waited[np.isfinite(waited) & (waited > 0)]
    return float(waited.min()) if len(waited) else float("nan")
