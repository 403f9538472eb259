"""What was kept of each packet, unpacked: the columns of tables.PACKETS out of the words that `flows.keep` packs them in.

Each is made when it is asked for. Of ordinary flows, which most are, only a few are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analyzer.flows.arenas import (
    R_ACK, R_BITS, R_CAPTURED, R_DUP, R_FRAME, R_ICMP, R_IPID, R_OPTIONS, R_PAYLOAD, R_SEQ, R_TS_HIGH, R_TS_LOW, R_TSECR, R_TSVAL, R_WIN,
)  # fmt: skip

# Bits of R_BITS.
_DIRECTION, _DF, _NEAR, _DSACK, _STAMPED, _MSS, _WSCALE, _IPV4, _TCP = 16, 17, 18, 19, 20, 21, 22, 23, 27


class KeptPackets:
    """Rows of arena words, with each one's flow number and which side is that flow's client."""

    def __init__(self, words: np.ndarray, flow: np.ndarray, client: np.ndarray):
        self.words, self.flow, self.client = words, flow, client

    def column(self, name: str) -> np.ndarray:
        return _COLUMNS[name](self)

    def word(self, at: int) -> np.ndarray:
        return self.words[:, at].astype(np.int64)

    def part(self, word: int, at: int, width: int) -> np.ndarray:
        """Some bits of a word, as a number."""
        return self.words[:, word] >> at & (1 << width) - 1

    def bit(self, at: int) -> np.ndarray:
        return self.words[:, R_BITS] & (1 << at) != 0

    def known(self, bit: int, values: np.ndarray) -> np.ndarray:
        """The values where a bit says that there are any, else -1."""
        return np.where(self.bit(bit), values.astype(np.int64), -1)

    def seq(self) -> np.ndarray:
        return np.where(self.bit(_TCP) | (self.words[:, R_ICMP] > 0), self.word(R_SEQ), -1)


_COLUMNS: dict[str, Callable[[KeptPackets], np.ndarray]] = {
    "frame": lambda p: p.word(R_FRAME),
    "ts": lambda p: p.word(R_TS_HIGH) << 32 | p.word(R_TS_LOW),
    "flow": lambda p: p.flow,
    "up": lambda p: p.part(R_BITS, _DIRECTION, 1) == p.client,
    "ttl": lambda p: p.part(R_WIN, 16, 8).astype(np.int16),
    "ipid": lambda p: p.known(_IPV4, p.part(R_IPID, 0, 16)).astype(np.int32),
    "df": lambda p: p.known(_IPV4, p.part(R_BITS, _DF, 1)).astype(np.int8),
    "ecn": lambda p: p.part(R_BITS, 12, 2).astype(np.int8),
    "tcp_flags": lambda p: p.known(_TCP, p.part(R_BITS, 0, 8)).astype(np.int16),
    "seq": lambda p: p.seq(),
    "ack": lambda p: p.known(_TCP, p.word(R_ACK)),
    "win": lambda p: p.known(_TCP, p.part(R_WIN, 0, 16)).astype(np.int32),
    "tsval": lambda p: p.known(_STAMPED, p.word(R_TSVAL)),
    "tsecr": lambda p: p.known(_STAMPED, p.word(R_TSECR)),
    "mss": lambda p: p.known(_MSS, p.part(R_OPTIONS, 0, 16)).astype(np.int32),
    "wscale": lambda p: p.known(_WSCALE, p.part(R_OPTIONS, 16, 8)).astype(np.int16),
    "dsack": lambda p: p.bit(_DSACK),
    "optlen": lambda p: (p.part(R_WIN, 24, 8) << 2).astype(np.int16),
    "payload_len": lambda p: p.word(R_PAYLOAD).astype(np.int32),
    "captured": lambda p: p.word(R_CAPTURED).astype(np.int32),
    "kind": lambda p: p.part(R_BITS, 8, 4).astype(np.int8),
    "dup_of": lambda p: p.word(R_DUP) - 1,
    "iface": lambda p: p.part(R_IPID, 16, 16).astype(np.int16),
    "encap": lambda p: p.part(R_BITS, 24, 3).astype(np.int16),
    "icmp": lambda p: (p.word(R_ICMP) - 1).astype(np.int32),
    "from_target": lambda p: p.bit(_NEAR),
}
