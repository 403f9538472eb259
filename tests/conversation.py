"""Conversations built packet by packet with scapy, as a capture at the client sees them, and their way through the house.

    talk = Conversation("web.whatsapp.com").open().hello()
    talk.reset(after=5, ttl=100)       # a packet from the server's side, 5 ms after the last one
    talk.answer()                      # the genuine ServerHello still arrives one RTT after the hello
    result = analyze(talk, loaded)

Times are milliseconds. Sequence numbers keep themselves; every method returns the conversation.
"""

from __future__ import annotations

import struct
from itertools import count
from typing import Any

import numpy as np
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from analyzer.decode import Frames
from analyzer.engine import Analysis
from analyzer.result import CaptureInfo, Result
from analyzer.signature import Label, Loaded
from tests.analyzer.wire.hellos import chrome, records

RAW_IP = 101  # DLT_RAW
EPOCH = 1_790_000_000_000_000_000  # September 2026
SERVER_HELLO = records(
    b"\2" + (b"\0\0\x48") + b"\3\3" + bytes(range(32)) + b"\x20" + bytes(32) + b"\x13\x01\0" + b"\0\0"
) + b"\x17\3\3\0\x40" + bytes(64)  # fmt: skip
HANDSHAKE_FAILURE = b"\x15\3\3\0\2\2\x28"
_ports = count(40000)


class Conversation:
    """One TCP connection. `up`/`down` add any packet; the named steps build on them."""

    def __init__(
        self,
        name: str | None = None,
        server: str = "192.0.2.9",
        client: str = "10.0.0.2",
        *,
        at: float = 0.0,
        rtt: float = 80.0,
        dport: int = 443,
        sport: int | None = None,
        ttl: int = 64,
        server_ttl: int = 52,
        timestamps: bool = False,
        isn: int = 1000,
        peer_isn: int = 5000,
    ):
        self.name, self.server, self.client, self.rtt = name, server, client, rtt
        self.sport, self.dport = sport or next(_ports), dport
        self.ttl, self.server_ttl, self.timestamps = ttl, server_ttl, timestamps
        self.now = at
        self.seq, self.peer = isn, peer_isn  # next byte of each side
        self.packets: list[tuple[float, bytes]] = []
        self._ids = count(7000)

    # -- packets -----------------------------------------------------------------------------------------------
    def up(self, flags: str = "A", data: bytes = b"", *, after: float = 0.1, **fields: Any) -> Conversation:
        """A packet of the client, `after` ms later than the one before it; `fields` override header fields."""
        seq = fields.pop("seq", self.seq)
        ack = fields.pop("ack", self.peer if "A" in flags else 0)
        self._add(True, flags, data, after, seq, ack, fields)
        if seq == self.seq:
            self.seq = (seq + len(data) + ("S" in flags) + ("F" in flags)) % 2**32
        return self

    def down(self, flags: str = "A", data: bytes = b"", *, after: float | None = None, **fields: Any) -> Conversation:
        """A packet from the server's side, one RTT later unless said otherwise."""
        seq = fields.pop("seq", self.peer)
        ack = fields.pop("ack", self.seq if "A" in flags else 0)
        forged = fields.pop("forged", "R" in flags)
        self._add(False, flags, data, self.rtt if after is None else after, seq, ack, fields)
        if seq == self.peer and not forged:
            self.peer = (seq + len(data) + ("S" in flags) + ("F" in flags)) % 2**32
        return self

    def _add(self, up: bool, flags: str, data: bytes, after: float, seq: int, ack: int, fields: dict) -> None:
        self.now += after
        src, dst = (self.client, self.server) if up else (self.server, self.client)
        sport, dport = (self.sport, self.dport) if up else (self.dport, self.sport)
        ip = {"ttl": self.ttl if up else self.server_ttl, "id": next(self._ids), "flags": "DF"}
        ip |= {name: fields.pop(name) for name in ("ttl", "id", "tos") if name in fields}
        options: list[Any] = []
        if fields.pop("timestamps", self.timestamps and "R" not in flags):
            options = [("NOP", None), ("NOP", None), ("Timestamp", (int(self.now), 1))]
        window = fields.pop("window", 0 if "R" in flags else 64240)
        tcp = TCP(
            sport=sport, dport=dport, flags=flags, seq=seq % 2**32, ack=ack % 2**32, window=window, options=options
        )
        assert not fields, fields
        self.packets.append((self.now, bytes(IP(src=src, dst=dst, **ip) / tcp / Raw(data))))

    # -- steps -------------------------------------------------------------------------------------------------
    def open(self) -> Conversation:
        """A handshake."""
        return self.up("S", after=0).down("SA").up()

    def hello(self, *, share: int = 32, segment: int = 1400) -> Conversation:
        """A browser's ClientHello with the conversation's name, in as many segments as it takes."""
        data = records(chrome((self.name or "").encode(), share))
        for i in range(0, len(data), segment):
            self.up("PA", data[i : i + segment])
        return self

    def request(self, path: str = "/") -> Conversation:
        """An HTTP/1.1 request with the conversation's name as Host."""
        return self.up("PA", f"GET {path} HTTP/1.1\r\nHost: {self.name}\r\nUser-Agent: x\r\n\r\n".encode())

    def resend(self, times: int, *, first: float = 300.0) -> Conversation:
        """The client repeats its last payload, with exponential backoff as RFC 6298 asks."""
        at, packet = next((at, p) for at, p in reversed(self.packets) if _payload(p) and IP(p).src == self.client)
        again = IP(packet)
        seq, data = again[TCP].seq, bytes(again[TCP].payload)
        wait = max(0.0, at + first - self.now)
        for _ in range(times):
            self.up("PA", data, after=wait, seq=seq)
            wait = first = 2 * first
        return self

    def reset(self, flags: str = "RA", *, after: float = 5.0, **fields: Any) -> Conversation:
        """A reset from the server's side."""
        return self.down(flags, after=after, **fields)

    def answer(self, data: bytes = SERVER_HELLO, *, after: float | None = None, **fields: Any) -> Conversation:
        """Payload of the server, acknowledged by the client."""
        self.down("PA", data, after=after, **fields)
        return self.up()

    def chat(self, rounds: int = 2) -> Conversation:
        """Ordinary traffic after the handshake: the service works."""
        for _ in range(rounds):
            self.up("PA", b"\x17\3\3\0\x40" + bytes(64), after=20).answer(b"\x17\3\3\0\x40" + bytes(64))
        return self

    def close(self) -> Conversation:
        """Both sides close."""
        return self.up("FA", after=20).down("FA").up()

    def works(self) -> Conversation:
        """The whole of a TLS conversation that nothing happens to."""
        return self.open().hello().answer().chat().close()


