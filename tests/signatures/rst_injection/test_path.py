"""Resets by their haste and their distance: each rule with connections on which it fires, and near misses."""

import pytest

from tests.conversation import Conversation
from tests.signatures.rst_injection.resets import NAME, PHONE, RECORD, asked, at_server, fired, known, proof


def test_sooner_than_the_path_allows():
    fast = fired(*known(), asked().reset(after=5))["faster_than_path"]
    assert fast.measured == {"reset_after_ms": 5.0, "least_rtt_ms": 80.0, "rtt_samples": 3}
    assert [role for _, role in proof(fast)] == ["trigger", "forged"]
    sooner = fired(*known(), asked().reset(after=55))
    assert sooner["sooner_than_path"].measured["reset_after_ms"] == 55.0
    assert "faster_than_path" not in sooner


def resent():
    talk = asked()
    return talk.resend(1, first=300).reset(after=5)


def rested():
    """Idle for minutes, then refused by a NAT that has forgotten it."""
    talk = asked().answer().chat()
    return talk.up("PA", RECORD, after=120_000).reset(after=5)


@pytest.mark.parametrize(
    "talks",
    [
        (*known(), asked().reset("R", after=5)),  # may have left with the SYN/ACK
        (*known(), resent()),  # answers the first copy
        (*known(), rested()),
        (*known(), Conversation(NAME).open().hello().reset(after=5, ack=1001)),  # acknowledges the SYN alone
        (*known(rtt=6), asked(rtt=6).reset(after=3.5)),  # nothing to save on such a path
        (*known(), asked().reset(after=70)),
        (asked().reset(after=5),),  # one sample
        (*known(rtt=0.3), asked(rtt=32).reset(after=13)),  # a proxy in between: that is how soon it can answer
        (*known(), asked(client=PHONE).reset(after=5)),
    ],
)
def test_as_soon_as_the_path_allows(talks):
    assert not {"faster_than_path", "sooner_than_path"} & set(fired(*talks))


def test_sooner_needs_a_round_trip_of_data():
    """SYN/ACKs may be made by somebody nearer, or farther: only what answered data tells of the server."""
    greeted = [Conversation("x", at=-60_000 + 9000 * n).open().up("FA").down("R") for n in range(2)]
    assert "sooner_than_path" not in fired(*greeted, asked().reset(after=55))


def test_another_distance():
    found = fired(*known(), asked().reset(after=80, ttl=101))["ttl_differs"]
    assert found.measured == {"reset_ttl": 101, "server_ttls": [52]}
    assert [role for _, role in proof(found)] == ["trigger", "forged", "baseline", "baseline"]


def test_away_from_the_client_another_distance_than_all_its_packets():
    found = fired(at_server().up("RA", after=1, ttl=99))["ttl_differs"]
    assert found.measured == {"reset_ttl": 99, "client_ttls": [44]}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (1, "baseline")]
    answered = at_server().down("PA", RECORD, after=1).up("RA", after=1, ttl=99)
    assert proof(fired(answered)["ttl_differs"])[0] == (4, "trigger"), "the server's answer set nothing off"
    assert "ttl_differs" not in fired(at_server().up("RA", after=1, ttl=46)), "routes shift"
    assert "ttl_differs" not in fired(at_server().up("RA", after=5000, ttl=99)), "a NAT that has forgotten it"


def test_another_distance_than_the_greetings_and_too_early():
    greeted = Conversation("x", at=-9000).open()
    found = fired(greeted, asked().reset(after=5, ttl=101))["ttl_differs"]
    assert found.measured["server_ttls"] == [52]
    assert "ttl_differs" not in fired(greeted, asked().reset(after=80, ttl=101)), "in its own time"
    assert "ttl_differs" not in fired(asked().reset(after=5, ttl=101)), "one greeting"
    elsewhere = Conversation("x", at=-9000, server_ttl=120).open()
    assert "ttl_differs" not in fired(elsewhere, asked().reset(after=5, ttl=101)), "hosts at two distances greet"
    spoken = Conversation("x", at=-9000).open().hello().answer().answer(RECORD, ttl=57)
    assert "ttl_differs" not in fired(greeted, spoken, asked().reset(after=5, ttl=101)), "and speak from others"


@pytest.mark.parametrize(
    "talks",
    [
        (*known(), asked().reset(after=80, ttl=54)),  # two hops
        (*known(), *known(server_ttl=101, start=-30_000.0), asked().reset(after=80, ttl=101)),  # hosts at two distances
        (*known(), *known(server_ttl=240, start=-30_000.0), asked().reset(after=80, ttl=101)),
        (*known(), asked().answer().up("FA").reset(after=80, ttl=101)),  # its edge, after a close
        (*known(), asked().answer().down("FA").reset(after=80, ttl=101)),
        (*known(), asked().answer().up("RA")),  # the client's own
        (*known(client=PHONE), asked(client=PHONE).reset(after=80, ttl=101)),
    ],
)
def test_the_usual_distance(talks):
    assert "ttl_differs" not in fired(*talks)
