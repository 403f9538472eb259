"""Causes on the device: what was never taken, what a phone's app refuses itself, names nobody looked up, tunnels."""

from __future__ import annotations

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR

import signatures
from analyzer.result import Result
from signatures import device_causes
from tests.analyzer.wire.test_tunnels import INITIATION, RESPONSE, data
from tests.conversation import SERVER_HELLO, Conversation, analyze, datagram

WHATSAPP, ELSEWHERE, PHONE = "157.240.0.60", "93.184.215.34", "10.215.173.1"


def fired(*talks) -> list[str]:
    found = answer(*talks).findings
    return [finding.rule.id for finding in found if finding.rule in device_causes.RULES]


def answer(*talks) -> Result:
    return analyze(*talks, loaded=signatures.load())


def ignored_synack(**about) -> Conversation:
    """Greeted again and again, and asking again and again."""
    talk = Conversation("web.whatsapp.com", **about).up("S").down("SA")
    seq, peer = talk.seq, talk.peer
    for _ in range(2):
        talk.up("S", after=1000, seq=seq - 1).down("SA", seq=peer - 1, ack=seq)
    return talk


def ignored_answer(**about) -> Conversation:
    talk = Conversation("web.whatsapp.com", **about).open().hello()
    seq, peer = talk.seq, talk.peer
    talk.down("PA", SERVER_HELLO)
    for _ in range(3):
        talk.up("PA", b"x" * 10, after=400, seq=seq - 10, ack=peer).down("PA", SERVER_HELLO, seq=peer, ack=seq)
    return talk


@pytest.mark.parametrize("talk", [ignored_synack, ignored_answer])
def test_what_arrives_and_is_never_taken_was_stopped_on_the_device(talk):
    assert fired(talk()) == ["device.deaf"]
    result = answer(talk(), Conversation("example.org", server="192.0.2.10").works())
    verdict = result.answers[0]
    assert (verdict.state, verdict.next) == ("impaired", "check_device")
    assert next(one.explanation for one in verdict.ruled_out if not one.excluded) == "local_filter"


@pytest.mark.parametrize(
    "talk",
    [
        Conversation("web.whatsapp.com").works(),
        Conversation("web.whatsapp.com").open().hello().resend(4),  # lost on the way
        Conversation("web.whatsapp.com").up("S").down("SA"),  # a copy only would say so
        ignored_synack(ttl=50, server_ttl=64),  # seen at the server: the way back lost it
        ignored_synack().up("R", after=1),  # refused, and so taken
        ignored_synack(client=PHONE),  # invented packets
    ],
    ids=["works", "lost", "once", "at the server", "refused", "phone"],
)
def test_what_was_taken_refused_or_seen_elsewhere_says_nothing(talk):
    assert "device.deaf" not in fired(talk)


def unconfirmed(**about) -> Conversation:
    """Greeted three times, and not a word more."""
    talk = Conversation("web.whatsapp.com", **about).up("S").down("SA")
    for _ in range(2):
        talk.down("SA", after=1000, seq=talk.peer - 1)
    return talk


def test_what_never_leaves_the_device_was_stopped_on_it():
    """Told from a device that has left by what the same device does afterwards elsewhere."""
    after = Conversation("example.org", server="192.0.2.10", at=5000).works()
    before = Conversation("example.org", server="192.0.2.10", at=0).works()
    another = Conversation("example.org", server="192.0.2.10", client="10.0.0.3", at=5000).works()
    assert fired(unconfirmed(), after) == ["device.deaf"]
    assert fired(unconfirmed(), before) == fired(unconfirmed(), another) == fired(unconfirmed()) == []


def test_a_synack_that_fits_nothing_is_taken_by_nobody():
    talk = Conversation("web.whatsapp.com").up("S").down("SA", ack=77)
    for _ in range(2):
        talk.down("SA", after=1000, seq=talk.peer - 1, ack=77)
    assert fired(talk) == []


def refused(after: float, at: float, server: str = WHATSAPP, client: str = PHONE, ttl: int = 64) -> Conversation:
    return Conversation("web.whatsapp.com", server, client, at=at).up("S").down("RA", after=after, ttl=ttl)


def phone(*, rtt: float = 60) -> list[Conversation]:
    """Other connections of the phone, greeted when the real server did."""
    return [Conversation("example.org", client=PHONE, at=5000 * n, rtt=rtt).works() for n in range(2)]


