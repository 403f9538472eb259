"""Refusals in somebody else's name: each rule with connections on which it fires, and a near miss."""

import pytest

from analyzer.signature import Label, Loaded
from signatures import ip_refusal
from tests.conversation import Conversation, Names, analyze, icmp_error

DCS = ("149.154.167.51", "91.108.56.130")
ROUTER = "100.64.2.2"


class Prefixes(Names):
    """Telegram by its networks."""

    def label_address(self, address, port, proto):
        return Label("telegram", "dc", "prefix") if address.startswith(("149.154.", "91.108.")) else None


LOADED = Loaded((ip_refusal,), Prefixes(), "test", "2026-09-01")
OTHERS = tuple(
    Conversation(f"www.site{i}.org", f"{93 + i}.184.215.14", at=2000.0 * i, rtt=80 + i).works() for i in range(4)
)


def fired(*talks, others=OTHERS):
    """{rule: finding} of these and of ordinary conversations."""
    return {f.rule.id: f for f in analyze(*talks, *others, loaded=LOADED).findings}


def refused(server, at=0.0, after=16.0, ttl=62, **more):
    """A SYN that meets a reset."""
    return Conversation(server=server, at=at).up("S", after=0, id=4000).reset(after=after, seq=0, ttl=ttl, **more)


def method(finding):
    return (finding.method.action, finding.method.trigger, finding.method.position)


@pytest.mark.parametrize(
    ("ids", "how"), [((242, 242), "ip_id_constant"), ((700, 703), "ip_id_counter"), ((4000, 4000), "ip_id_of_the_syn")]
)
def test_one_responder_by_its_numbering(ids, how):
    found = fired(refused(DCS[0], id=ids[0], after=70), refused(DCS[1], 500, id=ids[1], after=72))
    assert found["ip.one_responder"].measured["one_machine_by"] == how
    assert method(found["ip.one_responder"]) == ("rst", "ip_address", "in_path")


def test_one_responder_nearer_than_any_host():
    found = fired(refused(DCS[0], id=0), refused(DCS[1], 500, id=0))
    assert found["ip.one_responder"].measured["one_machine_by"] == "nearer_than_any_host"


def test_one_responder_for_a_whole_service():
    whole = [refused(server, 500 * i, id=0, after=79) for i, server in enumerate((*DCS, "149.154.167.91", DCS[0]))]
    found = fired(*whole)
    assert found["ip.one_responder"].measured["one_machine_by"] == "every_address_of_the_service"
    greeted = Conversation(server="149.154.175.50", at=5000.0).works()
    assert "ip.one_responder" not in fired(*whole, greeted), "some of it is reached"
    assert "ip.one_responder" not in fired(*whole[:3]), "each was tried once"


@pytest.mark.parametrize(
    "talks",
    [
        (refused(DCS[0], id=0, after=79), refused(DCS[1], 500, id=0, after=80)),  # closed ports at one distance
        (refused(DCS[0], id=242), refused(DCS[0], 500, id=242)),  # one network
        (refused(DCS[0], id=242, after=60), refused(DCS[1], 500, id=242, after=75)),  # two machines of one make
        (refused(DCS[0], id=242), refused(DCS[1], 500, id=242, ttl=55)),
        (refused("5.1.1.1", id=242), refused("6.1.1.1", 500, id=242)),  # of no service: a scan
    ],
)
def test_refusals_of_hosts(talks):
    assert "ip.one_responder" not in fired(*talks)


def test_nobody_answers_meanwhile():
    assert not fired(refused(DCS[0], id=242), refused(DCS[1], 500, id=242), others=OTHERS[:1])


def test_refused_too_soon():
    reached = (Conversation("x", DCS[0], at=-9000).works(), Conversation("x", DCS[0], at=-6000).works())
    assert "ip.refused_too_soon" in fired(*reached, refused(DCS[0], after=20))
    assert "ip.refused_too_soon" not in fired(*reached, refused(DCS[0], after=60))
    assert "ip.refused_too_soon" not in fired(refused(DCS[0], after=20))


