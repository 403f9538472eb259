"""The pcapng format (draft-ietf-opsawg-pcapng): blocks in sections, each section with its own byte order and interfaces."""

from __future__ import annotations

import numpy as np

from analyzer import limits
from analyzer.errors import CaptureError
from analyzer.sources import pcapng_blocks
from analyzer.sources.recording import CUT, Recording
from analyzer.sources.source import ByteOrder
from analyzer.sources.walk import (
    CUSTOM,
    DAMAGED,
    ENHANCED_PACKET,
    INCOMPLETE,
    INTERFACE,
    OTHER,
    PACKET,
    PROCESS,
    PROCESS_KEY,
    SECTION_HEADER,
    SIMPLE_PACKET,
    STATISTICS,
    Apps,
    Clocks,
    walk_pcapng,
)

_BYTE_ORDER = b"\x1a\x2b\x3c\x4d"  # as a big-endian machine writes it
_VERSIONS = ((1, 0), (1, 2))  # the second is the first, by a program that took new block types for a new version
_SMALLEST = {
    PROCESS: 16,
    SECTION_HEADER: 28,
    INTERFACE: 20,
    PACKET: 32,
    SIMPLE_PACKET: 16,
    STATISTICS: 24,
    ENHANCED_PACKET: 32,
}
_SMALLEST_BLOCK = 12
_MAX_INTERFACES = 1 << 14  # in a file; phones have dozens, a damaged or hostile file any number
_MAX_COMMENTS = 256
_MAX_APPS = 1 << 12  # named in a section; a phone has some hundreds


