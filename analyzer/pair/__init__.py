"""The same connections captured at both ends: the strongest proof there is.

What one end received and the other never sent is **forged**; what was sent and never arrived is **dropped**; what left
one end as one packet and came to the other as another is **rewritten**. `trace` reads both captures whole, `clock`
brings their times together, `match` holds packet against packet. The outcome becomes evidence about the client's
capture, and goes through the same judge as any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from analyzer.api import capture_info
from analyzer.engine import Analysis
from analyzer.errors import UsageError
from analyzer.pair.clock import Clock, estimate
from analyzer.pair.evidence import action_of, findings_of
from analyzer.pair.match import Sides, match
from analyzer.pair.trace import Connection, Trace, connections_of, read_trace
from analyzer.result import Result
from analyzer.signature import Loaded
from analyzer.sources import Source

MARGIN = 50_000_000  # ns at either end of a capture within which a missing packet may just not have been captured


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
        No connection is in both: two captures of the same service from two places are for `compare`.
    """
    traces = []
    for reopen in (client, server):
        with reopen() as source:
            traces.append(read_trace(source))
    mine, theirs = (connections_of(trace) for trace in traces)
    couples = _couples(mine, theirs)
    if not couples:
        raise UsageError(
            "no connection is in both captures; if they are of the same service from two networks, use `compare`"
        )
    clock = _clock(*traces, couples)
    lost = _never_came(mine, couples)
    events, packets = _events(*traces, [*couples, *lost], clock)
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
    by_number = {(c.isn, c.server[1]): c for found in exact.values() for c in found if c.isn is not None}
    for connection in rest:
        other = by_number.pop((connection.isn, connection.server[1]), None) if connection.isn is not None else None
        if other is not None:
            couples.append((connection, other))
    return couples


def _never_came(
    mine: list[Connection], couples: list[tuple[Connection, Connection]]
) -> list[tuple[Connection, Connection]]:
    """Connections to servers that the other capture watches, of which it has not one packet."""
    met = {id(connection) for connection, _ in couples}
    watched = {connection.server for connection, _ in couples}
    nothing = np.empty(0, np.int64)
    return [
        (c, Connection(c.proto, c.client, c.server, c.isn, nothing, nothing))
        for c in mine
        if id(c) not in met and c.server in watched
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
            events += _say(sides, is_up, a, b, mine, a_at_server, b_at_client)
    return sorted(events, key=lambda e: (e.client_frame or 0, e.server_frame or 0)), packets


def _say(sides: Sides, up: bool, a: Trace, b: Trace, c: Connection, a_at_server, b_at_client) -> list[Event]:
    sender, receiver = (a, b) if up else (b, a)
    sent_at, got_at = (a_at_server, b_at_client) if up else (b_at_client, a_at_server)

    def event(kind: str, s: int | None, r: int | None) -> Event:
        sent = int(sender.frame[s]) if s is not None else None
        got = int(receiver.frame[r]) if r is not None else None
        action = None if r is None else action_of(int(receiver.flags[r]), int(receiver.payload[r]), c.server[1])
        return Event(kind, up, sent if up else got, got if up else sent, c.client, c.server, action)

    found = [event("rewritten", s, r) for s, r in sides.rewritten]
    found += [event("dropped", s, None) for s in sides.dropped if _inside(sent_at[s], receiver)]
    return found + [event("forged", None, r) for r in sides.forged if _inside(got_at[r], sender)]


def _inside(ts: int, trace: Trace) -> bool:
    """Whether the other capture was surely running then."""
    return bool(trace.ts[0] + MARGIN <= ts <= trace.ts[-1] - MARGIN) if len(trace.ts) else False
