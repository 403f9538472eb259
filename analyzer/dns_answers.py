"""DNS answers by message, and what resolvers are used to: shared by the signatures that ask who made an answer.

A name is tampered with, or it is not, compared with what the same resolver says about other names in the same capture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from analyzer.exact import fisher
from analyzer.joins import flow_of
from analyzer.signature import Knowledge, Seen
from analyzer.tables import Table

A, AAAA = 1, 28
AA, TC, RA = 0x0400, 0x0200, 0x0080  # header flags (RFC 1035 §4.1.1)
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
FOR_PEOPLE = ("messenger", "social", "domestic")  # kinds of services whose names are held to their addresses
MOST_NAMES = 200  # held against all others one by one; where more are tampered with, these speak for the rest
ATTEMPT, AT_ONCE = 10_000_000_000, 1_000_000_000  # ns: repeated within the first by habit, within the second at once
_PORT, _UDP = 53, 17
# RFC 6761, 6762, 7686, 8375, 9476, and what home routers and offices use instead: not in the public DNS
_NOT_PUBLIC = frozenset(
    ("arpa", "local", "localhost", "localdomain", "lan", "home", "internal", "intranet", "corp", "private", "test",
     "invalid", "example", "onion", "alt")
)  # fmt: skip


def is_public(name: str) -> bool:
    """Whether a name can be in the public DNS at all."""
    labels = name.lower().rstrip(".").split(".")
    return len(labels) > 1 and labels[-1] not in _NOT_PUBLIC and not labels[-1].isdigit()


def domain(name: str) -> str:
    """The registered domain, roughly: two labels, three under such as co.uk. Good enough to call names related."""
    labels = name.lower().rstrip(".").split(".")
    keep = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
    return ".".join(labels[-keep:])


def known_domain(name: str, known: Knowledge) -> tuple[str, str] | None:
    """(service, shortest suffix) under which a name is known to belong to a service; None for other names."""
    label = known.label_name(name)
    if label is None:
        return None
    labels = name.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1, -1, -1):
        suffix = ".".join(labels[start:])
        shorter = known.label_name(suffix)
        if shorter is not None and shorter.service == label.service:
            return label.service, suffix
    return None


def names_of_services(names: Iterable[int], seen: Seen, known: Knowledge) -> dict[int, tuple[str, str]]:
    """Those interned names that belong to services for people, with service and domain.

    Checks and push services are not among them: portals, and their operators' other addresses, lead those elsewhere.
    """
    owners = ((name, known_domain(seen.text(name) or "", known)) for name in names)
    return {name: owner for name, owner in owners if owner and known.kind(owner[0]) in FOR_PEOPLE}


class Answers:
    """tables.NAMES with one row a message.

    Attributes
    ----------
    messages : Table
        tables.NAMES, the first row of each message; `address` is its first address.
    questions : Table
        tables.QUESTIONS; `messages.question` points into it.
    """

    def __init__(self, seen: Seen):
        names = seen.names
        self._rows = names
        _, first = np.unique(names.frame, return_index=True)
        self._start = np.append(first, len(names))
        self.messages: Table = names[first]
        self.questions: Table = seen.questions
        self.seen = seen

    def __len__(self) -> int:
        return len(self.messages)

    @cached_property
    def flow(self) -> np.ndarray:
        """Flow number of each message; -1 where it is not known."""
        return _flow(self.seen, self.messages)

    def flows(self, picked: Iterable[int]) -> tuple[int, ...]:
        """Flow numbers of some messages."""
        found = self.flow[np.fromiter(picked, np.int64)]
        return tuple(np.unique(found[found >= 0]).tolist())

    @cached_property
    def by_name(self) -> dict[int, np.ndarray]:
        """Messages of each name, in order."""
        order = np.argsort(self.messages.name, kind="stable")
        names, starts = np.unique(self.messages.name[order], return_index=True)
        return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))

    def addresses(self, i: int) -> list[int]:
        """Interned addresses of message i."""
        found = self._rows.address[self._start[i] : self._start[i + 1]].tolist()
        return [address for address in found if address >= 0]

    def message_of(self, rows: np.ndarray) -> np.ndarray:
        """Message of each row of tables.NAMES."""
        return np.searchsorted(self._start, rows, side="right") - 1

    @property
    def rows(self) -> Table:
        """tables.NAMES itself: one row per address."""
        return self._rows

    @property
    def delay(self) -> np.ndarray:
        """ns from the question to each answer, where it was asked once; -1 elsewhere."""
        m = self.messages
        times = np.where(m.question >= 0, self.questions.times[np.maximum(m.question, 0)], 0) if len(m) else m.question
        return np.where((m.asked >= 0) & (times == 1), m.ts - m.asked, -1)

    @property
    def denies(self) -> np.ndarray:
        """Messages that deny an IPv4 address: no such name, refused, failed, or an empty answer from a resolver."""
        m = self.messages
        empty = (m.rcode == 0) & (m.answers == 0) & (m.qtype == A) & (m.flags & (RA | TC) == RA)
        return empty | np.isin(m.rcode, (SERVFAIL, NXDOMAIN, REFUSED))

    def effect(self, tampered: np.ndarray, name: int) -> tuple[float, int, int, int]:
        """How special a name is at the resolvers where it was tampered with: (p, tampered, tried, others fine).

        Fisher's exact test over attempts: those for this name, and those for names of other domains that were asked of
        the same resolvers and answered with addresses. p is 1 where there is nothing to compare with.
        """
        m, mine = self.messages, self.by_name[name]
        evil = mine[tampered[mine]]
        here = np.isin(m.resolver, np.unique(m.resolver[evil]))
        fine = np.flatnonzero(here & ~tampered & (m.address >= 0) & (self.domain != self.domain[mine[0]]))
        good = np.sort(m.ts[fine])
        bad, tried = attempts(m[evil], good), attempts(m[mine[here[mine]]], good)
        others = attempts(m[fine], np.sort(m.ts[evil]))
        return (fisher(bad, tried, 0, others) if others else 1.0), bad, tried, others

    @cached_property
    def domain(self) -> np.ndarray:
        """A number for the registered domain of each message's name."""
        names, at = np.unique(self.messages.name, return_inverse=True)
        numbers: dict[str, int] = {}
        text = self.seen.text
        of_name = [numbers.setdefault(domain(text(n) or ""), len(numbers)) for n in names.tolist()]
        return np.array(of_name or [0], np.int64)[at.reshape(-1)]


