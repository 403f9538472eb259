"""What the judge makes of conversations: how far it goes with which controls, and where it stops."""

from __future__ import annotations

import pytest

import signatures
from analyzer.report import sentences
from analyzer.report.words import Words
from analyzer.result import ACCUSING, STATES, Verdict
from tests.conversation import Conversation, analyze, datagram
from tests.quic_talk import QuicTalk

NAME, OTHER, HOST = "web.whatsapp.com", "cdn.example.net", "157.240.0.60"
FOREIGN = "192.0.2.77"


def verdicts(*talks, everything: bool = True) -> dict[str, Verdict]:
    result = analyze(*talks, loaded=signatures.load())
    assert [STATES.index(v.state) for v in result.answers] == sorted(STATES.index(v.state) for v in result.answers)
    return {verdict.target: verdict for verdict in result.shown(everything)}


def raced(at: float, name: str = NAME, server: str = HOST) -> Conversation:
    """A reset 5 ms after the hello; the genuine ServerHello still comes."""
    return Conversation(name, server, at=at, rtt=200).open().hello().reset(after=5, ttl=100).answer(after=195)


def silenced(at: float, name: str = NAME, server: str = HOST) -> Conversation:
    """A hello that is resent and never acknowledged."""
    return Conversation(name, server, at=at).open().hello().resend(5)


def works(at: float, name: str = OTHER, server: str = HOST) -> Conversation:
    return Conversation(name, server, at=at).works()


def test_forged_resets_by_name_between_fine_neighbours_are_a_block_by_name():
    bad = [raced(20_000 * n) for n in range(4)]
    good = [works(20_000 * n + 9_000) for n in range(4)]
    verdict = verdicts(*bad, *good)[NAME]
    assert verdict.state == "blocked"
    assert (verdict.service, verdict.role, verdict.attempts, verdict.failed) == ("whatsapp", "web", 4, 4)
    method = verdict.methods[0].method
    assert (method.action, method.trigger, method.trigger_detail, method.position) == ("rst", "sni", NAME, "on_path")
    assert len(verdict.methods[0].flows) == 4
    assert verdict.controls[0].kind == "same_address_other_name"
    assert (verdict.controls[0].attempts, verdict.controls[0].fine) == (4, 4)
    assert {w.role for w in verdict.methods[0].witnesses} >= {"trigger", "forged", "contradicts"}
    assert verdict.next is None


def test_one_conclusive_reset_alone_is_only_probable_and_names_no_trigger():
    verdict = verdicts(raced(0))[NAME]
    assert verdict.state == "likely_blocked"
    assert verdict.methods[0].method.trigger == "none_seen"
    assert "no_control" in verdict.limits and "few_attempts" in verdict.limits
    assert verdict.next == "capture_with_control"


def test_the_fine_neighbour_is_no_less_fine_for_it():
    both = verdicts(*[raced(20_000 * n) for n in range(3)], works(9_000))
    assert both[OTHER].state == "ok"
    assert both[OTHER].is_control
    assert both[OTHER].methods == ()


def test_silence_by_name_is_a_block_where_others_at_the_address_pass_in_between():
    bad = [silenced(40_000 * n) for n in range(4)]
    good = [works(40_000 * n + 25_000) for n in range(6)]
    verdict = verdicts(*bad, *good)[NAME]
    assert verdict.state == "blocked"
    method = verdict.methods[0].method
    assert (method.action, method.trigger) == ("drop", "sni")


def test_silence_where_nothing_else_was_tried_accuses_nobody():
    verdict = verdicts(*[silenced(40_000 * n) for n in range(4)])[NAME]
    assert verdict.state not in ACCUSING
    assert verdict.methods == ()
    assert "no_control" in verdict.limits
    assert verdict.next is not None


def test_one_silent_hello_beside_a_fine_neighbour_accuses_nobody():
    verdict = verdicts(silenced(0), works(50_000))[NAME]
    assert verdict.state not in ACCUSING


def test_a_server_that_refuses_a_name_it_does_not_own_accuses_nobody():
    """Resets one round trip after the hello, from the server's own distance: what an unknown virtual host earns."""
    refused = [Conversation("unknown.example", FOREIGN, at=20_000 * n).open().hello().reset(after=80) for n in range(5)]
    good = [works(20_000 * n + 9_000, server=FOREIGN) for n in range(5)]
    verdict = verdicts(*refused, *good)["unknown.example"]
    assert verdict.state == "impaired"


def test_a_closed_port_is_down_and_not_blocked():
    closed = [
        Conversation("x.example", FOREIGN, at=15_000 * n).up("S", after=0).down("RA", ack=1001, seq=0) for n in range(3)
    ]
    verdict = next(v for v in verdicts(*closed).values() if FOREIGN in v.addresses)
    assert verdict.state == "down"


def test_a_network_without_any_answer_accuses_nobody():
    dead = []
    for n, host in enumerate(("157.240.0.60", "149.154.167.51", "192.0.2.1", "198.51.100.7")):
        for k in range(3):
            talk = Conversation(None, host, at=1000 * n + 30_000 * k).up("S", after=0)
            for wait in (1000, 2000, 4000, 8000):
                talk.up("S", after=wait, seq=1000)
            dead.append(talk)
    result = analyze(*dead, loaded=signatures.load())
    assert result.network.state == "no_connectivity"
    assert not [v for v in result.answers if v.state in ACCUSING]


def test_a_reset_after_both_sides_closed_changes_nothing():
    talk = Conversation(NAME, HOST).works().reset("R", after=1)
    assert verdicts(talk)[NAME].state == "ok"


