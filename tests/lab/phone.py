"""A capture as a phone's capture app renders it without root (PCAPdroid's VPN mode).

Such an app is a proxy: it sees what programs send and receive, and invents the TCP and IP headers around it. So
everything here is made anew from what a real capture at the client shows: an invented handshake when the real one was
done, data in order, no retransmission, TTL 64 and IP-ID 0 throughout, a RST/ACK for any failure. (PCAPdroid
docs/how_it_works.md; zdtun.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import capture_file
from tests.lab.capture_file import Record
from tests.lab.packet import ACK, FIN, PSH, RST, SYN, TCP, UDP, Packet, ip_frame, parse, tcp_segment, udp_datagram

DEVICE, DEVICE6 = "10.215.173.1", "fd00:2:fd00:1:fd00:1:fd00:1"
_FIRST_SEQ = 0x77EB77EB  # of every server, in zdtun
_OPTIONS = struct.pack("!BBHBBBB", 2, 4, 1460, 1, 3, 3, 7)
_SOON = 60_000  # ns between a packet and the proxy's answer to it
_GIVES_UP = 30_000_000_000  # ns of silence after which a connection attempt is told to have failed


@dataclass
class _Conversation:
    """One TCP connection as the proxy keeps it: how far each side's stream has come."""

    client: tuple[str, int]
    server: tuple[str, int]
    opened: int
    first_up: int
    sent: int = 0
    received: int = 0
    first_down: int | None = None
    over: bool = False
    finished: set[bool] = field(default_factory=set)


def render(records: list[Record], path: Path, clients: tuple[str, ...]) -> None:
    """Write what the app would have written."""
    shown: list[tuple[int, bytes]] = []
    talks: dict[tuple, _Conversation] = {}
    for record in records:
        packet = parse(record.frame, True)
        if packet is None or packet.proto not in (TCP, UDP):
            continue
        packet.up = packet.src in clients
        if packet.proto == UDP:
            shown.append((record.ns, _udp(packet)))
        else:
            shown += _tcp(record.ns, packet, talks)
    end = records[-1].ns
    for talk in talks.values():
        if talk.first_down is None and not talk.over and end - talk.opened > _GIVES_UP:
            shown.append((talk.opened + _GIVES_UP, _segment(talk, False, RST | ACK)))
    shown.sort(key=lambda pair: pair[0])
    capture_file.write(path, (Record(ns, frame[14:], len(frame) - 14) for ns, frame in shown), capture_file.RAW)


def _udp(packet: Packet) -> bytes:
    client = (_device(packet.server[0]), packet.client[1])
    ends = (client, packet.server) if packet.up else (packet.server, client)
    return ip_frame(bytes(12), ends[0][0], ends[1][0], UDP, udp_datagram(*ends, packet.payload))


def _tcp(ns: int, packet: Packet, talks: dict[tuple, _Conversation]) -> list[tuple[int, bytes]]:
    key = (packet.client, packet.server)
    kind = packet.flags & (SYN | ACK | RST)
    talk = talks.get(key)
    if kind == SYN and packet.up:
        if talk and talk.first_up == packet.seq + 1:
            return []  # a retransmission: the proxy's own affair
        talk = talks[key] = _Conversation(
            (_device(packet.server[0]), packet.client[1]), packet.server, ns, packet.seq + 1
        )
        return [(ns, _segment(talk, True, SYN, _OPTIONS))]
    if talk is None or talk.over:
        return []
    if kind == SYN | ACK and not packet.up:
        if talk.first_down is not None:
            return []
        talk.first_down = packet.seq + 1
        return [(ns, _segment(talk, False, SYN | ACK, _OPTIONS)), (ns + _SOON, _segment(talk, True, ACK))]
    if packet.flags & RST:
        talk.over = True
        return [(ns, _segment(talk, packet.up, RST | ACK))]
    return _data(ns, packet, talk)


def _data(ns: int, packet: Packet, talk: _Conversation) -> list[tuple[int, bytes]]:
    """New bytes in order, each with the proxy's acknowledgement; gaps are waited out, as a program does."""
    first, done = (talk.first_up, talk.sent) if packet.up else (talk.first_down or packet.seq, talk.received)
    offset = (packet.seq - first) % 2**32
    fresh = packet.payload[done - offset :] if offset <= done < offset + len(packet.payload) else b""
    shown: list[tuple[int, bytes]] = []
    if fresh:
        shown.append((ns, _segment(talk, packet.up, ACK | PSH, payload=fresh)))
        if packet.up:
            talk.sent += len(fresh)
        else:
            talk.received += len(fresh)
        shown.append((ns + _SOON, _segment(talk, not packet.up, ACK)))
    if packet.flags & FIN and packet.up not in talk.finished and offset + len(packet.payload) <= done + len(fresh):
        shown.append((ns + 2 * _SOON, _segment(talk, packet.up, FIN | ACK)))
        talk.finished.add(packet.up)
    return shown


def _segment(talk: _Conversation, up: bool, flags: int, options: bytes = b"", payload: bytes = b"") -> bytes:
    ends = (talk.client, talk.server) if up else (talk.server, talk.client)
    seq, ack = (
        (talk.first_up + talk.sent, _FIRST_SEQ + 1 + talk.received)
        if up
        else (_FIRST_SEQ + 1 + talk.received, talk.first_up + talk.sent)
    )
    seq, ack = seq - bool(flags & SYN), ack if flags & ACK else 0
    return ip_frame(
        bytes(12), ends[0][0], ends[1][0], TCP, tcp_segment(*ends, flags, seq, ack, 65535, options, payload)
    )


def _device(server: str) -> str:
    return DEVICE6 if ":" in server else DEVICE
