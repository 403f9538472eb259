"""HTTP/1 heads (RFC 9112): the Host that a middlebox acts on, and the answer that may be its own page.

A request is known once its host is: that byte is the trigger, and long cookies after it must not hide it. A response
is known once its head is whole. Bodies are looked at only as far as a block page needs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.names import text

MAX_LINE = 8 << 10  # of a request or status line: what common servers take
MAX_HEAD = 64 << 10  # of a whole head: eight times what common servers take
MAX_TARGET = 2048  # kept of a request target or a redirect
MAX_BODY = 4 << 10  # looked at: block pages put their title first
MAX_INTERIM = 8  # 1xx responses before the real one

_REQUEST = re.compile(rb"([A-Z]{3,16}) +(\S{1,8192}) +HTTP/1\.([01])[ \t]*\r?$")
_REQUEST_START = re.compile(rb"[A-Z]{0,16}(?: .*)?$", re.DOTALL)
_STATUS = re.compile(rb"HTTP/1\.[01] +(\d{3})(?:[ \r](.*))?$", re.DOTALL)
_VERSION = b"HTTP/1."
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,15}://(?:[^/?#@]*@)?([^/?#@]+)")
_TITLE = re.compile(rb"<title[^>]{0,64}>(.{0,512}?)</title", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as its host; offsets count from the start of the stream."""

    method: str
    target: str
    host: str | None  # of an absolute target or CONNECT, else of the Host line; port included
    host_end: int | None  # of the byte after the host: with it a middlebox knows the name


@dataclass(frozen=True, slots=True)
class Response:
    """A response's head and the start of its body."""

    status: int
    reason: str
    location: str | None
    server: str | None
    content_length: int | None
    connection: str | None
    content_type: str | None
    body_at: int
    body: bytes  # at most MAX_BODY of what is there
    title: str | None


def parse_request(stream: bytes) -> Request | Parse:
    """The request at the start of a client's assembled stream, once its host or the end of its head is there."""
    line_end = stream.find(b"\n", 0, MAX_LINE)
    if line_end < 0:
        return NOT_YET if len(stream) < MAX_LINE and _REQUEST_START.match(stream) else NEVER
    line = _REQUEST.match(stream[:line_end])
    if not line:
        return NEVER
    method, target = line[1].decode(), line[2]
    authority = _AUTHORITY.match(target)
    if authority:
        return Request(method, text(target, MAX_TARGET), text(authority[1]), line.start(2) + authority.end(1))
    if method == "CONNECT":
        return Request(method, text(target, MAX_TARGET), text(target), line.end(2))
    for name, value, end in _headers(stream, line_end + 1):
        if name == b"host":
            return Request(method, text(target, MAX_TARGET), text(value) or None, end if value else None)
        if not name:
            return Request(method, text(target, MAX_TARGET), None, None)
    return NOT_YET if len(stream) < MAX_HEAD else NEVER


def parse_response(stream: bytes) -> Response | Parse:
    """The response at the start of a server's assembled stream, after any interim ones (RFC 9110 §15.2)."""
    position = 0
    for _ in range(MAX_INTERIM):
        found = _response(stream, position)
        if isinstance(found, Parse) or found.status >= 200 or found.status == 101:
            return found
        position = found.body_at
    return NEVER


def host_of(url: str) -> str | None:
    """Host and port of an absolute URL, or of one without its scheme; None where it stays on its host."""
    found = _AUTHORITY.match((url if "://" in url else f"http:{url}").encode())
    return text(found[1]) if found else None


def _response(stream: bytes, start: int) -> Response | Parse:
    line_end = stream.find(b"\n", start, start + MAX_LINE)
    if line_end < 0:
        begun = stream[start : start + len(_VERSION)]
        return NOT_YET if _VERSION.startswith(begun) and len(stream) - start < MAX_LINE else NEVER
    line = _STATUS.match(stream[start:line_end])
    if not line:
        return NEVER
    wanted: dict[bytes, bytes] = {}
    for name, value, end in _headers(stream, line_end + 1):
        if not name:
            return _finished(stream, line, wanted, end)
        wanted.setdefault(name, value)
    return NOT_YET if len(stream) < MAX_HEAD else NEVER


def _finished(stream: bytes, line: re.Match[bytes], headers: dict[bytes, bytes], at: int) -> Response:
    body = stream[at : at + MAX_BODY]
    title = _TITLE.search(body)
    length = headers.get(b"content-length", b"")
    return Response(
        status=int(line[1]),
        reason=text((line[2] or b"").strip()),
        location=_text(headers.get(b"location"), MAX_TARGET),
        server=_text(headers.get(b"server")),
        content_length=int(length) if length.isdigit() and len(length) < 19 else None,
        connection=_text(headers.get(b"connection")),
        content_type=_text(headers.get(b"content-type")),
        body_at=at,
        body=body,
        title=text(b" ".join(title[1].split())) if title else None,
    )


def _headers(stream: bytes, position: int) -> Iterator[tuple[bytes, bytes, int]]:
    """(name, value, offset after the value) of each whole line; an empty name is the end of the head."""
    while position < MAX_HEAD and (line_end := stream.find(b"\n", position, MAX_HEAD)) >= 0:
        line = stream[position:line_end].removesuffix(b"\r")
        if not line:
            yield b"", b"", line_end + 1
            return
        name, _, value = line.partition(b":")
        if name := name.strip().lower():
            yield name, value.strip(), position + len(line.rstrip())
        position = line_end + 1


def _text(value: bytes | None, limit: int = 255) -> str | None:
    return None if value is None else text(value, limit)
