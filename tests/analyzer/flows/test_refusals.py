"""Who turned whom away: clients' alerts about certificates, and servers that answer nothing but "no"."""

from __future__ import annotations

import pytest

from analyzer.flows.refusals import of_certificate, of_requests
from tests.analyzer.wire.hellos import chrome, records

HELLO = records(chrome())
CLOSE_NOTIFY = records(b"\1\0", kind=21)
ASKED = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"


def alert(level: int, description: int) -> bytes:
    return records(bytes((level, description)), kind=21)


def answer(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        (alert(2, 45), "alert certificate_expired"),
        (alert(2, 48), "alert unknown_ca"),
        (alert(2, 42) + CLOSE_NOTIFY, "alert bad_certificate"),
        (alert(1, 45), None),  # a warning ends nothing
        (alert(2, 40), None),  # not about a certificate
        (CLOSE_NOTIFY, None),
        (records(bytes(26), kind=21), None),  # encrypted
        (b"", None),
    ],
)
def test_alerts_of_clients(said: bytes, refusal: str | None):
    assert of_certificate(HELLO + said) == refusal


def test_what_only_looks_like_an_alert_is_none():
    assert of_certificate(HELLO + records(b"x" * 20 + alert(2, 45), kind=23)) is None


@pytest.mark.parametrize(
    ("asked", "said", "status", "refusal"),
    [
        (1, answer(403), 403, "http 403"),
        (1, answer(451, b"not here"), 451, "http 451"),
        (1, b"HTTP/1.1 100 Continue\r\n\r\n" + answer(403), 403, "http 403"),
        (2, answer(403) + answer(451), 403, "http 403"),
        (2, answer(403, b"no") + answer(200), 403, None),
        (2, answer(403), 403, None),  # what the second request met is not known
        *[(1, answer(status), status, None) for status in (200, 302, 401, 404, 407, 503)],
    ],
)
def test_answers_of_servers(asked: int, said: bytes, status: int, refusal: str | None):
    assert of_requests(asked * ASKED, said, status) == refusal
