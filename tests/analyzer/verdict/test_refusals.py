"""Targets that answer and let nobody in: no interference, and not working either."""

from __future__ import annotations

import pytest

import signatures
from analyzer.report import sentences
from analyzer.report.words import Words
from analyzer.result import Verdict
from tests.analyzer.wire.hellos import records
from tests.conversation import Conversation, analyze

NAME, HOST = "web.whatsapp.com", "157.240.0.60"
EXPIRED, HANDSHAKE_FAILURE = b"\2\x2d", b"\2\x28"


def verdict(*talks: Conversation) -> Verdict:
    result = analyze(*talks, loaded=signatures.load())
    return next(verdict for verdict in result.answers if verdict.target == NAME)


def refusing(at: float, alert: bytes = EXPIRED) -> Conversation:
    """A client that answers what it is shown with an alert, and resets."""
    talk = Conversation(NAME, HOST, at=at).open().hello().answer()
    return talk.up("PA", records(alert, kind=21)).up("RA")


def asked(at: float, status: str) -> Conversation:
    """One request over plain HTTP, answered so."""
    talk = Conversation(NAME, HOST, at=at, dport=80).open().request()
    return talk.answer(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode()).close()


def works(at: float) -> Conversation:
    return Conversation(NAME, HOST, at=at).works()


def test_a_server_whose_certificate_is_refused_does_not_work():
    found = verdict(*[refusing(20_000 * n) for n in range(4)])
    assert (found.state, found.attempts, found.failed, found.methods) == ("impaired", 4, 4, ())
    assert found.limits[0] == "certificate_refused"
    assert found.next == "check_certificate"
    assert "did not accept the server's certificate (4 of 4 attempts failed)" in sentences.summary(
        found, Words("en"), None
    )


@pytest.mark.parametrize("status", ["403 Forbidden", "451 Unavailable For Legal Reasons"])
def test_a_server_that_only_refuses_does_not_work(status: str):
    found = verdict(*[asked(20_000 * n, status) for n in range(4)])
    assert (found.state, found.attempts, found.failed, found.methods) == ("impaired", 4, 4, ())
    assert found.limits[0] == "answered_no"
    assert found.next == "check_server_elsewhere"
    assert "the server itself or somebody in its place" in sentences.summary(found, Words("en"), None)


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "401 Unauthorized", "404 Not Found", "503 Unavailable"])
def test_any_other_answer_is_one_of_a_server_that_works(status: str):
    assert verdict(*[asked(20_000 * n, status) for n in range(4)]).state == "ok"


def test_other_alerts_of_clients_say_nothing_of_the_certificate():
    assert "certificate_refused" not in verdict(*[refusing(20_000 * n, HANDSHAKE_FAILURE) for n in range(4)]).limits


@pytest.mark.parametrize("after", [5_000, 90_000])  # ms: within the attempt that was refused last, or one of its own
def test_one_fine_page_among_refusals_is_enough(after: int):
    refused = [asked(20_000 * n, "403 Forbidden") for n in range(4)]
    assert verdict(*refused, asked(after, "200 OK")).state == "ok"
    assert verdict(*[refusing(20_000 * n) for n in range(4)], works(after)).state == "ok"


def test_a_refusal_beside_silence_does_not_name_the_cause():
    silent = [Conversation(NAME, HOST, at=20_000 + 40_000 * n).open().hello().resend(5) for n in range(3)]
    found = verdict(refusing(0), *silent)
    assert found.state == "impaired"
    assert "certificate_refused" not in found.limits
    assert (found.attempts, found.failed) == (4, 3)
