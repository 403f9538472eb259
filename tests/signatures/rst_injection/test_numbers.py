"""Resets with numbers that the host would not have chosen: each rule with connections on which it fires, and near misses."""

import pytest

from tests.conversation import SERVER_HELLO, Conversation
from tests.signatures.rst_injection.resets import NAME, RECORD, asked, at_server, fired, proof


def test_a_reset_from_behind_the_data():
    talk = asked().answer().down("PA", RECORD, after=1)
    found = fired(talk.reset(after=1, seq=5001).down("PA", RECORD, after=0.5))["seq_behind_data"]
    assert found.measured == {"bytes_behind": len(SERVER_HELLO) + len(RECORD)}
    assert {role for _, role in proof(found)} == {"trigger", "forged", "contradicts"}


@pytest.mark.parametrize(
    "talk",
    [
        asked().answer().reset("R", after=80, seq=5001),  # no socket left, and nothing follows
        asked()
        .answer()
        .down("FA")
        .up()
        .reset("R", after=80, seq=5001)
        .down("FA", after=200, seq=5001),  # it had closed
        asked().answer().reset(after=5).down("PA", RECORD, after=75),  # its number is the next
    ],
)
def test_a_reset_that_is_not_behind(talk):
    assert "seq_behind_data" not in fired(talk)


def ladder(*steps, flags="RA", apart=1.0, talk=None):
    talk = talk or asked()
    for step in steps:
        talk.reset(flags, after=apart, seq=5001 + step, ttl=101)
    return talk


def test_resets_that_guess_ahead():
    found = fired(ladder(0, 1460, 4380))["seq_ladder"]
    assert found.measured == {"steps_bytes": [0, 1460, 4380]}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "forged"), (7, "forged")]


@pytest.mark.parametrize(
    "talk",
    [
        ladder(0, 0, 0),
        ladder(69, 71, talk=asked().down("PA", RECORD)),  # a FIN more
        ladder(0, 69, talk=asked().down("PA", RECORD).down("PA", RECORD, after=1)),  # bytes that it had sent
        ladder(0, 69, talk=asked().up("A", ack=5070)),  # bytes that the client had got
        ladder(0, 1460, apart=2100),
        ladder(1460, talk=ladder(0).up("R", after=1)),  # the client had reset it too
        # One bare reset for each segment that found no socket, with that segment's ACK number:
        asked().answer(RECORD).answer(RECORD, after=1).reset("R", after=1, seq=5070).reset("R", after=1, seq=5139),
    ],
)
def test_resets_that_do_not_guess(talk):
    assert "seq_ladder" not in fired(talk)


def test_bytes_acknowledged_that_nobody_sent():
    beyond = asked()
    found = fired(beyond.reset(after=5, ack=beyond.seq + 700))["ack_beyond_sent"]
    assert found.measured == {"bytes_beyond": 700}
    assert proof(found) == [(4, "trigger"), (5, "forged")]
    fin = asked()
    assert "ack_beyond_sent" not in fired(fin.reset(after=5, ack=fin.seq + 1)), "a FIN that was not captured"
    bare = asked()
    assert "ack_beyond_sent" not in fired(bare.reset("R", after=5, ack=bare.seq + 700)), "no ACK flag, no meaning"
    gap = asked()
    gap.down("A", ack=gap.seq + 700).reset(after=5, ack=gap.seq + 700)
    assert "ack_beyond_sent" not in fired(gap), "the capture missed those bytes"


def unsent(then, *, reset=False, answered=True):
    """At the server: the client acknowledges 500 bytes more than were sent, and `then` the server says so."""
    talk = at_server()
    if answered:
        talk.answer(after=1)
    if reset:
        talk.up("RA", after=1)
    return then(talk.up("A", after=180, ack=talk.peer + 500))


@pytest.mark.parametrize(
    ("talk", "action", "trigger"),
    [
        (unsent(lambda talk: talk.down("PA", RECORD, after=60)), "forged_data", "none_seen"),
        (unsent(lambda talk: talk.down("A", after=0.01)), "forged_data", "none_seen"),
        (unsent(lambda talk: talk.reset("R", after=1, seq=talk.peer + 500)), "forged_data", "none_seen"),
        (unsent(lambda talk: talk.reset("R", after=1, seq=5501), answered=False), "forged_data", "none_seen"),
        (unsent(lambda talk: talk.down("PA", RECORD, after=60), reset=True), "rst", "none_seen"),
    ],
)
def test_an_answer_that_the_server_never_gave(talk, action, trigger):
    found = fired(talk)["ack_of_unsent"]
    assert found.measured == {"bytes_beyond": 500}
    assert [role for _, role in proof(found)] == ["contradicts", "baseline"]
    assert (found.method.action, found.method.trigger, found.method.position) == (action, trigger, "on_path")


def test_half_way_the_server_contradicts_later():
    assert "ack_of_unsent" in fired(half_way(lambda talk: talk.down("A", after=40)))


def test_a_handshake_that_somebody_else_made():
    talk = Conversation(NAME, rtt=0.1, ttl=44, server_ttl=64).up("S", after=0).down("SA", after=0.05)
    talk.up("A", after=180, ack=99_000).reset("R", after=0.1, seq=99_000)
    method = fired(talk)["ack_of_unsent"].method
    assert (method.action, method.trigger, method.trigger_detail) == ("forged_synack", "ip_address", "192.0.2.9")


def half_way(then):
    """Between both: 40 ms to the server and back, 40 ms to the client and back."""
    talk = Conversation(NAME, rtt=40, ttl=60, server_ttl=58).up("S", after=0).down("SA").up(after=40).hello()
    return then(talk.answer().up("A", after=40, ack=talk.peer + 500))


@pytest.mark.parametrize(
    "talk",
    [
        half_way(lambda talk: talk.down("A", after=1)),  # overtaken
        unsent(lambda talk: talk),  # nothing contradicts it
        unsent(lambda talk: talk.down("PA", RECORD, after=60, seq=talk.peer + 500)),  # the capture missed 500 bytes
        unsent(lambda talk: talk.down("PA", RECORD, after=40)),  # overtaken: within a quarter of the round trip
        unsent(lambda talk: talk.reset("R", after=1, seq=talk.peer)),
        at_server().up("RA", after=1, ack=5501).down("PA", RECORD, after=60),  # a reset may say anything
    ],
)
def test_an_answer_that_the_capture_missed(talk):
    assert "ack_of_unsent" not in fired(talk)
