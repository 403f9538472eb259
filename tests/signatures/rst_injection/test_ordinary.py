"""Resets that a host made itself: each rule with connections on which it fires, and near misses."""

import pytest

from tests.conversation import Conversation
from tests.signatures.rst_injection.resets import NAME, PHONE, asked, at_server, fired, known, proof


def test_a_client_whose_machine_denies_the_connection():
    found = fired(at_server().answer(after=1).up("R", after=180))["client_gone"]
    assert found.measured["after_ms"] == pytest.approx(180, abs=1)
    assert proof(found) == [(4, "trigger"), (7, "contradicts")], "its own reset; what was forged was for the client"


@pytest.mark.parametrize(
    "talk",
    [
        at_server().answer(after=1).up("RA", after=180),  # a program that aborts
        at_server().answer(after=1).up("FA", after=90).up("R", after=90),  # that had closed
        at_server().up("R", after=180),  # that had been told nothing
        at_server(hello=False).down("PA", b"220 mail\r\n", after=1).up("R", after=180),  # that had said nothing
        asked().answer().up("R", after=5),  # at the client itself
    ],
)
def test_a_client_that_ends_its_connection(talk):
    assert "client_gone" not in fired(talk)


def test_made_on_the_device():
    found = fired(*known(), asked().reset(after=0.3, ttl=64))
    assert found["from_device"].measured == {"after_ms": 0.3, "reset_ttl": 64}
    assert [role for _, role in proof(found["from_device"])] == ["trigger", "baseline"]
    assert not {"faster_than_path", "ttl_differs"} & set(found)


@pytest.mark.parametrize(
    "talks",
    [
        (*known(), asked().reset(after=5, ttl=64)),  # it took its time
        (*known(), asked().reset(after=0.3, ttl=63)),  # it crossed a router
        (*known(server_ttl=64, rtt=0.4), asked(server_ttl=64, rtt=0.4).reset(after=0.3, ttl=64)),  # a neighbour
    ],
)
def test_not_made_on_the_device(talks):
    assert "from_device" not in fired(*talks)


def test_an_ordinary_farewell():
    assert set(fired(Conversation(NAME).works().reset("R", after=1))) == {"after_close"}
    found = fired(asked().answer().up("FA").reset("R", after=80))
    assert set(found) == {"after_close"}
    assert proof(found["after_close"]) == [(8, "baseline")], "the close set it off, no request"
    assert "after_close" not in fired(asked().answer().reset("R", after=80))
    assert "after_close" not in fired(Conversation(None).open().up("FA").reset("R", after=80)), "nobody asked for it"


def refused(after=80.0, **more):
    return Conversation(NAME, **more).up("S", after=0).reset(after=after, seq=0)


def test_a_closed_port():
    found = fired(refused())["refused"]
    assert found.measured == {"rst_after_syn_ms": 80.0}
    assert (found.rule.leans, proof(found)) == ("genuine", [(2, "baseline")])
    assert "refused" in fired(*known(), refused())
    assert "refused" not in fired(asked().reset(after=80))
    assert "refused" not in fired(Conversation(NAME).up("S", after=0).reset("R", seq=0)), "no answer to a SYN"
    assert "refused" not in fired(refused(client=PHONE))
    assert "refused" not in fired(*known(), refused(after=5)), "sooner than the host can be reached"
    assert "refused" not in fired(refused().reset(after=1, seq=0)), "a closed port says it once"
    assert "refused" not in fired(refused(after=0.2, server_ttl=64)), "a firewall on the device"
    assert "refused" in fired(refused(after=0.2, server_ttl=64, server="192.168.1.5")), "a neighbour"
    assert "refused" in fired(refused(after=0.2, server_ttl=64, ttl=44)), "seen at the host itself"
