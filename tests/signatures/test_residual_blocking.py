"""Addresses that go dead behind a cut connection and come back: connections on which the rules fire, and near misses."""

import pytest

import signatures
from analyzer.result import ACCUSING
from analyzer.signature import Loaded
from signatures import residual_blocking
from tests.conversation import Conversation, Names, analyze

NAME, OTHER, HOST, ELSEWHERE = "web.whatsapp.com", "cdn.example.net", "157.240.0.60", "198.51.100.7"
LOADED = Loaded((residual_blocking,), Names(), "test", "2026-09-01")


def fired(*talks, loaded=LOADED):
    found = {f.rule.id: f for f in analyze(*talks, loaded=loaded).findings}
    return {rule.removeprefix("sni."): finding for rule, finding in found.items() if rule.startswith("sni.residual")}


def cut(at=0.0, **more):
    """Greeted, and reset behind its hello."""
    return Conversation(NAME, HOST, at=at, **more).open().hello().reset(after=5)


def dead(at, *, syns=4, **more):
    """SYNs that nobody answers."""
    talk = Conversation(OTHER, HOST, at=at, **more).up("S", after=0)
    wait = 1000.0
    for _ in range(syns - 1):
        talk.up("S", after=wait, seq=1000)
        wait *= 2
    return talk


def back(at, name=OTHER, server=HOST, **more):
    return Conversation(name, server, at=at, **more).works()


OTHERS = back(25_000, server=ELSEWHERE)
LATE = back(900_000, server="203.0.113.9")  # much later, so that nothing ends with the capture


def test_once():
    found = fired(cut(0), dead(20_000), back(120_000), OTHERS, LATE)
    assert set(found) == {"residual_once"}
    once = found["residual_once"]
    assert once.measured == {"cut_connections": 1, "dead_after_s": 20.0, "dead_for_s": 7.0}
    assert [(w.frame, w.role) for w in once.witnesses] == [(4, "trigger"), (6, "missing_after")]
    assert (once.subject, len(once.flows)) == (f"address {HOST}", 1)
    method = (once.method.action, once.method.trigger, once.method.position, once.method.trigger_detail)
    assert method == ("drop", "ip_address", "in_path", HOST)


def twice(second=200_000.0):
    return [cut(0), dead(20_000), back(120_000), cut(second), dead(second + 20_000), back(second + 120_000)]


def test_again():
    found = fired(*twice(), OTHERS, LATE)
    assert set(found) == {"residual"}
    assert (found["residual"].rule.strength, found["residual"].measured["cut_connections"]) == ("strong", 2)


def test_cut_twice_at_once_is_one_trigger():
    talks = [cut(0), cut(200), dead(20_000), dead(40_000), back(120_000), OTHERS, LATE]
    assert fired(*talks)["residual_once"].measured["cut_connections"] == 1


@pytest.mark.parametrize(
    "talks",
    [
        (cut(0), dead(20_000), OTHERS),  # it never came back
        (cut(0), back(10_000), dead(20_000), back(120_000), OTHERS),  # it was back already when it died
        (cut(0), dead(20_000), back(120_000)),  # nobody else was there
        (cut(0), dead(20_000), back(120_000), back(-200_000, server=ELSEWHERE)),  # at that time
        (cut(0), dead(20_000), back(120_000), back(25_000, server=ELSEWHERE, client="10.0.0.9")),  # or for another
        (cut(0), dead(300_000), back(400_000), back(305_000, server=ELSEWHERE)),  # too late to be of it
        (dead(20_000), back(120_000), OTHERS),  # nothing had been cut
        (back(0), dead(20_000), back(120_000), OTHERS),
        (cut(0, dport=8443), dead(20_000), back(120_000), OTHERS),  # at another port
        (cut(0), dead(20_000, syns=2), back(120_000), OTHERS),  # one SYN more may be lost by chance
        (cut(0, client="10.0.0.9"), dead(20_000), back(120_000), OTHERS),  # another client's
    ],
)
def test_no_aftermath(talks):
    assert not fired(*talks, LATE)


def crash(at):
    """A program that dies of what it is asked, and is started anew: meanwhile its port is closed."""
    died = Conversation(NAME, HOST, at=at).open().hello().reset(after=80)
    return [died, Conversation(OTHER, HOST, at=at + 15_000).up("S", after=0).reset(after=80, seq=0), back(at + 60_000)]


def test_a_program_that_crashes_again_and_again():
    assert not fired(*crash(0), *crash(200_000), OTHERS, LATE)
    result = analyze(*crash(0), *crash(200_000), OTHERS, LATE, loaded=signatures.load())
    assert not [v for v in result.answers if v.state in ACCUSING]
