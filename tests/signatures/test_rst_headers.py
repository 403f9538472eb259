"""Resets by their looks, their haste and their distance, and ordinary ones: connections on which a rule fires, and near misses."""

import pytest

from tests.conversation import Conversation
from tests.signatures.resets import NAME, PHONE, RECORD, asked, at_server, fired, known, proof

# -- headers ----------------------------------------------------------------------------------------------------


def test_resets_from_several_distances():
    found = fired(asked().reset(after=5, ttl=101).reset(after=1, ttl=98))["ttl_disagree"]
    assert found.measured == {"ttls": [101, 98]}
    assert proof(found) == [(4, "trigger"), (5, "forged"), (6, "forged")]
    assert "ttl_disagree" not in fired(asked().reset(after=5, ttl=101).reset(after=1, ttl=99)), "two hops"
    farewell = asked().reset(after=80, ttl=101).up("FA").reset(after=80, ttl=52)
    assert "ttl_disagree" not in fired(farewell), "after a FIN, host and edge may both reset"


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


def test_a_client_whose_machine_denies_the_connection():
    found = fired(at_server().answer(after=1).up("R", after=180))["client_gone"]
    assert found.measured["after_ms"] == pytest.approx(180, abs=1)
    assert "forged" in {role for _, role in proof(found)}


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


# -- what else came from the address ----------------------------------------------------------------------------


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


# -- ordinary resets --------------------------------------------------------------------------------------------


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
    assert set(fired(asked().answer().up("FA").reset("R", after=80))) == {"after_close"}
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
