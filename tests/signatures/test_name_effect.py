"""One name fails and others do not: each rule with attempts on which it fires, and its near misses."""

import pytest

from analyzer.signature import Loaded
from signatures import name_effect
from tests.analyzer.wire.hellos import hello, records, server_name
from tests.conversation import Conversation, Names, analyze
from tests.lookups import Lookups

NAME, SECOND, OTHER = "web.whatsapp.com", "mmg.whatsapp.net", "cdn.example.net"
HOST, SAME_NETWORK, ELSEWHERE = "157.240.0.60", "157.240.9.9", "31.13.72.52"
US = "10.0.0.2"
LOADED = Loaded((name_effect,), Names(), "test", "2026-09-01")
EVERY = 20_000.0  # ms between attempts: more than any retry


def fired(*talks):
    """{rule: finding}, without the prefix that all rules share."""
    found = {f.rule.id: f for f in analyze(*talks, loaded=LOADED).findings}
    return {rule.removeprefix("sni."): finding for rule, finding in found.items()}


def fails(at=0.0, name=NAME, server=HOST, **more):
    """Reset one round trip after its hello."""
    return Conversation(name, server, at=at, **more).open().hello().reset(after=80)


def works(at=0.0, name=OTHER, server=HOST, **more):
    return Conversation(name, server, at=at, **more).works()


def at_server(client, at, name=NAME, *, gone=False):
    """What it says takes no time, what clients say 180 ms; one that is gone denies the connection that it opened."""
    talk = Conversation(name, HOST, client, at=at, rtt=0.1, ttl=44, server_ttl=64)
    talk.up("S", after=0).down("SA", after=0.05).up(after=180).hello().answer(after=1)
    return talk.up("R", after=180) if gone else talk.up("PA", b"\x17\3\3\0\1x", after=180).answer(after=1).close()


def between(bad, good, *, every=EVERY, start=0.0, name=NAME, other=OTHER, **more):
    """Failing attempts on one name, and in the middle of each pause a fine one on another."""
    talks = [fails(start + every * n, name, **more) for n in range(bad)]
    return [*talks, *(works(start + every * (n + 0.5), other, **more) for n in range(good))]


def method(finding):
    return (finding.method.action, finding.method.trigger, finding.method.position, finding.method.trigger_detail)


def test_a_name_that_fails_between_names_that_do_not():
    found = fired(*between(5, 5))
    assert set(found) == {"name_effect"}
    effect = found["name_effect"]
    assert effect.measured == {"p": 0.00397, "failed": 5, "tried": 5, "others_tried": 5, "others_fine": 5}
    assert (effect.subject, len(effect.flows)) == (f"name {NAME}", 5)
    assert {w.role for w in effect.witnesses} == {"trigger"} and len(effect.witnesses) == 5
    assert method(effect) == ("rst", "sni", "unknown", NAME)


@pytest.mark.parametrize(("bad", "good", "p"), [(3, 3, 0.05), (4, 4, 0.0143), (3, 5, 0.0179)])
def test_a_name_that_fails_a_few_times(bad, good, p):
    found = fired(*between(bad, good))
    assert found["name_effect_few"].measured["p"] == p
    assert "name_effect" not in found


def test_an_http_host_is_a_name_too():
    talks = []
    for n in range(5):
        talks.append(Conversation(NAME, HOST, at=EVERY * n, dport=80).open().request().reset(after=80))
        page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        talks.append(Conversation(OTHER, HOST, at=EVERY * (n + 0.5), dport=80).open().request().answer(page).close())
    assert method(fired(*talks)["name_effect"]) == ("rst", "http_host", "unknown", NAME)


def other_make(at, name=OTHER, server=HOST):
    """Another program's hello."""
    talk = Conversation(name, server, at=at).open().up("PA", records(hello([server_name(name.encode())])))
    return talk.answer().chat().close()


