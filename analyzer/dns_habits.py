"""What each resolver is used to, as far as a capture shows: from how far it answers, how soon, and in which form.

A habit is what holds for several other names. What differs from it for one name alone, with ordinary answers before and
after, did not come from that resolver; a habit that changes for good is a route or a resolver that changed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analyzer.dns_answers import AA, NXDOMAIN, RA, Answers

MS = 1_000_000
SAMPLES, NAMES = 3, 2  # messages, and names among them, that make a habit
TTL_APART = 3  # hops: routes shift by one or two
INITIAL_TTLS = (64, 128, 255)  # undiminished: the resolver is this machine or its neighbour, and may answer from memory
FLOOR_SAMPLES = 5  # answers to other names whose least delay is a path's
HALF, HALF_MARGIN = 0.5, 5 * MS  # sooner than half the least delay, and by this much
PATH_BOUND, FLOOR_SHARE, FLOOR_MARGIN = 3, 0.25, 3 * MS
# the floor is the path's and not the resolver's own search, when several answers lie close above it


class Habits:
    """Per message of `answers`, in what it departs from its resolver's habits.

    Attributes
    ----------
    far : bool array
        Came over another distance than that resolver's other answers.
    fast : bool array
        Came sooner than it can answer.
    traits : dict of str to bool array
        Departs from its form: `no_opt`, `aa`, `no_ra`, `case_lost`, `malformed`.
    ttl, floor : int64 arrays
        The usual TTL of the resolver (-1 not known) and its least delay for other names (ns, -1 not known).
    """

    def __init__(self, answers: Answers):
        n = len(answers)
        m = answers.messages
        self.far, self.fast = np.zeros(n, bool), np.zeros(n, bool)
        self.ttl, self.floor = np.full(n, -1), np.full(n, -1)
        asked_edns = np.zeros(n, bool)
        known = m.question >= 0
        asked_edns[known] = answers.questions.edns[m.question[known]]
        all_of_them = np.ones(n, bool)
        forms = {  # trait -> (what has it, where it can be had)
            "no_opt": (~m.edns, asked_edns),
            "aa": (m.flags & AA != 0, all_of_them),
            "no_ra": (m.flags & RA == 0, all_of_them),
            "case_lost": (~m.as_asked, all_of_them),
            "malformed": (m.malformed, all_of_them),
        }
        self.traits = {trait: np.zeros(n, bool) for trait in forms}
        self._answers, self._no_opt = answers, asked_edns & ~m.edns
        delay = answers.delay
        for rows in _by_resolver(m.resolver):
            self._distance(m.ttl[rows], m.name[rows], m.rcode[rows] == NXDOMAIN, rows)
            if self.ttl[rows[0]] >= 0 and self.ttl[rows[0]] not in INITIAL_TTLS:
                self._speed(delay[rows], m.name[rows], rows)
            for trait, (has, can) in forms.items():
                mine = rows[can[rows]]
                usual, odd = mine[~has[mine]], mine[has[mine]]
                if len(usual) >= SAMPLES and len(np.unique(m.name[usual])) >= max(NAMES, len(np.unique(m.name[odd]))):
                    self.traits[trait][odd] = True

    def place(self, i: int) -> str:
        """`endpoint` where message i is in every respect what its resolver is used to; else `unknown`."""
        ttl = int(self._answers.messages.ttl[i])
        alike = self.ttl[i] >= 0 and abs(ttl - int(self.ttl[i])) <= 1 and not self.fast[i] and not self._no_opt[i]
        return "endpoint" if alike and not any(trait[i] for trait in self.traits.values()) else "unknown"

    def _distance(self, ttl: np.ndarray, name: np.ndarray, denied: np.ndarray, rows: np.ndarray) -> None:
        """`rows` are a resolver's messages in the order of frames."""
        values = np.unique(ttl)
        names = [len(np.unique(name[np.abs(ttl - value) <= 1])) for value in values.tolist()]
        usual = int(values[int(np.argmax(names))])
        near = np.flatnonzero(np.abs(ttl - usual) <= 1)
        if max(names) < NAMES or len(near) < SAMPLES:
            return
        self.ttl[rows] = usual
        ordinary = np.isin(name, np.unique(name[np.abs(ttl - usual) < TTL_APART]))
        # Distances from which this resolver answers other names. Where such a name is denied, which it elsewhere
        # gives, that may be another's word, and is no habit.
        taken = np.unique(ttl[ordinary & (~denied | (np.abs(ttl - usual) <= 1))])
        strange = np.abs(ttl[:, None] - taken[None, :]).min(axis=1) >= TTL_APART
        odd, group = np.unique(name[~ordinary], return_inverse=True)
        at = np.flatnonzero(~ordinary)
        first, last, all_strange = np.full(len(odd), len(ttl)), np.full(len(odd), -1), np.ones(len(odd), bool)
        np.minimum.at(first, group, at)
        np.maximum.at(last, group, at)
        np.logical_and.at(all_strange, group, strange[at])
        between = (near[-1] > first) & (near[0] < last)  # else it is a route that changed
        self.far[rows[at]] = (all_strange & between & (last > first))[group]

    def _speed(self, delay: np.ndarray, name: np.ndarray, rows: np.ndarray) -> None:
        """Find the widest gap between the least delays of names, with the fewer names below it."""
        timed = np.flatnonzero(delay >= 0)
        names, group = np.unique(name[timed], return_inverse=True)
        least = np.full(len(names), np.iinfo(np.int64).max)
        np.minimum.at(least, group, delay[timed])
        order = np.sort(least)
        low, floor = order[:-1], order[1:]
        below = np.arange(1, len(order))
        gap = (low < HALF * floor) & (floor - low >= HALF_MARGIN) & (below < len(order) - below)
        if not gap.any():
            return
        cut = int(np.flatnonzero(gap)[-1])
        least_of_others = int(floor[cut])
        fast = least[group] <= low[cut]
        others = delay[timed[~fast]]
        close = others <= (1 + FLOOR_SHARE) * least_of_others + FLOOR_MARGIN
        if len(others) < FLOOR_SAMPLES or close.sum() < PATH_BOUND:
            return
        self.floor[rows] = least_of_others
        soon = delay[timed] < HALF * least_of_others
        ordinary = timed[~fast]
        for one in np.unique(group[fast]).tolist():
            mine = timed[group == one]
            # every time, and with others in between: a queue that fills or drains makes some names quick and others slow
            between = np.searchsorted(ordinary, mine[-1]) > np.searchsorted(ordinary, mine[0])
            if len(mine) > 1 and between and soon[group == one].all():
                self.fast[rows[mine]] = True


def _by_resolver(resolver: np.ndarray) -> Iterator[np.ndarray]:
    """Messages of each resolver that has enough of them, in order."""
    order = np.argsort(resolver, kind="stable")
    _, starts = np.unique(resolver[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        if len(rows) > SAMPLES:
            yield rows
