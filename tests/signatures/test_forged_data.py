"""Two contents for the same bytes, missing timestamps, other distances, and the harmless look-alikes."""

import pytest

import signatures
from tests.conversation import Conversation, analyze

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
FORGED = b"HTTP/1.1 302 Found\r\nLocation: http://stop.example/\r\n\r\n"
SCRIPT = b"\x07" * 60


@pytest.fixture(scope="module")
def loaded():
    return signatures.load()


def asked(**kind):
    return Conversation("example.org", dport=80, **kind).open().request()


def rules(result):
    return sorted({f.rule.id for f in result.findings if f.rule.id.startswith("http.")})


def actions(result):
    return {m.method.action for v in result.answers for m in v.methods}


@pytest.mark.parametrize(("forged", "action"), [(FORGED, "blockpage"), (SCRIPT, "forged_data")])
def test_two_contents_for_the_same_bytes(loaded, forged, action):
    talk = asked().down("PA", forged, after=5, forged=True, ttl=61).down("PA", OK, after=75)
    result = analyze(talk, loaded=loaded)
    assert "http.overlap_differs" in rules(result)
    assert result.answers[0].state in ("likely_blocked", "blocked")
    assert actions(result) == {action}


@pytest.mark.parametrize(
    ("data", "flags", "action"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n<html><script src='http://203.0.113.9/s.js'></script></html>", "PA", "forged_data"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<script>a()</script><p>Not allowed.</p>", "PA", "blockpage"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<script>a()</script><iframe src='http://10.10.34.34'></iframe>", "PA", "blockpage"),
        (b"Middlebox v 1.0", "FPA", "fin"), (b"\x15\3\3\0\2\2\x28", "FPA", "tls_alert"), (b"", "FA", "fin"),
    ],
)  # fmt: skip
def test_what_was_done(loaded, data, flags, action):
    talk = asked(timestamps=True).down(flags, data, timestamps=False, after=5, forged=True)
    result = analyze(talk, loaded=loaded)
    (method,) = [f.method for f in result.findings if f.rule.id == "http.no_timestamps"]
    assert method.action == action


def test_a_resend_says_the_same(loaded):
    talk = asked().down("PA", OK, forged=True).down("PA", OK, after=200)
    assert not rules(analyze(talk, loaded=loaded))


def test_one_machine_with_one_counter_contradicts_itself(loaded):
    talk = asked().down("PA", FORGED, forged=True).down("PA", OK, after=1)
    assert not rules(analyze(talk, loaded=loaded))


def test_an_answer_without_the_timestamps_agreed_on(loaded):
    talk = asked(timestamps=True).down("PA", FORGED, timestamps=False).up().close()
    result = analyze(talk, loaded=loaded)
    assert rules(result) == ["http.no_timestamps"]
    assert not rules(analyze(asked(timestamps=True).answer(OK).close(), loaded=loaded))
    assert not rules(analyze(asked().answer(OK).close(), loaded=loaded))


def test_an_answer_from_elsewhere(loaded):
    talk = asked().down("A").down("PA", FORGED, after=5, ttl=61).up().close()
    assert "http.answer_from_elsewhere" in rules(analyze(talk, loaded=loaded))
    both = asked().down("A", ttl=61).down("PA", OK, after=5, ttl=61).up().close()  # its backend speaks from there
    assert not rules(analyze(both, loaded=loaded))
    near = asked().down("A").down("PA", OK, after=5, ttl=54).up().close()
    assert not rules(analyze(near, loaded=loaded))
