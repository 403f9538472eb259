"""Clients that a server loses: each rule with conversations on which it fires, and its near misses, as the server sees them."""

import pytest

from analyzer.signature import Loaded
from signatures import lost_clients
from tests.analyzer.wire.hellos import chrome, records
from tests.conversation import Conversation, Names, analyze

NAME, OTHER, HOST, ELSEWHERE = "web.whatsapp.com", "cdn.example.net", "157.240.0.60", "198.51.100.7"
CLIENT, EVERY = "203.0.113.{}", 15_000.0
LOADED = Loaded((lost_clients,), Names(), "test", "2026-09-01")
ANSWER = b"\x16\3\3\0\x40" + bytes(64)


def fired(*talks, end=900_000):
    """{rule: finding}, without the prefix that all rules share; in the end somebody else is served."""
    late = (
        greeted(end, name="late.example.net", server="192.0.2.99", client="192.0.2.1").hello().answer().chat().close()
    )
    found = {f.rule.id: f for f in analyze(*talks, late, loaded=LOADED).findings}
    return {rule.removeprefix("server."): finding for rule, finding in found.items()}


def greeted(at, *, name=NAME, server=HOST, client="203.0.113.1"):
    """A handshake seen from the server: its own answers take no time, the client's 80 ms."""
    talk = Conversation(name, server, client, at=at, rtt=0.1, ttl=44, server_ttl=64)
    return talk.up("S", after=0).down("SA").up(after=80)


def works(at, name=OTHER, **more):
    return greeted(at, name=name, **more).hello().answer().chat().close()


def resent(talk, times=4, data=ANSWER):
    """The server repeats its last answer, of which it hears nothing."""
    for n in range(times):
        talk.down("PA", data, after=300 * 2**n, seq=talk.peer - len(data))
    return talk


def deaf(at, **more):
    """The hello arrives, the answer does not, and the client repeats its hello."""
    talk = greeted(at, **more).hello()
    hello = records(chrome((talk.name or "").encode()))
    talk.down("PA", ANSWER)
    for n in range(4):
        talk.up("PA", hello, after=300 * 2**n, seq=talk.seq - len(hello), ack=5001).down(
            "PA", ANSWER, seq=talk.peer - len(ANSWER)
        )
    return talk


def gone(at, *, close=False, times=4, **more):
    """The client says hello and is not heard again."""
    talk = resent(greeted(at, **more).hello().down("PA", ANSWER), times)
    return talk.up("FA") if close else talk


def denies(at, flags="R", **more):
    return greeted(at, **more).hello().down("PA", ANSWER).up(flags, after=80)


def half(at, *, close=False, **more):
    """The first segment of a hello of two, and no more."""
    talk = greeted(at, **more)
    talk.up("PA", records(chrome(NAME.encode(), 1216))[:1400]).down()
    return talk.up("FA", after=3000) if close else talk


def unused(at, *, closed=True, **more):
    """Opened and never used; the server closes in the end, again and again, or does not get to it."""
    talk = greeted(at, **more)
    for n in range(6 * closed):
        talk.down("FA", after=30_000 if not n else 300 * 2**n, seq=5001)
    return talk


def ungreeted(at, *, client="203.0.113.1", server=HOST):
    """The client asks for a connection again and again, although it was granted."""
    talk = Conversation(None, server, client, at=at, rtt=0.1, ttl=44, server_ttl=64)
    for n in range(4):
        talk.up("S", after=1000 * 2**n, seq=1000).down("SA", seq=5000)
    return talk


def between(lost, n=3, *, others=OTHER, server=HOST, **more):
    """Lost attempts, and after each of them a fine one."""
    fine = [works(EVERY * (i + 0.5), others, server=server) for i in range(n)]
    return [*(lost(EVERY * i, **more) for i in range(n)), *fine]


