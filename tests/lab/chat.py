"""Chat protocols that are not TLS: MTProto's obfuscated transport as Telegram speaks it, and WhatsApp's Noise framing.

Both ends are here. What is inside the frames is the laboratory's own: a request says how many bytes it wants back, so that a chat
can fetch pictures; on the wire only sizes and randomness are seen, as with the real ones.
"""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_TAKEN = (
    b"HEAD",
    b"POST",
    b"GET ",
    b"OPTI",
    b"\x16\3\1\2",
    b"\xdd" * 4,
    b"\xee" * 4,
)  # what an obfuscated start must not be
_NOISE, _ROUTED = b"WA\x06\x03", b"ED\0\1"
_PIECE = 64_000  # bytes of an answer that go into one frame


def _stream(key: bytes, nonce: bytes) -> Callable[[bytes], bytes]:
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update


def _exact(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("closed amid a frame")
        data += more
    return data


class _Framed:
    """Frames with a length of three bytes, both ways through a key stream where there is one (Noise has its lengths in clear)."""

    def __init__(self, connection: socket.socket, seal: Callable = bytes, unseal: Callable = bytes):
        self.socket, self._seal, self._unseal = connection, seal, unseal

    def send(self, payload: bytes) -> None:
        self.socket.sendall(self._seal(len(payload).to_bytes(3, "big") + payload))

    def receive(self) -> bytes:
        size = int.from_bytes(self._unseal(_exact(self.socket, 3)), "big")
        return self._unseal(_exact(self.socket, size))

    def ask(self, up: int, down: int) -> int:
        """Send `up` bytes, take in the `down` bytes of the answer."""
        self.send(struct.pack("!I", down) + os.urandom(max(0, up - 4)))
        received = 0
        while received < down:
            received += len(self.receive())
        return received


def obfuscated(connection: socket.socket, dice: random.Random) -> _Framed:
    """Client of MTProto's obfuscated transport: 64 random-looking bytes hold the keys (core.telegram.org/mtproto)."""
    while True:
        start = bytearray(dice.randbytes(64))
        if start[0] != 0xEF and bytes(start[:4]) not in _TAKEN and start[4:8] != bytes(4):
            break
    seal, unseal = _keys(bytes(start))
    plain = bytes(start[:56]) + b"\xee" * 4 + b"\2\0" + bytes(start[62:])
    connection.sendall(bytes(start[:56]) + seal(plain)[56:])
    return _Framed(connection, seal, unseal)


def _keys(start: bytes) -> tuple[Callable, Callable]:
    turned = start[8:56][::-1]
    return _stream(start[8:40], start[40:56]), _stream(turned[:32], turned[32:])


def noise(connection: socket.socket, dice: random.Random, routed: bool = True) -> _Framed:
    """Client of WhatsApp's Noise framing: magic, the handshake's ephemeral key, then frames; pieces in segments of their own."""
    routing = dice.randbytes(3)
    if routed:
        connection.sendall(_ROUTED)
        connection.sendall(b"\0\0\3" + routing)
    ephemeral = dice.randbytes(32)
    hello = b"\x12\x22\x0a\x20" + ephemeral
    connection.sendall(_NOISE)
    connection.sendall(len(hello).to_bytes(3, "big") + hello)
    framed = _Framed(connection)
    _exact(connection, 3 + 290)  # the server's ephemeral key, static key and certificate
    framed.send(dice.randbytes(180))
    return framed


def serve_chat(connection: socket.socket, site: object) -> None:
    """Either protocol, told apart by its first bytes; every request is answered with as many bytes as it asks for."""
    first = _exact(connection, 4)
    if first in (_ROUTED, _NOISE):
        if first == _ROUTED:
            _exact(connection, 6)
            _exact(connection, 4)
        _exact(connection, int.from_bytes(_exact(connection, 3), "big"))
        framed = _Framed(connection)
        framed.send(os.urandom(290))
        framed.receive()
    else:
        start = first + _exact(connection, 60)
        unseal, seal = _keys(start)
        if unseal(start)[56:60] != b"\xee" * 4:
            connection.close()
            return
        framed = _Framed(connection, seal, unseal)
    while True:
        down = struct.unpack("!I", framed.receive()[:4])[0]
        while down > 0:
            framed.send(os.urandom(min(down, _PIECE)))
            down -= _PIECE
