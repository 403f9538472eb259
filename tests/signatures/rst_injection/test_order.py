"""Resets that the other end contradicts by being alive: each rule with connections on which it fires, and near misses."""

import pytest
from scapy.layers.inet import IP

from tests.conversation import SERVER_HELLO, Conversation
from tests.signatures.rst_injection.resets import NAME, PHONE, RECORD, asked, at_server, fired, proof


def test_the_server_talks_on():
    found = fired(asked().reset(after=5).down("PA", RECORD, after=75))["server_talks_on"]
    assert found.measured == {"after_ms": 75.0}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "contradicts")]
    assert (found.method.action, found.method.trigger, found.method.position) == ("rst", "none_seen", "on_path")


@pytest.mark.parametrize(
    "later",
    [
        lambda talk: talk.down("A", after=75, ack=talk.seq),  # of bytes that nothing had acknowledged
        lambda talk: talk.down("FA", after=75, ack=talk.seq),
    ],
)
def test_an_acknowledgment_or_a_close_is_talk_too(later):
    assert "server_talks_on" in fired(later(asked().reset(after=5)))


def long_talk(end):
    """More packets than are kept, the last of which `end` adds behind a reset."""
    talk = asked().answer()
    for _ in range(40):
        talk.up("PA", RECORD, after=20).answer(RECORD)
    return end(talk.up("PA", RECORD).reset(after=40, forged=True))


def test_acknowledgments_tell_nothing_where_some_were_not_kept():
    assert "server_talks_on" not in fired(long_talk(lambda talk: talk.down("A", after=40)))
    assert "server_talks_on" in fired(long_talk(lambda talk: talk.down("PA", RECORD, after=40)))


@pytest.mark.parametrize(
    "talk",
    [
        asked().reset(after=5).down("PA", RECORD, after=15),  # overtaken: within a quarter of the round trip
        asked().reset(after=5, seq=5070).down("PA", RECORD, after=90, seq=5001),  # sent before it
        asked().reset(after=5, seq=5002).down("FA", after=90, seq=5001),
        asked().answer().reset("R", after=80, seq=5001).down("PA", SERVER_HELLO, after=80, seq=5001),  # known bytes
        asked().answer().reset(after=5).down("A", after=75),  # acknowledges what had been acknowledged
        asked().answer().up("FA").reset(after=80).down("PA", RECORD, after=80),  # after a close
        asked().down("FA").reset(after=1).down("PA", RECORD, after=80),
        asked(client=PHONE).reset(after=5).down("PA", RECORD, after=75),  # headers invented on the phone
        asked().up("RA").up("PA", RECORD, after=90),  # the capturing machine's own
    ],
)
def test_a_server_that_does_not_talk_on(talk):
    assert "server_talks_on" not in fired(talk)


def of_the_server(talk):
    """What a capture of one direction holds of a conversation."""
    return [(at, packet) for at, packet in talk.packets if IP(packet).src != talk.client]


def test_the_server_alone_shows_that_it_begins_after_its_reset():
    assert set(fired(of_the_server(asked().reset(after=5).answer(after=75)))) == {"server_talks_on"}
    assert not fired(of_the_server(asked().reset(after=5))), "it says no more"
    assert not fired(of_the_server(asked().answer().reset(after=5).down("PA", RECORD, after=75))), (
        "the client may have closed"
    )
    assert not fired(of_the_server(asked().down("FA").reset(after=1).down("PA", RECORD, after=80)))


def test_a_new_connection_on_the_same_ports_is_not_talk():
    old = Conversation(NAME, sport=50_500).open().hello().reset(after=80)
    assert "server_talks_on" not in fired(old, Conversation(NAME, sport=50_500, at=1000).works())
    assert "server_talks_on" not in fired(old, Conversation(NAME, sport=50_500, at=1000, isn=90_000).works())


def test_the_client_talks_on():
    talk = at_server().answer(after=1)
    found = fired(talk.up("RA", after=1, ttl=90).up("PA", RECORD, after=180))["client_talks_on"]
    assert found.measured == {"after_ms": 180.0}
    assert proof(found)[-2:] == [(7, "forged"), (8, "contradicts")]
    assert found.method.position == "on_path"


@pytest.mark.parametrize(
    "talk",
    [
        at_server().answer(after=1).up("RA", after=1).up("PA", RECORD, after=40),  # overtaken
        at_server().answer(after=1).up("FA", after=1).up("R", after=1).up("PA", RECORD, after=180),
    ],
)
def test_a_client_that_does_not_talk_on(talk):
    assert "client_talks_on" not in fired(talk)


def test_the_answer_that_the_reset_was_to_replace():
    found = fired(asked().reset(after=5).answer(after=75))["late_genuine_answer"]
    assert found.measured == {"after_ms": 75.0}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "contradicts")]
    assert "late_genuine_answer" not in fired(asked().reset(after=5).answer(after=15)), "overtaken"
    heard = asked().answer().reset(after=5).answer(RECORD, after=75)
    assert "late_genuine_answer" not in fired(heard), "it had been answered before"


def challenged(reset_at=6001, then="PA", data=RECORD):
    """A reset, the client's ACK of what it expects, and what that earns."""
    return asked().reset(after=5, seq=reset_at).up(after=0.2).down(then, data, after=75, seq=5001, forged=not data)


def test_a_challenge_that_a_live_server_met():
    found = fired(challenged())["challenge_then_alive"]
    assert found.measured == {"challenge_after_ms": 0.2, "off_by_bytes": 1000}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (7, "contradicts")]
    assert "challenge_then_alive" not in fired(challenged(then="R", data=b"")), "a reset again: there was no socket"
    assert "challenge_then_alive" not in fired(challenged(reset_at=5001)), "the exact number ends it unchallenged"
    slow = asked().reset(after=5, seq=6001).up(after=6).down("PA", RECORD, after=75)
    assert "challenge_then_alive" not in fired(slow), "no kernel takes that long"
    elsewhere = asked().reset(after=5, seq=6001).up(after=0.2).down("PA", RECORD, after=75, seq=5070)
    assert "challenge_then_alive" not in fired(elsewhere), "not what the challenge expects"


def half_open(synack=75.0, syns=1):
    talk = Conversation(NAME).up("S", after=0)
    for _ in range(syns - 1):
        talk.up("S", after=1, seq=1000)
    return talk.reset(after=5, seq=0).down("SA", after=synack).up()


def test_a_syn_that_was_reset_and_greeted():
    found = fired(half_open())["before_synack"]
    assert found.measured == {"synack_after_ms": 75.0}
    assert proof(found) == [(2, "forged"), (3, "contradicts")]
    assert (found.method.trigger, found.method.trigger_detail) == ("ip_address", "192.0.2.9")
    assert "before_synack" not in fired(half_open(syns=2)), "each SYN met another machine"
    assert "before_synack" not in fired(half_open(synack=1100)), "it answers a repeated SYN"
    again = Conversation(NAME).up("S", after=0).down("SA").reset(after=5).down("SA", after=75, seq=5000)
    assert "before_synack" not in fired(again), "greeted before it was reset"
