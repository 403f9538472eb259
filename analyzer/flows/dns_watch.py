"""DNS as it passes: every answer is read when its packet comes, so that a name is known to flows with higher frames only.

Reading answers when a flow ends would make "seen at a lower frame" depend on which flow happened to end first.
"""

from __future__ import annotations

import numpy as np

from analyzer.decode import Frames, Packets, address_text
from analyzer.flows.seen import SeenStore
from analyzer.limits import MAX_NAMES
from analyzer.wire import NEVER, dns

_UDP, _PORT = 17, 53


class DnsWatch:
    """Reads questions and answers on UDP port 53 and remembers which names led to which addresses."""

    def __init__(self, seen: SeenStore):
        self.seen = seen
        self._by_address: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self._asked: dict[tuple[str, str, int, int, str], tuple[int, int]] = {}

    def look(self, packets: Packets, frames: Frames, first: int, count: int) -> None:
        """See a decoded batch, before its packets are accounted."""
        udp = (packets.proto[:count] == _UDP) & (packets.icmp[:count] < 0) & (packets.captured[:count] >= 12)
        dns_port = (packets.sport[:count] == _PORT) | (packets.dport[:count] == _PORT)
        for i in np.flatnonzero(udp & dns_port).tolist():
            at, size = int(packets.at[i]), int(packets.captured[i])
            message = dns.parse_message(frames.data[at : at + size].tobytes())
            if message is NEVER or not message.questions:
                continue
            source = address_text(packets.address[8 * i : 8 * i + 4].tolist())
            target = address_text(packets.address[8 * i + 4 : 8 * i + 8].tolist())
            frame, ts = int(frames.number[first + i]), int(frames.ts[first + i])
            question = message.questions[0]
            name = question.name.rstrip(".")
            if not message.qr:
                key = (source, target, int(packets.sport[i]), message.id, name)
                if len(self._asked) < MAX_NAMES:
                    self._asked.setdefault(key, (ts, frame))
            elif int(packets.sport[i]) == _PORT:
                self._answer(
                    message, name, question.type, source, target, int(packets.dport[i]), frame, ts, int(packets.ttl[i])
                )

    def name_of(self, client: str, address: str, before: int) -> str | None:
        """The name for which this client was last given this address, at a frame below `before`."""
        known = self._by_address.get((client, address))
        if known is None:
            return None
        return next((name for frame, name in reversed(known) if frame < before), None)

    def _answer(self, message, name, qtype, resolver, client, port, frame, ts, ttl) -> None:
        asked_at, asked_frame = self._asked.get((client, resolver, port, message.id, name), (-1, -1))
        number = self.seen.strings.number
        row = {
            "frame": frame, "ts": ts, "client": number(client), "resolver": number(resolver), "name": number(name), "qtype": qtype,
            "rcode": message.rcode, "txid": message.id, "client_port": port, "ttl": ttl, "answers": len(message.answers),
            "flags": message.flags, "edns": message.opt, "asked": asked_at, "asked_frame": asked_frame,
        }  # fmt: skip
        addresses = [answer.value for answer in message.answers if answer.type in (1, 28)]
        if not addresses:
            self.seen.add_name(row)
        for address in addresses:
            self.seen.add_name(row | {"address": number(address)})
            if len(self._by_address) < MAX_NAMES:
                self._by_address.setdefault((client, address), []).append((frame, name))