@pytest.mark.parametrize(
    ("lost", "rule", "action", "strength"),
    [
        (deaf, "answers_unheard", "drop", "strong"), (gone, "broken_off_again", "drop", "strong"),
        (denies, "denied_again", "rst", "strong"), (half, "half_said_again", "drop", "supporting"),
    ],
)  # fmt: skip
def test_one_target_loses_a_client_each_time(lost, rule, action, strength):
    found = fired(*between(lost))
    assert set(found) == {rule}
    finding = found[rule]
    assert (finding.method.action, finding.rule.strength) == (action, strength)
    assert finding.measured["attempts"] == len(finding.flows) == 3
    last = "contradicts" if lost is denies else "missing_after"  # a machine that denies is not silent
    assert {w.role for w in finding.witnesses} == {"trigger", last, "baseline"}


def test_after_an_answer_that_was_heard_the_drop_is_a_delayed_one():
    def breaks_off(at):
        return resent(greeted(at).hello().answer().up("PA", ANSWER).down("PA", ANSWER))

    assert fired(*between(breaks_off))["broken_off_again"].method.action == "delayed_drop"


@pytest.mark.parametrize(
    "talks",
    [
        [gone(0), works(EVERY)],  # once: somebody has left
        between(gone, 2),
        [gone(EVERY * n) for n in range(3)],  # nothing is fine meanwhile
        [*(gone(EVERY * n) for n in range(3)), works(EVERY * 4)],  # only afterwards
        [*between(gone), works(EVERY * 1.2, NAME)],  # the same was served in between
        between(gone, server=ELSEWHERE),  # fine at another address only: a firewall on the device
        between(deaf, server=ELSEWHERE),
        between(gone, close=True),  # it closed, in vain
        between(denies, flags="RA"),  # a program that aborts
        between(half, close=True),
        between(half, 1),
        [*between(half, 2), *(works(100_000 + EVERY * n) for n in range(9))],  # two of thirteen
        between(unused),
    ],
)
def test_clients_that_are_lost_for_a_reason_of_their_own(talks):
    assert fired(*talks) == {}


def networks(lost, clients=2, *, elsewhere=works, served="198.51.100.{}"):
    """Clients of one network are lost at one address and served at another; clients of other networks are fine."""
    mine = [CLIENT.format(n + 1) for n in range(clients)]
    talks = [lost(EVERY * n + 100 * i, client=client) for n in range(3) for i, client in enumerate(mine)]
    talks += [elsewhere(5000 + 100 * i, OTHER, server=ELSEWHERE, client=client) for i, client in enumerate(mine)]
    return [*talks, *(works(EVERY * n + 7000, NAME, client=served.format(n + 1)) for n in range(5))]


@pytest.mark.parametrize("lost", [gone, deaf, half, unused, ungreeted])
def test_a_network_that_falls_silent(lost):
    finding = fired(*networks(lost))["network_falls_silent"]
    assert finding.measured == {"attempts": 6, "clients": 2, "others_fine": 5, "p": 0.00216}
    assert finding.subject == f"address {HOST} port 443 from 203.0.113"
    assert (finding.method.action, finding.method.trigger) == ("drop", "none_seen")


@pytest.mark.parametrize(
    "talks",
    [
        networks(gone, 1),  # one client: its own device may do that
        networks(gone, elsewhere=lambda at, name, **more: gone(at, name=name, **more)),  # lost everywhere
        networks(gone, served=CLIENT.replace("{}", "7{}")),  # of the same network
        [
            *networks(gone),
            *(works(2000 + 500 * n, NAME, client=CLIENT.format(50 + n)) for n in range(20)),
        ],  # one in four
        [*networks(gone), *(gone(EVERY * n + 900, client=f"198.51.100.{n + 40}") for n in range(4))],  # others as well
    ],
)
def test_networks_that_fare_like_others(talks):
    assert "network_falls_silent" not in fired(*talks)


def test_connections_that_were_opened_ahead_say_nothing_for_two_minutes():
    opened = networks(lambda at, **more: unused(at, closed=False, **more))
    assert fired(*opened, end=100_000) == {}
    assert "network_falls_silent" in fired(*opened, end=200_000)
