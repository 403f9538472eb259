"""The ClientHello: the most that a middlebox can read of a TLS or QUIC connection, and what most of them act on.

The hello is read over any number of records (RFC 8446 §5.1 lets it be split anywhere, and circumvention tools and
post-quantum key shares do). Besides its fields it says where they ended in the stream: a middlebox that acts on a
name acts once `sni_end` has passed it, and the frame that carried that byte is the trigger.

A wrong structure is `NEVER`; a wrong body of one extension only empties the field that it would have filled, because
middleboxes that search for a name do not care either.
"""

from dataclasses import dataclass, field
from struct import Struct, unpack

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.ja4 import ja3, ja4
from analyzer.wire.names import text
from analyzer.wire.tls import (
    CLIENT_HELLO,
    MESSAGE_HEADER,
    Places,
    could_be_hello,
    gather_hello,
    message_size,
    place_after,
)

MAX_SESSION_ID = 32  # RFC 8446 §4.1.2
ECH = 0xFE0D  # RFC 9849 encrypted_client_hello

_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIG_ALGS, _ALPN, _VERSIONS, _KEY_SHARE = 0, 10, 11, 13, 16, 43, 51
_READ = frozenset((_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIG_ALGS, _ALPN, _VERSIONS, _KEY_SHARE))
_PAIR = Struct(">HH")  # an extension: its type and length; a share: its group and length
_SSL2_VERSIONS = frozenset((0x0002, 0x0300, 0x0301, 0x0302, 0x0303))
_SSL2_FIXED = 11  # two bytes of record header, nine of message


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offered. Lists keep the order sent and GREASE; offsets count from the start of the stream."""

    version: int  # legacy_version
    versions: tuple[int, ...]  # supported_versions
    random: bytes
    session_id_len: int
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    sni: str | None
    alpn_raw: tuple[bytes, ...]
    groups: tuple[int, ...]
    point_formats: bytes
    sig_algs: tuple[int, ...]
    key_shares: tuple[tuple[int, int], ...]  # (group, bytes of its share)
    length: int  # of the handshake message, without its header
    end: int  # of the byte after the hello
    sni_end: int | None  # of the byte after the server name: with it a middlebox knows the name
    quic: bool = False
    sslv2: bool = False
    _ja4: str | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def ja4(self) -> str:
        """JA4, worked out on first use."""
        if self._ja4 is None:
            first = self.alpn_raw[0] if self.alpn_raw else b""
            known = ja4(self.quic, self.version, self.versions, self.ciphers, self.extensions, self.sig_algs, first)
            object.__setattr__(self, "_ja4", known)
        return self._ja4  # type: ignore[return-value]

    @property
    def ja3(self) -> str:
        """JA3; differs from hello to hello where a browser shuffles its extensions."""
        return ja3(self.version, self.ciphers, self.extensions, self.groups, self.point_formats)

    @property
    def alpn(self) -> tuple[str, ...]:
        """Protocols offered, as text."""
        return tuple(map(text, self.alpn_raw))

    @property
    def ech(self) -> bool:
        """An encrypted inner hello, or GREASE in its place: from outside they look the same."""
        return ECH in self.extensions


@dataclass(frozen=True, slots=True)
class ServerName:
    """A name that can be read already, though the hello may not be complete."""

    name: str
    end: int  # offset in the stream of the byte after it


def parse_client_hello(stream: bytes) -> ClientHello | Parse:
    """The hello at the start of a client's assembled stream."""
    if stream and stream[0] & 0x80:
        return _parse_sslv2(stream)
    gathered = gather_hello(stream)
    if isinstance(gathered, Parse):
        return gathered
    return _read(*gathered, quic=False)


def parse_handshake(message: bytes, quic: bool = False) -> ClientHello | Parse:
    """The hello at the start of bare handshake bytes, such as the CRYPTO stream of QUIC (RFC 9001 §4.1.3)."""
    if not could_be_hello(message):
        return NEVER
    return _read(message, [(0, 0)], quic)


def peek_server_name(stream: bytes) -> ServerName | Parse:
    """The server name as soon as its last byte is there: what a middlebox sees while the rest is still on its way."""
    gathered = gather_hello(stream)
    if isinstance(gathered, Parse):
        return gathered
    message, places = gathered
    short = NOT_YET if len(message) < message_size(message) else NEVER
    position = _extensions_at(message)
    if position is None or position + 2 > len(message):
        return short
    limit = position + 2 + (message[position] << 8 | message[position + 1])
    position += 2
    while position + 4 <= min(limit, len(message)):
        kind, size = _PAIR.unpack_from(message, position)
        position += 4
        if kind == _SERVER_NAME:
            found = _server_name(message, position, min(position + size, limit))
            if found:
                return ServerName(text(found[0]), place_after(found[1], places))
            return short if position + size > len(message) else NEVER
        position += size
    return short if position + 4 <= limit else NEVER


def _extensions_at(message: bytes) -> int | None:
    """Where the extensions' length stands; None where the message ends before."""
    try:
        position = 39 + message[38]
        position += 2 + (message[position] << 8 | message[position + 1])
        return position + 1 + message[position]
    except IndexError:
        return None


