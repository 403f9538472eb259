"""Heads whole and byte by byte; the host is known with its last byte, the response with its blank line."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.wire import NEVER, NOT_YET, Parse
from analyzer.wire.http import MAX_BODY, Request, Response, host_of, parse_request, parse_response

GET = b"GET /a?b HTTP/1.1\r\nUser-Agent: x\r\nhost:  web.example.org:8080 \r\nCookie: "
PAGE = (
    b"HTTP/1.1 403 Not  here\r\nServer: Box/1\r\nContent-Length: 120\r\nLocation: http://block.example/\r\n"
    b"Connection: close\r\nContent-Type: text/html\r\nX: y\r\n\r\n<html><TITLE id=1>\n Access\n denied </title>rest"
)


def test_a_request_is_known_with_its_host():
    line_end = GET.index(b"\r\nCookie") + 2
    assert {parse_request(GET[:n]) for n in range(line_end)} == {NOT_YET}
    found = parse_request(GET[:line_end])
    assert isinstance(found, Request)
    assert (found.method, found.target, found.host) == ("GET", "/a?b", "web.example.org:8080")
    assert GET[: found.host_end].endswith(b":8080")
    assert parse_request(GET + b"x" * 9000) == found


@pytest.mark.parametrize(
    ("stream", "host"),
    [
        (b"GET http://a.example/x HTTP/1.1\r\nHost: other.example\r\n", "a.example"),
        (b"GET http://user@a.example:81/x HTTP/1.0\r\n", "a.example:81"),
        (b"CONNECT a.example:443 HTTP/1.1\r\n", "a.example:443"),
        (b"GET / HTTP/1.1\nHost:a.example\n", "a.example"),
        (b"GET / HTTP/1.1\r\nHost: \x1b[2J\r\n", "\\x1b[2J"),
        (b"GET / HTTP/1.0\r\nAccept: */*\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\n: odd\r\nHost:\r\n\r\n", None),
    ],
)
def test_hosts(stream, host):
    found = parse_request(stream)
    assert isinstance(found, Request)
    assert found.host == host
    if host and found.host_end:
        assert parse_request(stream[: found.host_end]) is NOT_YET


@pytest.mark.parametrize(
    "stream",
    [b"get / HTTP/1.1\r\n", b"SSH-2.0-x\r\n", b"\x16\3\1", b"GET /\r\n", b"REGISTER sip:x SIP/2.0\r\n", b"A" * 17,
     b"GET /" + b"x" * 9000],
)  # fmt: skip
def test_request_never(stream):
    assert parse_request(stream) is NEVER


def test_a_response_is_known_with_its_head():
    head = PAGE.index(b"<html>")
    assert {parse_response(PAGE[:n]) for n in range(head)} == {NOT_YET}
    found = parse_response(PAGE)
    assert isinstance(found, Response)
    assert (found.status, found.reason, found.location) == (403, "Not  here", "http://block.example/")
    assert (found.server, found.content_length, found.connection) == ("Box/1", 120, "close")
    assert (found.content_type, found.title, found.body_at) == ("text/html", "Access denied", head)
    assert found.body == PAGE[head:]


def test_bodies_are_bounded():
    found = parse_response(b"HTTP/1.0 200\n\n" + b"<title>" * 90_000)
    assert isinstance(found, Response)
    assert (found.status, found.reason, len(found.body), found.title) == (200, "", MAX_BODY, None)


def test_interim_responses_are_passed_over():
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert parse_response(interim) is NOT_YET
    found = parse_response(interim * 2 + PAGE)
    assert isinstance(found, Response)
    assert found.status == 403
    assert parse_response(interim * 9) is NEVER


@pytest.mark.parametrize(
    "stream", [b"<html>", b"HTTP/2 200\r\n", b"HTTP/1.1 2xx\r\n", b"HTTP/1.1 2000\r\n", b"\x15\3\3"]
)
def test_response_never(stream):
    assert parse_response(stream) is NEVER


def test_endless_heads_end():
    assert parse_response(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000) is NEVER
    assert parse_request(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000) is NEVER


@pytest.mark.parametrize(
    "stream",
    [b"HTTP/1.1 200" + b" " * 8000 + b"x\n\n", b"GET " + b" " * 8000 + b"\n\n", b"GET / HTTP/1.1" + b" \t" * 4000 + b"x\n\n",
     b"HTTP/1.1 200 OK\n\n" + b"<title " * 5000, b"HTTP/1.1 200 OK\n\n" + b"<title>" * 5000],
)  # fmt: skip
def test_no_line_takes_long(stream):
    started = time.perf_counter()
    parse_request(stream)
    parse_response(stream)
    assert time.perf_counter() - started < 0.2


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\n\n"]),
)
def test_any_bytes_are_an_answer(tail, head):
    assert isinstance(parse_request(head + tail), (Request, Parse))
    assert isinstance(parse_response(head + tail), (Response, Parse))


@given(st.lists(st.tuples(st.integers(0, len(PAGE) - 1), st.integers(0, 255)), max_size=5))
def test_a_mutated_response_is_an_answer(changes):
    stream = bytearray(PAGE)
    for at, value in changes:
        stream[at] = value
    assert isinstance(parse_response(bytes(stream)), (Response, Parse))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://blocked.example/x?u=http://a.example", "blocked.example"), ("https://u@a.example:8443/", "a.example:8443"),
        ("//cdn.example/y", "cdn.example"), ("/path", None), ("next?u=http://a.example", None), ("", None), ("mailto:a", None),
    ],
)  # fmt: skip
def test_where_a_url_leads(url, host):
    assert host_of(url) == host
