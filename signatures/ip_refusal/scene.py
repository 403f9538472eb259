"""Attempts, their fates, and who answered meanwhile: what refusals are compared with."""

from __future__ import annotations

import numpy as np

from analyzer.addresses import networks
from analyzer.controls import Fate, fates, same_device, used_by_people
from analyzer.signature import Knowledge, Rule, Seen
from analyzer.tables import Table

MS, SECOND = 1_000_000, 1_000_000_000
NETWORKS = 2  # unrelated ones that one machine speaks for
SAME_DELAY = 4 * MS  # between refusals of one machine: its own path varies, hosts in unrelated networks differ by more
HALF, HALF_MARGIN = 0.5, 5 * MS  # no detour halves the path and saves 5 ms as well
SAMPLES = 2  # round trips to a host, or hosts reached, before their least counts
AROUND = 60 * SECOND  # controls tell of the network as it was within this
OTHERS = 2  # hosts that answered meanwhile
SHOWN = 8  # frames named per finding and role


def forged(name: str, strength: str, family: str, says: str, blind: str, source: str, action: str) -> Rule:
    return Rule(f"ip.{name}", "interference", strength, family, says, blind, source, action)


class Scene:
    """Attempts, their fates, and who answered meanwhile."""

    def __init__(self, seen: Seen, known: Knowledge):
        self.seen, self.a = seen, seen.attempts
        self.fate = fates(self.a, seen.text)
        self.people = used_by_people(self.a, seen, known)

    def text(self, number: int) -> str:
        return self.seen.text(int(number)) or ""

    def networks(self, servers: np.ndarray) -> int:
        return len(networks(servers, self.seen.text))

    def alive(self, mine: Table) -> np.ndarray:
        """Other hosts, of other services, that answered this client meanwhile."""
        a = self.a
        other = (self.fate == Fate.FINE) & (a.proto == 6)
        other &= same_device(a, mine, self.seen) & ~np.isin(a.server, mine.server)
        other &= ~np.isin(a.service, mine.service[mine.service >= 0])
        other &= (a.start >= mine.start.min() - AROUND) & (a.start <= mine.end.max() + AROUND)
        return np.flatnonzero(other) if len(np.unique(a.server[other])) >= OTHERS else np.empty(0, np.int64)

    def least_rtt(self, besides: np.ndarray, client: int) -> int:
        """Least round trip to hosts of other services, ns; 0 where too few were reached."""
        a = self.a
        timed = (a.syn_rtt >= 0) & (a.client == client) & ~np.isin(a.server, besides) & (self.fate == Fate.FINE)
        return int(a.syn_rtt[timed].min()) if len(np.unique(a.server[timed])) > SAMPLES else 0

    def nearer(self, mine: Table, delay: int) -> bool:
        """Whether what came after this delay (ns) is nearer than any host that was reached."""
        least = self.least_rtt(mine.server, int(mine.client[0]))
        return delay < HALF * least and least - delay >= HALF_MARGIN