def _flow(seen: Seen, rows: Table) -> np.ndarray:
    """Flow of each row of tables.NAMES or tables.QUESTIONS; -1 where it is not known."""
    ones = np.ones(len(rows), np.int64)
    return flow_of(seen.attempts, rows.client, rows.client_port, rows.resolver, _PORT * ones, _UDP * ones, rows.ts)


def flows_of(seen: Seen, rows: Table) -> tuple[int, ...]:
    """Flow numbers of rows of tables.NAMES or tables.QUESTIONS."""
    return tuple(sorted({flow for flow in _flow(seen, rows).tolist() if flow >= 0}))


def attempts(rows: Table, turned: np.ndarray | None = None) -> int:
    """Attempts among questions or answers, whatever types they ask for.

    One per client and name within ten seconds; and one more, a second later at least, where in between something fared
    the opposite way, at the (sorted) times `turned`: the circumstances had turned, and turned again.
    """
    if not len(rows):
        return 0
    t = rows.sort("client", "name", "ts")
    gap = np.diff(t.ts)
    fresh = (np.diff(t.client) != 0) | (np.diff(t.name) != 0) | (gap >= ATTEMPT)
    if turned is not None:
        fresh |= (np.diff(np.searchsorted(turned, t.ts)) > 0) & (gap >= AT_ONCE)
    return 1 + int(fresh.sum())