def _read(message: bytes, places: Places, quic: bool) -> ClientHello | Parse:
    end = message_size(message)
    if len(message) < MESSAGE_HEADER or len(message) < end:
        return NOT_YET
    session_id_len = message[38]
    position = 39 + session_id_len
    if session_id_len > MAX_SESSION_ID or position + 2 > end:
        return NEVER
    size = message[position] << 8 | message[position + 1]
    position += 2
    stop = position + size
    if size & 1 or stop >= end:
        return NEVER
    ciphers = unpack(f">{size >> 1}H", message[position:stop])
    position = stop + 1 + message[stop]  # compression methods
    if position > end:
        return NEVER
    limit = position
    if position + 2 <= end:  # SSL 3.0 and TLS 1.0 know hellos without extensions
        limit = position + 2 + (message[position] << 8 | message[position + 1])
        position += 2
        if limit > end:
            return NEVER
    kinds = []
    bodies = {}
    while position + 4 <= limit:
        kind, size = _PAIR.unpack_from(message, position)
        stop = position + 4 + size
        if stop > limit:
            return NEVER
        kinds.append(kind)
        if kind in _READ and kind not in bodies:  # RFC 8446 §4.2 forbids a second one; the first counts here
            bodies[kind] = position + 4, stop
        position = stop
    name = _server_name(message, *bodies[_SERVER_NAME]) if _SERVER_NAME in bodies else None
    return ClientHello(
        version=message[4] << 8 | message[5],
        versions=_numbers(message, bodies.get(_VERSIONS), 1),
        random=message[6:38],
        session_id_len=session_id_len,
        ciphers=ciphers,
        extensions=tuple(kinds),
        sni=text(name[0]) if name else None,
        alpn_raw=_protocols(message, *bodies[_ALPN]) if _ALPN in bodies else (),
        groups=_numbers(message, bodies.get(_GROUPS), 2),
        point_formats=_bytes(message, *bodies[_POINT_FORMATS]) if _POINT_FORMATS in bodies else b"",
        sig_algs=_numbers(message, bodies.get(_SIG_ALGS), 2),
        key_shares=_key_shares(message, *bodies[_KEY_SHARE]) if _KEY_SHARE in bodies else (),
        length=end - MESSAGE_HEADER,
        end=place_after(end, places),
        sni_end=place_after(name[1], places) if name else None,
        quic=quic,
    )


def _server_name(message: bytes, start: int, stop: int) -> tuple[bytes, int] | None:
    """The host name of RFC 6066 §3 and the offset after it; the first of the list, which is the only one allowed."""
    if start + 5 > min(stop, len(message)) or message[start + 2] != 0:
        return None
    end = start + 5 + (message[start + 3] << 8 | message[start + 4])
    if end > stop or end > len(message) or end == start + 5:
        return None
    return message[start + 5 : end], end


def _numbers(message: bytes, body: tuple[int, int] | None, prefix: int) -> tuple[int, ...]:
    """A vector of 16-bit numbers behind a length of `prefix` bytes; what is not whole is left out."""
    if body is None:
        return ()
    start, stop = body[0] + prefix, body[1]
    size = min(int.from_bytes(message[body[0] : start], "big"), stop - start)
    return unpack(f">{size >> 1}H", message[start : start + (size & ~1)]) if size > 1 else ()


def _bytes(message: bytes, start: int, stop: int) -> bytes:
    return message[start + 1 : min(stop, start + 1 + message[start])] if start < stop else b""


def _protocols(message: bytes, start: int, stop: int) -> tuple[bytes, ...]:
    """ALPN protocols (RFC 7301 §3.1)."""
    found = []
    start += 2
    while start < stop:
        end = start + 1 + message[start]
        if end > stop:
            break
        found.append(message[start + 1 : end])
        start = end
    return tuple(found)


def _key_shares(message: bytes, start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """(group, size) of each share (RFC 8446 §4.2.8); a post-quantum one makes the hello outgrow a segment."""
    found = []
    start += 2
    while start + 4 <= stop:
        group, size = _PAIR.unpack_from(message, start)
        start += 4 + size
        if start > stop:
            break
        found.append((group, size))
    return tuple(found)


def _parse_sslv2(stream: bytes) -> ClientHello | Parse:
    """An SSL 2.0 compatible hello (RFC 5246 §E.2): old clients still send it, and it can name no server."""
    if len(stream) > 2 and stream[2] != CLIENT_HELLO:
        return NEVER
    if len(stream) < _SSL2_FIXED:
        return NOT_YET
    record, _, version, cipher_len, session_id_len, challenge_len = unpack(">HBHHHH", stream[:_SSL2_FIXED])
    end = 2 + (record & 0x7FFF)
    if (
        version not in _SSL2_VERSIONS
        or not cipher_len
        or cipher_len % 3
        or session_id_len > MAX_SESSION_ID
        or not 16 <= challenge_len <= 32
        or end != _SSL2_FIXED + cipher_len + session_id_len + challenge_len
    ):
        return NEVER
    if len(stream) < end:
        return NOT_YET
    specs = stream[_SSL2_FIXED : _SSL2_FIXED + cipher_len]
    suites = (int.from_bytes(specs[i : i + 3], "big") for i in range(0, cipher_len, 3))
    return ClientHello(
        version=version,
        versions=(),
        random=stream[end - challenge_len : end],
        session_id_len=session_id_len,
        ciphers=tuple(suite for suite in suites if suite <= 0xFFFF),  # the others are SSL 2.0's own, three bytes wide
        extensions=(),
        sni=None,
        alpn_raw=(),
        groups=(),
        point_formats=b"",
        sig_algs=(),
        key_shares=(),
        length=end - 2,
        end=end,
        sni_end=None,
        sslv2=True,
    )
