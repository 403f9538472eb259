"""Denials and silences of resolvers: each rule with lookups on which it fires, and a near miss."""

import pytest

from analyzer.signature import Loaded
from signatures import dns_denial
from tests.conversation import Names, analyze
from tests.lookups import Lookups

NAME = "web.whatsapp.com"


class Resolvers(Names):
    """Knows one public resolver."""

    def is_resolver(self, address):
        return address == "8.8.8.8"


LOADED = Loaded((dns_denial,), Resolvers(), "test", "2026-09-01")
OTHER = "203.0.113.53"


def fired(*lookups):
    """{rule: finding} of the lookups; a last packet, much later, lets every answer come that can."""
    late = Lookups(at=max(dns.now for dns in lookups) + 60_000).ask("late.example.com").answer("93.184.1.1")
    packets = [packet for dns in (*lookups, late) for packet in dns.packets]
    return {f.rule.id: f for f in analyze(packets, loaded=LOADED).findings}


@pytest.mark.parametrize("code", [15, 16])
def test_the_resolver_says_so(code):
    found = fired(Lookups().ask("some.example.com").answer(rcode=3, ede=code))
    assert found["dns.resolver_says_blocked"].method.position == "endpoint"
    assert found["dns.resolver_says_blocked"].method.action == "nxdomain"


def test_other_extended_errors():
    assert not fired(Lookups().ask("some.example.com").answer(rcode=2, ede=22))
    assert set(fired(Lookups().ask("some.example.com").answer(rcode=3, ede=17))) == {"dns.filtered_on_request"}


def test_a_domain_denied():
    found = fired(Lookups().others().ask(NAME).answer(rcode=3, zone="com"))
    assert set(found) == {"dns.domain_denied", "dns.name_denied", "dns.others_answered"}
    method = found["dns.domain_denied"].method
    assert (method.action, method.trigger, method.position) == ("nxdomain", "dns_name", "endpoint")


@pytest.mark.parametrize(
    "lookups",
    [
        Lookups().others().ask("nothing.whatsapp.com").answer(rcode=3, zone="whatsapp.com"),  # its own zone says so
        Lookups().others().ask("x.telegram.org").answer(rcode=3, zone="telegram.org"),
        Lookups().ask(NAME).answer(rcode=3, zone="com"),  # a resolver that knows nothing
        Lookups().others().ask("nothing.example.net").answer(rcode=3, zone="net"),  # not known to exist
        Lookups().others().ask(NAME).answer(rcode=2),  # a failure
        Lookups().others().ask(NAME).answer(rcode=3).ask(NAME).answer("157.240.0.60"),  # answers it too
    ],
)
def test_honest_denials(lookups):
    assert not {"dns.domain_denied", "dns.name_denied"} & set(fired(lookups))


@pytest.mark.parametrize("how", [{"rcode": 3}, {"rcode": 5}, {"rcode": 0}])
def test_a_name_denied_without_proof(how):
    assert set(fired(Lookups().others().ask(NAME).answer(**how))) == {"dns.name_denied", "dns.others_answered"}


def test_a_name_sent_nowhere():
    found = fired(Lookups().others().ask(NAME).answer("0.0.0.0"))
    assert found["dns.name_denied"].method.action == "forged_dns"


def test_resolvers_disagree():
    denies = Lookups().others().ask(NAME).answer(rcode=3)
    assert "dns.resolvers_disagree" in fired(denies, Lookups(OTHER, at=500).ask(NAME).answer("157.240.0.60"))
    assert "dns.resolvers_disagree" not in fired(denies, Lookups(OTHER, at=500).ask(NAME).answer(rcode=3))


def unanswered(name, attempts=3, others=6, spread=11_000, resolver="198.51.100.53"):
    dns = Lookups(resolver).others(others)
    for i in range(attempts):
        dns.ask(name, after=spread).again().others(1, start=others + i)
    return dns


def test_a_name_unanswered():
    found = fired(unanswered(NAME))
    method = found["dns.name_unanswered"].method
    assert (method.action, method.trigger, method.position, method.trigger_detail) == (
        "drop",
        "dns_name",
        "in_path",
        NAME,
    )
    assert found["dns.name_unanswered"].measured["questions"] == 6
    assert found["dns.silence_effect"].measured["p"] <= 0.01
    assert "dns.silence_effect_few" in fired(unanswered(NAME, attempts=2, others=4))


def test_an_unknown_name_unanswered_is_a_dead_zone_perhaps():
    assert "dns.unknown_unanswered" in fired(unanswered("dead.example.net"))
    assert not {"dns.name_unanswered", "dns.silence_effect"} & set(fired(unanswered("dead.example.net")))
    assert "dns.name_unanswered" in fired(unanswered("dead.example.net", resolver="8.8.8.8")), (
        "it would say that it failed"
    )


@pytest.mark.parametrize(
    "lookups",
    [
        Lookups().others().ask(NAME).again().others(2, start=5),  # two copies may be lost
        Lookups().others().ask(NAME).again().again(),  # nobody is answered from then on: an outage
        Lookups().others().ask(NAME).again().again().others(2, start=5).ask(NAME).answer("157.240.0.60"),
        Lookups().ask(NAME).again().again().others(1),
    ],
)
def test_silences_that_happen(lookups):
    assert not {"dns.name_unanswered"} & set(fired(lookups))


def test_a_line_that_loses_other_questions_too():
    """Asked again with the same identifier, or anew: both were lost at first."""
    dns = Lookups().others(2)
    for i, name in enumerate(("a.example.org", "b.example.net", "c.example.edu", "d.example.info")):
        dns.ask(name, after=11_000)
        (dns.again() if i % 2 else dns.ask(name, after=2_000)).answer("203.0.113.80")
        dns.ask(NAME, after=11_000).again()
    dns.others(2, start=2)
    assert set(fired(dns)) == set()


def test_verdicts():
    late = Lookups(at=90_000).ask("late.example.com").answer("93.184.1.1").packets
    denied = analyze(Lookups().others().ask(NAME).answer(rcode=3, zone=".").packets, loaded=LOADED)
    dropped = analyze(unanswered(NAME).packets, late, loaded=LOADED)
    for result, action in ((denied, "nxdomain"), (dropped, "drop")):
        verdict = next(v for v in result.answers if v.target == NAME)
        assert verdict.state in ("likely_blocked", "blocked")
        assert verdict.methods[0].method.action == action
    named = analyze(Lookups().others().ask(NAME).answer(rcode=3).packets, loaded=LOADED)
    assert next(v for v in named.answers if v.target == NAME).state not in ("likely_blocked", "blocked")
