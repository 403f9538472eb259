"""A browser's TLS 1.3 client (RFC 8446), because OpenSSL cannot be made to look like one.

Browsers send GREASE (RFC 8701) and a post-quantum key share of 1,216 bytes, so that their ClientHello takes two segments;
the server answers the X25519 share beside it. Only what a conversation needs is here: AES-128-GCM, no checks of
certificates.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import socket
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CIPHERS = (
    0x1301,
    0x1302,
    0x1303,
    0xC02B,
    0xC02F,
    0xC02C,
    0xC030,
    0xCCA9,
    0xCCA8,
    0xC013,
    0xC014,
    0x9C,
    0x9D,
    0x2F,
    0x35,
)
_SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
_X25519, _MLKEM = 29, 0x11EC
_HANDSHAKE, _DATA, _CHANGE = 22, 23, 20


def _vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def _list(values: tuple[int, ...]) -> bytes:
    return struct.pack(f"!{len(values)}H", *values)


def client_hello(name: str, public: bytes, dice: random.Random) -> bytes:
    """The handshake message, extensions in a random order as Chrome has it."""
    grease = [0x0A0A + 0x1010 * dice.randrange(16) for _ in range(4)]
    shares = _list((grease[1],)) + _vector(b"\0", 2) + _list((_MLKEM,)) + _vector(dice.randbytes(1184) + public, 2)
    shares += _list((_X25519,)) + _vector(public, 2)
    middle = [
        (0, _vector(b"\0" + _vector(name.encode(), 2), 2)),
        (5, b"\1\0\0\0\0"), (10, _vector(_list((grease[1], _MLKEM, _X25519, 23, 24)), 2)), (11, b"\1\0"),
        (13, _vector(_list(_SIGNATURES), 2)), (16, _vector(b"\x08http/1.1", 2)), (18, b""), (23, b""), (27, b"\2\0\2"),
        (35, b""), (43, _vector(_list((grease[2], 0x0304, 0x0303)), 1)), (45, b"\1\1"), (51, _vector(shares, 2)), (0xFF01, b"\0"),
    ]  # fmt: skip
    dice.shuffle(middle)
    extensions = [(grease[0], b""), *middle, (grease[3], b"\0")]
    body = (
        b"\3\3"
        + dice.randbytes(32)
        + _vector(dice.randbytes(32), 1)
        + _vector(_list((grease[0], *_CIPHERS)), 2)
        + b"\1\0"
    )
    body += _vector(b"".join(struct.pack("!H", kind) + _vector(data, 2) for kind, data in extensions), 2)
    return b"\1" + _vector(body, 3)


class Browser:
    """A TLS connection over a connected socket, with the few methods of a socket that an HTTP client needs."""

    def __init__(self, connection: socket.socket, name: str, dice: random.Random, pieces: int = 0):
        self.socket, self._buffer, self._plain = connection, b"", b""
        key = X25519PrivateKey.from_private_bytes(dice.randbytes(32))
        hello = client_hello(name, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), dice)
        record = b"\x16\3\1" + _vector(hello, 2)
        for at in range(0, len(record), pieces or len(record)):
            connection.sendall(record[at : at + (pieces or len(record))])
        server_hello = self._record(None)[1]
        transcript = hello + server_hello
        peer, self._hash = _server_share(server_hello)
        secret = _extract(_derive(_extract(bytes(32), bytes(32)), b"derived", b""), key.exchange(peer))
        client, server = _derive(secret, b"c hs traffic", transcript), _derive(secret, b"s hs traffic", transcript)
        reading = _Keys(server)
        flight = b""
        while not _complete(flight):
            flight += self._record(reading)[1]
        transcript += flight
        master = _extract(_derive(secret, b"derived", b""), bytes(32))
        finished = b"\x14" + _vector(
            _mac(_expand(client, b"finished", b"", 32), hashlib.sha256(transcript).digest()), 3
        )
        connection.sendall(b"\x14\3\3\0\1\1" + _Keys(client).seal(_HANDSHAKE, finished))
        self._writing = _Keys(_derive(master, b"c ap traffic", transcript))
        self._reading = _Keys(_derive(master, b"s ap traffic", transcript))

    def sendall(self, data: bytes) -> None:
        for at in range(0, len(data), 16384):
            self.socket.sendall(self._writing.seal(_DATA, data[at : at + 16384]))

    def recv(self, size: int) -> bytes:
        """Application bytes; empty at the end."""
        while not self._plain:
            kind, data = self._record(self._reading)
            if kind == _DATA:
                self._plain = data
            elif kind != _HANDSHAKE:  # session tickets are handshake messages
                return b""
        data, self._plain = self._plain[:size], self._plain[size:]
        return data

    def close(self) -> None:
        self.socket.sendall(self._writing.seal(21, b"\1\0"))
        self.socket.close()

    def _record(self, keys: _Keys | None) -> tuple[int, bytes]:
        """The next record that matters, decrypted."""
        while True:
            while len(self._buffer) < 5 or len(self._buffer) < 5 + struct.unpack_from("!H", self._buffer, 3)[0]:
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionError("closed amid a record")
                self._buffer += data
            size = 5 + struct.unpack_from("!H", self._buffer, 3)[0]
            record, self._buffer = self._buffer[:size], self._buffer[size:]
            if record[0] == 21 and keys is None:
                raise ConnectionError(f"alert {record[6]}")
            if record[0] != _CHANGE:
                return keys.open(record) if keys else (record[0], record[5:])


class _Keys:
    """One direction's AES-128-GCM (RFC 8446 section 5)."""

    def __init__(self, secret: bytes):
        self._aead, self._iv, self._number = (
            AESGCM(_expand(secret, b"key", b"", 16)),
            _expand(secret, b"iv", b"", 12),
            0,
        )

    def _nonce(self) -> bytes:
        self._number += 1
        return (int.from_bytes(self._iv, "big") ^ (self._number - 1)).to_bytes(12, "big")

    def seal(self, kind: int, data: bytes) -> bytes:
        head = struct.pack("!BHH", 23, 0x0303, len(data) + 17)
        return head + self._aead.encrypt(self._nonce(), data + bytes([kind]), head)

    def open(self, record: bytes) -> tuple[int, bytes]:
        plain = self._aead.decrypt(self._nonce(), record[5:], record[:5]).rstrip(b"\0")
        return plain[-1], plain[:-1]


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


_extract = _mac


def _expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    info = struct.pack("!H", size) + _vector(b"tls13 " + label, 1) + _vector(context, 1)
    return _mac(secret, info + b"\1")[:size]


def _derive(secret: bytes, label: bytes, messages: bytes) -> bytes:
    return _expand(secret, label, hashlib.sha256(messages).digest(), 32)


def _server_share(hello: bytes) -> tuple[X25519PublicKey, int]:
    at = 38 + 1 + hello[38]
    cipher = struct.unpack_from("!H", hello, at)[0]
    at, end = at + 5, len(hello)
    while at < end:
        kind, size = struct.unpack_from("!HH", hello, at)
        if kind == 51:
            return X25519PublicKey.from_public_bytes(hello[at + 8 : at + 40]), cipher
        at += 4 + size
    raise ConnectionError("no key share")


def _complete(flight: bytes) -> bool:
    """Whether the server's Finished is in."""
    at = 0
    while at + 4 <= len(flight):
        size = 4 + int.from_bytes(flight[at + 1 : at + 4], "big")
        if flight[at] == 20 and at + size <= len(flight):
            return True
        at += size
    return False