def quoted(server, at=0.0, code=13, router=ROUTER, name=None, answer=False):
    """A SYN, and a router's error about it."""
    talk = Conversation(name, server, at=at).up("S", after=0)
    error = icmp_error(router, talk.packets[0][1], at + 12, code=code)
    return [*(talk.down("SA").up().packets if answer else talk.packets), error]


@pytest.mark.parametrize("code", [9, 10, 13])
def test_prohibited(code):
    found = fired(quoted(DCS[0], code=code))
    assert method(found["ip.icmp_admin"]) == ("icmp_reject", "ip_address", "in_path")
    assert found["ip.icmp_admin"].measured["routers"] == [ROUTER]


@pytest.mark.parametrize(
    "packets",
    [
        quoted(DCS[0], router=DCS[0]),  # the host's own firewall
        quoted("5.1.1.1"),  # a peer without a name
        quoted(DCS[0], code=1),  # one host that cannot be reached
    ],
)
def test_errors_that_happen(packets):
    assert not fired(packets)


@pytest.mark.parametrize("code", [0, 1])
def test_one_router_speaks_for_unrelated_networks(code):
    found = fired(quoted(DCS[0], code=code), quoted(DCS[1], 500, code=code))
    assert found["ip.icmp_by_router"].measured["addresses"] == 2
    assert "ip.icmp_by_router" not in fired(
        quoted(DCS[0], code=code), quoted(DCS[1], 500, code=code, router="100.64.9.9")
    )
    assert not fired(quoted(DCS[0], code=code), quoted(DCS[1], 500, code=code), others=())


def test_a_router_that_speaks_of_ports():
    assert "ip.icmp_port_by_router" in fired(quoted(DCS[0], code=3))
    assert "ip.icmp_port_by_router" not in fired(quoted(DCS[0], code=3, router=DCS[0]))


def test_unreachable_and_yet_it_answers():
    found = fired(quoted(DCS[0], answer=True))
    assert method(found["ip.icmp_then_answer"]) == ("icmp_reject", "ip_address", "on_path")
    assert "ip.icmp_admin" not in found


def greeted_twice(ttl=101, isn=999, again=False, at=0.0, **more):
    talk = Conversation(server=DCS[0], at=at).up("S", after=0)
    talk.down("SA", after=16, ttl=ttl, seq=isn, forged=True, **more)
    if again:
        talk.up("S", after=1, seq=1000)
    return talk.down("SA", after=64).up()


def test_two_synacks():
    assert method(fired(greeted_twice())["ip.two_synacks"]) == ("forged_synack", "ip_address", "on_path")
    assert not fired(greeted_twice(ttl=52)), "a host that answers twice by itself"
    assert not fired(greeted_twice(isn=5000)), "one answer, twice"
    assert not fired(greeted_twice(again=True)), "another answer to another SYN"
    assert set(fired(greeted_twice(again=True, ack=77))) == {"ip.two_synacks"}, "an answer to no SYN"


def cut_off(server, at, rtt=16.0):
    return Conversation(server=server, at=at, rtt=rtt).open().up("PA", bytes(range(64))).reset("R", after=rtt)


def test_one_greeter():
    found = fired(cut_off(DCS[0], 0), cut_off(DCS[1], 500))
    assert method(found["ip.one_greeter"]) == ("forged_synack", "ip_address", "in_path")
    assert "ip.one_greeter" not in fired(cut_off(DCS[0], 0, 81), cut_off(DCS[1], 500, 81)), "as far as other hosts"
    assert "ip.one_greeter" not in fired(cut_off(DCS[0], 0), cut_off(DCS[0], 500))


def test_verdicts():
    for talks, action in (
        ((refused(DCS[0], id=242), refused(DCS[1], 500, id=242)), "rst"),
        ((quoted(DCS[0]), quoted(DCS[0], 12_000)), "icmp_reject"),
        ((greeted_twice(), greeted_twice(at=12_000)), "forged_synack"),
    ):
        result = analyze(*talks, *OTHERS, loaded=LOADED)
        verdict = next(v for v in result.answers if v.target == "telegram/dc")
        assert verdict.state in ("likely_blocked", "blocked")
        assert [m.method.action for m in verdict.methods] == [action]
