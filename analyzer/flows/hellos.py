"""The quick way through ordinary ClientHellos: name, and a key for all that JA4 and ALPN are made of.

Of a million flows nearly all begin with a hello, and nearly all hellos are of a few hundred kinds. This kernel finds the
server name of a whole batch, and hashes what the fingerprint depends on, so that `wire.client_hello` need only read
the first hello of a kind. Whatever is not a whole, plain hello in one record is left to it altogether.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np

from analyzer.decode.link import word
from analyzer.kernels import kernel
from analyzer.wire.client_hello import MAX_SESSION_ID, ClientHello, parse_client_hello
from analyzer.wire.tls import MAX_PLAINTEXT

FOUND, _NAME_AT, _NAME_LEN, _FIRST, _SECOND = 0, 1, 2, 3, 4  # columns; the key is two numbers of 32 bits
_WIDTH = 5
_SERVER_NAME, _SIG_ALGS, _ALPN, _VERSIONS = 0, 13, 16, 43
_CIPHERS, _TYPES = 1, 2  # salts: a number means something else as a cipher than as an extension
_MOST_KINDS = 1 << 12  # remembered; a hostile capture has any number


class Hello(NamedTuple):
    """What the flows table takes from a hello."""

    name: bytes | None  # as it came
    alpn: str | None
    ja4: str


class Hellos:
    """Reads the hellos of batches, and remembers the kinds that it has seen."""

    def __init__(self) -> None:
        self._key = secrets.randbits(31)  # a capture's author must not know which hellos fall together
        self._kinds: dict[tuple[int, int], tuple[str | None, str]] = {}

    def read(self, data: np.ndarray, begin: np.ndarray, end: np.ndarray) -> list[tuple[int, ...]]:
        """Of each stream data[begin:end]: whether it starts with a plain hello, where in it the name stands, and its key."""
        found = np.zeros(len(begin) * _WIDTH, np.int64)
        read_hellos(data, begin, end, len(begin), self._key, found)
        return list(map(tuple, found.reshape(-1, _WIDTH).tolist()))

    def hello(self, found: tuple[int, ...], stream: bytes) -> Hello:
        """The hello at the start of a stream, by what `read` found there."""
        _, at, size, *key = found
        kind = self._kinds.get((key[0], key[1]))
        if kind is None:
            hello = parse_client_hello(stream)
            assert isinstance(hello, ClientHello)
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            kind = self._kinds[key[0], key[1]] = (",".join(hello.alpn) or None, hello.ja4)
        return Hello(stream[at : at + size] if size else None, *kind)


@kernel
def mixed(h, number):
    """A 32-bit hash of a hash and a number, inside 64-bit arithmetic."""
    h = (((h ^ number) * 0x5851F42D) >> 15) & 0xFFFFFFFF
    return ((h ^ (h >> 13)) * 0x2545F491 >> 11) & 0xFFFFFFFF


@kernel
def is_grease(number):
    """RFC 8701: 0x0A0A, 0x1A1A, ... 0xFAFA."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


@kernel
def numbers_key(data, at, end, h, in_order):
    """A hash of the 16-bit numbers in data[at:end] without GREASE; as a set unless `in_order`."""
    total = 0
    for position in range(at, end - 1, 2):
        number = word(data, position)
        if not is_grease(number):
            if in_order:
                h = mixed(h, number)
            else:
                total += mixed(h, number)
    return h if in_order else total & 0xFFFFFFFF


@kernel
def body_key(data, kind, at, end, h):
    """A hash of the body of an extension, as far as the fingerprint or the ALPN depends on it; 0 for the others."""
    if kind == _SIG_ALGS:
        return numbers_key(data, at + 2, min(end, at + 2 + word(data, at)), h, True) if at + 2 <= end else 0
    if kind == _VERSIONS:
        return numbers_key(data, at + 1, min(end, at + 1 + data[at]), h, True) if at < end else 0
    if kind == _ALPN:
        for position in range(at, end):
            h = mixed(h, data[position])
        return h
    return 0


@kernel
def read_hello(data, at, end, key, out, o):
    """Read the hello in data[at:end] into out[o:]; leaves FOUND at 0 where `client_hello` has to look at it."""
    if (
        at + 53 > end
        or data[at] != 22
        or data[at + 1] != 3
        or data[at + 2] > 4
        or data[at + 5] != 1
        or data[at + 9] != 3
    ):
        return
    limit = at + 5 + word(data, at + 3)
    if limit > end or limit > at + 5 + MAX_PLAINTEXT or data[at + 43] > MAX_SESSION_ID:
        return
    if limit != at + 9 + data[at + 6] * 0x10000 + word(data, at + 7):
        return
    position = at + 44 + data[at + 43]
    if position + 2 > limit:
        return
    size = word(data, position)
    position += 2
    if size & 1 or position + size >= limit:
        return
    first = mixed(key, word(data, at + 9))
    second = mixed(key ^ 0x3C6EF372, word(data, at + 9))
    first += numbers_key(data, position, position + size, mixed(first, _CIPHERS), False)
    second += numbers_key(data, position, position + size, mixed(second, _CIPHERS), False)
    position += size + 1 + data[position + size]
    if position + 2 > limit or position + 2 + word(data, position) != limit:
        return
    position += 2
    salt, other_salt = mixed(key, _TYPES), mixed(key ^ 0x3C6EF372, _TYPES)
    seen = 0
    while position + 4 <= limit:
        kind = word(data, position)
        start = position + 4
        position = start + word(data, position + 2)
        if position > limit:
            return
        if is_grease(kind):
            continue
        first += mixed(salt, kind)
        second += mixed(other_salt, kind)
        if kind < 64:
            if seen >> kind & 1:
                return  # twice, which RFC 8446 §4.2 forbids
            seen |= 1 << kind
        first += body_key(data, kind, start, position, mixed(salt, kind ^ 0x10000))
        second += body_key(data, kind, start, position, mixed(other_salt, kind ^ 0x10000))
        if kind == _SERVER_NAME and start + 5 <= position and data[start + 2] == 0:
            size = word(data, start + 3)
            if size > 0 and start + 5 + size <= position:
                out[o + _NAME_AT] = start + 5 - at
                out[o + _NAME_LEN] = size
    if position != limit:
        return
    out[o + _FIRST] = first & 0xFFFFFFFF
    out[o + _SECOND] = second & 0xFFFFFFFF
    out[o + FOUND] = 1


@kernel
def read_hellos(data, begin, end, n, key, out):
    """Read `n` streams."""
    for i in range(n):
        read_hello(data, begin[i], end[i], key, out, i * _WIDTH)
