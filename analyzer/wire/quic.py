"""QUIC Initials, opened: the ClientHello of HTTP/3, as a middlebox on the path can read it.

An Initial is encrypted under keys that follow from the Destination Connection ID of the client's first one (RFC 9001
§5.2), so anybody who saw that packet can open both sides' Initials. Clients spread the hello over several frames and,
since post-quantum key shares, over two datagrams, in any order; so CRYPTO bytes are collected by offset first.

`InitialReader` is fed the first datagrams of a flow. A datagram that cannot be opened decides nothing (0-RTT may come
first, and some clients send a decoy to confuse middleboxes): only the bounds below end the search.
"""

import hmac
from dataclasses import dataclass, replace

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.client_hello import ClientHello, parse_handshake
from analyzer.wire.quic_frames import Close, Frames, parse_frames
from analyzer.wire.quic_packets import LongPacket, PacketType, parse_datagram

MAX_DATAGRAMS = 8  # tried in each direction: two carry the largest hello seen, the rest are its retransmissions
MAX_CRYPTO = 1 << 16  # bytes of CRYPTO stream kept; a post-quantum hello is some 2 kB

_V1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), b"quic "  # RFC 9001 §5.2
_V2 = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), b"quicv2 "  # RFC 9369 §3.3
_29 = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"), b"quic "  # draft-ietf-quic-tls-29 §5.2
_23 = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"), b"quic "  # draft-ietf-quic-tls-23 §5.2
_22 = bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"), b"quic "  # draft-ietf-quic-tls-22 §5.2
_DRAFT = 0xFF000000  # drafts still stand in captures of 2019 to 2021
_MVFST_22, _MVFST_27, _MVFST_TEST = 0xFACEB001, 0xFACEB002, 0xFACEB00E  # Meta's apps: mvfst, QuicConstants.h
_SALTS = (
    {0x00000001: _V1, 0x6B3343CF: _V2, _DRAFT + 33: _V1, _DRAFT + 34: _V1}
    | {_DRAFT + n: _29 for n in range(29, 33)}
    | {_DRAFT + n: _23 for n in range(23, 29)}
    | {_DRAFT + 22: _22, _MVFST_22: _22, _MVFST_27: _23, _MVFST_TEST: _23}
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Packet protection of one direction's Initials: AEAD_AES_128_GCM always (RFC 9001 §5.2)."""

    key: bytes
    iv: bytes
    hp: bytes


def initial_keys(version: int, dcid: bytes, up: bool) -> tuple[Keys, ...]:
    """Keys from the client's first Destination Connection ID, likeliest first; none for a version that is not known.

    A version reserved to force negotiation (RFC 9000 §15) goes with the salt of whatever its sender really speaks.
    """
    known = _SALTS.get(version)
    if known is None:
        return tuple(_keys(*salt, dcid, up) for salt in (_V1, _29)) if _reserved(version) else ()
    return (_keys(*known, dcid, up),)


def open_initial(packet: LongPacket, keys: Keys) -> bytes | None:
    """The frames inside an Initial (RFC 9001 §5.3, §5.4); None when it was not sealed under these keys."""
    # Imported here: it costs some 20 ms, and a capture without QUIC needs none of it.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data, start = packet.data, packet.number_at
    sample = data[start + 4 : start + 20]
    if len(sample) < 16:
        return None
    mask = Cipher(algorithms.AES(keys.hp), modes.ECB()).encryptor().update(sample)  # RFC 9001 §5.4.3
    first = data[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(data[start : start + size], mask[1:], strict=False))
    header = bytes((first,)) + data[1:start] + number
    nonce = int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")  # Initials are few: no number is truncated
    try:
        return AESGCM(keys.key).decrypt(nonce.to_bytes(12, "big"), data[start + size :], header)
    except InvalidTag:
        return None


def looks_like_initial(datagram: bytes) -> bool:
    """Whether a datagram begins with an Initial of a version that can be opened."""
    packet = next(iter(parse_datagram(datagram)), None)
    return packet is not None and packet.type is PacketType.INITIAL and _readable(packet.version)


class InitialReader:
    """What the first datagrams of one flow show. All it keeps is bounded by the constants above."""

    __slots__ = (
        "_crypto", "_keys", "_tried", "close", "dcid", "hello", "retry", "server_initial", "version",
        "version_negotiation",
    )  # fmt: skip

    def __init__(self) -> None:
        self.version: int | None = None  # of the client's first Initial that opened
        self.hello: ClientHello | Parse = NOT_YET
        self.server_initial = False  # a server's Initial came, and opened if the client's was seen
        self.retry = False
        self.version_negotiation: tuple[int, ...] | None = None  # what the server speaks
        self.close: Close | None = None  # the first CONNECTION_CLOSE that could be read
        self.dcid: bytes | None = None  # that the keys follow from
        self._keys: dict[bool, Keys] = {}
        self._crypto = _Crypto()
        self._tried = {True: 0, False: 0}

    def feed(self, datagram: bytes, up: bool) -> ClientHello | Parse:
        """Take a datagram and say how the hello stands."""
        if self._tried[up] < MAX_DATAGRAMS:
            self._tried[up] += 1
            for packet in parse_datagram(datagram):
                self._take(packet, up)
            if self.hello is NOT_YET and self._tried[True] == MAX_DATAGRAMS:
                self.hello = NEVER
        return self.hello

    def _take(self, packet: LongPacket, up: bool) -> None:
        if packet.type is PacketType.VERSION_NEGOTIATION:
            if not up:
                self.version_negotiation = packet.versions
        elif packet.type is PacketType.RETRY:
            self.retry = self.retry or not up
        elif packet.type is PacketType.INITIAL:
            if up:
                self._client_initial(packet)
            else:
                self._server_initial(packet)

    def _client_initial(self, packet: LongPacket) -> None:
        """Open with the keys in use, else with the packet's own: after a Retry, or on a new connection, they change."""
        opened = open_initial(packet, self._keys[True]) if self._keys else None
        if opened is None:
            ours = initial_keys(packet.version, packet.dcid, up=True)
            theirs = initial_keys(packet.version, packet.dcid, up=False)
            for client, server in zip(ours, theirs, strict=True):
                opened = open_initial(packet, client)
                if opened is not None:
                    self._keys = {True: client, False: server}
                    break
            else:
                return
            self._crypto = _Crypto()
            if self.hello is NOT_YET:
                self.version, self.dcid = packet.version, packet.dcid
        frames = parse_frames(opened)
        self._note_close(frames, up=True)
        if self.hello is NOT_YET and self._crypto.add(frames):
            self.hello = parse_handshake(self._crypto.start, quic=True)
        if self.hello is NOT_YET and self._crypto.full:
            self.hello = NEVER

    def _server_initial(self, packet: LongPacket) -> None:
        if not self._keys:
            self.server_initial = self.server_initial or _readable(packet.version)
            return
        opened = open_initial(packet, self._keys[False])
        if opened is not None:
            self.server_initial = True
            self._note_close(parse_frames(opened), up=False)

    def _note_close(self, frames: Frames, up: bool) -> None:
        if frames.close and self.close is None:
            self.close = replace(frames.close, up=up)


class _Crypto:
    """A CRYPTO stream put together from frames in any order; the first copy of a byte wins."""

    __slots__ = ("_held", "_waiting", "full", "start")

    def __init__(self) -> None:
        self.start = b""  # without a gap from offset 0
        self.full = False  # more was sent than is ever kept
        self._waiting: list[tuple[int, bytes]] = []
        self._held = 0

    def add(self, frames: Frames) -> bool:
        """Take a packet's frames; true when the start grew."""
        for offset, data in frames.crypto:
            if offset + len(data) > MAX_CRYPTO or self._held + len(data) > MAX_CRYPTO:
                self.full = True
                continue
            self._held += len(data)
            self._waiting.append((offset, data))
        self._waiting.sort(key=lambda piece: piece[0])
        grown, beyond = bytearray(self.start), []
        for offset, data in self._waiting:
            if offset > len(grown):
                beyond.append((offset, data))
            else:
                grown += data[len(grown) - offset :]
        grew = len(grown) > len(self.start)
        self.start, self._waiting = bytes(grown), beyond
        self._held = len(grown) + sum(len(data) for _, data in beyond)
        return grew


def _readable(version: int) -> bool:
    return version in _SALTS or _reserved(version)


def _reserved(version: int) -> bool:
    return version & 0x0F0F0F0F == 0x0A0A0A0A


def _keys(salt: bytes, prefix: bytes, dcid: bytes, up: bool) -> Keys:
    side = _expand(hmac.digest(salt, dcid, "sha256"), b"client in" if up else b"server in", 32)
    return Keys(
        _expand(side, prefix + b"key", 16), _expand(side, prefix + b"iv", 12), _expand(side, prefix + b"hp", 16)
    )


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 §7.1) of at most one SHA-256 block."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0\1"
    return hmac.digest(secret, info, "sha256")[:size]
