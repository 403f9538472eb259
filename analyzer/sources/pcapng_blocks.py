"""Blocks of pcapng that hold no frames but say something about them: section, interface, statistics; and their options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from analyzer.sources.source import ByteOrder, Interface
from analyzer.sources.walk import BINARY, PARTS, TIMES

_END, _COMMENT = 0, 1
_HARDWARE, _OS, _APPLICATION = 2, 3, 4
_NAME, _DESCRIPTION, _RESOLUTION, _FILTER, _OFFSET = 2, 3, 9, 11, 14
_DROPPED_BY_INTERFACE, _DROPPED_BY_OS = 5, 7
_PROCESS_NAME = 2
_PCAPDROID, _USER_MAP, _USER_MAP_BYTES = (
    62652,
    1,
    14,
)  # private enterprise number; type of block; bytes before the names
_MICROSECONDS = 6
_MAX_DECIMAL, _MAX_BINARY = 19, 63  # finer units do not fit 64 bits even for one second
_MAX_OFFSET_S = 4_600_000_000  # past the year 2115, and inside 2^62 nanoseconds
_MAX_TEXT = 4096  # bytes of a comment or a filter that are kept


class Section(NamedTuple):
    comments: list[str]
    hardware: str | None
    os: str | None
    application: str | None


class Clock(NamedTuple):
    """How time stamps of an interface become nanoseconds; see `walk.Clocks`."""

    kind: int
    factor: int
    offset: int


def options(body: bytes, order: ByteOrder) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option; ends quietly where they make no sense any more."""
    at = 0
    while at + 4 <= len(body):
        code, size = int.from_bytes(body[at : at + 2], order), int.from_bytes(body[at + 2 : at + 4], order)
        if code == _END or at + 4 + size > len(body):
            return
        yield code, body[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def section(body: bytes, order: ByteOrder) -> Section:
    """From the options of a section header."""
    found: dict[int, str] = {}
    comments = []
    for code, value in options(body, order):
        if code == _COMMENT:
            comments.append(_text(value))
        elif code in (_HARDWARE, _OS, _APPLICATION):
            found.setdefault(code, _text(value))
    return Section(comments, found.get(_HARDWARE), found.get(_OS), found.get(_APPLICATION))


def interface(body: bytes, order: ByteOrder) -> tuple[Interface, Clock | None]:
    """From the body of an interface description; no clock if its unit is too fine to count in."""
    link, snaplen = int.from_bytes(body[:2], order), int.from_bytes(body[4:8], order)
    texts: dict[int, str] = {}
    resolution, offset = _MICROSECONDS, 0
    for code, value in options(body[8:], order):
        if code in (_NAME, _DESCRIPTION):
            texts.setdefault(code, _text(value))
        elif code == _FILTER and value[:1] == b"\0":  # 0: as text
            texts.setdefault(code, _text(value[1:]))
        elif code == _RESOLUTION and value:
            resolution = value[0]
        elif code == _OFFSET and len(value) == 8:
            offset = int.from_bytes(value, order, signed=True)
    found = Interface(link, texts.get(_NAME), texts.get(_DESCRIPTION), texts.get(_FILTER), snaplen)
    return found, clock(resolution, offset)


def clock(resolution: int, offset: int) -> Clock | None:
    """`if_tsresol` and `if_tsoffset` (seconds) as arithmetic in nanoseconds."""
    shift = max(-_MAX_OFFSET_S, min(offset, _MAX_OFFSET_S)) * 10**9
    exponent = resolution & 0x7F
    if resolution & 0x80:
        return Clock(BINARY, exponent, shift) if exponent <= _MAX_BINARY else None
    if exponent > _MAX_DECIMAL:
        return None
    return Clock(TIMES, 10 ** (9 - exponent), shift) if exponent <= 9 else Clock(PARTS, 10 ** (exponent - 9), shift)


def drops(body: bytes, order: ByteOrder) -> tuple[int, int | None]:
    """(interface, packets lost since the capture began or None) of interface statistics."""
    found = {
        code: int.from_bytes(value, order)
        for code, value in options(body[12:], order)
        if code in (_DROPPED_BY_INTERFACE, _DROPPED_BY_OS) and len(value) == 8
    }
    return int.from_bytes(body[:4], order), sum(found.values()) if found else None


def process(body: bytes, order: ByteOrder) -> str | None:
    """Name of a process, from Apple's block about it: its number, then options."""
    return next((_text(value) for code, value in options(body[4:], order) if code == _PROCESS_NAME), None)


def user_map(body: bytes, order: ByteOrder) -> tuple[int, str | None]:
    """(user id, name of the app that runs under it) from PCAPdroid's custom block; no name in anybody else's.

    Behind the enterprise number: version, 16 bits; type and padding, 8 each; user id, 32; then the lengths of the
    package's and the app's name, 8 each, and both (pcap_dump.c).
    """
    number, version = int.from_bytes(body[:4], order), int.from_bytes(body[4:6], order)
    if len(body) < _USER_MAP_BYTES or (number, version, body[6]) != (_PCAPDROID, 1, _USER_MAP):
        return -1, None
    package, name = _USER_MAP_BYTES + body[12], _USER_MAP_BYTES + body[12] + body[13]
    texts = _text(body[package:name]), _text(body[_USER_MAP_BYTES:package])
    return int.from_bytes(body[8:12], order), texts[0] or texts[1] or None


def _text(value: bytes) -> str:
    return value[:_MAX_TEXT].decode("utf-8", "replace").rstrip("\0")