def datagram(src: str, dst: str, sport: int, dport: int, data: bytes, at: float, **ip: Any) -> tuple[float, bytes]:
    """One UDP packet at `at` ms."""
    return at, bytes(IP(src=src, dst=dst, **{"ttl": 64, **ip}) / UDP(sport=sport, dport=dport) / Raw(data))


def icmp_error(
    router: str, quoted: bytes, at: float, kind: int = 3, code: int = 13, ttl: int = 60
) -> tuple[float, bytes]:
    """An ICMP error that quotes a packet."""
    to = IP(quoted).src
    return at, bytes(IP(src=router, dst=to, ttl=ttl) / ICMP(type=kind, code=code) / Raw(quoted[:28]))


def _payload(packet: bytes) -> bytes:
    return bytes(IP(packet)[TCP].payload)


def frames_of(packets: list[tuple[float, bytes]]) -> Frames:
    """Packets, in the order of their times, as a source would hand them on."""
    packets = sorted(packets, key=lambda packet: packet[0])
    sizes = np.array([len(data) for _, data in packets], np.int64)
    n = len(packets)
    return Frames(
        data=np.frombuffer(b"".join(data for _, data in packets), np.uint8).copy(),
        offset=np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64) if n else np.empty(0, np.int64),
        caplen=sizes,
        origlen=sizes.copy(),
        ts=np.array([round(at * 1e6) for at, _ in packets], np.int64) + EPOCH,
        link=np.full(n, RAW_IP, np.int32),
        iface=np.zeros(n, np.int32),
        number=np.arange(1, n + 1, dtype=np.int64),
    )


def pcap_of(packets: list[tuple[float, bytes]]) -> bytes:
    """The same as a pcap file's bytes (nanoseconds, raw IP)."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, RAW_IP)]
    for at, data in sorted(packets, key=lambda packet: packet[0]):
        ns = round(at * 1e6) + EPOCH
        out.append(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(data), len(data)) + data)
    return b"".join(out)


def packets_of(*talks: Conversation | list) -> list[tuple[float, bytes]]:
    """All packets of conversations, and of plain lists of packets."""
    return [packet for talk in talks for packet in (talk if isinstance(talk, list) else talk.packets)]


def analyze(*talks: Conversation | list, loaded: Loaded) -> Result:
    """What the engine answers about these conversations."""
    analysis = Analysis(loaded)
    analysis.feed(frames_of(packets_of(*talks)))
    return analysis.finish(CaptureInfo("built"))


class Names:
    """The least knowledge that labels: service ids by name suffix."""

    def __init__(self, services: dict[str, str] | None = None, domestic: tuple[str, ...] = ()):
        self._services = services or {"whatsapp.com": "whatsapp", "telegram.org": "telegram"}
        self._domestic = domestic

    def label_app(self, app: str) -> Label | None:
        return None

    def label_name(self, name: str) -> Label | None:
        for suffix, service in self._services.items():
            if name == suffix or name.endswith("." + suffix):
                return Label(service, "web", "name")
        return None

    def label_address(self, address: str, port: int, proto: int) -> Label | None:
        return None

    def label_bytes(self, up: bytes, down: bytes, proto: int, address: str, port: int) -> Label | None:
        return None

    def service_name(self, service: str) -> str:
        return service

    def kind(self, service: str | None) -> str | None:
        return "messenger" if service else None

    def is_domestic(self, service: str | None) -> bool:
        return service in self._domestic

    def owns_address(self, service: str | None, address: str) -> bool:
        return False

    def has_addresses(self, service: str | None) -> bool:
        return False

    def is_resolver(self, address: str) -> bool:
        return False
