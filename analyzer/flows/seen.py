"""All that outlives a flow (`signature.Seen`): attempts, endpoints, DNS names and the series of bulky flows.

Bounded, and ordered by flow or frame number, never by arrival or batch: the same packets split otherwise give the same.
"""

from __future__ import annotations

import numpy as np

from analyzer import limits
from analyzer.flows.finished import FinishedFlows
from analyzer.flows.ledger import Ledger
from analyzer.limiter.resends import NAMED, resent
from analyzer.tables import (
    ATTEMPTS, ENDPOINTS, ICMP_ERRORS, NAMES, QUESTIONS, RESETS, SERIES, TCP_ACK, TCP_RST, TCP_SYN, Column, Cut, Table,
    greatest, least,
)  # fmt: skip

BULKY = 20_000  # bytes in one direction from which on a flow's share of a common limit matters
_FROM_TEXT = {
    "client": "client", "server": "server", "target": "target", "service": "service", "role": "role", "by": "identified_by",
    "protocol": "protocol", "answer": "answer", "issuer": "issuer", "redirect": "redirect", "refusal": "refusal",
    "ja4": "ja4",
}  # fmt: skip


class Interned:
    """Texts and their numbers. Past the cap, new texts are null and the cap is reported."""

    def __init__(self):
        self._texts: list[str] = []
        self._numbers: dict[str | None, int] = {None: -1}
        self.full = False

    def number(self, text: str | None) -> int:
        known = self._numbers.get(text)
        if known is not None or text is None:
            return -1 if known is None else known
        if len(self._texts) >= limits.MAX_STRINGS:
            self.full = True
            return -1
        self._numbers[text] = len(self._texts)
        self._texts.append(text)
        return len(self._texts) - 1

    def numbers(self, texts: np.ndarray) -> np.ndarray:
        """Numbers of a column of texts (int32); null is -1."""
        column, known = texts.tolist(), self._numbers
        for text in dict.fromkeys(column):
            if text not in known:
                self.number(text)
        if self.full:
            return np.array([known.get(text, -1) for text in column], np.int32)
        return np.fromiter(map(known.__getitem__, column), np.int32, len(column))

    def find(self, text: str) -> int:
        return self._numbers.get(text, -1)

    def text(self, number: int) -> str | None:
        return self._texts[number] if number >= 0 else None


