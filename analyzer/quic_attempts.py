"""How QUIC attempts fared, and TCP beside them. UDP has no handshake and no acknowledgement that a capture could read.

So a conversation that was answered is fine until it shows otherwise: the client's packets stay alone, or the client
turns to TCP for the same name at the same address, which clients do when QUIC stalls (RFC 9308 §2).
"""

from __future__ import annotations

import numpy as np

from analyzer.controls import DATAGRAMS, QUIC_GAVE_UP, SAME_MINUTES, SECOND, Fate, fates, groups_of, same_device
from analyzer.signature import Seen
from analyzer.tables import Cut, End, Table, Vantage

INITIAL = 1200  # bytes: clients pad what carries an Initial to this (RFC 9000 §14.1), and little else
ALONE = 3  # datagrams of the client after the server's last one: an ACK and a close may be
FALLS_BACK = 10 * SECOND  # after the last packet of QUIC, at most
STALLED = 3 * SECOND  # a conversation during which TCP for the same name begins stalled, if it lasts so long


class QuicAttempts:
    """The QUIC attempts of a capture.

    Attributes
    ----------
    table : Table
        tables.ATTEMPTS of QUIC, both directions captured.
    fate : int8 array
        `Fate`: SILENT never answered (at a server: answered, and the client begins again and again), ICMP, STALLED
        answered and then not heard, FINE answered.
    fell_back : bool array
        Answered, and yet the client asked for the same name at the same address over TCP soon after or meanwhile.
    tcp : Table
        tables.ATTEMPTS over TCP to port 443 that went well.
    """

    def __init__(self, seen: Seen):
        self.seen, everything = seen, seen.attempts
        words = {n: seen.text(n) for n in np.unique(everything.protocol).tolist()}
        quic = np.isin(everything.protocol, [n for n, word in words.items() if word == "quic"]) & (
            everything.proto == 17
        )
        self.table = everything[quic & (everything.cut & Cut.ONE_DIRECTION == 0)]
        self.fate = _fates(self.table)
        fine = (everything.proto == 6) & (everything.port == 443)
        self.tcp = everything[fine][fates(everything[fine], seen.text) == Fate.FINE]
        self.fell_back = self._fell_back()

    def __len__(self) -> int:
        return len(self.table)

    def near(self, among: Table, mine: Table) -> np.ndarray:
        """Attempts `among` some (mask) of the same device as `mine`, within five minutes of them."""
        first, last = mine.start.min() - SAME_MINUTES, mine.end.max() + SAME_MINUTES
        return same_device(among, mine, self.seen) & (among.start >= first) & (among.start <= last)

    def tcp_works(self, mine: Table) -> bool:
        """Whether TCP to the same addresses or names worked for the same device."""
        same = np.isin(self.tcp.server, mine.server) | (np.isin(self.tcp.name, mine.name) & (self.tcp.name >= 0))
        return bool((self.near(self.tcp, mine) & same).any())

    def greeted(self, mine: Table) -> np.ndarray:
        """Attempts of all (mask) that the same addresses greeted over TCP: they are there, whatever came of what was said."""
        everything = self.seen.attempts
        same = np.isin(everything.server, mine.server) & (everything.proto == 6) & (everything.synacks > 0)
        same[same] = self.near(everything[same], mine)
        return same

    def others_fine(self, mine: Table) -> np.ndarray:
        """Rows of attempts at other hosts that were answered between the first and the last of `mine`."""
        q = self.table
        fine = (self.fate == Fate.FINE) & same_device(q, mine, self.seen) & ~np.isin(q.server, mine.server)
        return np.flatnonzero(fine & (q.start >= mine.start.min()) & (q.start <= mine.end.max()))

    def _fell_back(self) -> np.ndarray:
        q, t = self.table, self.tcp
        back = np.zeros(len(q), bool)
        for group in groups_of(q, (self.fate == Fate.FINE) & (q.name >= 0), "client", "name", "server"):
            mine = q[group]
            same = (t.client == mine.client[0]) & (t.name == mine.name[0]) & (t.server == mine.server[0])
            starts = np.sort(t.start[same])
            if not len(starts):
                continue
            at = np.searchsorted(starts, mine.start + QUIC_GAVE_UP)
            begun = np.where(at < len(starts), starts[np.minimum(at, len(starts) - 1)], np.iinfo(np.int64).max)
            stalled = (mine.end - mine.start >= STALLED) | (begun - mine.end >= QUIC_GAVE_UP)
            back[group] = stalled & (begun <= mine.end + FALLS_BACK)
        return back


def _fates(q: Table) -> np.ndarray:
    at_server = q.vantage == Vantage.SERVER
    lasted = (q.end - q.start >= QUIC_GAVE_UP) & (q.packets_up >= DATAGRAMS)
    alone = (q.packets_down > 0) & (q.alone_up >= ALONE) & (q.last_up - q.last_down >= QUIC_GAVE_UP)
    deaf = lasted & (q.bytes_up >= INITIAL * q.packets_up) & (q.packets_down >= DATAGRAMS)
    fate = np.select(
        [
            (q.packets_down == 0) & (q.ended_by == End.ICMP),
            (q.packets_down == 0) & lasted,
            deaf & at_server,
            alone & ~at_server,
            q.packets_down > 0,
        ],
        [Fate.ICMP, Fate.SILENT, Fate.SILENT, Fate.STALLED, Fate.FINE],
        Fate.UNKNOWN,
    )
    return fate.astype(np.int8)