def test_a_capture_app_that_refuses_itself():
    talks = [refused(0.1, 1000 * n) for n in range(3)]
    assert fired(*talks, *phone()) == ["device.refused_at_once"]
    verdict = next(v for v in answer(*talks, *phone()).answers if v.service == "whatsapp")
    assert verdict.state == "impaired"


def at_home(**about) -> list[Conversation]:
    """The same on a wire, with a TTL that no router has touched."""
    others = [Conversation("example.org", at=5000 * n).works() for n in range(2)]
    return [*(refused(0.1, 1000 * n, client="10.0.0.2", **about) for n in range(3)), *others]


def test_a_firewall_that_refuses():
    assert "device.refused_at_once" in fired(*at_home())


def test_what_crossed_a_router_or_is_at_home_was_not_refused_by_the_device():
    assert "device.refused_at_once" not in fired(*at_home(ttl=63))
    assert "device.refused_at_once" not in fired(*at_home(server="10.0.0.9"))


@pytest.mark.parametrize(
    "talks",
    [
        [*(refused(50, 1000 * n) for n in range(3)), *phone()],  # as far away as a server
        [refused(0.1, 0), *phone()],  # one may be chance
        [*(refused(0.1, 1000 * n) for n in range(3)), *phone(rtt=0.5)],  # everything is as near
        [refused(0.1, 1000 * n) for n in range(3)],  # nothing to compare with
    ],
    ids=["far", "once", "all near", "alone"],
)
def test_refusals_that_may_come_from_elsewhere(talks):
    assert fired(*talks) == []


def lookup(name: str, address: str, at: float) -> list[tuple[float, bytes]]:
    """One question and its answer."""
    asked = DNSQR(qname=name)
    question = DNS(id=7, rd=1, qd=asked)
    given = DNS(id=7, qr=1, qd=asked, an=DNSRR(rrname=name, rdata=address))
    return [
        datagram("10.0.0.2", "192.0.2.53", 40001, 53, bytes(question), at),
        datagram("192.0.2.53", "10.0.0.2", 53, 40001, bytes(given), at + 20),
    ]


LOOKUPS = [lookup(f"site{n}.example", "192.0.2.80", 30.0 * n) for n in range(3)]


def test_a_known_service_at_an_address_that_nobody_looked_up():
    talk = Conversation("web.whatsapp.com", ELSEWHERE, at=500).works()
    assert fired(talk, *LOOKUPS) == ["device.never_looked_up"]


@pytest.mark.parametrize(
    ("talk", "lookups"),
    [
        (Conversation("web.whatsapp.com", WHATSAPP, at=500).works(), LOOKUPS),  # its own: an answer kept from before
        (Conversation("web.whatsapp.com", ELSEWHERE, at=500).works(), LOOKUPS[:2]),  # lookups are not seen here
        (Conversation("www.example.org", ELSEWHERE, at=500).works(), LOOKUPS),
        (
            Conversation("web.whatsapp.com", ELSEWHERE, at=500).works(),
            [*LOOKUPS, lookup("web.whatsapp.com", ELSEWHERE, 200)],
        ),
    ],
    ids=["own", "few lookups", "unknown", "looked up"],
)
def test_names_that_may_have_been_looked_up(talk, lookups):
    assert fired(talk, *lookups) == []


def tunnel(answered: bool = True) -> list[tuple[float, bytes]]:
    """A handshake, and what runs inside for a while."""
    up, down = ("10.0.0.2", "198.51.100.7", 40002, 51820), ("198.51.100.7", "10.0.0.2", 51820, 40002)
    asks = [datagram(*up, INITIATION, 0), *(datagram(*up, data(b"TELL", n), 100 + 10 * n) for n in range(10))]
    tells = [datagram(*down, RESPONSE, 40), *(datagram(*down, data(b"ASKS", n), 105 + 10 * n) for n in range(10))]
    return asks + tells if answered else asks


def test_a_tunnel_is_said_to_be_one_and_judged_by_nobody():
    result = answer(tunnel())
    assert [finding.rule.id for finding in result.findings] == ["device.sealed_tunnel"]
    assert (result.network.state, result.network.why) == ("normal", "only_a_tunnel")
    assert result.coverage.tunnelled == 1


def test_beside_a_tunnel_the_network_is_judged():
    result = answer(tunnel(), Conversation("example.org", server="93.184.215.14").works())
    assert result.network.why == "one_target_works" and result.coverage.tunnelled == 1


def test_what_is_never_answered_is_no_tunnel():
    assert fired(tunnel(answered=False)) == []