@pytest.mark.parametrize("unrelated", [0, 30])
def test_unrelated_flows_change_no_verdict(unrelated):
    bad = [raced(20_000 * n) for n in range(3)]
    more = [works(3_000 * n, name=f"s{n}.example", server=f"198.51.100.{n + 1}") for n in range(unrelated)]
    verdict = verdicts(*bad, works(9_000), *more)[NAME]
    assert verdict.state == "blocked"
    assert len(verdict.methods[0].flows) == 3


def test_a_closed_port_says_nothing_of_an_open_one():
    def at(port: int, begin: float, name: str | None = None) -> Conversation:
        talk = Conversation(name, FOREIGN, at=begin, dport=port)
        return talk.works() if port == 443 else talk.up("S", after=0).reset(after=80, seq=0)

    both = [at(443, 0), at(443, 30_000), at(8443, 1_000), at(8443, 31_000), at(9000, 2_000)]
    verdict = verdicts(*both, everything=False)[FOREIGN]
    assert (verdict.state, verdict.attempts, verdict.failed, verdict.closed) == ("ok", 2, 0, (8443, 9000))
    said = sentences.summary(verdict, Words("en"), None)
    assert said.endswith("Its ports 8443, 9000 refused every connection.")
    alone = verdicts(at(8443, 0), at(8443, 31_000))[FOREIGN]
    assert (alone.state, alone.closed) == ("down", ()), "nothing of it answers"


def test_silence_over_quic_is_part_of_a_block_that_is_shown_over_tcp():
    silent = [QuicTalk(NAME, HOST, at=3_000.0 + 20_000 * n).initial(times=4).packets for n in range(2)]
    shown = verdicts(*[raced(20_000 * n) for n in range(2)], *silent)[NAME]
    assert shown.state == "blocked"
    assert [named.method.action for named in shown.methods] == ["rst", "drop"]
    alone = verdicts(*[works(20_000 * n, NAME) for n in range(2)], *silent)[NAME]
    assert alone.methods == (), "a site may have no QUIC"


def test_an_empty_capture_says_so():
    result = analyze(loaded=signatures.load())
    assert (result.network.why, result.answers) == ("nothing_captured", ())


def test_at_the_server_other_clients_are_the_control():
    """Forged resets "from" one client, which talks on; others at the same time are served."""

    def at_server(client: str, at: float) -> Conversation:
        talk = Conversation(NAME, HOST, client, at=at, rtt=0.1, ttl=44, server_ttl=64)
        talk.up("S", after=0).down("SA", after=0.05).up(after=180)
        return talk

    bad = []
    for n in range(3):
        talk = at_server("203.0.113.5", 20_000 * n).hello()
        talk.up("R", after=1, ttl=90, seq=talk.seq).answer(after=1).up("PA", b"\x17\3\3\0\1x", after=180)
        bad.append(talk)
    good = [at_server(f"198.51.100.{n}", 20_000 * n + 5_000).hello().answer(after=1).chat().close() for n in range(3)]
    verdict = verdicts(*bad, *good)[NAME]
    assert verdict.state in ("blocked", "likely_blocked")
    assert {flow.client for flow in verdict.methods[0].flows} == {"203.0.113.5"}
    assert "other_client_networks" in {control.kind for control in verdict.controls}


def at_server(at: float, client: str) -> Conversation:
    """Seen at the server: a client that denies the connection that it has just opened."""
    talk = Conversation(NAME, HOST, client, at=at, rtt=0.1, ttl=44, server_ttl=64)
    talk.up("S", after=0).down("SA", after=0.05).up(after=180).hello().answer(after=1)
    return talk.up("R", after=180)


@pytest.mark.parametrize(("clients", "limited"), [(("198.51.100.1",), True), (("198.51.100.1", "203.0.113.1"), False)])
def test_a_server_that_lost_one_client_alone_is_told_to_look_from_there(clients: tuple[str, ...], limited: bool):
    talks = [at_server(20_000 * n + 300 * i, client) for n in range(3) for i, client in enumerate(clients)]
    verdict = verdicts(*talks)[NAME]
    assert ("single_client" in verdict.limits) is limited
    assert (verdict.next == "capture_at_client") is limited


def given_up(at: float) -> Conversation:
    """A hello, and the client's side resets at once."""
    return Conversation(NAME, HOST, at=at).open().hello().up("RA")


def test_what_the_clients_side_resets_itself_more_often_than_not_is_not_said_to_work():
    verdict = verdicts(*[given_up(20_000 * n) for n in range(3)], works(9_000, NAME))[NAME]
    assert verdict.state == "insufficient"
    assert verdict.limits[0] == "given_up"
    assert verdict.next == "check_device"


def test_a_few_connections_that_were_given_up_say_nothing():
    verdict = verdicts(given_up(0), *[works(9_000 + 20_000 * n, NAME) for n in range(3)])[NAME]
    assert verdict.state == "ok"
    assert verdict.limits == ()


def test_a_group_that_nobody_answers_for_is_no_target():
    asked = [datagram("10.0.0.2", "239.255.255.250", 5000, 1900, b"M-SEARCH", 1_000.0 * n) for n in range(3)]
    assert "239.255.255.250" not in verdicts(asked, works(0))


def test_at_the_server_it_is_known_what_the_server_did():
    lost = [at_server(20_000 * n, "198.51.100.1") for n in range(3)]
    causes = {ruled.explanation for ruled in verdicts(*lost)[NAME].ruled_out}
    assert "nat_timeout" in causes
    assert not causes & {"server_refused", "server_down", "server_rejects_name"}


@pytest.mark.parametrize(("client", "state"), [("10.215.173.1", "ok"), ("10.0.0.2", "impaired")])
def test_a_phone_that_stops_capturing_ends_all_connections(client: str, state: str):
    talk = Conversation(OTHER, FOREIGN, client, rtt=20).open().hello().answer().reset("R", after=1)
    assert verdicts(talk)[OTHER].state == state
