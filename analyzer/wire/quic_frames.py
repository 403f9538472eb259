"""Frames that an Initial may hold (RFC 9000 §12.4, §19): PADDING, PING, ACK, CRYPTO, CONNECTION_CLOSE."""

import re
from dataclasses import dataclass

from analyzer.wire.names import text
from analyzer.wire.quic_packets import varint

_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE, _CLOSE_APP = 0x00, 0x01, 0x02, 0x03, 0x06, 0x1C, 0x1D
_NOT_PADDING = re.compile(rb"[^\0]")


@dataclass(frozen=True, slots=True)
class Close:
    """A CONNECTION_CLOSE: codes 0x100 to 0x1ff are TLS alerts (RFC 9001 §4.8); `up` when the client sent it."""

    code: int
    reason: str
    up: bool = False

    @property
    def alert(self) -> int | None:
        """The TLS alert inside the code."""
        return self.code - 0x100 if 0x100 <= self.code <= 0x1FF else None


@dataclass(frozen=True, slots=True)
class Frames:
    """What an opened packet says."""

    crypto: tuple[tuple[int, bytes], ...]  # (offset, bytes) in the order sent
    close: Close | None
    acked: int | None  # the largest packet number acknowledged


def parse_frames(payload: bytes) -> Frames:
    """Frames up to the first one that may not be here, or is cut."""
    crypto: list[tuple[int, bytes]] = []
    close, acked, position = None, None, 0
    try:
        while found := _NOT_PADDING.search(payload, position):
            kind, position = payload[found.start()], found.end()
            if kind == _CRYPTO:
                offset, position = varint(payload, position)
                data, position = _counted(payload, position)
                if data:
                    crypto.append((offset, data))
            elif kind in (_ACK, _ACK_ECN):
                acked, position = _ack(payload, position, counts=kind == _ACK_ECN)
            elif kind in (_CLOSE, _CLOSE_APP):
                code, position = varint(payload, position)
                if kind == _CLOSE:
                    _, position = varint(payload, position)  # the type of the frame that is to blame
                reason, position = _counted(payload, position)
                close = close or Close(code, text(reason))
            elif kind != _PING:
                break
    except IndexError:
        pass  # cut: what came before it stands
    return Frames(tuple(crypto), close, acked)


def _counted(payload: bytes, position: int) -> tuple[bytes, int]:
    size, position = varint(payload, position)
    if position + size > len(payload):
        raise IndexError
    return payload[position : position + size], position + size


def _ack(payload: bytes, position: int, counts: bool) -> tuple[int, int]:
    """The largest number acknowledged, and where an ACK frame ends (RFC 9000 §19.3)."""
    largest, position = varint(payload, position)
    _, position = varint(payload, position)  # delay
    ranges, position = varint(payload, position)
    for _ in range(1 + 2 * ranges + (3 if counts else 0)):
        _, position = varint(payload, position)
    return largest, position
