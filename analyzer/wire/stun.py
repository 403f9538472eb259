"""STUN and TURN messages (RFC 8489, RFC 8656): how calls find a path, and what call blocking acts on.

Messengers put attributes of their own into STUN; so attributes are kept by number, and only those that a person needs
are read. Over TCP, STUN and ChannelData stand one after another, or each behind a length (RFC 4571) with ICE-TCP.
"""

from dataclasses import dataclass
from socket import AF_INET6, inet_ntoa, inet_ntop
from struct import Struct

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.names import text

COOKIE = 0x2112A442  # RFC 8489 §5
REQUEST, INDICATION, SUCCESS, ERROR = range(4)
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
USERNAME, ERROR_CODE, REALM, XOR_RELAYED, XOR_MAPPED, SOFTWARE = 0x06, 0x09, 0x14, 0x16, 0x20, 0x8022

MAX_ATTRIBUTES = 64  # read of one message; a TURN request has some ten
MAX_TCP = 64  # messages taken from one stream

_HEADER = Struct(">HHI12s")
_COOKIE = COOKIE.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Stun:
    """One message: class (request, indication, success, error), method, and attributes in order."""

    cls: int
    method: int
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...]
    end: int  # of the message
    malformed: bool  # the attributes do not fill the message

    def attribute(self, number: int) -> bytes | None:
        """The first attribute of a number."""
        return next((value for kind, value in self.attributes if kind == number), None)

    @property
    def realm(self) -> str | None:
        """The realm of a TURN server: often the operator's name."""
        return self._text(REALM)

    @property
    def software(self) -> str | None:
        """The software that the sender names."""
        return self._text(SOFTWARE)

    @property
    def username(self) -> str | None:
        """The username."""
        return self._text(USERNAME)

    @property
    def error(self) -> int | None:
        """The error code (RFC 8489 §14.8), such as 401 or 403."""
        value = self.attribute(ERROR_CODE)
        return (value[2] & 7) * 100 + value[3] if value and len(value) >= 4 else None

    @property
    def mapped(self) -> tuple[str, int] | None:
        """The client's address and port as the server sees them: not the client's own behind a NAT."""
        return self._address(XOR_MAPPED)

    @property
    def relayed(self) -> tuple[str, int] | None:
        """The address and port that a TURN server lends."""
        return self._address(XOR_RELAYED)

    def _text(self, number: int) -> str | None:
        value = self.attribute(number)
        return None if value is None else text(value)

    def _address(self, number: int) -> tuple[str, int] | None:
        """An XOR address (RFC 8489 §14.2)."""
        value = self.attribute(number)
        if value is None or len(value) not in (8, 20):
            return None
        mask = _COOKIE + self.transaction
        port = (value[2] << 8 | value[3]) ^ COOKIE >> 16
        address = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
        return inet_ntoa(address) if len(address) == 4 else inet_ntop(AF_INET6, address), port


def is_stun(payload: bytes) -> bool:
    """Whether a datagram is one STUN message; the cookie must be there, so RFC 3489's own does not count."""
    return (
        len(payload) >= 20
        and payload[0] < 0x40
        and payload[4:8] == _COOKIE
        and not payload[3] & 3
        and 20 + (payload[2] << 8 | payload[3]) == len(payload)
    )


def may_hold_stun(first: bytes | memoryview, tcp: bool) -> bool:
    """A quick no to most streams and joined datagrams: whether it is worth looking for messages at their start."""
    if not first:
        return False
    # over TCP it may come behind a length, or behind ChannelData
    return _COOKIE in bytes(first[4:10]) or (tcp and 0x40 <= first[0] < 0x50)


def parse_stun(data: bytes) -> Stun | Parse:
    """The message at the start of a datagram or a stream."""
    if (data and data[0] >= 0x40) or (len(data) > 3 and data[3] & 3) or not _COOKIE.startswith(data[4:8]):
        return NEVER
    if len(data) < 20:
        return NOT_YET
    kind, size, _, transaction = _HEADER.unpack_from(data)
    end = 20 + size
    if len(data) < end:
        return NOT_YET
    attributes: list[tuple[int, bytes]] = []
    position = 20
    while position + 4 <= end and len(attributes) < MAX_ATTRIBUTES:
        number, length = data[position] << 8 | data[position + 1], data[position + 2] << 8 | data[position + 3]
        if position + 4 + length > end:
            break
        attributes.append((number, data[position + 4 : position + 4 + length]))
        position += 4 + (length + 3 & ~3)
    cls = kind >> 7 & 2 | kind >> 4 & 1
    method = kind & 0xF | kind >> 1 & 0x70 | kind >> 2 & 0xF80
    return Stun(cls, method, transaction, tuple(attributes), end, position != end)


def split_tcp(stream: bytes) -> list[bytes]:
    """The whole messages at the start of a stream, ChannelData (RFC 8656 §12.5) left out."""
    if stream[6:10] == _COOKIE and stream[4:8] != _COOKIE:
        return _split_framed(stream)
    found: list[bytes] = []
    position = 0
    while position + 4 <= len(stream) and len(found) < MAX_TCP:
        size = stream[position + 2] << 8 | stream[position + 3]
        if stream[position : position + 1] < b"\x40" and stream[position + 4 : position + 8] == _COOKIE:
            end = position + 20 + size
            if end <= len(stream):
                found.append(stream[position:end])
        elif b"\x40" <= stream[position : position + 1] < b"\x50":
            end = position + 4 + (size + 3 & ~3)
        else:
            break
        position = end
    return found


def _split_framed(stream: bytes) -> list[bytes]:
    """Messages behind RFC 4571 lengths, media packets left out."""
    found: list[bytes] = []
    position = 0
    while position + 2 <= len(stream) and len(found) < MAX_TCP:
        end = position + 2 + (stream[position] << 8 | stream[position + 1])
        if end <= len(stream) and is_stun(stream[position + 2 : end]):
            found.append(stream[position + 2 : end])
        position = end
    return found
