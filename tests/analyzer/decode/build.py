"""Frames for the decoder's tests, and what came out of them."""

import numpy as np
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from analyzer.decode import Frames, Packets, address_text, decode

ETHERNET, NULL, PPP, RAW, LOOP, SLL, SLL2 = 1, 0, 9, 101, 108, 113, 276
HELLO = (
    IP(src="10.0.0.2", dst="192.0.2.9", ttl=57, id=77)
    / TCP(sport=50001, dport=443, seq=7, ack=9, flags="PA")
    / b"hello"
)
HELLO6 = (
    IPv6(src="2001:db8::2", dst="2001:db8::9", hlim=61)
    / TCP(sport=50001, dport=443, seq=7, ack=9, flags="PA")
    / b"hello"
)


def frames_of(*frames: bytes, link: int = ETHERNET, caplen: int | None = None, origlen: int | None = None) -> Frames:
    n = len(frames)
    kept = [frame[:caplen] for frame in frames]
    sizes = np.array([len(frame) for frame in kept], np.int64)
    return Frames(
        data=np.frombuffer(b"".join(kept) or b"\0", np.uint8).copy(),
        offset=np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64),
        caplen=sizes,
        origlen=np.array([origlen or len(frame) for frame in frames], np.int64),
        ts=np.arange(n, dtype=np.int64) * 1000 + 10**18,
        link=np.full(n, link, np.int32),
        iface=np.zeros(n, np.int32),
        number=np.arange(1, n + 1, dtype=np.int64),
    )


def decoded(*frames: bytes, **how) -> Packets:
    out = Packets.allocate(len(frames))
    decode(frames_of(*frames, **how), 0, len(frames), out)
    return out


def ends(packets: Packets, i: int = 0) -> tuple[str, int, str, int]:
    words = packets.address.tolist()
    source, target = address_text(words[8 * i : 8 * i + 4]), address_text(words[8 * i + 4 : 8 * i + 8])
    return source, packets.sport[i], target, packets.dport[i]
