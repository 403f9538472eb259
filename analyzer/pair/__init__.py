"""The same connections captured at both ends: the strongest proof there is.

What one end received and the other never sent is **forged**; what was sent and never arrived is **dropped**; what left
one end as one packet and came to the other as another is **rewritten**. `trace` reads both captures whole, `clock`
brings their times together, `match` holds packet against packet. The outcome becomes evidence about the client's
capture, and goes through the same judge as any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from analyzer.api import capture_info
from analyzer.decode import address_text
from analyzer.engine import Analysis
from analyzer.errors import UsageError
from analyzer.pair.clock import Clock, estimate
from analyzer.pair.evidence import action_of, findings_of
from analyzer.pair.match import Sides, match
from analyzer.pair.trace import Connection, Trace, connections_of, headers_invented, read_trace
from analyzer.result import Result
from analyzer.signature import Loaded
from analyzer.sources import Source
from analyzer.tables import TCP_RST

SURELY = 200_000  # ns by which packets arrive before they are sent, from which on the order of the captures is wrong
MARGIN = 5_000_000  # ns at either end of a capture within which a missing packet may just not have been captured
ICMPV6_UNREACHABLE = 0x101  # type 1, above the bit that marks ICMPv6
GRACE = 2_000_000_000  # ns past a capture's last packet for which it still counts as running, for a cut that goes on
ALL_WATCHED, SEVERAL = 0.8, 3  # share of the answering servers, and how many, that show: the far end sees everything


class Event(NamedTuple):
    """One packet that differs between the ends."""

    kind: str  # forged, dropped or rewritten
    up: bool  # on its way from the client to the server
    client_frame: int | None  # where it is in the client's capture, if it is there
    server_frame: int | None
    client: tuple[str, int]  # the connection, as the client's capture has it
    server: tuple[str, int]
    action: str | None  # what it does, where it was forged or rewritten


@dataclass(slots=True)
class Paired:
    """What two captures say together."""

    result: Result  # of the client's capture, with the evidence of both
    clock: Clock
    connections: int  # that both captures have
    packets: int  # that arrived as they were sent
    events: list[Event] = field(default_factory=list)
    swapped: bool = False  # the captures were given in the wrong order, and taken in the right one


def pair(client: Callable[[], Source], server: Callable[[], Source], loaded: Loaded) -> Paired:
    """Match two captures of the same connections.

    Parameters
    ----------
    client, server : callable
        Open the captures; the client's is read twice.
    loaded : Loaded
        Signatures and knowledge.

    Raises
    ------
    UsageError
        No connection is in both: two captures of the same service from two places are for `compare`. Or both are one, or
        the headers of one are a capture app's inventions.
    """
    with client() as source:
        a = read_trace(source)
    with server() as source:
        b = read_trace(source)
    if headers_invented(a) or headers_invented(b):
        raise UsageError(
            "one of them was made on a phone without root: its app wrote the packets' headers itself, and they cannot be "
            "compared with those of the network"
        )
    mine = connections_of(a)
    couples = _couples(mine, connections_of(b))
    if not couples:
        raise UsageError(
            "no connection is in both captures; if they are of the same service from two networks, use `compare`"
        )
    if len(a.ts) == len(b.ts) and (a.ts == b.ts).all() and (a.crc == b.crc).all():
        raise UsageError("both are the same capture; give one of each end")
    clock = _clock(a, b, couples)
    if clock.one_way < -SURELY:
        return replace(pair(server, client, loaded), swapped=True)
    pairs = [*couples, *_never_came(a, mine, couples)]
    events, packets = _events(a, b, pairs, clock)
    events += _errors(a, b, [c for c, _ in pairs])
    analysis = Analysis(loaded)
    with client() as source:
        for frames in source.blocks():
            analysis.feed(frames)
        result = analysis.finish(capture_info(source), more=lambda flows: findings_of(events, flows, analysis.rules))
    return Paired(result, clock, len(couples), packets, events)


def shared_connections(one: Callable[[], Source], other: Callable[[], Source]) -> int:
    """How many connections two captures have in common: for `compare`, to notice that `pair` was meant."""
    found = []
    for reopen in (one, other):
        with reopen() as source:
            found.append(connections_of(read_trace(source)))
    return len(_couples(*found))


def _couples(mine: list[Connection], theirs: list[Connection]) -> list[tuple[Connection, Connection]]:
    """Connections that both captures have: by their ends and first number; behind a NAT by that number and the port."""
    couples, rest = [], []
    exact: dict[tuple, list[Connection]] = {}
    for connection in theirs:
        exact.setdefault(_ends(connection), []).append(connection)
    for connection in mine:
        found = exact.get(_ends(connection))
        if found:
            couples.append((connection, found.pop(0)))
        else:
            rest.append(connection)
    by_number: dict[tuple, list[Connection]] = {}
    for other in (c for found in exact.values() for c in found if c.isn is not None):
        by_number.setdefault((other.isn, other.server[1]), []).append(other)
    for connection in rest:
        found = by_number.get((connection.isn, connection.server[1]))
        if found:
            couples.append((connection, found.pop(0)))
    return couples


def _never_came(
    trace: Trace, mine: list[Connection], couples: list[tuple[Connection, Connection]]
) -> list[tuple[Connection, Connection]]:
    """Connections of which the other capture has not one packet although it watches their server.

    It watches the addresses that it has connections of; and all of them, where nearly every server that answered this
    client is among those (a gateway, a test bed).
    """
    met = {id(connection) for connection, _ in couples}
    watched = {connection.server[0] for connection, _ in couples}
    answering = {c.server[0] for c in mine if (trace.flags[c.down] & TCP_RST == 0).any()}
    everything = len(watched) >= SEVERAL and len(watched & answering) >= ALL_WATCHED * len(answering)
    nothing = np.empty(0, np.int64)
    return [
        (c, Connection(c.proto, c.client, c.server, c.isn, nothing, nothing))
        for c in mine
        if id(c) not in met and (everything or c.server[0] in watched)
    ]


def _ends(connection: Connection) -> tuple:
    return connection.proto, connection.client, connection.server, connection.isn


def _clock(a: Trace, b: Trace, couples: list[tuple[Connection, Connection]]) -> Clock:
    """From the packets that are unmistakably the same: equal in all, and alone of their kind on both sides."""
    ways: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for mine, theirs in couples:
        for way, i, j in ((0, mine.up, theirs.up), (1, mine.down, theirs.down)):
            keys = [_alone(a, i), _alone(b, j)]
            both = keys[0].keys() & keys[1].keys()
            if both:
                ways[way].append(np.array([(a.ts[keys[0][k]], b.ts[keys[1][k]]) for k in both], np.int64))
    up, down = (np.concatenate(way) if way else np.empty((0, 2), np.int64) for way in ways)
    return estimate(up, down)


def _alone(trace: Trace, rows: np.ndarray) -> dict[tuple, int]:
    seen: dict[tuple, int] = {}
    copies = set()
    for i in rows.tolist():
        key = int(trace.flags[i]), int(trace.seq[i]), int(trace.ack[i]), int(trace.crc[i]), int(trace.tsval[i])
        if key in seen:
            copies.add(key)
        seen[key] = i
    return {key: i for key, i in seen.items() if key not in copies}


def _events(a: Trace, b: Trace, couples: list[tuple[Connection, Connection]], clock: Clock) -> tuple[list[Event], int]:
    events: list[Event] = []
    packets = 0
    a_at_server, b_at_client = clock.at_server(a.ts), clock.at_client(b.ts)
    for mine, theirs in couples:
        up = match(a, mine.up, a_at_server[mine.up], b, theirs.up)
        down = match(b, theirs.down, b_at_client[theirs.down], a, mine.down)
        packets += len(up.pairs) + len(down.pairs)
        for sides, is_up in ((up, True), (down, False)):
            events += _say(sides, is_up, a, b, mine, a_at_server, b_at_client, int(clock.one_way))
    return sorted(events, key=lambda e: (e.client_frame or 0, e.server_frame or 0)), packets


def _errors(a: Trace, b: Trace, connections: list[Connection]) -> list[Event]:
    """Errors that say "unreachable" of a server which did not send them: somebody in between did."""
    watched = {(c.client, c.server): c for c in connections}
    unreachable = (a.icmp >> 8 == 3) | (a.icmp >> 8 == ICMPV6_UNREACHABLE)
    events = []
    for i in np.flatnonzero(unreachable).tolist():
        words = a.words[i].tolist()
        ends = (address_text(words[:4]), int(a.sport[i])), (address_text(words[4:]), int(a.dport[i]))
        c = watched.get(ends)
        if c is not None and not ((b.icmp == a.icmp[i]) & (b.words == a.words[i]).all(axis=1)).any():
            events.append(Event("forged", False, int(a.frame[i]), None, c.client, c.server, "icmp_reject"))
    return events


def _say(
    sides: Sides,
    up: bool,
    a: Trace,
    b: Trace,
    c: Connection,
    a_at_server: np.ndarray,
    b_at_client: np.ndarray,
    way: int,
) -> list[Event]:
    sender, receiver = (a, b) if up else (b, a)
    sent_at, got_at = (a_at_server, b_at_client) if up else (b_at_client, a_at_server)

    def event(kind: str, s: int | None, r: int | None) -> Event:
        sent = int(sender.frame[s]) if s is not None else None
        got = int(receiver.frame[r]) if r is not None else None
        action = None if r is None else action_of(int(receiver.flags[r]), int(receiver.payload[r]), c.server[1])
        return Event(kind, up, sent if up else got, got if up else sent, c.client, c.server, action)

    found = [event("rewritten", s, r) for s, r in sides.rewritten]
    due = {s: int(sent_at[s]) + way for s in sides.dropped}
    dropped = [s for s in sides.dropped if _inside(due[s], receiver)]
    if dropped:  # a cut that goes on past the last packet that the receiver had to capture
        end = int(receiver.ts[-1]) + GRACE
        dropped += [s for s in sides.dropped if s > dropped[-1] and due[s] <= end]
    found += [event("dropped", s, None) for s in dropped]
    return found + [event("forged", None, r) for r in sides.forged if _inside(got_at[r], sender)]


def _inside(ts: int, trace: Trace) -> bool:
    """Whether the other capture was surely running then."""
    return bool(trace.ts[0] + MARGIN <= ts <= trace.ts[-1] - MARGIN) if len(trace.ts) else False