class SeenStore:
    """What finished flows leave behind. Snapshots of open flows replace what earlier snapshots said."""

    def __init__(self, interned: Interned | None = None):
        self.strings = interned or Interned()
        self._attempts: list[Table] = []
        self._endpoints: list[Table] = []
        self._resets: list[Table] = []
        self._settled: dict[str, Table] = {}  # those three in order, until more is added
        self._series: dict[int, list[Table]] = {}
        self._series_left = limits.MAX_SERIES
        self._resent: dict[tuple[int, bool], list[int]] = {}
        self.asked = Ledger(QUESTIONS, limits.MAX_NAMES)  # written while packets pass
        self.answered = Ledger(NAMES, limits.MAX_NAMES)
        self.errors = Ledger(ICMP_ERRORS, limits.MAX_ICMP_ERRORS)
        self.start = self.end = 0
        self._reached: set[str] = set()
        self._forked = False

    # -- what signatures and the verdict read -----------------------------------------------------------------
    @property
    def attempts(self) -> Table:
        if "attempts" not in self._settled:
            self._attempts = [_merge_parts(self._together(ATTEMPTS, self._attempts, "flow", "start"))]
            self._settled["attempts"] = self._attempts[0]
        return self._settled["attempts"]

    @property
    def endpoints(self) -> Table:
        if "endpoints" not in self._settled:
            self._endpoints = [self._together(ENDPOINTS, self._endpoints, "server", "flow")]
            self._settled["endpoints"] = self._endpoints[0]
        return self._settled["endpoints"]

    @property
    def resets(self) -> Table:
        if "resets" not in self._settled:
            self._resets = [self._together(RESETS, self._resets, "flow", "frame")]
            self._settled["resets"] = self._resets[0]
        return self._settled["resets"]

    def _together(self, schema: tuple[Column, ...], parts: list[Table], *names: str) -> Table:
        """One table in order. Only of a fork are the parts somebody else's too, and stay as they are."""
        return Table.concat(schema, parts).sort(*names) if self._forked else Table.drain(schema, parts, *names)

    @property
    def names(self) -> Table:
        return self.answered.table()

    @property
    def questions(self) -> Table:
        return self.asked.table()

    @property
    def icmp_errors(self) -> Table:
        return self.errors.table()

    def text(self, number: int) -> str | None:
        return self.strings.text(int(number))

    def number(self, text: str) -> int:
        return self.strings.find(text)

    def bulky(self) -> list[int]:
        return sorted(self._series)

    def series(self, flow: int) -> Table:
        return Table.concat(SERIES, self._series[flow])

    def resent(self, flow: int, up: bool) -> list[int]:
        return self._resent.get((flow, up), [])

    # -- what the engine writes -------------------------------------------------------------------------------
    @property
    def limits_reached(self) -> set[str]:
        ledgers = {"names": self.asked.full or self.answered.full, "icmp_errors": self.errors.full}
        return self._reached | {name for name, full in ledgers.items() if full}

    def add(self, done: FinishedFlows) -> bool:
        """Remember them; False where there is no more room."""
        if sum(map(len, self._attempts)) + len(done) > limits.MAX_FLOWS_KEPT:
            self._reached.add("flows")
            return False
        self._settled.clear()
        flows = done.flows
        columns = {c.name: flows.columns[c.name] for c in ATTEMPTS if c.name in flows.columns and c.dtype != "i4"}
        columns |= {
            c.name: flows.columns[c.name]
            for c in ATTEMPTS
            if c.name in ("cut", "syns", "synacks", "rsts_up", "rsts_down", "zero_windows")
        }
        columns["frame"] = flows.first_frame
        columns["port"] = flows.server_port
        columns["client_port"] = flows.client_port
        for name, source in _FROM_TEXT.items():
            columns[name] = self.strings.numbers(flows.columns[source])
        named = np.where(flows.sni != None, flows.sni, np.where(flows.host != None, flows.host, flows.dns_name))  # noqa: E711
        columns["name"] = self.strings.numbers(named)
        self._attempts.append(Table(ATTEMPTS, columns))
        self._endpoints.append(self._baselines(done, columns["server"]))
        self._add_resets(done, columns["server"])
        for i in np.flatnonzero((flows.bytes_up >= BULKY) | (flows.bytes_down >= BULKY)).tolist():
            series = done.series(i)
            if len(series) > self._series_left:
                self._reached.add("series")
                continue
            self._series_left -= len(series)
            self._series.setdefault(int(flows.flow[i]), []).append(series)
            self._note_resent(done, i)
        return True

    def _note_resent(self, done: FinishedFlows, i: int) -> None:
        flow, rows = int(done.flows.flow[i]), done.rows(i)
        for up, count in ((False, done.flows.resent_down[i]), (True, done.flows.resent_up[i])):
            if count:
                known = self._resent.get((flow, up), [])
                frames = [*known, *resent(rows, up)]  # a new list: forks share the old one
                self._resent[flow, up] = sorted(set(frames))[:NAMED]

    def _add_resets(self, done: FinishedFlows, server: np.ndarray) -> None:
        resets = done.resets
        if not len(resets):
            return
        if sum(map(len, self._resets)) + len(resets) > limits.MAX_RESETS:
            self._reached.add("resets")
            return
        resets.columns["server"] = server[np.searchsorted(done.flows.flow, resets.flow)]
        self._resets.append(resets)

    def fork(self) -> SeenStore:
        """A copy to which snapshots of open flows can be added and thrown away."""
        copy = SeenStore(self.strings)
        copy._forked = True
        copy._attempts, copy._endpoints = list(self._attempts), list(self._endpoints)
        copy._resets, copy._settled = list(self._resets), dict(self._settled)
        copy._series = {flow: list(parts) for flow, parts in self._series.items()}
        copy._series_left = self._series_left
        copy._resent = dict(self._resent)
        copy.asked, copy.answered, copy.errors = self.asked, self.answered, self.errors
        copy.start, copy.end, copy._reached = self.start, self.end, set(self._reached)
        return copy

    def _baselines(self, done: FinishedFlows, server: np.ndarray) -> Table:
        """Per flow, what its server's ordinary packets look like: the measure that a forged reset is held to."""
        flows, p = done.flows, done.packets
        down = ~p.up & (p.icmp < 0) & (p.tcp_flags >= 0)
        plain = down & (p.tcp_flags & (TCP_SYN | TCP_RST) == 0)
        synack = down & (p.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN | TCP_ACK)
        n = len(flows)
        rows = np.flatnonzero(plain)
        low, high = (each(done.which[rows], p.ttl[rows], n, -1) for each in (least, greatest))
        ordinary = np.bincount(done.which[rows], minlength=n)
        frame, frame_synack, ttl_synack = np.full(n, -1), np.full(n, -1), np.full(n, -1)
        frame[done.which[plain]] = p.frame[plain]
        frame_synack[done.which[synack]] = p.frame[synack]
        ttl_synack[done.which[synack]] = p.ttl[synack]
        by_data = (flows.data_rtt >= 0) & ((flows.syn_rtt < 0) | (flows.data_rtt <= flows.syn_rtt))
        table = Table(
            ENDPOINTS,
            {
                "server": server,
                "proto": flows.proto,
                "flow": flows.flow,
                "rtt": np.where(by_data, flows.data_rtt, flows.syn_rtt),
                "rtt_from_data": by_data,
                "ttl_low": low.astype(np.int16),
                "ttl_high": high.astype(np.int16),
                "ttl_synack": ttl_synack.astype(np.int16),
                "ordinary": ordinary.astype(np.int32),
                "frame": frame,
                "frame_synack": frame_synack,
            },
        )
        honest = flows.cut & Cut.PROXIED == 0
        return table[honest & ((table.rtt >= 0) | (ordinary > 0) | (ttl_synack >= 0))].made()


