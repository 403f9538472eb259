"""Frames as the middlebox sees and makes them: Ethernet with IPv4 or IPv6 inside, plain `struct`, no library.

The middlebox must read what the kernel sent and forge what real injectors send (headers copied or wrong, on purpose), so it builds
the bytes itself. Nothing here is shared with the analyzer, which is judged by what the laboratory writes down.
"""

from __future__ import annotations

import hashlib
import ipaddress
import struct
from dataclasses import dataclass, field
from functools import lru_cache

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_FLAGS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, "E": 64, "C": 128}
Endpoint = tuple[str, int]


def flags_of(text: str) -> int:
    """`"RA"` as the flag byte."""
    return sum(_FLAGS[letter] for letter in text)


@lru_cache(maxsize=4096)
def address_text(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw))


@lru_cache(maxsize=4096)
def address_bytes(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


@dataclass(slots=True)
class Packet:
    """One IP packet in its frame. `up` is set by who received it; ports are 0 where there are none."""

    frame: bytes
    up: bool
    src: str
    dst: str
    proto: int
    ttl: int
    ipid: int
    l4: int  # offset of the transport header in the frame
    end: int  # offset behind the IP packet; Ethernet may have padded it
    sport: int = 0
    dport: int = 0
    flags: int = 0
    seq: int = 0
    ack: int = 0
    window: int = 0
    data: int = 0  # offset of the payload
    due: float = field(default=0.0, compare=False)

    @property
    def payload(self) -> bytes:
        return self.frame[self.data : self.end]

    @property
    def length(self) -> int:
        """Bytes of the IP packet: what limiters count."""
        return self.end - 14

    @property
    def client(self) -> Endpoint:
        return (self.src, self.sport) if self.up else (self.dst, self.dport)

    @property
    def server(self) -> Endpoint:
        return (self.dst, self.dport) if self.up else (self.src, self.sport)

    @property
    def timestamps(self) -> tuple[int, int] | None:
        """TSval and TSecr (RFC 7323)."""
        at, end = self.l4 + 20, self.data
        while self.proto == TCP and at < end:
            kind = self.frame[at]
            if kind == 8:
                return struct.unpack_from("!II", self.frame, at + 2)
            at += 1 if kind == 1 else max(self.frame[at + 1], 2) if kind and at + 1 < end else end
        return None


def parse(frame: bytes, up: bool) -> Packet | None:
    """The packet in a frame; None for what is not IP (ARP, LLDP). Fragments keep ports 0."""
    ethertype = frame[12:14]
    if ethertype == b"\x08\x00":
        l4, length = 14 + (frame[14] & 15) * 4, struct.unpack_from("!H", frame, 16)[0]
        src, dst, proto, ttl = frame[26:30], frame[30:34], frame[23], frame[22]
        ipid, first = struct.unpack_from("!H", frame, 18)[0], not struct.unpack_from("!H", frame, 20)[0] & 0x1FFF
        end = 14 + length
    elif ethertype == b"\x86\xdd":
        l4, end = 54, 54 + struct.unpack_from("!H", frame, 18)[0]
        src, dst, proto, ttl, ipid, first = frame[22:38], frame[38:54], frame[20], frame[21], 0, True
    else:
        return None
    end = min(end, len(frame))
    packet = Packet(frame, up, address_text(src), address_text(dst), proto, ttl, ipid, l4, end, data=l4)
    if first and proto == TCP and end >= l4 + 20:
        sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", frame, l4)
        packet.sport, packet.dport, packet.seq, packet.ack = sport, dport, seq, ack
        packet.flags, packet.window, packet.data = flags, window, min(l4 + (offset >> 4) * 4, end)
    elif first and proto == UDP and end >= l4 + 8:
        packet.sport, packet.dport = struct.unpack_from("!HH", frame, l4)
        packet.data = l4 + 8
    return packet


def fingerprint(packet: Packet) -> str:
    """A name for a packet that survives routers and checksum offload: TTL and checksums are left out."""
    text = f"{packet.src}>{packet.dst}/{packet.proto}/{packet.ipid}/".encode()
    body = packet.frame[packet.l4 : packet.end]
    at = {TCP: 16, UDP: 6}.get(packet.proto)
    if at:
        body = body[:at] + body[at + 2 :]
    return hashlib.blake2b(text + body, digest_size=8).hexdigest()


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip_frame(
    ethernet: bytes, src: str, dst: str, proto: int, body: bytes, ttl: int = 64, ipid: int = 0, df: bool = True
) -> bytes:
    """A frame around a transport segment. `ethernet` is the two addresses to use."""
    source, target = address_bytes(src), address_bytes(dst)
    if len(source) == 16:
        return ethernet + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), proto, ttl) + source + target + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ipid, 0x4000 if df else 0, ttl, proto, 0) + source + target
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet + b"\x08\x00" + head + body


def transport_checksum(src: str, dst: str, proto: int, body: bytes) -> int:
    pseudo = address_bytes(src) + address_bytes(dst) + struct.pack("!IHH", len(body), 0, proto)
    return checksum(pseudo + body)


def tcp_segment(
    src: Endpoint,
    dst: Endpoint,
    flags: int,
    seq: int,
    ack: int,
    window: int,
    options: bytes = b"",
    payload: bytes = b"",
) -> bytes:
    options += b"\1" * (-len(options) % 4)
    offset = (5 + len(options) // 4) << 4
    head = struct.pack("!HHIIBBHHH", src[1], dst[1], seq % 2**32, ack % 2**32, offset, flags, window, 0, 0)
    body = head + options + payload
    return body[:16] + struct.pack("!H", transport_checksum(src[0], dst[0], TCP, body)) + body[18:]


def udp_datagram(src: Endpoint, dst: Endpoint, payload: bytes) -> bytes:
    body = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
    return body[:6] + struct.pack("!H", transport_checksum(src[0], dst[0], UDP, body) or 0xFFFF) + body[8:]


def icmp_error(kind: int, code: int, about: Packet, source: str) -> tuple[int, bytes]:
    """Protocol number and body of an ICMP error that quotes a packet, as a router at `source` sends it to its sender."""
    if ":" in about.src:
        quote = about.frame[14 : about.end][:1232]
        body = struct.pack("!BBHI", kind, code, 0, 0) + quote
        return ICMP6, body[:2] + struct.pack("!H", transport_checksum(source, about.src, ICMP6, body)) + body[4:]
    quote = about.frame[14 : min(about.end, about.l4 + 8)]
    body = struct.pack("!BBHI", kind, code, 0, 0) + quote
    return ICMP, body[:2] + struct.pack("!H", checksum(body)) + body[4:]
