"""The decoder's output: one column per header field, one entry per frame of a batch."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Packets(NamedTuple):
    """Decoded columns of one batch; all int64 (-1: not there), except the addresses.

    An ICMP error that quotes a TCP or UDP packet is entered under the quoted packet's addresses and ports, with
    `icmp` set: it belongs to that conversation.
    """

    bad: np.ndarray  # tables.Bad bits
    proto: np.ndarray  # 6, 17, or what else stood above IP; -1 when nothing was decoded
    address: np.ndarray  # uint32[8 n]: source then destination, four words each; IPv4 as ::ffff:a.b.c.d
    sport: np.ndarray
    dport: np.ndarray
    ttl: np.ndarray
    ipid: np.ndarray
    df: np.ndarray
    ecn: np.ndarray
    ip_len: np.ndarray  # bytes from the IP header on, on the wire
    flags: np.ndarray  # TCP flags
    seq: np.ndarray
    ack: np.ndarray
    win: np.ndarray
    tsval: np.ndarray
    tsecr: np.ndarray
    mss: np.ndarray
    wscale: np.ndarray
    dsack: np.ndarray  # 1 when the first SACK block repeats acknowledged bytes (RFC 2883)
    optlen: np.ndarray
    at: np.ndarray  # where the payload begins in the block
    payload: np.ndarray  # payload bytes on the wire, from the IP header
    captured: np.ndarray  # payload bytes in the block
    encap: np.ndarray  # tunnels passed on the way to this packet
    tunnel: np.ndarray  # tables.Tunnel of the last of them
    icmp: np.ndarray  # type * 256 + code of an ICMP error (IPv6: + 65536)
    near: np.ndarray  # for ICMP errors: 1 when the quoted packet's destination sent it
    whole: np.ndarray  # for ICMP errors: 1 when so much of the packet is quoted that Wireshark numbers its conversation
    outer_sport: np.ndarray  # of the first UDP tunnel around this packet
    outer_dport: np.ndarray
    outer: np.ndarray  # uint32[8 n]: its addresses, as in `address`
    sender: np.ndarray  # uint32[4 n]: for ICMP errors, who sent them

    @classmethod
    def allocate(cls, n: int) -> "Packets":
        columns = {name: np.full(n, -1, np.int64) for name in cls._fields}
        columns["address"] = np.zeros(8 * n, np.uint32)
        columns["outer"] = np.zeros(8 * n, np.uint32)
        columns["sender"] = np.zeros(4 * n, np.uint32)
        return cls(**columns)


def address_texts(words: np.ndarray) -> np.ndarray:
    """Addresses (uint32[n, 4]) as people write them (object[n]); each distinct one is written once."""
    high, low = (words[:, k].astype(np.int64) << 32 | words[:, k + 1] for k in (0, 2))
    if high.any():
        (_, high), (many, low) = (np.unique(half, return_inverse=True) for half in (high, low))
        low = high * len(many) + low
    _, first, where = np.unique(low, return_index=True, return_inverse=True)
    return np.array([address_text(row) for row in words[first].tolist()], object)[where]


def address_text(words) -> str:
    """Four 32-bit words as people write the address."""
    return _written(*map(int, words))


@lru_cache(1 << 12)  # a capture has few resolvers, and they are in every packet of DNS
def _written(a: int, b: int, c: int, d: int) -> str:
    import ipaddress

    if (a, b, c) == (0, 0, 0xFFFF):
        return f"{d >> 24}.{d >> 16 & 255}.{d >> 8 & 255}.{d & 255}"
    return str(ipaddress.IPv6Address(a << 96 | b << 64 | c << 32 | d))
