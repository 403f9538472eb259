"""Bulky flows by client, direction and service: what may share a limiter, and what it is compared with.

A unit is one service's flows of one client in one direction; where no service is known, one target's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from ipaddress import ip_address, ip_network
from zlib import crc32

import numpy as np

from analyzer.limiter import acks
from analyzer.limiter.compare import Passed
from analyzer.limiter.leg import Leg, leg
from analyzer.signature import Knowledge, Seen
from analyzer.tables import Cut, Table, Vantage

BULK = 50_000  # bytes of payload in one direction: below, no rate can be fitted [lab]
PART = 20_000  # bytes of a flow that is fitted together with others: its packets are missing from theirs
MOST = 256  # flows of one client and direction that are looked at, the largest
SECONDS = 2.0  # and at least so long
STOPPED_SECONDS = 5.0  # without a new byte, while old ones are resent: longer than losses keep a sender (RFC 6298)
TCP_PROTOCOL, UDP_PROTOCOL = 6, 17
UDP_HEADERS = 28  # IPv4, UDP
LOCAL = tuple(  # RFC 1918, 3927, 1122, 4193, 4291
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
                     "fc00::/7", "fe80::/10", "::1/128"))
)  # fmt: skip


class Side:
    """The bulky flows of one client in one direction: rows of the attempts table, by time."""

    def __init__(self, seen: Seen, rows: np.ndarray, up: bool):
        self.seen, self.rows, self.up = seen, rows, up
        self._legs: dict[int, Leg] = {}

    @cached_property
    def attempts(self) -> Table:
        return self.seen.attempts[self.rows]

    @cached_property
    def unit(self) -> np.ndarray:
        """The number of each flow's unit."""
        return unit_of(self.attempts)

    @cached_property
    def lost(self) -> np.ndarray:
        """Losses of each flow in this direction, as counted while packets passed."""
        a = self.attempts
        return a.lost_up + a.resent_up if self.up else a.lost_down + a.resent_down

    @cached_property
    def again(self) -> np.ndarray:
        """Flows in which something was sent again, seen near their receiver."""
        a = self.attempts
        near = a.vantage == (Vantage.SERVER if self.up else Vantage.CLIENT)
        return near & ((a.resent_up if self.up else a.resent_down) > 0)

    @cached_property
    def holes(self) -> np.ndarray:
        """Packets of each flow that came late or not at all."""
        return self.attempts.lost_up if self.up else self.attempts.lost_down

    @cached_property
    def packets(self) -> np.ndarray:
        """Packets of each flow in this direction."""
        return self.attempts.packets_up if self.up else self.attempts.packets_down

    def told(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """The i-th flow's acknowledgments, by when they were sent, and whether they surely never came."""
        rtt = max(int(self.attempts.syn_rtt[i]), 0) / 1e9
        return acks.unheard(self.seen.series(int(self.attempts.flow[i])), self.up, rtt)

    @cached_property
    def stopped(self) -> np.ndarray:
        """Flows whose sender repeated its last bytes to the end: that is silence, and no loss to be counted."""
        a = self.attempts
        unacked, last = (a.unacked_up, a.last_new_up) if self.up else (a.unacked_down, a.last_new_down)
        return (unacked > 0) & (a.end - last >= STOPPED_SECONDS * 1e9)

    @cached_property
    def tcp(self) -> np.ndarray:
        return self.attempts.proto == TCP_PROTOCOL

    @cached_property
    def fitted(self) -> np.ndarray:
        """Flows that can be fitted alone: TCP, large and long enough."""
        size = self.attempts.new_up if self.up else self.attempts.new_down
        return self.tcp & (size >= BULK) & (self.attempts.end - self.attempts.start >= SECONDS * 1e9)

    def leg(self, i: int) -> Leg:
        """This direction of the i-th flow."""
        if i not in self._legs:
            ipv6 = ":" in (self.seen.text(self.attempts.server[i]) or "")
            self._legs[i] = leg(self.seen.series(int(self.attempts.flow[i])), self.up, ipv6)
        return self._legs[i]

    def seed(self, i: int) -> int:
        """The i-th flow's number for resampling."""
        a, text = self.attempts, self.seen.text
        return seed_of(text(a.client[i]) or "", int(a.client_port[i]), text(a.server[i]) or "", int(a.start[i]))

    def passed(self, which: np.ndarray) -> Passed:
        """What got through of these flows; of UDP near its sender, what was sent."""
        times, sizes = [np.empty(0)], [np.empty(0)]
        for i in np.flatnonzero(which).tolist():
            if self.attempts.proto[i] == TCP_PROTOCOL:
                one = self.leg(i)
                times.append(one.offered.t[~one.offered.lost] + one.origin)
                sizes.append(one.offered.size[~one.offered.lost].astype(float))
                continue
            series = self.seen.series(int(self.attempts.flow[i]))
            series = series[(series.up == self.up) & (series.payload_len > 0)]
            times.append(series.ts / 1e9)
            sizes.append(series.payload_len + float(UDP_HEADERS))
        return Passed.of(np.concatenate(times), np.concatenate(sizes))


def sides(seen: Seen) -> Iterator[Side]:
    """Clients and directions with bulky flows whose headers are the network's own."""
    a = seen.attempts
    honest = np.isin(a.flow, np.array(seen.bulky(), np.int64)) & (a.cut & (Cut.PROXIED | Cut.ONE_DIRECTION) == 0)
    for up in (False, True):
        size = a.new_up if up else a.new_down
        rows = np.flatnonzero(honest & (size >= PART))
        for client in np.unique(a.client[rows]).tolist():
            mine = rows[a.client[rows] == client]
            if len(mine) > MOST:
                mine = np.sort(mine[np.argsort(-size[mine], kind="stable")[:MOST]])
            yield Side(seen, mine, up)


def foreign(seen: Seen, known: Knowledge) -> np.ndarray:
    """Attempts that may be controls: not with a domestic service, whose way is another, nor inside the local network."""
    a = seen.attempts
    services, of_service = np.unique(a.service, return_inverse=True)
    domestic = np.array([known.is_domestic(seen.text(number)) for number in services.tolist()], bool)
    servers, of_server = np.unique(a.server, return_inverse=True)
    local = np.array([_local(seen.text(number)) for number in servers.tolist()], bool)
    return ~domestic[of_service.reshape(-1)] & ~local[of_server.reshape(-1)]


def _local(address: str | None) -> bool:
    if address is None:
        return False
    where = ip_address(address)
    return any(where in net for net in LOCAL if net.version == where.version)


def seed_of(client: str, port: int, server: str, start: int) -> int:
    """A number that is a flow's own, so that two runs, and runs with other flows beside it, resample alike."""
    return crc32(f"{client} {port} {server} {start}".encode())


def unit_of(attempts: Table) -> np.ndarray:
    """One number for each service, and for each target without one."""
    return np.where(attempts.service >= 0, attempts.service, -2 - attempts.target)


def rates(attempts: Table, up: bool) -> tuple[np.ndarray, np.ndarray]:
    """(bytes that came through, seconds) of each transfer, from its first payload to its last packet."""
    a = attempts
    size = a.new_up - np.maximum(a.unacked_up, 0) if up else a.new_down - np.maximum(a.unacked_down, 0)
    first = attempts.first_up_data if up else attempts.first_down_data
    last = attempts.last_up if up else attempts.last_down
    return size.astype(float), np.maximum(last - first, 1_000_000) / 1e9
