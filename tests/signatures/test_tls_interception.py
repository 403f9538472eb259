"""Certificates of an interceptor, and the unknown issuers of everyday life."""

from functools import cache

import pytest

import signatures
from signatures.knowledge.issuers import issuers
from tests.analyzer.wire.hellos import records, vector
from tests.analyzer.wire.test_certificate import make
from tests.conversation import Conversation, analyze

PUBLIC, ODD, HOUSE = "DigiCert Inc", "Gateway Authority", "House CA"
QAZNET = "Qaznet Trust Network"
HELLO_12 = b"\2\0\0\x46\3\3" + bytes(range(32)) + b"\x20" + bytes(32) + b"\xc0\x2f\0"
UNKNOWN_CA, EXPIRED = b"\x15\3\3\0\2\2\x30", b"\x15\3\3\0\2\2\x2d"


@pytest.fixture(scope="module")
def loaded():
    return signatures.load()


@cache
def flight(name, *signers):
    """A TLS 1.2 server's ServerHello and certificates: the leaf signed by the first, that one by the next, and so on."""
    subjects = (name, *signers)
    chain = b"".join(vector(make(s, i), 3) for s, i in zip(subjects, signers, strict=False))
    body = vector(chain, 3)
    return records(HELLO_12) + records(b"\x0b" + len(body).to_bytes(3, "big") + body)


def shows(name, *signers, at=0.0, server=None, **kind):
    server = server or f"192.0.2.{sum(name.encode()) % 250 + 1}"
    return Conversation(name, server, at=at, **kind).open().hello().answer(flight(name, *signers)).chat().close()


def rules(result):
    return sorted({f.rule.id for f in result.findings if f.rule.id.startswith("tls.")})


def state(result, name="web.whatsapp.com"):
    return next(v for v in result.answers if v.target == name).state


def test_a_documented_interceptor(loaded):
    result = analyze(
        shows("web.whatsapp.com", "Security Certificate", QAZNET), shows("example.org", PUBLIC), loaded=loaded
    )
    assert "tls.known_interceptor" in rules(result)
    verdict = next(v for v in result.answers if v.target == "web.whatsapp.com")
    assert verdict.state == "blocked"
    assert {(m.method.action, m.method.position) for m in verdict.methods} == {("tls_mitm", "in_path")}
    assert state(result, "example.org") == "ok"


def test_what_signs_everything_chooses_no_name(loaded):
    names = ("web.whatsapp.com", "example.org", "www.example.com")
    assert rules(analyze(*(shows(name, QAZNET) for name in names), loaded=loaded)) == ["tls.one_issuer_for_all"]
    assert rules(analyze(shows(names[0], QAZNET), loaded=loaded)) == ["tls.known_interceptor"]


def test_one_name_under_two_issuers(loaded):
    result = analyze(shows("example.org", PUBLIC), shows("example.org", ODD, at=30_000), loaded=loaded)
    assert rules(result) == ["tls.issuers_differ"]
    assert [f.flows for f in result.findings if f.rule.id == "tls.issuers_differ"] == [(1,)]
    assert not rules(
        analyze(shows("example.org", PUBLIC), shows("example.org", "Let's Encrypt", at=9_000), loaded=loaded)
    )


def test_a_known_service_under_a_stranger(loaded):
    talks = [shows("web.whatsapp.com", ODD, at=at) for at in (0, 30_000)]
    result = analyze(*talks, shows("example.org", PUBLIC), loaded=loaded)
    assert rules(result) == ["tls.unfit_issuer"]
    assert state(result) == "likely_blocked"
    laboratory = [shows(name, HOUSE) for name in ("example.org", "www.example.com", "web.telegram.org")]
    result = analyze(*talks, *laboratory, loaded=loaded)
    assert "tls.unfit_issuer" in rules(result)
    assert state(result, "web.telegram.org") == "ok"  # the house signs most, so it is not the odd one


def test_an_unknown_issuer_alone_says_nothing(loaded):
    assert not rules(analyze(shows("web.whatsapp.com", ODD), loaded=loaded))
    assert not rules(analyze(shows("nas.example.net", ODD), shows("example.org", PUBLIC), loaded=loaded))


def test_a_gateway_treats_all_alike(loaded):
    names = ("web.whatsapp.com", "example.org", "www.example.com")
    result = analyze(*(shows(name, ODD) for name in names), shows("bank.example", PUBLIC), loaded=loaded)
    assert rules(result) == ["tls.one_issuer_for_all"]
    assert state(result) == "ok"


def test_services_may_sign_their_own(loaded):
    assert not rules(
        analyze(shows("chat.signal.org", "Signal Messenger, LLC"), shows("example.org", PUBLIC), loaded=loaded)
    )


def test_one_stranger_against_another_is_open(loaded):
    assert not rules(analyze(shows("web.whatsapp.com", ODD), shows("nas.example.net", HOUSE), loaded=loaded))


def test_a_client_that_refuses(loaded):
    talk = Conversation("web.whatsapp.com").open().hello().answer(flight("web.whatsapp.com", ODD)).up("PA", UNKNOWN_CA)
    result = analyze(talk, loaded=loaded)
    assert rules(result) == ["tls.client_distrusts"]
    (found,) = (f for f in result.findings if f.rule.id == "tls.client_distrusts")
    assert [(w.frame, w.role) for w in found.witnesses] == [(4, "trigger"), (7, "contradicts")], "not the certificate"
    talk = Conversation("web.whatsapp.com").open().hello().answer(flight("web.whatsapp.com", ODD)).up("PA", EXPIRED)
    assert not rules(analyze(talk, loaded=loaded))


def test_the_data_says_where_it_is_from():
    facts = issuers()
    assert PUBLIC in facts.public and all(facts.interceptors.values())
    assert not facts.public & set(facts.interceptors)
