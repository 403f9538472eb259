"""How attempts fared, and which other traffic should have met the same fate if the cause were ordinary.

Shared by signatures (exact tests over attempts) and the verdict (what it may say), so that both mean the same by
"failed" and by "control". Silence is judged slowly: what a client abandoned at once, or the capture cut off, is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from analyzer.signature import Knowledge, Seen
from analyzer.tables import Cut, End, Stage, Table, Vantage

SECOND = 1_000_000_000
ATTEMPT = 10 * SECOND  # retries within this are one attempt: clients retry at once, by habit
AT_ONCE = SECOND // 2  # a client repeats sooner than this by habit, and opens several connections in parallel
GAVE_UP = 5 * SECOND  # a client that waited this long for an answer did not abort for its own reasons
QUIC_GAVE_UP = 1 * SECOND  # browsers fall back to TCP after that
SAME_MINUTES = 300 * SECOND  # a control tells of the network as it was within this
STOPPING = SECOND  # the last of a capture, in which an app that proxies resets all connections
RESENT = 2  # resends of unacknowledged bytes, or SYNs beyond the first: one may be lost by chance
RESIDUAL = 180 * SECOND  # longest residual blocking of a three-tuple that is documented (GFW, 2020)
UPLOAD = 1 << 16  # bytes: whoever took this much was there to take it, though it said nothing
DATAGRAMS = 3  # unanswered datagrams: the same for UDP
# Kinds of services that are blocked first, and that tell little of all else abroad.
USED_BY_PEOPLE = ("messenger", "social")


class Fate(IntEnum):
    """What became of an attempt. Below FAILED it says nothing against the path."""

    UNKNOWN = 0
    FINE = 1
    FAILED = 2  # from here on: how it failed
    SYN_SILENT = 3
    REFUSED = 4
    SILENT = 5  # asked, never answered
    STALLED = 6  # answered at first, then our bytes were never acknowledged again, or the server's never came
    RESET = 7
    CLOSED = 8  # the server's side closed without a word
    ALERT = 9
    ICMP = 10


def fates(attempts: Table, text: Callable[[int], str | None]) -> np.ndarray:
    """`Fate` of each attempt (int8)."""
    a = attempts
    alert = _says(a.answer, text, "alert")
    tcp, udp = a.proto == 6, a.proto == 17
    ended = a.ended_by
    broken = (a.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROBE) != 0) | (a.stage == Stage.NONE)
    waited = a.end - a.first_up_data >= GAVE_UP
    # An app behind a proxying capturer is acknowledged by that at once, and then waits without a packet.
    waited |= (a.cut & Cut.PROXIED != 0) & (ended == End.OPEN) & (a.end.max(initial=0) - a.last_up >= GAVE_UP)
    unheard = (a.unacked_up > 0) & (a.resent_up >= RESENT)
    early = (a.stage == Stage.ASKED) | (a.stage == Stage.ANSWERED)
    open_stage = a.stage == Stage.OPEN
    # At a server: the client's machine knows its own young connection no more, or never hears what it is answered.
    at_server = tcp & (a.vantage == Vantage.SERVER)
    gone = at_server & early & (ended == End.RST_UP) & a.rst_bare
    mute = at_server & (a.stage == Stage.ANSWERED) & (a.unacked_down > 0) & (a.resent_down > RESENT)
    # At the client: what the server says is in the capture, but the device never took it (`device.deaf`).
    deaf = tcp & (a.vantage == Vantage.CLIENT) & (a.new_down > 0) & (a.unacked_down >= a.new_down) & (a.resent_down > 0)
    # An answer to somebody who has given up and closed is none.
    late = tcp & (a.vantage != Vantage.SERVER) & (a.first_up_data >= 0) & (a.fin_up - a.first_up_data >= GAVE_UP)
    late &= a.first_down_data > a.fin_up
    # Bytes of the server are missing in the middle, and the client left without ever getting them (RFC 2923: a hole that
    # swallows large packets). Where the capture itself lost them, the client acknowledged them all the same.
    starved = tcp & (a.vantage == Vantage.CLIENT) & (a.unacked_down > 0) & (a.cut & Cut.GAP == 0)
    starved &= (a.last_new_down >= 0) & (a.fin_up - a.last_new_down >= GAVE_UP)
    # A proxying capturer resets what is still open when it stops.
    stopped = (a.cut & Cut.PROXIED != 0) & (a.rst_at >= a.end.max(initial=0) - STOPPING)
    reset_first = (a.rst_at >= 0) & (a.fin_up < 0) & (a.fin_down < 0) & ~stopped
    fate = np.select(
        [
            broken | deaf,
            tcp & (a.stage == Stage.SYN) & (ended == End.RST_DOWN),
            tcp & (a.stage == Stage.SYN) & (ended == End.ICMP),
            tcp & (a.stage == Stage.SYN) & (ended == End.SILENCE) & (a.syns > RESENT),
            tcp & alert & (a.stage <= Stage.ANSWERED),
            tcp & (early | open_stage) & (ended == End.RST_DOWN) & reset_first & (a.new_up > 0),
            gone & reset_first,
            mute & (a.rst_at < 0),
            late,
            tcp & (a.stage == Stage.ASKED) & (a.unacked_up == 0) & (a.new_up >= UPLOAD),
            tcp & (a.stage == Stage.ASKED) & (unheard | waited),
            tcp & (a.stage == Stage.ASKED) & (a.fin_down >= 0) & ((a.fin_up < 0) | (a.fin_down < a.fin_up)),
            tcp & (a.stage >= Stage.ANSWERED) & (ended == End.SILENCE) & unheard,
            starved & (a.stage >= Stage.ANSWERED),
            tcp & (a.stage == Stage.ANSWERED) & ((ended != End.RST_DOWN) | stopped) & (a.new_down > 0),
            tcp & (a.stage == Stage.SERVED),
            udp & (a.packets_down > 0),
            udp & (ended == End.ICMP),
            udp & (a.packets_up >= DATAGRAMS) & (a.end - a.start >= QUIC_GAVE_UP),
        ],
        [
            Fate.UNKNOWN, Fate.REFUSED, Fate.ICMP, Fate.SYN_SILENT, Fate.ALERT, Fate.RESET, Fate.RESET, Fate.SILENT,
            Fate.SILENT, Fate.FINE, Fate.SILENT, Fate.CLOSED, Fate.STALLED, Fate.STALLED, Fate.FINE, Fate.FINE,
            Fate.FINE, Fate.ICMP, Fate.SILENT,
        ],
        Fate.UNKNOWN,
    )  # fmt: skip
    return fate.astype(np.int8)


def _says(words: np.ndarray, text: Callable[[int], str | None], start: str) -> np.ndarray:
    """Interned words that begin so."""
    numbers, where = np.unique(words, return_inverse=True)
    return np.array([(text(n) or "").startswith(start) for n in numbers.tolist()], bool)[where.reshape(-1)]


_RETRY = ("client", "target", "server", "port", "proto", "ja4")  # what a retry has in common with the first try


def attempt_numbers(attempts: Table, fate: np.ndarray) -> np.ndarray:
    """Which attempt each flow belongs to (int64, by flow; -1 where its fate is unknown): retries share a number.

    A retry has the same client, target, address, port, protocol and make of hello within ten seconds. It is an attempt
    of its own when something else of the same client or at the same server, begun in between, fared the opposite way:
    the circumstances had turned, and turned again; and when it fails after one that was fine, which nobody repeats for
    that. After a failure, what is not even greeted by a SYN/ACK within three
    minutes can be residual blocking of the same three-tuple, and is a retry too: it would count one trigger twice.
    """
    numbers = np.full(len(attempts), -1, np.int64)
    rows = np.flatnonzero(fate != Fate.UNKNOWN)
    if not len(rows):
        return numbers
    a = attempts
    rows, same = _in_runs(a, rows, _RETRY)
    gap = np.diff(a.start[rows], prepend=a.start[rows[0]])
    soon = same & (gap < ATTEMPT)
    later = np.flatnonzero(soon & (gap >= AT_ONCE))
    before, after = rows[later - 1], rows[later]
    turned = _turned_between(a, fate, before, after) | ((fate[before] == Fate.FINE) & (fate[after] >= Fate.FAILED))
    soon[later[turned]] = False
    numbers[rows] = np.cumsum(~soon) - 1
    dead, cut = _aftermath(a, rows, fate)
    numbers[dead] = numbers[cut]
    numbers[rows] = np.unique(numbers[rows], return_inverse=True)[1].reshape(-1)
    return numbers


def _in_runs(a: Table, rows: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows sorted by columns and then by time, and whether each is like the one before it."""
    rows = rows[np.lexsort((a.start[rows], *(a.columns[name][rows] for name in names)))]
    same = np.ones(len(rows), bool)
    same[0] = False
    for name in names:
        same[1:] &= a.columns[name][rows[1:]] == a.columns[name][rows[:-1]]
    return rows, same


