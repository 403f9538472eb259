"""Calls over UDP: STUN and TURN as WhatsApp, Telegram, Signal and Discord speak them, then media like RTP; both ends.

Message types, attributes, intervals and sizes are those of real calls, as far as captures and sources show them.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time

from tests.lab import ports

COOKIE = b"\x21\x12\xa4\x42"
STUN_PORTS = {"whatsapp": 3478, "signal": 3478, "telegram": 1400, "google": 19302, "discord": 50004, "reflector": 597}
_BINDING, _ALLOCATE = 0x0001, 0x0003
_REALM, _NONCE, _ERROR, _MAPPED, _TRANSPORT, _REQUESTED = 0x0014, 0x0015, 0x0009, 0x0020, 0x4000, 0x0019
_FRAME = 0.02  # seconds of sound in a packet
_MEDIA_BYTES = 120


def stun(kind: int, transaction: bytes, *attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("!HH", code, len(data)) + data + bytes(-len(data) % 4) for code, data in attributes)
    return struct.pack("!HH", kind, len(body)) + COOKIE + transaction + body


def media(sequence: int, source: int, kind: int = 120) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, sequence * 960 & 0xFFFFFFFF, source) + os.urandom(
        _MEDIA_BYTES
    )


def reply(message: bytes, port: int, peer: tuple) -> bytes | None:
    """What a relay answers."""
    if message[4:8] == COOKIE and message[0] < 0x40:
        kind, transaction = struct.unpack_from("!H", message)[0], message[8:20]
        mapped = (_MAPPED, struct.pack("!BBH", 0, 1, peer[1] ^ 0x2112) + os.urandom(4))
        if kind == _ALLOCATE and port == STUN_PORTS["telegram"]:
            return stun(
                0x0113,
                transaction,
                (_ERROR, b"\0\0\4\1Unauthorized"),
                (_REALM, b"telegram.org"),
                (_NONCE, os.urandom(16)),
            )
        if kind == _ALLOCATE and struct.pack("!H", _TRANSPORT) in message[20:24]:
            return stun(0x0103, transaction, mapped, (0x4002, os.urandom(12)))
        if kind == _ALLOCATE:
            return stun(
                0x0113,
                transaction,
                (_ERROR, b"\0\0\4\1Unauthorized"),
                (_REALM, b"signal.org"),
                (_NONCE, os.urandom(16)),
            )
        if kind in (0x0801, 0x0804):
            return stun(kind + 1, transaction)
        return stun(0x0101, transaction, mapped) if kind == _BINDING else None
    if message[16:28] == b"\xff" * 12:  # Telegram's reflector: the tag comes back
        return message[:28] + struct.pack("!I", 2) + os.urandom(16)
    if message[:4] == b"\0\1\0F" and len(message) == 74:  # Discord's address discovery
        return b"\0\2\0F" + message[4:]
    if message[0] & 0xC0 == 0x80:  # the other person's voice
        return (
            message[:8]
            + struct.pack("!I", ~struct.unpack_from("!I", message, 8)[0] & 0xFFFFFFFF)
            + os.urandom(len(message) - 12)
        )
    return None


class Caller:
    """One call: the relays are tried side by side, the first in the list that answers carries the media."""

    def __init__(self, service: str, relays: list[str], dice: random.Random, source: str | None):
        self.service, self.relays, self.dice, self.source = service, relays, dice, source
        self.answered: dict[str, socket.socket] = {}

    def talk(self, seconds: float, patience: float, with_media: bool) -> None:
        """Set up for at most `patience`, then talk for so many seconds."""
        asking = [threading.Thread(target=self._ask, args=(relay, patience)) for relay in self.relays]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        if with_media and self.answered:
            self._speak(self.answered[min(self.answered, key=self.relays.index)], seconds)

    def _open(self, relay: str) -> socket.socket:
        connection = socket.socket(socket.AF_INET6 if ":" in relay else socket.AF_INET, socket.SOCK_DGRAM)
        ports.bind(connection, self.source)
        connection.connect((relay, STUN_PORTS[self.service]))
        connection.settimeout(0.5)
        return connection

    def _ask(self, relay: str, patience: float) -> None:
        connection = self._open(relay)
        first, every = self._opening()
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                connection.send(first)
                connection.settimeout(every)
                connection.recv(2048)
            except OSError:
                time.sleep(0.05)
                every = min(every * (1 if self.service == "reflector" else 2), 2.0)
                continue
            self.answered[relay] = connection
            return

    def _opening(self) -> tuple[bytes, float]:
        """The first message and how soon it is sent again."""
        number = self.dice.randbytes(12)
        if self.service == "whatsapp":
            return stun(_ALLOCATE, number, (_TRANSPORT, self.dice.randbytes(20)), (0x4001, self.dice.randbytes(4))), 0.4
        if self.service == "reflector":
            return self.dice.randbytes(16) + b"\xff" * 12 + b"\xfe\xff\xff\xff" + self.dice.randbytes(8), 0.5
        if self.service == "discord":
            return b"\0\1\0F" + self.dice.randbytes(4) + bytes(66), 0.5
        if self.service == "google":
            return stun(_BINDING, number), 0.5
        return stun(_ALLOCATE, number, (_REQUESTED, b"\x11\0\0\0")), 0.5

    def _speak(self, connection: socket.socket, seconds: float) -> None:
        """A packet every 20 ms, a keep-alive every two seconds; whatever comes is taken in."""
        connection.setblocking(False)
        source, began = self.dice.randrange(1 << 32), time.monotonic()
        for sequence in range(int(seconds / _FRAME)):
            try:
                connection.send(media(sequence, source))
                if sequence % 100 == 99 and self.service == "whatsapp":
                    connection.send(stun(0x0801, self.dice.randbytes(12)))
                while connection.recv(2048):
                    pass
            except OSError:
                pass
            time.sleep(max(0.0, began + (sequence + 1) * _FRAME - time.monotonic()))