class Pcapng(Recording):
    """A pcapng capture."""

    @staticmethod
    def recognises(head: bytes) -> bool:
        return head == SECTION_HEADER.to_bytes(4, "big")

    def _read_header(self) -> None:
        self.info.format = "pcapng"
        self._order: ByteOrder = "little"
        self._known = self._base = 0  # interfaces of this section, and of those before it
        self._drops: dict[int, int] = {}
        self._clocks = Clocks(*(np.zeros(_MAX_INTERFACES, dtype) for dtype in (np.int64,) * 4 + (np.int32,)))
        self._apps = Apps(*(np.zeros(_MAX_APPS, np.int64) for _ in Apps._fields))
        self._named = self._processes = 0  # apps of this section, and how many of them are processes
        self._wrong: str | None = None
        window = self._window
        window.fill_to(12)
        why = self._other_block()
        if why == INCOMPLETE and window.end >= 12 and window.fill_to(self._length()):
            why = self._other_block()
        if why == INCOMPLETE:
            raise CaptureError("the file ends before its header does", window.end)
        if why == DAMAGED:
            raise CaptureError(self._damage(), window.offset)

    def _walk(self, count: int) -> tuple[int, int]:
        window = self._window
        while True:
            count, window.at, self._number, why = walk_pcapng(
                self._columns,
                self._clocks,
                self._apps,
                self._known,
                self._named,
                self._base,
                count,
                window.at,
                window.end,
                self._order == "big",
                limits.MAX_FRAME_BYTES,
                window.capacity,
                self._number,
            )
            if why == OTHER and self._length() > window.capacity and self._kind() not in _SMALLEST:
                return (count, OTHER) if count else (0, self._skip_block())  # skipping moves the window on
            if why == OTHER:
                why = self._other_block()
            if why != OTHER:
                return count, why

    def _other_block(self) -> int:
        """Read the block at the window's `at`, which holds no frame. OTHER: it is done."""
        window = self._window
        here = window.end - window.at
        if here < 12:
            return INCOMPLETE
        kind = self._kind()
        if kind == SECTION_HEADER:
            magic = window.head(12)[8:]
            if magic not in (_BYTE_ORDER, _BYTE_ORDER[::-1]):
                return self._is_wrong(f"a section whose byte-order magic is {magic.hex(' ')}: the file is damaged")
            self._order = "big" if magic == _BYTE_ORDER else "little"
        length = self._length()
        if length < _SMALLEST.get(kind, _SMALLEST_BLOCK) or length > window.capacity:
            return self._is_wrong(f"a block of {length} bytes: the file is damaged")
        if here < length:
            return INCOMPLETE
        body = window.data[window.at + 8 : window.at + length - 4].tobytes()
        if not self._ends_well(window.at + length - 4, length):
            return DAMAGED
        if kind == SECTION_HEADER:
            self._section(body)
        elif kind == INTERFACE:
            self._interface(body)
        elif kind == STATISTICS:
            self._statistics(body)
        elif kind == PROCESS:
            self._app(PROCESS_KEY + self._processes, pcapng_blocks.process(body, self._order))
            self._processes += 1
        else:
            if kind == CUSTOM:
                self._app(*pcapng_blocks.user_map(body, self._order))
            self._number += 1
            self.info.other_records += 1
        if self._wrong:
            return DAMAGED
        window.at += length
        return OTHER

    def _skip_block(self) -> int:
        """Go past a block that is larger than the window: decryption secrets, names, or nothing that is known."""
        window, start, length = self._window, self._window.offset, self._length()
        if not (window.skip(length - 4) and window.fill_to(4)):
            return self._cut(start)
        if not self._ends_well(window.at, length):
            return DAMAGED
        window.at += 4
        return OTHER

    def _section(self, body: bytes) -> None:
        version = (int.from_bytes(body[4:6], self._order), int.from_bytes(body[6:8], self._order))
        if version not in _VERSIONS:
            self._is_wrong("a section of pcapng version {}.{}, which is unknown".format(*version))
            return
        self._base += self._known
        self._known = self._named = self._processes = 0
        found, info = pcapng_blocks.section(body[16:], self._order), self.info
        info.comments.extend(found.comments[: _MAX_COMMENTS - len(info.comments)])
        info.hardware = info.hardware or found.hardware
        info.os = info.os or found.os
        info.application = info.application or found.application

    def _interface(self, body: bytes) -> None:
        found, clock = pcapng_blocks.interface(body, self._order)
        if clock is None:
            self._is_wrong("an interface whose unit of time is too small to count in")
        elif len(self.info.interfaces) == _MAX_INTERFACES:
            self._is_wrong(f"more than {_MAX_INTERFACES} interfaces")
        else:
            for column, value in zip(self._clocks, (*clock, found.snaplen, found.link), strict=True):
                column[self._known] = value
            self._known += 1
            self.info.interfaces.append(found)

    def _app(self, key: int, name: str | None) -> None:
        """From here on, packets may say that they belong to an app by `key`."""
        if not name or self._named == _MAX_APPS:
            return
        if not len(self._columns.app):
            self._columns = self._columns._replace(app=np.full(len(self._columns.ts), -1, np.int32))
        self._apps.key[self._named], self._apps.place[self._named] = key, len(self.info.apps)
        self._named += 1
        self.info.apps.append(name)

    def _statistics(self, body: bytes) -> None:
        interface, lost = pcapng_blocks.drops(body, self._order)
        if lost is not None and interface < self._known:
            self._drops[self._base + interface] = lost  # counted from the beginning: the last word stands
            self.info.kernel_drops = sum(self._drops.values())

    def _ends_well(self, at: int, length: int) -> bool:
        """Whether the length that a block repeats at its end is the one it began with."""
        again = _whole_words(self._word(at))
        if again != length:
            self._is_wrong(f"a block of {length} bytes that says at its end that it has {again}: the file is damaged")
        return again == length

    def _is_wrong(self, why: str) -> int:
        self._wrong = why
        return DAMAGED

    def _cut(self, at: int) -> int:
        self.info.cut_at_byte, self.info.cut_why = at, self._stream.failed or CUT
        return INCOMPLETE

    def _damage(self) -> str:
        if self._wrong:
            return self._wrong
        kind, length, at = self._kind(), self._length(), self._window.at
        if not _SMALLEST.get(kind, _SMALLEST_BLOCK) <= length <= self._window.capacity:
            return f"a block of {length} bytes: the file is damaged"
        if not self._ends_well(at + length - 4, length):
            return str(self._wrong)
        if kind == SIMPLE_PACKET:
            interface, caplen = 0, self._word(at + 8)
        else:
            interface = self._word(at + 8) if kind == ENHANCED_PACKET else self._word(at + 8, 2)
            caplen = self._word(at + 20)
        if interface >= self._known:
            return f"a packet from interface {interface}, which is not described before it: the file is damaged"
        return f"a packet of {caplen} bytes in a block of {length}: the file is damaged"

    def _kind(self) -> int:
        return self._word(self._window.at)

    def _length(self) -> int:
        return _whole_words(self._word(self._window.at + 4))

    def _word(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self._window.data[at : at + size], self._order)


def _whole_words(length: int) -> int:
    """Lengths should be multiples of 4; where a writer forgot, the block takes up as much all the same."""
    return (length + 3) // 4 * 4
