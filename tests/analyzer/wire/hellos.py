"""ClientHellos, records, and sealed QUIC Initials, built by hand and by aioquic: nothing here reads what it tests."""

import struct
from collections.abc import Iterable

from aioquic.buffer import Buffer, encode_uint_var
from aioquic.quic.crypto import CryptoPair

# Chrome 117, as in JA4's own documentation: ciphers and extensions in the order sent, GREASE put where Chrome puts it.
CHROME_CIPHERS = (
    0x1A1A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
    0x002F, 0x0035,
)  # fmt: skip
CHROME_ORDER = (
    0x2A2A, 0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01,
    0x000B, 0x000A, 0x3A3A, 0x0015,
)  # fmt: skip
CHROME_SIG_ALGS = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
CHROME_JA4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"


def vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def numbers(values: Iterable[int]) -> bytes:
    return b"".join(struct.pack(">H", value) for value in values)


def server_name(name: bytes) -> tuple[int, bytes]:
    return 0, vector(b"\0" + vector(name, 2), 2)


def hello(
    extensions: Iterable[tuple[int, bytes]] = (), ciphers: Iterable[int] = (0x1301,), session_id: bytes = b""
) -> bytes:
    """A handshake message."""
    body = b"\3\3" + bytes(range(32)) + vector(session_id, 1) + vector(numbers(ciphers), 2) + b"\1\0"
    body += vector(b"".join(struct.pack(">H", kind) + vector(data, 2) for kind, data in extensions), 2)
    return b"\1" + vector(body, 3)


def chrome(name: bytes = b"web.whatsapp.com", share: int = 32) -> bytes:
    """A hello as Chrome sends it; with a share of 1216 bytes, the post-quantum one."""
    bodies = {
        0x0000: server_name(name)[1],
        0x000A: vector(numbers((0x4A4A, 29, 23, 24)), 2),
        0x000B: b"\1\0",
        0x000D: vector(numbers(CHROME_SIG_ALGS), 2),
        0x0010: vector(b"\2h2\x08http/1.1", 2),
        0x002B: vector(numbers((0x5A5A, 0x0304, 0x0303)), 1),
        0x0033: vector(numbers((29, share)) + bytes(share), 2),
        0x0015: bytes(40),
    }
    return hello(((kind, bodies.get(kind, b"")) for kind in CHROME_ORDER), CHROME_CIPHERS)


def records(message: bytes, size: int = 1 << 14, kind: int = 22) -> bytes:
    """A message laid over records of at most `size` bytes."""
    return b"".join(
        struct.pack(">BH", kind, 0x0301) + vector(message[i : i + size], 2) for i in range(0, len(message), size)
    )


def crypto(offset: int, data: bytes) -> bytes:
    """A CRYPTO frame."""
    return b"\x06" + encode_uint_var(offset) + encode_uint_var(len(data)) + data


def initial(
    frames: bytes,
    dcid: bytes,
    number: int = 0,
    *,
    keys_from: bytes | None = None,
    up: bool = True,
    version: int = 1,
    size: int = 1162,
    token: bytes = b"",
) -> bytes:
    """A sealed Initial, padded; `keys_from` where the keys follow from an earlier connection id."""
    pair = CryptoPair()
    pair.setup_initial(keys_from or dcid, is_client=up, version=version)
    payload = frames + bytes(max(0, size - len(frames)))
    first = 0xD3 if version == 0x6B3343CF else 0xC3
    header = Buffer(capacity=256)
    header.push_uint8(first)
    header.push_uint32(version)
    header.push_bytes(vector(dcid, 1) + vector(b"", 1))
    header.push_uint_var(len(token))
    header.push_bytes(token)
    header.push_uint16(0x4000 | (4 + len(payload) + 16))
    header.push_uint32(number)
    return pair.encrypt_packet(header.data, payload, number)