def _merge_parts(attempts: Table) -> Table:
    """One row a flow: what a flow's later parts (and snapshots) add to its first."""
    if len(attempts) < 2 or not (np.diff(attempts.flow) == 0).any():
        return attempts
    first = np.concatenate(([True], np.diff(attempts.flow) != 0))
    group = np.cumsum(first) - 1
    heads, last = np.flatnonzero(first), np.concatenate((np.flatnonzero(first)[1:] - 1, [len(attempts) - 1]))
    columns = {name: values[heads].copy() for name, values in attempts.columns.items()}
    sums = (
        "bytes_up",
        "bytes_down",
        "new_up",
        "new_down",
        "packets_up",
        "packets_down",
        "resent_up",
        "resent_down",
        "lost_up",
        "lost_down",
    )
    for name in (*sums, "syns", "synacks", "rsts_up", "rsts_down", "zero_windows"):
        columns[name] = np.bincount(group, attempts.columns[name]).astype(columns[name].dtype)
    alone = ("alone_up", "alone_down", "unfinished_up", "unfinished_down", "left_up", "left_down")
    for name in ("end", "last_frame", "ended_by", "unacked_up", "unacked_down", "final", *alone):
        columns[name] = attempts.columns[name][last]
    for name in ("last_up", "last_down", "last_new_up", "last_new_down", "stage", "cut"):
        combine = np.bitwise_or if name == "cut" else np.maximum
        combine.at(columns[name], group, attempts.columns[name])
    return Table(ATTEMPTS, columns)