@pytest.mark.parametrize(
    "talks",
    [
        between(2, 9),  # fewer than three against three prove nothing
        between(3, 2),
        [*between(5, 0), *between(0, 5, start=100_000)],  # the server recovered, for all
        [*between(5, 0, every=500.0), *between(0, 5)],  # one attempt, five connections of it
        [*between(5, 0, every=4000.0), *between(0, 5, start=30_000), fails(300_000)],  # or its retries
        [*between(5, 0), *(other_make(EVERY * (n + 0.5)) for n in range(5))],  # spoken by another program
        [*between(5, 0), *(works(EVERY * (n + 0.5), server=ELSEWHERE) for n in range(5))],  # at another address
        [*between(5, 0), *(works(EVERY * (n + 0.5), client="10.0.0.9") for n in range(5))],  # by another client
        [*between(5, 0), *(works(EVERY * (n + 0.5), dport=8443) for n in range(5))],  # at another port
        [*between(3, 1), *between(0, 9, start=-900_000)],  # most of them long ago
        [*between(5, 0), *between(5, 0, start=EVERY / 2, name=SECOND)],  # the others fail too
        [*(Conversation(None, HOST, at=EVERY * n).open().up("PA", b"?").reset() for n in range(5)), *between(0, 5)],
        [
            Lookups(at=-5000).ask(NAME).answer(HOST).packets,  # its name is known, and was never spoken
            *(Conversation(None, HOST, at=EVERY * n).up("S", after=0).reset(seq=0) for n in range(5)),
            *between(0, 5),
        ],
    ],
)
def test_no_name_effect(talks):
    assert not {"name_effect", "name_effect_few"} & set(fired(*talks))


def test_retries_are_attempts_of_their_own_where_others_were_fine_in_between():
    found = fired(*between(5, 5, every=4000.0))
    assert found["name_effect"].measured["tried"] == 5


def test_looking_at_many_names_costs():
    """Two names of four attempts each, at addresses of their own: .0143 twice is no longer one in a hundred, nor in 35."""
    both = [*between(4, 4), *between(4, 4, name=SECOND, server=ELSEWHERE)]
    assert fired(*both)["name_effect_few"].measured["p"] == 0.0286


def cut_off(at=0.0, name=NAME, server=HOST):
    """Reset by the server's side in the middle of use."""
    return Conversation(name, server, at=at).open().hello().answer().chat(2).reset(after=20)


def test_a_name_whose_use_is_cut_off():
    talks = [talk for n in range(4) for talk in (cut_off(EVERY * n), works(EVERY * (n + 0.5)))]
    found = fired(*talks)["name_cut_off"]
    assert found.measured == {"p": 0.0143, "failed": 4, "tried": 4, "others_tried": 4, "others_fine": 4}
    assert method(found) == ("rst", "sni", "unknown", NAME)
    assert found.rule.strength == "supporting"


def test_a_retry_that_is_not_cut_off_is_not_accused():
    again = [(cut_off(EVERY * n), works(EVERY * n + 3000, NAME), works(EVERY * (n + 0.5))) for n in range(4)]
    found = fired(*(talk for talks in again for talk in talks))["name_cut_off"]
    assert found.flows == (0, 3, 6, 9)


def at_server_cut_off(at):
    """At the server: what it resets is its own doing."""
    talk = at_server(US, at)
    talk.packets = talk.packets[:-3]  # all but the close
    return talk.reset(after=5)


@pytest.mark.parametrize(
    "talks",
    [
        [talk for n in range(4) for talk in (at_server_cut_off(EVERY * n), at_server(US, EVERY * (n + 0.5), OTHER))],
        [
            talk
            for n in range(4)
            for talk in (
                Conversation(NAME, HOST, at=EVERY * n).open().hello().answer().chat(2).up("FA").reset(after=80),
                works(EVERY * (n + 0.5)),
            )
        ],
        [talk for n in range(4) for talk in (cut_off(EVERY * n), cut_off(EVERY * (n + 0.5), OTHER))],  # a habit there
        [talk for n in range(2) for talk in (cut_off(EVERY * n), works(EVERY * (n + 0.5)))],
    ],
)
def test_use_that_ends_ordinarily(talks):
    assert "name_cut_off" not in fired(*talks)


def test_at_a_server_the_far_side_is_the_client():
    def reset_in_use(at):
        talk = at_server(US, at).up("PA", b"\x17\3\3\0\1x", after=180).answer(after=1)
        talk.packets = [p for p in talk.packets if not p[1][33] & 1]  # all but the close
        return talk.up("RA", after=5)

    talks = [talk for n in range(4) for talk in (reset_in_use(EVERY * n), at_server(US, EVERY * (n + 0.5), OTHER))]
    assert "name_cut_off" in fired(*talks)


# -- at a server ------------------------------------------------------------------------------------------------


