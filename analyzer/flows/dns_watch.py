"""DNS as it passes: every answer is read when its packet comes, so that a name is known to flows with higher frames only.

Reading answers when a flow ends would make "seen at a lower frame" depend on which flow happened to end first.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from analyzer.decode import Frames, Packets, address_texts
from analyzer.flows.seen import SeenStore
from analyzer.limits import MAX_NAMES
from analyzer.wire import dns

_UDP, _PORT = 17, 53
# Stub resolvers repeat a question after 1 to 10 s and give up within 30 (glibc, Windows, Android); later, the same id
# and port are another question.
_SAME_QUESTION = 30_000_000_000
_TRUNCATED = 0x0200
_POLICIES = (15, 16, 17)  # RFC 8914: blocked, censored, filtered


class DnsWatch:
    """Reads questions and answers on UDP port 53 and remembers which names led to which addresses."""

    def __init__(self, seen: SeenStore):
        self.seen = seen
        self._by_address: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self._clients: dict[str, int] = {}  # that asked or were answered, and the first frame of that
        self._asked: dict[tuple[str, str, int, int, str, int], tuple[int, str]] = {}  # number, name as it was sent

    def look(self, packets: Packets, frames: Frames, first: int, count: int) -> None:
        """See a decoded batch, before its packets are accounted."""
        udp = (packets.proto[:count] == _UDP) & (packets.icmp[:count] < 0) & (packets.captured[:count] >= 12)
        dns_port = (packets.sport[:count] == _PORT) | (packets.dport[:count] == _PORT)
        rows = np.flatnonzero(udp & dns_port)
        if not len(rows):
            return
        ends = address_texts(packets.address.reshape(-1, 8)[rows].reshape(-1, 4)).reshape(-1, 2).tolist()
        about = (packets.at, packets.captured, packets.payload, packets.sport, packets.dport, packets.ttl)
        values = zip(ends, *(column[rows].tolist() for column in about), strict=True)
        where = zip(frames.number[first + rows].tolist(), frames.ts[first + rows].tolist(), strict=True)
        data = frames.data.data  # slices of it are cheaper
        for ((source, target), at, size, payload, sport, dport, ttl), (frame, ts) in zip(values, where, strict=True):
            message = dns.parse_message(bytes(data[at : at + size]))
            if not isinstance(message, dns.Message) or not message.questions:
                continue
            if not message.qr:
                self._question(message, source, sport, target, frame, ts)
            elif sport == _PORT:
                self._answer(message, source, target, dport, frame, ts, ttl, size >= payload)

    def name_of(self, client: str, address: str, before: int) -> str | None:
        """The name for which this client was last given this address, at a frame below `before`.

        A device asks from one of its addresses and connects from another (IPv4 and IPv6, mostly): an address that never
        asked anything itself is taken for one of the device that did, where only one did.
        """
        if not self._by_address:
            return None
        known = self._by_address.get((client, address))
        if known is None:
            asking = [other for other, frame in islice(self._clients.items(), 2) if frame < before]
            if len(asking) == 1 and client not in asking:
                known = self._by_address.get((asking[0], address))
        if known is None:
            return None
        return next((name for frame, name in reversed(known) if frame < before), None)

    def _question(self, message: dns.Message, client: str, port: int, resolver: str, frame: int, ts: int) -> None:
        asked, question = self.seen.asked, message.questions[0]
        name = question.name.rstrip(".")
        self._clients.setdefault(client, frame)
        key = (client, resolver, port, message.id, name, question.type)
        number, _ = self._asked.get(key, (-1, ""))
        if number >= 0 and 0 <= ts - asked.get(number, "last") <= _SAME_QUESTION:
            asked.put(number, "last", ts)
            asked.put(number, "last_frame", frame)
            asked.put(number, "times", asked.get(number, "times") + 1)
            return
        intern = self.seen.strings.number
        whose = (intern(client), port, intern(resolver), intern(name), question.type)
        number = asked.add((frame, ts, ts, frame, 1, *whose, message.opt, 0))
        if number >= 0:
            self._asked[key] = (number, question.sent)

    def _answer(
        self, message: dns.Message, resolver: str, client: str, port: int, frame: int, ts: int, ttl: int, whole: bool
    ) -> None:  # fmt: skip
        """Enter an answer. Of one that the capture has cut only the addresses in it are known, and no denial."""
        asked, question = self.seen.asked, message.questions[0]
        name = question.name.rstrip(".")
        self._clients.setdefault(client, frame)
        intern = self.seen.strings.number
        key = (client, resolver, port, message.id, name, question.type)
        number, sent = self._asked.get(key, (-1, ""))
        whose = (intern(client), port, intern(resolver), intern(name), question.type)
        if number < 0:  # not in the capture
            number, sent = asked.add((frame, ts, ts, frame, 0, *whose, False, 0)), question.sent
            if number >= 0:
                self._asked[key] = (number, sent)
        known = number >= 0 and asked.get(number, "times") > 0
        if number >= 0:
            asked.put(number, "answers", asked.get(number, "answers") + 1)
        alias = next((str(a.value) for a in reversed(message.answers) if a.type == dns.CNAME), None)
        broken = whole and ((message.malformed and not message.flags & _TRUNCATED) or message.trailing > 0)
        about = (
            ttl, len(message.answers), intern(alias), message.flags, message.opt or not whole, intern(message.zone), _error(message),
            question.sent == sent or not known, broken,
            asked.get(number, "last") if known else -1, asked.get(number, "last_frame") if known else -1,
        )  # fmt: skip
        addresses = list(dict.fromkeys(message.addresses))
        for address in addresses or ((None,) if whole else ()):
            self.seen.answered.add((frame, ts, number, *whose, message.rcode, message.id, intern(address), *about))
        for address in addresses:
            if len(self._by_address) < MAX_NAMES:
                self._by_address.setdefault((client, address), []).append((frame, name))


def _error(message: dns.Message) -> int:
    """The extended error that tells of a policy, else the first."""
    return next((code for code in message.ede if code in _POLICIES), next(iter(message.ede), -1))
