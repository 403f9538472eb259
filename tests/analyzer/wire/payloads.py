"""Payloads of real captures, taken out by dpkt: an independent, unhurried reader that only tests need."""

import gzip
import io
import socket
from collections.abc import Iterator
from pathlib import Path

import dpkt

Flow = tuple[str, int, str, int]  # source and its port, destination and its port

_LINKS = {
    dpkt.pcap.DLT_EN10MB: dpkt.ethernet.Ethernet,
    dpkt.pcap.DLT_LINUX_SLL: dpkt.sll.SLL,
    dpkt.pcap.DLT_LINUX_SLL2: dpkt.sll2.SLL2,
    dpkt.pcap.DLT_NULL: dpkt.loopback.Loopback,
    dpkt.pcap.DLT_LOOP: dpkt.loopback.Loopback,
}


def transport(path: Path) -> Iterator[tuple[Flow, dpkt.tcp.TCP | dpkt.udp.UDP]]:
    """TCP segments and UDP datagrams of a capture, in order; what dpkt cannot read is left out."""
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    reader = dpkt.pcap.UniversalReader(io.BytesIO(data))
    link = _LINKS.get(reader.datalink(), _network)
    for _, frame in reader:
        try:
            packet = link(frame)
        except (dpkt.UnpackError, IndexError, ValueError):
            continue
        while not isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6, bytes, type(None))):
            packet = getattr(packet, "data", None)
        inner = getattr(packet, "data", None)
        if isinstance(inner, (dpkt.tcp.TCP, dpkt.udp.UDP)):
            family = socket.AF_INET if isinstance(packet, dpkt.ip.IP) else socket.AF_INET6
            source, target = socket.inet_ntop(family, packet.src), socket.inet_ntop(family, packet.dst)
            yield (source, inner.sport, target, inner.dport), inner


def streams(path: Path) -> dict[Flow, bytes]:
    """Each direction of each TCP connection from its SYN, or else from its first byte seen, up to the first gap."""
    segments: dict[Flow, dict[int, bytes]] = {}
    first: dict[Flow, int] = {}
    for flow, tcp in transport(path):
        if isinstance(tcp, dpkt.tcp.TCP):
            syn = bool(tcp.flags & dpkt.tcp.TH_SYN)
            if syn:
                first.setdefault(flow, (tcp.seq + 1) & 0xFFFFFFFF)
            if tcp.data:
                first.setdefault(flow, tcp.seq)
                offset = (tcp.seq + syn - first[flow]) & 0xFFFFFFFF
                if offset < 1 << 20:
                    segments.setdefault(flow, {}).setdefault(offset, tcp.data)
    joined = {}
    for flow, pieces in segments.items():
        stream = bytearray()
        for offset, data in sorted(pieces.items()):
            if offset > len(stream):
                break
            stream += data[len(stream) - offset :]
        joined[flow] = bytes(stream)
    return joined


def _network(frame: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6:
    return dpkt.ip6.IP6(frame) if frame[:1] >= b"\x60" else dpkt.ip.IP(frame)
