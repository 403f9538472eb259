"""Alerts that the server did not write, and those that it did."""

import pytest

import signatures
from tests.conversation import HANDSHAKE_FAILURE, Conversation, analyze


@pytest.fixture(scope="module")
def loaded():
    return signatures.load()


def refused(name="web.whatsapp.com", at=0.0, after=5.0, **fields):
    return Conversation(name, at=at).open().hello().down("PA", HANDSHAKE_FAILURE, after=after, **fields)


def neighbours(count=2, **kind):
    return [Conversation("www.example.org", at=1_000.0 + 500 * i, **kind).works() for i in range(count)]


def rules(result):
    return sorted({f.rule.id for f in result.findings if f.rule.id.startswith("alert.")})


def test_the_server_answers_too(loaded):
    talk = refused(forged=True)
    talk.answer(after=75)
    result = analyze(talk, loaded=loaded)
    assert rules(result) == ["alert.answered_too"]
    (method,) = result.answers[0].methods
    assert (method.method.action, method.method.position) == ("tls_alert", "on_path")


def test_one_flight_of_the_server_is_no_race(loaded):
    talk = refused(after=80, forged=True).answer(after=1)  # 20 ms is a quarter of the round trip
    assert "alert.answered_too" not in rules(analyze(talk, loaded=loaded))


def test_too_fast_for_the_path(loaded):
    result = analyze(refused(after=5), *neighbours(), loaded=loaded)
    assert rules(result) == ["alert.too_fast"]
    assert result.answers[0].state in ("likely_blocked", "blocked")


def test_sooner_than_the_path(loaded):
    assert rules(analyze(refused(after=55), *neighbours(), loaded=loaded)) == ["alert.sooner_than_path"]


@pytest.mark.parametrize("after", [79, 120])
def test_the_server_refuses_by_itself(loaded, after):
    assert rules(analyze(refused(after=after), *neighbours(), loaded=loaded)) == ["alert.from_server"]


def test_without_a_round_trip_of_data_there_is_no_measure(loaded):
    assert not rules(analyze(refused(after=5), refused(at=20_000, after=5), loaded=loaded))


def test_a_proxy_that_had_read_the_hello(loaded):
    talk = Conversation("web.whatsapp.com").open().hello()
    talk.down("A", after=1).down("PA", HANDSHAKE_FAILURE, after=10)
    assert not rules(analyze(talk, *neighbours(), loaded=loaded))


def test_from_elsewhere_is_not_the_servers_own(loaded):
    assert not rules(analyze(refused(after=90, ttl=61), *neighbours(), loaded=loaded))
    assert rules(analyze(refused(after=90), *neighbours(), loaded=loaded)) == ["alert.from_server"]