def networks(failing, fine, *, one="203.0.113.{}", other="198.51.100.{}", view=at_server):
    bad = [view(one.format(n + 1), EVERY * n, gone=True) for n in range(failing)]
    return [*bad, *(view(other.format(n + 1), EVERY * (n + 0.5)) for n in range(fine))]


def test_one_network_fails_at_a_server():
    effect = fired(*networks(5, 5))["network_effect"]
    assert effect.measured == {"p": 0.00397, "failed": 5, "tried": 5, "others_tried": 5, "others_fine": 5}
    assert method(effect) == ("rst", "none_seen", "unknown", None)
    assert effect.subject == f"target {NAME} at 203.0.113"
    few = fired(*networks(3, 3))
    assert few["network_effect_few"].measured["p"] == 0.05
    assert "network_effect" not in few


def at_client(client, at, *, gone=False):
    return fails(at, client=client) if gone else works(at, NAME, client=client)


@pytest.mark.parametrize(
    "talks",
    [
        networks(2, 9),
        networks(5, 5, other="203.0.113.10{}"),  # clients of one network
        networks(5, 0),  # nobody else came
        [*networks(3, 1), *(at_server("198.51.100.9", -900_000 + EVERY * n) for n in range(9))],  # or long ago
        [*networks(4, 0), *networks(4, 0, one="198.51.100.{}")],  # everybody fails
        networks(5, 5, view=at_client),
    ],
)
def test_no_network_effect(talks):
    assert not {"network_effect", "network_effect_few"} & set(fired(*talks))


# -- what else decides ------------------------------------------------------------------------------------------


def test_the_same_name_fails_elsewhere_too():
    there = between(3, 3, server=ELSEWHERE, start=EVERY / 4)
    found = fired(*between(3, 3), *there)["name_elsewhere"]
    assert found.measured == {"addresses": 2, "attempts": 6}
    assert found.subject == f"name {NAME}"
    related = between(3, 3, server=SAME_NETWORK, start=EVERY / 4)
    assert "name_elsewhere" not in fired(*between(3, 3), *related), "one operator's addresses"


def test_the_make_of_the_hello_decides():
    talks = [talk for n in range(4) for talk in (fails(EVERY * n), other_make(EVERY * (n + 0.5), NAME))]
    found = fired(*talks)["fingerprint_effect"]
    assert found.measured == {"p": 0.0143, "failed": 4, "tried": 4, "others_tried": 4, "others_fine": 4}
    assert found.method.trigger == "fingerprint" and found.method.trigger_detail.startswith("t13d")


@pytest.mark.parametrize(
    "talks",
    [
        [*between(4, 0), *(other_make(100_000 + EVERY * n, NAME) for n in range(4))],  # the server recovered
        [*between(4, 0), *(other_make(EVERY * (n + 0.5)) for n in range(4))],  # and another name
        [*between(2, 0), *(other_make(EVERY * (n + 0.5), NAME) for n in range(9))],
        [*between(4, 0), *(other_make(EVERY * (n + 0.5), NAME, ELSEWHERE) for n in range(4))],
    ],
)
def test_the_make_of_the_hello_does_not_decide(talks):
    assert "fingerprint_effect" not in fired(*talks)


def large(at, name, *, fine=False):
    """A post-quantum hello, of two segments."""
    talk = Conversation(name, HOST, at=at).open().hello(share=1216)
    return talk.answer().chat().close() if fine else talk.resend(3)


SMALL = [works(EVERY * (n + 0.5)) for n in range(2)]


def test_a_server_that_cannot_take_large_hellos():
    found = fired(large(0, NAME), large(EVERY, OTHER), *SMALL)["large_hello_fails"]
    assert found.measured == {"names": 2, "large_failed": 2, "small_fine": 2}
    assert (found.rule.leans, found.subject) == ("genuine", f"address {HOST}")
    assert {w.role for w in found.witnesses} == {"baseline"}


@pytest.mark.parametrize(
    "talks",
    [
        [large(0, NAME), large(EVERY, NAME), *SMALL],  # one name
        [large(0, NAME), large(EVERY, OTHER), *SMALL[:1]],
        [large(0, NAME), large(EVERY, OTHER), large(3 * EVERY, "a.example.net", fine=True), *SMALL],  # one passes
        [large(0, NAME), large(EVERY, OTHER), works(50_000, server=ELSEWHERE), works(70_000, server=ELSEWHERE)],
    ],
)
def test_a_server_that_can(talks):
    assert "large_hello_fails" not in fired(*talks)
