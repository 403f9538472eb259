"""Addresses and ports that never answer: each rule with connections on which it fires, and a near miss."""

import pytest

from analyzer.signature import Label, Loaded
from signatures import ip_blocking
from tests.conversation import Conversation, Names, analyze

DCS = ("149.154.167.51", "91.108.56.130", "149.154.175.100")


class Prefixes(Names):
    """Telegram by its networks, on port 443 and 5222."""

    def label_address(self, address, port, proto):
        if address.startswith(("149.154.", "91.108.", "2001:67c:")):
            return Label("telegram", "dc" if port in (443, 5222) else None, "prefix")
        return Label("signal", "chat", "prefix") if address.startswith("76.223.") else None


LOADED = Loaded((ip_blocking,), Prefixes(domestic=("home",), services={"home.ru": "home"}), "test", "2026-09-01")


def silence(server, at=0.0, syns=4, **more):
    """SYNs as Linux repeats them, never answered."""
    talk = Conversation(server=server, at=at, **more)
    for i in range(syns):
        talk.up("S", after=0 if not i else 1000 * 2 ** (i - 1), seq=1000)
    return talk


def fine(name, server, at=0.0, **more):
    return Conversation(name, server, at=at, **more).works()


def chats(server, at=0.0):
    """A conversation without a name: known by its address."""
    return Conversation(server=server, at=at).open().up("PA", bytes(range(64))).answer(bytes(80)).chat().close()


OTHERS = (fine("example.org", "93.184.215.14", 3000), fine("example.com", "93.184.215.34", 9000))
SILENT_SERVICE = (silence(DCS[0]), silence(DCS[1], 300), silence(DCS[0], 8000), silence(DCS[1], 8300))


def fired(*talks, late=True):
    """{rule: finding}; a last conversation, much later, so that nothing ends with the capture."""
    last = (fine("late.example.net", "93.184.1.1", 60_000),) if late else ()
    return {f.rule.id: f for f in analyze(*talks, *last, loaded=LOADED).findings}


def test_a_silent_service():
    found = fired(*SILENT_SERVICE, *OTHERS)
    assert found["ip.service_silent"].measured["addresses"] == 2
    method = found["ip.service_silent"].method
    assert (method.action, method.trigger, method.position) == ("drop", "ip_address", "in_path")
    assert "ip.syn_silent" not in found


@pytest.mark.parametrize(
    "talks",
    [
        (silence(DCS[0]), silence(DCS[0], 8000), silence(DCS[0], 16_000), *OTHERS),  # one address: down or blocked
        (*SILENT_SERVICE[:2], *OTHERS),  # given up too soon
        SILENT_SERVICE,  # nobody answers
        (*SILENT_SERVICE, fine("www.home.ru", "77.88.1.1", 3000), fine("mail.home.ru", "77.88.1.2", 9000)),  # a border
        (*SILENT_SERVICE, *OTHERS, chats(DCS[2], 4000)),  # the service answers elsewhere
        (silence("10.1.1.1"), silence("10.2.1.1", 300), silence("10.1.1.1", 8000), silence("10.2.1.1", 8300), *OTHERS),
    ],
)
def test_silences_that_say_little(talks):
    assert not {"ip.service_silent", "ip.services_silent"} & set(fired(*talks))


def test_one_silent_address_is_told_weakly():
    found = fired(silence(DCS[0]), silence(DCS[0], 8000), *OTHERS)
    assert found["ip.syn_silent"].rule.strength == "weak"
    assert "ip.syn_silent" not in fired(silence(DCS[0], syns=2), *OTHERS)


def test_two_services_at_once():
    both = (silence(DCS[0]), silence("76.223.92.165", 300), silence(DCS[0], 8000), silence("76.223.92.165", 8300))
    subjects = {f.subject for f in analyze(*both, *OTHERS, loaded=LOADED).findings if f.rule.id == "ip.services_silent"}
    assert subjects == {"service telegram dc over IPv4", "service signal chat over IPv4"}
    assert "ip.services_silent" not in fired(*both[:1], *both[2:3], *OTHERS)


def test_what_was_open_dies_with_it():
    open_one = Conversation("x", DCS[0], at=-8000).open().hello().answer().chat()
    open_one.up("PA", b"\x17\3\3\0\x40" + bytes(64), after=7000).resend(4)
    found = fired(open_one, *SILENT_SERVICE, *OTHERS)
    assert found["ip.died_with_it"].measured["connections"] == 1
    assert "ip.died_with_it" not in fired(Conversation("x", DCS[0], at=-8000).works(), *SILENT_SERVICE, *OTHERS)


def test_one_port():
    dead = (silence(DCS[0], 2000, dport=5222), silence(DCS[0], 12_000, dport=5222))
    alive = fine("x", DCS[0], 5000)
    found = fired(*dead, alive, *OTHERS)
    assert (found["ip.one_port"].method.trigger, found["ip.one_port"].method.trigger_detail) == ("port", "5222")
    assert "ip.one_port" not in fired(*dead, *OTHERS)
    odd = (silence(DCS[0], 2000, dport=8443), silence(DCS[0], 12_000, dport=8443))
    assert "ip.one_port" not in fired(*odd, alive, *OTHERS), "nobody knows that it serves that port"


def deaf(server, at):
    """At the server: the client asks again although it was answered."""
    talk = Conversation(server=server, at=at, ttl=52, server_ttl=64, isn=77)
    for i in range(4):
        talk.up("S", after=0 if not i else 1000 * 2**i, seq=77).down("SA", after=0.1, seq=5000)
    return talk


def test_clients_that_never_hear():
    heard = (
        Conversation("x", "192.0.2.77", at=4000, rtt=0.1, ttl=52, server_ttl=64)
        .up("S", after=0)
        .down("SA")
        .up(after=80)
    )
    assert "ip.synack_unheard" in fired(deaf(DCS[0], 0), deaf(DCS[1], 16_000), heard, late=False)
    assert "ip.synack_unheard" not in fired(deaf(DCS[0], 0), deaf(DCS[1], 16_000), late=False)
    assert "ip.synack_unheard" not in fired(deaf(DCS[0], 0), deaf(DCS[0], 16_000), heard, late=False), (
        "its own firewall"
    )


def test_verdict():
    result = analyze(*SILENT_SERVICE, *OTHERS, fine("late.example.net", "93.184.1.1", 60_000), loaded=LOADED)
    verdict = next(v for v in result.answers if v.target == "telegram/dc")
    assert verdict.state == "likely_blocked"
    assert verdict.methods[0].method.action == "drop"
    assert len(verdict.methods[0].flows) == 4
