"""Captures inside gzip (RFC 1952), zstd (RFC 8878), xz, bzip2 or lz4, recognised by their first bytes.

Decompressors are driven in small bounded steps: a bomb costs no memory, and when damaged data make one fail, what was
before the damage has already been handed on.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from analyzer import limits
from analyzer.errors import CaptureError
from analyzer.sources.input import Input

_INPUT_BYTES = 1 << 16
_STEP_BYTES = 1 << 16  # decompressed at a time, and so the most that damage can take along
_XZ_MEMORY = 1 << 28  # `xz -9` needs 65 MiB to decompress; a header can ask for 4 GiB
_SKIPPABLE = tuple(bytes([0x50 + i, 0x2A, 0x4D, 0x18]) for i in range(16))  # frames of zstd and lz4 that hold no data


class Expanded:
    """The decompressed bytes of an input: all members (streams, frames) of it, one after the other."""

    def __init__(self, source: Input, name: str, decoder: Callable, error: type[Exception], magics: tuple[bytes, ...]):
        self.name = name
        self.failed: str | None = None
        self._source = source
        self._make = decoder
        self._error = error
        self._magics = magics
        self._decoder = decoder()
        self._pending = b""
        self._total = 0

    def readinto(self, view: memoryview) -> int:
        """Fill the front of `view`; 0 at the end, with `failed` set if that was not the end of the data."""
        while self.failed is None:
            if self._total >= limits.MAX_EXPANSION:
                self.failed = f"it expands to more than {limits.MAX_EXPANSION} bytes"
                return 0
            if self._decoder.eof and not self._next_member():
                return 0
            if not self._pending and self._decoder.needs_input:
                self._pending = self._source.read(_INPUT_BYTES)
                if not self._pending:
                    self.failed = self._source.failed or f"the {self.name} data end early"
                    return 0
            given, self._pending = self._pending, b""
            room = min(len(view), _STEP_BYTES, limits.MAX_EXPANSION - self._total)
            try:
                data = self._decoder.decompress(given, room)
            except self._error as error:
                data = getattr(error, "salvaged", b"")
                self.failed = f"the {self.name} data are damaged ({error})"
            view[: len(data)] = data
            self._total += len(data)
            if data:
                return len(data)
        return 0

    def _next_member(self) -> bool:
        rest = self._decoder.unused_data or b""
        while True:
            rest = rest.lstrip(b"\0")  # padding: tapes, and xz itself
            if len(rest) >= 4:
                break
            more = self._source.read(_INPUT_BYTES)
            if not more:
                break
            rest += more
        if not rest:
            self.failed = self._source.failed
            return False
        if not rest.startswith(self._magics):
            self.failed = f"what follows the {self.name} data is something else"
            return False
        self._decoder, self._pending = self._make(), rest
        return True


class _Gzip:
    """zlib's decompressor with the manners of the others; what it had done when it failed is `salvaged`."""

    def __init__(self):
        self._inflate = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, room: int) -> bytes:
        data = self._inflate.unconsumed_tail + data
        before = self._inflate.copy()
        try:
            out = self._inflate.decompress(data, room)
        except zlib.error as error:
            error.salvaged = _until_it_fails(before, data)  # type: ignore[attr-defined]
            raise
        self.needs_input = not self._inflate.unconsumed_tail and len(out) < room
        return out


def _until_it_fails(inflate: Any, data: bytes) -> bytes:
    """What a decompressor gives for as many bytes as it takes, one by one."""
    out = bytearray()
    try:
        for at in range(len(data)):
            out += inflate.decompress(data[at : at + 1])
    except zlib.error:
        pass
    return bytes(out)


def _zstd():
    try:
        module = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise CaptureError("it is compressed with zstd; install backports.zstd, or unpack it first") from None
    return module.ZstdDecompressor, module.ZstdError


def _lz4():
    try:
        return import_module("lz4.frame").LZ4FrameDecompressor, RuntimeError
    except ImportError:
        raise CaptureError("it is compressed with lz4; install the lz4 package, or unpack it first") from None


def _xz():
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_Decoder = Callable[[], tuple[Callable[[], Any], type[Exception]]]
# name, how a first member begins, how further ones may, how to get a decoder and its error
_FORMATS: tuple[tuple[str, tuple[bytes, ...], tuple[bytes, ...], _Decoder], ...] = (
    ("gzip", (b"\x1f\x8b\x08",), (), lambda: (_Gzip, zlib.error)),
    ("zstd", (b"\x28\xb5\x2f\xfd",), _SKIPPABLE, _zstd),
    ("xz", (b"\xfd7zX",), (), lambda: (_xz, lzma.LZMAError)),
    ("bzip2", tuple(b"BZh%d" % level for level in range(1, 10)), (), lambda: (bz2.BZ2Decompressor, OSError)),
    ("lz4", (b"\x04\x22\x4d\x18",), _SKIPPABLE, _lz4),
)


def compression_of(head: bytes) -> str | None:
    """The name of the compression that begins like this."""
    return next((name for name, magics, *_ in _FORMATS if head.startswith(magics)), None)


def expanded(source: Input) -> tuple[Input | Expanded, str | None]:
    """The stream of a capture's own bytes, and the name of the compression it came out of."""
    head = source.head(4)
    for name, first, further, decoder in _FORMATS:
        if head.startswith(first):
            make, error = decoder()
            return Expanded(source, name, make, error, first + further), name
    return source, None
