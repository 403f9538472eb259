"""Forged answers beside honest ones: each rule with a lookup on which it fires, and a near miss."""

import pytest

from analyzer.signature import Label, Loaded
from signatures import dns_tampering
from signatures.knowledge.forged_answers import KINDS, pools
from tests.conversation import Conversation, Names, analyze
from tests.lookups import Lookups

NAME = "web.whatsapp.com"
REAL = "157.240.0.60"


class Owners(Names):
    """Knows who owns two addresses, and one public resolver."""

    def label_address(self, address, port, proto):
        return Label("telegram", "dc", "prefix") if address.startswith("149.154.") else None

    def owns_address(self, service, address):
        return (service, address[:8]) in (("telegram", "149.154."), ("whatsapp", "157.240."))

    def is_resolver(self, address):
        return address == "8.8.8.8"


LOADED = Loaded((dns_tampering,), Owners(), "test", "2026-09-01")


def fired(*talks):
    """{rule: finding} of the lookups."""
    return {f.rule.id: f for f in analyze(*(getattr(t, "packets", t) for t in talks), loaded=LOADED).findings}


def method(finding):
    return (finding.method.action, finding.method.trigger, finding.method.position, finding.method.trigger_detail)


def test_two_machines():
    found = fired(Lookups().others().ask(NAME).answer("31.13.94.37", after=4, edns=False, ttl=62).answer(REAL))
    assert method(found["dns.two_machines"]) == ("forged_dns", "dns_name", "on_path", NAME)
    roles = [w.role for w in found["dns.two_machines"].witnesses]
    assert roles == ["trigger", "forged", "contradicts"]
    assert found["dns.two_machines"].measured["answered"] == ["31.13.94.37"]
    assert "dns.two_answers" not in found


def test_the_forged_answer_may_come_second():
    found = fired(Lookups().others().ask(NAME).answer(REAL).answer("31.13.94.37", after=60, edns=False, ttl=62))
    assert found["dns.two_machines"].measured["answered"] == ["31.13.94.37"]


def test_two_answers_of_one_make():
    found = fired(Lookups().ask(NAME).answer("31.13.94.37", after=4).answer(REAL))
    assert "dns.two_answers" in found
    assert "dns.two_machines" not in found


@pytest.mark.parametrize(
    "lookups",
    [
        Lookups().ask(NAME).answer(REAL).answer(REAL, after=41),  # the capture doubles packets
        Lookups().ask(NAME).answer(REAL, "157.240.1.60").answer("157.240.2.60", REAL, after=41),  # round robin
        Lookups().ask(NAME).again().answer("157.240.1.60", after=20).answer(REAL),  # asked twice, answered twice
        Lookups().ask(NAME).answer(rcode=2, after=20).answer(REAL),  # gave up, then found it
    ],
)
def test_honest_second_answers(lookups):
    assert not fired(lookups)


def test_a_denial_that_is_contradicted():
    found = fired(Lookups().ask(NAME).answer(rcode=3, after=4, edns=False, ttl=62).answer(REAL))
    assert method(found["dns.two_machines"])[:3] == ("nxdomain", "dns_name", "on_path")


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "100.64.0.9", "240.1.1.1", "2001::1", "fe80::1", "d0::12", "203.0.113.80"]
)
def test_an_impossible_address(address):
    kind = "AAAA" if ":" in address else "A"
    found = fired(Lookups().others(2).ask(NAME, kind).answer(address))
    assert method(found["dns.impossible_address"]) == ("forged_dns", "dns_name", "unknown", NAME)


@pytest.mark.parametrize(
    "lookups",
    [
        Lookups().ask(NAME).answer("10.1.2.3"),  # nothing to compare with
        Lookups().others().ask("intranet.example.com").answer("10.1.2.3"),  # split horizon: not a known service
        Lookups().others().ask(NAME, "AAAA").answer("64:ff9b::9df0:3c"),  # NAT64
        Lookups().others().ask(NAME).answer("198.18.0.7"),  # a local tool's placeholder
        Lookups().others().ask(NAME).answer("0.0.0.0"),  # how filters that people choose say no
        Lookups().others().ask(NAME).answer(REAL),
    ],
)
def test_addresses_that_can_be(lookups):
    assert "dns.impossible_address" not in fired(lookups)


def test_a_resolver_that_never_filters_does_not_say_zero():
    assert "dns.impossible_address" in fired(Lookups("8.8.8.8").others().ask(NAME).answer("0.0.0.0"))


def test_an_address_that_served_the_name_was_right():
    dns = Lookups().others().ask(NAME).answer("10.1.2.3")
    assert "dns.impossible_address" not in fired(dns, Conversation(NAME, "10.1.2.3", at=dns.now + 100).works())


def test_a_documented_page_and_sink():
    dns = Lookups().others()
    dns.ask("blocked.example.com").answer("10.10.34.35")
    dns.ask("other.example.com").answer("37.61.54.158")
    dns.ask("third.example.com").answer("103.1.2.3", alias="internet-positif.org")
    pages = [f for f in analyze(dns.packets, loaded=LOADED).findings if f.rule.id == "dns.page_known"]
    assert [f.subject for f in pages] == ["name blocked.example.com", "name third.example.com"]
    assert pages[0].measured["documented"] == "ir.peyvandha"
    assert "dns.sink_known" in fired(dns)


def test_a_page_under_its_own_name():
    assert not fired(Lookups().others().ask("internet-positif.org").answer("103.1.2.3", alias="internet-positif.org"))


