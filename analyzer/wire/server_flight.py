"""What a server sent in clear, in the order it came: how far a handshake got, and who ended it how.

Which of ServerHello, certificate, alert and data came, and in which order, tells a refusal by the server from one by
something on the way: a plaintext alert after which the ServerHello still arrives was not the server's (RFC 8446 §6).
From TLS 1.3 on, and after ChangeCipherSpec before it, only record types and sizes can be seen.
"""

from dataclasses import dataclass
from struct import unpack

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.names import text
from analyzer.wire.tls import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    MESSAGE_HEADER,
    RECORD_HEADER,
    Places,
    could_be_record,
    message_size,
    place,
)

MAX_MESSAGE = 1 << 18  # a long certificate chain is a tenth of it; a longer claim is not a handshake
MAX_ITEMS = 1024  # of one flight; a handshake has some ten
ALERT_NAMES = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response",
    115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}  # fmt: skip  # IANA TLS Alerts registry

_SERVER_HELLO, _CERTIFICATE = 2, 11
_ALPN, _VERSIONS, _KEY_SHARE = 16, 43, 51
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")  # RFC 8446 §4.1.3


@dataclass(frozen=True, slots=True)
class ServerHello:
    """The server's choice. `at` is everywhere the offset of the first byte in the stream."""

    at: int
    version: int  # the one selected, supported_versions included
    cipher: int
    alpn: str | None  # TLS 1.2 and older; later it is encrypted
    group: int | None  # of the key share, or asked for by a HelloRetryRequest
    retry: bool  # a HelloRetryRequest
    extensions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Certificates:
    """The chain of TLS 1.2 and older, leaf first; as much of it as is whole."""

    at: int
    chain: tuple[bytes, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert; level and description are None when it is encrypted."""

    at: int
    level: int | None
    description: int | None

    @property
    def name(self) -> str | None:
        """The registered name of the description."""
        return None if self.description is None else ALERT_NAMES.get(self.description, str(self.description))


@dataclass(frozen=True, slots=True)
class Message:
    """Any other handshake message; its type is None when it is encrypted."""

    at: int
    type: int | None


@dataclass(frozen=True, slots=True)
class ChangeCipherSpec:
    at: int


@dataclass(frozen=True, slots=True)
class ApplicationData:
    """A run of records of application data: what they claim, and how much of it is there."""

    at: int
    records: int
    claimed: int
    present: int


Item = ServerHello | Certificates | Alert | Message | ChangeCipherSpec | ApplicationData


@dataclass(frozen=True, slots=True)
class Flight:
    """Everything recognised, in order."""

    items: tuple[Item, ...]
    end: int  # of the last whole record
    broken_at: int | None  # where the stream stopped being TLS: other bytes were put in, or it was never all TLS

    @property
    def hello(self) -> ServerHello | None:
        """The ServerHello proper."""
        return next((i for i in self.items if isinstance(i, ServerHello) and not i.retry), None)

    @property
    def retry(self) -> ServerHello | None:
        """The HelloRetryRequest."""
        return next((i for i in self.items if isinstance(i, ServerHello) and i.retry), None)

    @property
    def certificates(self) -> Certificates | None:
        """The first chain."""
        return next((i for i in self.items if isinstance(i, Certificates)), None)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, encrypted ones included."""
        return tuple(i for i in self.items if isinstance(i, Alert))

    @property
    def application_data(self) -> ApplicationData | None:
        """The first run of application data; in TLS 1.3 it begins with the rest of the handshake."""
        return next((i for i in self.items if isinstance(i, ApplicationData)), None)


def parse_server_flight(stream: bytes) -> Flight | Parse:
    """What a server's assembled stream shows so far; more bytes only add to it."""
    return _Records(stream).flight()


def client_alerts(stream: bytes) -> tuple[Alert, ...]:
    """Alerts in a client's assembled stream: it may be the client that refuses, for instance a forged certificate."""
    flight = _Records(stream).flight()
    return flight.alerts if isinstance(flight, Flight) else ()


class _Records:
    """One pass over a stream's records."""

    def __init__(self, stream: bytes):
        self.stream = stream
        self.items: list[Item] = []
        self.messages = bytearray()  # handshake bytes not yet taken apart
        self.places: Places = []
        self.sealed = False  # handshake messages are encrypted from here on
        self.retried = False

    def flight(self) -> Flight | Parse:
        stream, position, end, broken_at = self.stream, 0, 0, None
        while position < len(stream) and len(self.items) < MAX_ITEMS:
            header = stream[position : position + RECORD_HEADER]
            if not could_be_record(header):
                broken_at = position
                break
            if len(header) < RECORD_HEADER:
                break
            size = header[3] << 8 | header[4]
            body = stream[position + RECORD_HEADER : position + RECORD_HEADER + size]
            if not self.take(header[0], position, size, body):
                broken_at = position
                break
            position += RECORD_HEADER + size
            end = position if len(body) == size else end
        if broken_at == 0:
            return NEVER
        self.partial_certificates()
        return Flight(tuple(self.items), end, broken_at) if end or self.items else NOT_YET

    def take(self, kind: int, at: int, size: int, body: bytes) -> bool:
        """Add a record, which may be cut; false when its content cannot be what its type says."""
        if kind == APPLICATION_DATA:
            self.data(at, size, len(body))
        elif kind == ALERT and len(body) == size:
            clear = size == 2 and body[0] in (1, 2)
            self.items.append(Alert(at, body[0], body[1]) if clear else Alert(at, None, None))
        elif kind == CHANGE_CIPHER_SPEC and len(body) == size:
            self.items.append(ChangeCipherSpec(at))
            self.sealed = not self.retried  # after a HelloRetryRequest a ServerHello in clear is still to come
        elif kind not in (ALERT, CHANGE_CIPHER_SPEC):
            return self.handshake(at, body)
        return True

    def data(self, at: int, size: int, present: int) -> None:
        last = self.items[-1] if self.items else None
        if isinstance(last, ApplicationData):
            self.items[-1] = ApplicationData(last.at, last.records + 1, last.claimed + size, last.present + present)
        else:
            self.items.append(ApplicationData(at, 1, size, present))

    def handshake(self, at: int, body: bytes) -> bool:
        if self.sealed:
            self.items.append(Message(at, None))
            return True
        if body:
            self.places.append((len(self.messages), at + RECORD_HEADER))
            self.messages += body
        while len(self.messages) >= MESSAGE_HEADER:
            size = message_size(self.messages)
            if size > MAX_MESSAGE:
                return False
            if len(self.messages) < size:
                break
            item = _message(bytes(self.messages[:size]), place(0, self.places))
            if item is None:
                return False
            self.retried = isinstance(item, ServerHello) and item.retry
            self.items.append(item)
            del self.messages[:size]
            self.places = [(start - size, where) for start, where in self.places[-1:]] if self.messages else []
        return True

    def partial_certificates(self) -> None:
        """A chain often outgrows what was kept; its leaf comes first and may be whole."""
        if self.messages and self.messages[0] == _CERTIFICATE:
            chain, _ = _chain(bytes(self.messages))
            if chain:
                self.items.append(Certificates(place(0, self.places), chain, whole=False))


def _message(message: bytes, at: int) -> Item | None:
    if message[0] == _SERVER_HELLO:
        return _server_hello(message, at)
    if message[0] == _CERTIFICATE:
        return Certificates(at, *_chain(message))
    return Message(at, message[0])


def _server_hello(message: bytes, at: int) -> ServerHello | None:
    """RFC 8446 §4.1.3; None when it is malformed."""
    if len(message) < 39 or message[4] != 3:
        return None
    position = 39 + message[38]
    if position + 3 > len(message):
        return None
    version, cipher = message[4] << 8 | message[5], message[position] << 8 | message[position + 1]
    alpn, group, kinds = None, None, []
    position += 5
    while position + 4 <= len(message):
        kind, size = unpack(">HH", message[position : position + 4])
        body = message[position + 4 : position + 4 + size]
        if len(body) < size:
            return None
        kinds.append(kind)
        if kind == _VERSIONS and size == 2:
            version = body[0] << 8 | body[1]
        elif kind == _KEY_SHARE and size >= 2:
            group = body[0] << 8 | body[1]
        elif kind == _ALPN and size > 3:
            alpn = text(body[3 : 3 + body[2]])
        position += 4 + size
    return ServerHello(at, version, cipher, alpn, group, message[6:38] == _RETRY, tuple(kinds))


def _chain(message: bytes) -> tuple[tuple[bytes, ...], bool]:
    """Certificates of RFC 5246 §7.4.2 that are whole, and whether the message ends with the last of them."""
    chain, position = [], MESSAGE_HEADER + 3
    while position + 3 <= len(message):
        stop = position + 3 + int.from_bytes(message[position : position + 3], "big")
        if stop > len(message):
            break
        chain.append(message[position + 3 : stop])
        position = stop
    return tuple(chain), position == len(message)
