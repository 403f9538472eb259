"""Every TCP and UDP packet of a capture as columns, and the connections among them: what two captures are held by.

Unlike the flows room this keeps every packet, since a packet that one end has and the other lacks is the whole point;
so it is bounded by `limits.MAX_PAIRED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np

from analyzer.decode import Fragments, Packets, address_text, decode, decode_one
from analyzer.errors import UsageError
from analyzer.flows.summary import PHONE_VPN, ZDTUN_ISN
from analyzer.limits import MAX_PAIRED
from analyzer.sources import Source
from analyzer.tables import TCP_ACK, TCP_SYN

BATCH = 4096
TCP = 6
PRIVILEGED = 1024
_KEPT = ("proto", "sport", "dport", "ttl", "ipid", "flags", "seq", "ack", "tsval", "payload", "captured", "icmp")


class Trace(NamedTuple):
    """Packets in the order of the capture (int64 columns)."""

    frame: np.ndarray
    ts: np.ndarray
    words: np.ndarray  # uint32[n, 8]: source and destination address
    proto: np.ndarray
    sport: np.ndarray
    dport: np.ndarray
    ttl: np.ndarray
    ipid: np.ndarray
    flags: np.ndarray
    seq: np.ndarray
    ack: np.ndarray
    tsval: np.ndarray
    payload: np.ndarray  # bytes on the wire
    captured: np.ndarray
    icmp: np.ndarray  # code of an ICMP error, which stands under the addresses of the packet it quotes; else -1
    crc: np.ndarray  # of the captured payload


@dataclass(slots=True)
class Connection:
    """One conversation in one capture; `up` and `down` are row numbers of its trace."""

    proto: int
    client: tuple[str, int]
    server: tuple[str, int]
    isn: int | None  # the client's, when its SYN was seen
    up: np.ndarray
    down: np.ndarray


def headers_invented(trace: Trace) -> bool:
    """Whether a phone's capture app without root wrote the headers: nothing of them was ever on a network."""
    greeted = (trace.flags >= 0) & (trace.flags & (TCP_SYN | TCP_ACK) == TCP_SYN | TCP_ACK) & (trace.icmp < 0)
    devices = (trace.words[:, side : side + 4] == np.array(end, np.uint32) for side in (0, 4) for end in PHONE_VPN)
    return bool((trace.seq[greeted] == ZDTUN_ISN).any() or any(device.all(axis=1).any() for device in devices))


def read_trace(source: Source) -> Trace:
    """All TCP and UDP packets of a capture.

    Raises
    ------
    UsageError
        The capture has more packets than can be compared one by one.
    """
    packets, fragments = Packets.allocate(BATCH), Fragments()
    parts: list[list[np.ndarray]] = []
    total = 0
    for frames in source.blocks():
        for first in range(0, len(frames.offset), BATCH):
            count = min(BATCH, len(frames.offset) - first)
            decode(frames, first, count, packets)
            whole, again = fragments.join(frames, first, count, packets)
            for i in again:
                decode_one(whole, first + i, i, packets)
            rows = np.flatnonzero(packets.sport[:count] >= 0)
            total += len(rows)
            if total > MAX_PAIRED:
                raise UsageError(
                    f"these captures hold more than {MAX_PAIRED:,} packets; cut them to the minutes in question"
                )
            columns = {name: getattr(packets, name)[rows].copy() for name in _KEPT}
            spans = zip(packets.at[rows].tolist(), columns["captured"].tolist(), strict=True)
            crc = [crc32(whole.data[at : at + size].tobytes()) if size else 0 for at, size in spans]
            words = packets.address[: 8 * count].reshape(-1, 8)[rows]
            parts.append(
                [
                    frames.number[first + rows],
                    frames.ts[first + rows],
                    words,
                    *columns.values(),
                    np.array(crc, np.int64),
                ]
            )
    if not parts:
        empty = np.empty(0, np.int64)
        return Trace(empty, empty, np.empty((0, 8), np.uint32), *[empty] * (len(_KEPT) + 1))
    return Trace(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def connections_of(trace: Trace) -> list[Connection]:
    """Conversations by their ends; a SYN with another sequence number on the same ends begins a new one."""
    own = np.flatnonzero(trace.icmp < 0)
    if not len(own):
        return []
    ends = np.column_stack((trace.words, trace.sport, trace.dport)).astype(np.int64)
    swapped = np.column_stack((trace.words[:, 4:], trace.words[:, :4], trace.dport, trace.sport)).astype(np.int64)
    forward = _less(ends, swapped)
    key = np.column_stack((np.where(forward[:, None], ends, swapped), trace.proto))
    _, group = np.unique(key[own], axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    bounds = np.flatnonzero(np.diff(group.reshape(-1)[order])) + 1
    found = []
    for rows in np.split(own[order], bounds):
        found += _incarnations(trace, rows, forward)
    return sorted(found, key=lambda c: int(min(c.up[:1].tolist() + c.down[:1].tolist())))


def _less(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row, whether a comes before b (lexicographic)."""
    differ = a != b
    first = differ.argmax(axis=1)
    rows = np.arange(len(a))
    return a[rows, first] < b[rows, first]


def _incarnations(trace: Trace, rows: np.ndarray, forward: np.ndarray) -> list[Connection]:
    if trace.proto[rows[0]] != TCP:
        return [_connection(trace, rows, forward, None)]
    opening = trace.flags[rows] & (TCP_SYN | TCP_ACK) == TCP_SYN
    starts, seen = [], None
    for i in np.flatnonzero(opening).tolist():
        if trace.seq[rows[i]] != seen:
            seen = trace.seq[rows[i]]
            starts.append(i)
    cuts = starts if starts and starts[0] == 0 else [0, *starts]
    out = []
    for begin, end in zip(cuts, [*cuts[1:], len(rows)], strict=True):
        part = rows[begin:end]
        if len(part):
            syn = part[trace.flags[part] & (TCP_SYN | TCP_ACK) == TCP_SYN]
            out.append(_connection(trace, part, forward, int(syn[0]) if len(syn) else None))
    return out


def _connection(trace: Trace, rows: np.ndarray, forward: np.ndarray, syn: int | None) -> Connection:
    """Who is the client: the sender of the SYN, or of the first datagram; in a TCP talk begun midway the higher port."""
    first = int(rows[0])
    if syn is not None:
        first = syn
        client_first = True
    else:
        greeting = rows[(trace.proto[rows] == TCP) & (trace.flags[rows] & (TCP_SYN | TCP_ACK) == TCP_SYN | TCP_ACK)]
        if len(greeting):
            first, client_first = int(greeting[0]), False
        else:
            ports = int(trace.sport[first]), int(trace.dport[first])
            client_first = not ports[0] < PRIVILEGED <= ports[1] if trace.proto[first] != TCP else ports[0] >= ports[1]
    up = rows[(forward[rows] == forward[first]) == client_first]
    down = rows[(forward[rows] == forward[first]) != client_first]
    words = trace.words[first].tolist()
    ends = (address_text(words[:4]), int(trace.sport[first])), (address_text(words[4:]), int(trace.dport[first]))
    client, server = ends if client_first else ends[::-1]
    isn = int(trace.seq[syn]) if syn is not None else None
    return Connection(int(trace.proto[first]), client, server, isn, up, down)