def test_the_data_of_documented_answers():
    assert {pool.kind for pool in pools()} == set(KINDS)
    assert all(pool.source and pool.answers for pool in pools())


def test_another_owner():
    found = fired(Lookups().others().ask(NAME).answer("149.154.167.99"))
    assert found["dns.another_owner"].measured["owner"] == "telegram"
    assert not fired(Lookups().others().ask("web.telegram.org").answer("149.154.167.99"))


def test_one_address_for_unrelated_services():
    dns = Lookups().others().ask(NAME).answer("103.9.9.9").ask("web.telegram.org").answer("103.9.9.9")
    assert fired(dns)["dns.one_address_for_all"].measured["services"] == ["telegram", "whatsapp"]
    assert not fired(Lookups().others().ask(NAME).answer("103.9.9.9").ask("www.whatsapp.com").answer("103.9.9.9"))


def test_the_resolver_itself_lies():
    dns = Lookups().others(4).ask(NAME).answer("10.1.2.3")
    assert fired(dns)["dns.impossible_address"].method.position == "endpoint"
    dns = Lookups().others(4).ask(NAME).answer("10.1.2.3", edns=False)
    assert fired(dns)["dns.impossible_address"].method.position == "unknown"


def test_no_resolver_there():
    found = fired(Lookups().ask(NAME).answer("31.13.94.37", after=4).unreachable())
    assert method(found["dns.no_resolver_there"]) == (
        "forged_dns",
        "dns_name",
        "unknown",
        NAME,
    )  # the capture ends at once
    assert "dns.no_resolver_there" not in fired(Lookups().ask("a.org").unreachable().ask(NAME).answer(REAL))


def slow_talk(fast: float, **forged):
    dns = Lookups(rtt=40).others(4)
    for _ in range(2):
        dns.ask(NAME).answer("31.13.94.37", after=fast, **forged).others(2, start=4)
    return dns


def test_too_fast():
    found = fired(slow_talk(4))
    assert method(found["dns.too_fast"])[2] == "in_path"
    assert found["dns.too_fast"].measured["least_for_others_ms"] == 40
    assert "dns.too_fast" not in fired(slow_talk(25))


def test_a_neighbour_may_answer_from_memory():
    dns = Lookups(rtt=40, ttl=64).others(6).ask(NAME).answer(REAL, after=1)
    assert "dns.too_fast" not in fired(dns)


def test_names_that_are_remembered_are_many():
    dns = Lookups(rtt=40).others(5)
    for i in range(6):
        dns.ask(f"memory{i}.org").answer("93.184.1.1", after=2)
    assert "dns.too_fast" not in fired(dns)


def test_a_queue_that_fills_makes_others_slow():
    dns = (
        Lookups(rtt=40).ask(NAME).answer("157.240.0.60", after=15).ask(NAME).answer("157.240.0.60", after=15).others(8)
    )
    assert "dns.too_fast" not in fired(dns)


def test_another_distance():
    assert "dns.other_distance" in fired(slow_talk(40, ttl=59))
    assert "dns.other_distance" not in fired(slow_talk(40, ttl=56))


def test_a_denial_of_what_is_given_elsewhere_is_no_habit():
    dns = Lookups(rtt=40).others(4)
    for _ in range(2):
        dns.ask(NAME).answer(rcode=3, ttl=40).others(2, start=4)
    dns.ask("other4.example.org").answer("93.184.1.1").ask("other4.example.org").answer(rcode=3, ttl=40).others(2)
    assert "dns.other_distance" in fired(dns)
    dns.ask("other4.example.org").answer("93.184.1.1", ttl=40).others(2)
    assert "dns.other_distance" not in fired(dns), "the resolver answers from there too"


def test_a_route_that_changed():
    dns = Lookups().others(6).ask(NAME).answer(REAL, ttl=60).ask(NAME, "AAAA").answer("2a03:2880::1", ttl=60)
    assert "dns.other_distance" not in fired(dns)


def test_unlike_the_resolver():
    found = fired(slow_talk(40, edns=False, aa=1))
    assert found["dns.unlike_resolver"].measured["departs_in"] == ["aa", "no_opt"]
    assert "dns.unlike_resolver" not in fired(slow_talk(40))


def test_a_name_effect():
    found = fired(Lookups().others(20).ask(NAME).answer("31.13.94.37", after=4, ttl=62).answer(REAL))
    assert found["dns.name_effect_few"].measured == {"p": 0.0476, "tampered": 1, "tried": 1, "others_fine": 20}
    dns = Lookups().others(13)
    for _ in range(2):
        dns.ask(NAME, after=11_000).answer("31.13.94.37", after=4, ttl=62).answer(REAL)
    assert fired(dns)["dns.name_effect"].measured["p"] == 0.00952
    assert "dns.name_effect_few" not in fired(Lookups().others(2).ask(NAME).answer("1.2.3.4", after=4).answer(REAL))


def test_all_names_alike_is_a_portal():
    dns = Lookups()
    for name in (NAME, "web.telegram.org", "www.example.net", "www.example.com"):
        dns.ask(name).answer("192.168.7.1")
    assert set(fired(dns)) == {"dns.all_names_alike"}
    assert not fired(dns.ask("www.example.org").answer("93.184.215.14"))


def test_verdict():
    result = analyze(
        Lookups().others(4).ask(NAME).answer("10.10.34.35", after=4, ttl=62, edns=False).packets, loaded=LOADED
    )
    verdict = next(v for v in result.answers if v.target == NAME)
    assert verdict.state == "blocked"
    assert verdict.methods[0].method.action == "forged_dns"
    assert verdict.methods[0].flows
