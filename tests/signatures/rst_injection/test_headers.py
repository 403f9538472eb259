"""Resets by their looks: each rule with connections on which it fires, and near misses."""

import pytest

from tests.conversation import Conversation
from tests.signatures.rst_injection.resets import NAME, RECORD, asked, at_server, fired, proof


def test_resets_from_several_distances():
    found = fired(asked().reset(after=5, ttl=101).reset(after=1, ttl=98))["ttl_disagree"]
    assert found.measured == {"ttls": [101, 98]}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "forged")]
    assert "ttl_disagree" not in fired(asked().reset(after=5, ttl=101).reset(after=1, ttl=99)), "two hops"
    farewell = asked().reset(after=80, ttl=101).up("FA").reset(after=80, ttl=52)
    assert "ttl_disagree" not in fired(farewell), "after a FIN, host and edge may both reset"


def test_the_resets_that_a_machine_makes_itself_beside_the_forged_one():
    talk = at_server().down("A", after=0.1).up("RA", after=1, ttl=98)
    talk.down("PA", RECORD, after=1).up("R", after=180)
    found = fired(talk)["ttl_disagree"]
    assert found.measured == {"ttls": [98, 44]}
    assert proof(found) == [(4, "trigger"), (6, "forged"), (8, "contradicts")]


def test_resets_of_unlike_kinds():
    found = fired(asked().reset("R", after=5).reset("RA", after=1, seq=5001))["unlike_kinds"]
    assert found.measured == {"resets": 2}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "forged")]
    late = asked().reset("R", after=5).reset("RA", after=60)
    assert "unlike_kinds" not in fired(late)
    closed = asked().reset("RA", after=80).up("FA", after=1).reset("R", after=1)
    assert "unlike_kinds" not in fired(closed)


def aborted(flags="RA", late=2):
    """A server that aborts while segments are on their way: each of them finds no socket, and earns a bare reset."""
    talk = asked().answer()
    for _ in range(late):
        talk.up("PA", RECORD, after=1)
    talk.reset(flags, after=10)
    for _ in range(late):
        talk.reset("R", after=1)
    return talk


def test_late_segments_earn_a_reset_each():
    assert not fired(aborted())
    assert not fired(aborted(late=4))
    assert not fired(aborted("R", late=4))


def test_a_burst_of_resets():
    found = fired(asked().reset(after=5).reset(after=1).reset(after=1))["burst"]
    assert found.measured == {"resets": 3}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "forged"), (7, "forged")]


def doubled():
    """A mirror port that shows each packet on its way in and on its way out."""
    talk = asked().reset(after=5).reset(after=1)
    talk.packets = [copy for at, data in talk.packets for copy in ((at, data), (at + 0.01, data))]
    return talk


@pytest.mark.parametrize(
    "talk",
    [
        asked().reset(after=5).reset(after=1),
        asked().reset(after=5).reset(after=11).reset(after=11),
        asked().reset(after=80).up("FA").reset(after=1).reset(after=1),
        at_server().answer(after=1).up("R", after=180).up("R", after=1).up("R", after=1),  # one for each late segment
        doubled(),
    ],
)
def test_resets_that_are_no_burst(talk):
    assert "burst" not in fired(talk)


def test_a_bare_reset_with_a_window():
    found = fired(asked().reset("R", after=5, window=4096))["bare_with_window"]
    assert found.measured == {"window": 4096}
    assert "bare_with_window" not in fired(asked().reset("R", after=5))
    assert "bare_with_window" not in fired(asked().reset("RA", after=5, window=4096))
    assert "bare_with_window" not in fired(asked().answer().up("FA").reset("R", after=80, window=4096))


def test_the_header_of_the_packet_that_it_answers():
    talk = Conversation(NAME).open().up("PA", RECORD, id=4321, window=501)
    found = fired(talk.reset(after=5, id=4321, window=501))["header_copied"]
    assert found.measured == {"ip_id": 4321, "window": 501}
    assert proof(found) == [(4, "trigger"), (5, "forged")]
    for one in ({"id": 4321, "window": 16}, {"id": 17, "window": 501}, {"id": 4321, "window": 0}):
        talk = Conversation(NAME).open().up("PA", RECORD, id=4321, window=501).reset(after=5, **one)
        assert "header_copied" not in fired(talk)


def test_a_machine_that_is_described():
    found = fired(asked().reset(after=5, id=242, window=16))["known_injector"]
    assert found.measured["injector"] == "Airtel" and "IMC 2018" in found.measured["described_in"]
    assert (found.rule.leans, proof(found)) == ("neutral", [(5, "forged")])
    assert "known_injector" not in fired(asked().reset(after=5, id=242, window=17))
