"""What a middlebox reads in passing: the server name of a TLS or QUIC hello, a Host line, the name in a DNS question.

It reads as real boxes do: from the first bytes of the client, in order, without completing a handshake. Written for the laboratory
alone, so that a mistake in the analyzer's own parsers cannot hide in the truth.
"""

from __future__ import annotations

import re
import struct

from aioquic.buffer import Buffer
from aioquic.quic.crypto import CryptoError, CryptoPair
from aioquic.quic.packet import QuicPacketType, pull_quic_header

_HOST = re.compile(rb"\r\nhost: *([^\r\n]+)\r\n", re.IGNORECASE)


def tls_name(stream: bytes) -> str | None:
    """The server name of the ClientHello that a byte stream starts with, once the name is complete."""
    hello, at = b"", 0
    while len(stream) >= at + 5 and stream[at] == 22:
        size = struct.unpack_from("!H", stream, at + 3)[0]
        hello += stream[at + 5 : at + 5 + size]
        at += 5 + size
    return hello_name(hello)


def whole_hello(stream: bytes) -> bool:
    """Whether the record that a byte stream starts with is complete; what is not TLS always is."""
    return stream[:1] != b"\x16" or (len(stream) >= 5 and len(stream) >= 5 + struct.unpack_from("!H", stream, 3)[0])


def hello_name(hello: bytes) -> str | None:
    """The server name of a ClientHello handshake message of which the end may be missing."""
    try:
        if hello[0] != 1:
            return None
        at = 4 + 2 + 32
        at += 1 + hello[at]
        at += 2 + struct.unpack_from("!H", hello, at)[0]
        at += 1 + hello[at]
        end = at + 2 + struct.unpack_from("!H", hello, at)[0]
        at += 2
        while at < end:
            kind, size = struct.unpack_from("!HH", hello, at)
            if kind == 0:
                length = struct.unpack_from("!H", hello, at + 7)[0]
                name = hello[at + 9 : at + 9 + length]
                return name.decode("ascii", "replace").lower() if len(name) == length else None
            at += 4 + size
    except (IndexError, struct.error):
        pass
    return None


def http_host(stream: bytes) -> str | None:
    found = _HOST.search(stream)
    return found.group(1).decode("ascii", "replace").lower().partition(":")[0] if found else None


def dns_name(message: bytes) -> str | None:
    """The question's name."""
    labels, at = [], 12
    try:
        while size := message[at]:
            labels.append(message[at + 1 : at + 1 + size])
            at += 1 + size
    except IndexError:
        return None
    return b".".join(labels).decode("ascii", "replace").lower() if len(message) > 16 else None


def quic_crypto(datagram: bytes) -> tuple[bytes, dict[int, bytes]] | None:
    """Destination connection id and CRYPTO pieces by offset of a client's Initial (RFC 9001 section 5.2)."""
    try:
        buffer = Buffer(data=datagram)
        header = pull_quic_header(buffer)
        if header.packet_type != QuicPacketType.INITIAL:
            return None
        keys = CryptoPair()
        keys.setup_initial(header.destination_cid, is_client=False, version=header.version)
        plain = keys.decrypt_packet(datagram[: header.packet_length], buffer.tell(), 0)[1]
    except (CryptoError, ValueError, KeyError):
        return None
    return header.destination_cid, dict(_crypto_frames(plain))


def _crypto_frames(plain: bytes):
    buffer = Buffer(data=plain)
    while not buffer.eof():
        kind = buffer.pull_uint_var()
        if kind == 6:
            offset, size = buffer.pull_uint_var(), buffer.pull_uint_var()
            yield offset, buffer.pull_bytes(size)
        elif kind not in (0, 1):  # neither PADDING nor PING
            return
