"""Attempts with what is dead among them and what answers meanwhile, device by device."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from analyzer.addresses import networks
from analyzer.controls import DATAGRAMS, same_device, used_by_people
from analyzer.signature import Finding, Knowledge, Method, Rule, Seen, Witness
from analyzer.tables import Cut, End, Stage, Table, Vantage

SECOND = 1_000_000_000
AROUND = 60 * SECOND  # controls tell of the network as it was within this
OTHERS = 2  # hosts that must have answered around it, one of them in between
SYNS, ADDRESSES, LASTED = 8, 2, 10 * SECOND  # applications give up after two or three tries of three SYNs each


class Scene:
    """Attempts with what is dead among them, and what answers meanwhile."""

    def __init__(self, seen: Seen, known: Knowledge):
        self.a, self.seen, self.known = seen.attempts, seen, known
        a = self.a
        honest = (a.vantage != Vantage.SERVER) & (
            a.cut & (Cut.MIDWAY | Cut.ONE_DIRECTION | Cut.PROBE | Cut.PROXIED) == 0
        )
        unanswered = (
            (a.proto == 6) & (a.stage == Stage.SYN) & (a.synacks == 0) & (a.rsts_down == 0) & (a.packets_down == 0)
        )
        self.dead = honest & unanswered & (a.ended_by != End.ICMP) & (a.ended_by != End.RST_UP) & (a.syns > 1)
        self.greeted = honest & (a.synacks > 0)
        # datagrams alone prove nothing, calls and QUIC have filters of their own; beside dead SYNs they count as well
        self.unheard = honest & (a.proto == 17) & (a.packets_down == 0) & (a.packets_up >= DATAGRAMS)
        text = seen.text
        self.people = used_by_people(a, seen, known)
        self.domestic = np.isin(a.service, [n for n in np.unique(a.service).tolist() if known.is_domestic(text(n))])
        six = {n: ":" in (text(n) or "") for n in np.unique(a.server).tolist()}
        self.six = np.isin(a.server, [n for n, is_six in six.items() if is_six])

    def devices(self) -> Iterator[Scene]:
        """One scene for each device of which something is dead and enough is alive; the whole where there is one."""
        clients, at = np.unique(self.a.client, return_inverse=True)
        dead, greeted = (np.bincount(at, mask, len(clients)) for mask in (self.dead, self.greeted))
        if not dead.any():
            return
        if same_device(self.a, self.a[np.flatnonzero(self.dead)[:1]], self.seen).all():
            yield self
            return
        order = np.argsort(at, kind="stable")
        for rows, n, alive in zip(np.split(order, np.cumsum(np.bincount(at))[:-1]), dead, greeted, strict=True):
            if n and alive >= OTHERS:
                yield self._part(rows)

    def _part(self, rows: np.ndarray) -> Scene:
        part = copy(self)
        for name in ("a", "dead", "greeted", "unheard", "people", "domestic", "six"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def text(self, number: int) -> str:
        return self.seen.text(int(number)) or ""

    def alive(self, group: np.ndarray) -> np.ndarray:
        """Hosts abroad that answered the same client around a dead group, one of them in between and over the same family."""
        a, mine = self.a, self.a[group]
        first, last = mine.start.min(), mine.end.max()
        other = self.greeted & ~self.domestic & ~np.isin(a.server, mine.server)
        other &= ~np.isin(a.service, mine.service[mine.service >= 0])
        near = other & (a.start >= first - AROUND) & (a.start <= last + AROUND)
        between = near & (a.start >= first) & (a.start <= last) & (self.six == self.six[group[0]])
        if len(np.unique(a.server[near])) < OTHERS or not between.any():
            return np.empty(0, np.int64)
        return np.concatenate((np.flatnonzero(between), np.flatnonzero(near & ~between)))

    def networks(self, rows: np.ndarray) -> int:
        return len(networks(self.a.server[rows], self.seen.text))

    def greeted_meanwhile(self, group: np.ndarray, *columns: str) -> bool:
        """Whether something that agrees with the group in these columns was greeted between its first and last SYN."""
        a, mine = self.a, self.a[group]
        same = self.greeted & (a.client == mine.client[0])
        for name in columns:
            same &= np.isin(a.columns[name], mine.columns[name])
        return bool((same & (a.start >= mine.start.min()) & (a.start <= mine.end.max())).any())

    def finding(
        self, rule: Rule, subject: str, group: np.ndarray, measured: dict[str, Any], baseline: np.ndarray, method: Method | None
    ) -> Finding:  # fmt: skip
        mine = self.a[group]
        witnesses = [Witness(frame, "trigger") for frame in mine.frame.tolist()[:8]]
        witnesses += [Witness(frame, "missing_after") for frame in mine.last_frame.tolist()[:8]]
        witnesses += [Witness(frame, "baseline") for frame in self.a.frame[baseline].tolist()[:3]]
        flows = tuple(mine.flow.tolist())
        ts = int(mine.end.max())
        return Finding(rule, subject, flows, ts, measured, tuple(dict.fromkeys(witnesses)), method)


class Extent(NamedTuple):
    """How much was tried in vain."""

    syns: int
    addresses: int
    lasted: int

    @classmethod
    def of(cls, a: Table) -> Extent:
        return cls(int(a.syns.sum()), len(np.unique(a.server)), int(a.end.max() - a.start.min()))

    @property
    def enough(self) -> bool:
        return self.syns >= SYNS and self.lasted >= LASTED

    def measured(self) -> dict[str, Any]:
        return {"syns": self.syns, "addresses": self.addresses, "over_s": round(self.lasted / SECOND, 1)}