def _aftermath(a: Table, rows: np.ndarray, fate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Failures without a SYN/ACK, and the greeted failure that each of them may be the aftermath of."""
    rows, same = _in_runs(a, rows, _RETRY[:-1])  # a SYN has no hello whose make could be compared
    failed = fate[rows] >= Fate.FAILED
    dead = failed & (a.stage[rows] == Stage.SYN)
    here = np.arange(len(rows))
    first = np.maximum.accumulate(np.where(same, 0, here))
    last = np.maximum.accumulate(np.where(dead, -1, here))  # that was greeted, up to here
    dead &= (last >= first) & failed[last] & (a.start[rows] - a.start[rows[last]] < RESIDUAL)
    return rows[dead], rows[last[dead]]


def _turned_between(a: Table, fate: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Whether something of the same client, or at the same server, begun between two flows, fared the opposite way."""
    fine, failed = fate == Fate.FINE, fate >= Fate.FAILED
    turned = np.zeros(len(before), bool)
    for opposite, mine in ((fine, failed[before]), (failed, fine[before])):
        if not mine.any() or not opposite.any():
            continue
        for who in (a.client, a.server):
            low, high = (_rank(who[opposite], a.start[opposite], who[rows], a.start[rows]) for rows in (before, after))
            turned |= mine & (high > low)
    return turned


def _rank(known: np.ndarray, starts: np.ndarray, who: np.ndarray, start: np.ndarray) -> np.ndarray:
    """How many of the pairs (known, starts) lie below each (who, start)."""
    query = np.concatenate((np.ones(len(known)), np.zeros(len(who))))  # at a tie the question comes first
    order = np.lexsort((query, np.concatenate((starts, start)), np.concatenate((known, who))))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(order < len(known))
    return rank[len(known) :]


def counted(attempts: Table, fate: np.ndarray) -> tuple[Table, np.ndarray]:
    """Attempts with their retries merged, and their fates: what tests of significance may count.

    A merged attempt is fine if any of it was; its row is that of its first flow.
    """
    numbers = attempt_numbers(attempts, fate)
    rows = np.flatnonzero(numbers >= 0)
    if not len(rows):
        return attempts[rows], fate[rows]
    rows = rows[np.lexsort((attempts.start[rows], numbers[rows]))]
    heads = rows[np.flatnonzero(np.concatenate(([True], np.diff(numbers[rows]) > 0)))]
    fine = np.bincount(numbers[rows], fate[rows] == Fate.FINE) > 0
    return attempts[heads], np.where(fine, Fate.FINE, fate[heads]).astype(np.int8)


class Fared(NamedTuple):
    """A kind of control and the (merged) attempts that belong to it, as row numbers."""

    kind: str
    rows: np.ndarray


def controls_of(mine: np.ndarray, a: Table, seen: Seen, known: Knowledge) -> list[Fared]:
    """The controls of some attempts (row numbers into `a`), strongest kind first; a row counts under its strongest.

    Only what lies within five minutes of one of them, in their own client, is a control.
    """
    own = a[mine]
    near = np.flatnonzero(_near(a.start, own.start))
    free = ~np.isin(near, mine)
    a = a[near]
    service, name = np.unique(own.service), np.unique(own.name)
    client = np.isin(a.client, own.client)
    other = client & ~np.isin(a.target, own.target) & (a.proto == own.proto[0])
    here = np.isin(a.server, own.server)
    named = (a.name >= 0) & ~np.isin(a.name, name)
    same_service = _among(a.service, service)
    kinds = _by_service(a, seen, known)
    masks = (
        ("same_address_other_name", other & here & named & np.isin(a.port, own.port)),
        ("same_name_other_address", client & _among(a.name, name) & ~here),
        ("same_service_other_channel", client & same_service & ~np.isin(a.target, own.target)),
        ("same_protocol_other_service", other & ~same_service & (kinds == 0) & _among(a.protocol, own.protocol)),
        ("connectivity_check", client & (kinds == _CHECK) & ~same_service),
        ("domestic_service", client & (kinds == _DOMESTIC) & ~same_service),
        ("other_client_networks", here & ~client & np.isin(a.port, own.port)),
    )
    found = []
    for kind, mask in masks:
        mask &= free
        if mask.any():
            free &= ~mask
            found.append(Fared(kind, near[mask]))
    return found


def same_device(a: Table, mine: Table, seen: Seen) -> np.ndarray:
    """Attempts (mask) of the device that made some: those of its addresses that are known to be its own.

    A device speaks IPv4 and IPv6 from different addresses; where a capture shows one client of each, they are one device.
    """
    clients = np.unique(a.client)
    if len(clients) == 2:
        one, other = (":" in (seen.text(n) or "") for n in clients.tolist())
        if one != other:
            return np.ones(len(a), bool)
    return np.isin(a.client, mine.client)


def _among(column: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rows whose value is one of `values`; nulls are like nothing."""
    return np.isin(column, values) & (column >= 0)


_CHECK, _DOMESTIC = 1, 2


def _by_service(a: Table, seen: Seen, known: Knowledge) -> np.ndarray:
    numbers, where = np.unique(a.service, return_inverse=True)
    kinds = []
    for number in numbers.tolist():
        service = seen.text(number)
        kinds.append(_DOMESTIC if known.is_domestic(service) else _CHECK if known.kind(service) == "check" else 0)
    return np.array(kinds or [0], np.int8)[where.reshape(-1)]


def _near(starts: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Which starts lie within five minutes of one of `mine`."""
    times = np.sort(mine)
    at = np.searchsorted(times, starts)
    before = starts - times[np.maximum(at - 1, 0)]
    after = times[np.minimum(at, len(times) - 1)] - starts
    return (np.abs(before) <= SAME_MINUTES) | (np.abs(after) <= SAME_MINUTES)


def used_by_people(a: Table, seen: Seen, known: Knowledge) -> np.ndarray:
    """Attempts (mask) on messengers and social networks."""
    numbers, where = np.unique(a.service, return_inverse=True)
    used = [known.kind(seen.text(number)) in USED_BY_PEOPLE for number in numbers.tolist()]
    return np.array(used, bool)[where.reshape(-1)]


def groups_of(a: Table, mask: np.ndarray, *names: str) -> list[np.ndarray]:
    """Row numbers of the masked rows, grouped by columns, in the order of their first rows."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return []
    keys = np.stack([a.columns[name][rows].astype(np.int64) for name in names], axis=1)
    _, where = np.unique(keys, axis=0, return_inverse=True)
    where = where.reshape(-1)
    order = np.lexsort((a.start[rows], where))
    groups = np.split(rows[order], np.flatnonzero(np.diff(where[order])) + 1)
    return sorted(groups, key=lambda group: int(a.start[group[0]]))
