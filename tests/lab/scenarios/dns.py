"""Forged answers to DNS questions: injected beside or before the resolver's own, or the resolver itself denies."""

from __future__ import annotations

from tests.lab.actions.answers import ForgeDns
from tests.lab.actions.stops import Drop
from tests.lab.middlebox import Delays
from tests.lab.resolver import AAAA, REFUSED, SERVFAIL, A, Zone
from tests.lab.rules import Action, Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, FINE, LONG, NEAR_BOX, SHORT, SIGNAL, WA, attempts, everyday
from tests.lab.traffic import Dns, Https
from tests.lab.trigger import Trigger
from tests.lab.world import DOMESTIC_RESOLVER, PROVIDER_RESOLVER

_NAMES = ("whatsapp.com", "whatsapp.net", "signal.org")
_BY_NAME = Trigger(qname=_NAMES)
_ASKED = (WA, "www.whatsapp.com", SIGNAL)
_FOREIGN = ("199.59.150.40", "108.160.166.92")  # addresses of others, as China answers (Hoang, USENIX Security 2021)


def _questions(resolver: str = "") -> tuple:
    """The filtered names and other names, several times: enough to know the resolver's usual pace."""
    wanted = tuple(
        Dns(name, at=0.3 + 0.4 * i, times=3, every=3.1, kinds=(A, AAAA), resolver=resolver)
        for i, name in enumerate(_ASKED)
    )
    others = tuple(
        Dns(name, at=0.5 + 0.4 * i, times=2, every=4.3, kinds=(A, AAAA), resolver=resolver)
        for i, name in enumerate(FINE)
    )
    return wanted + others


_USUAL = (*_questions(), attempts(WA, 2, 4, at=2, patience=4), *everyday(9))


def _dns(
    name: str, about: str, action: Action, path: Delays = NEAR_BOX, does=_USUAL, trigger: Trigger = _BY_NAME, **more
) -> Scenario:
    return Scenario(f"dns-{name}", "dns", about, does, (Rule(trigger, action),), path, **more)


def _resolver(name: str, about: str, other, **more) -> Scenario:
    zone = Zone(dict.fromkeys(_NAMES, other), censors=True, says_why=more.pop("says_why", 0))
    does = (*_questions(DOMESTIC_RESOLVER), *_questions("8.8.8.8"), attempts(WA, 2, 4, at=2, patience=4), *everyday(9))
    return Scenario(
        f"dns-{name}", "dns", about, does, zones={DOMESTIC_RESOLVER: zone}, resolver=DOMESTIC_RESOLVER, **more
    )


# fmt: off
ALL = [  # a table, one scenario after the other
    _dns("lie", "A foreign address, before the genuine answer",
        ForgeDns(_FOREIGN[:1], ("2001::1f0d:5e25",), hops=52, ipid=0x1234)),
    _dns("lie-border", "The same from the border", ForgeDns(_FOREIGN[:1], ("2001::1f0d:5e25",), hops=52), FAR_BOX),
    _dns("lie-short", "The same on a short path", ForgeDns(_FOREIGN[:1], ("2001::1f0d:5e25",), hops=52), SHORT),
    _dns("lie-long", "The same on a long path", ForgeDns(_FOREIGN[1:], ("2001::2",), hops=201, df=False), LONG),
    _dns("lie-same-distance", "TTL as the resolver's own: only the contradiction tells",
        ForgeDns(_FOREIGN[:1], hops=61, ttl=120, echoes_edns=True)),
    _dns("china-sinks", "Addresses from the documented pool of poisoned answers",
        ForgeDns(("8.7.198.45",), ("2001::1f0d:5e25",), hops=201, df=False)),
    _dns("lie-thrice", "Three forged answers", ForgeDns(_FOREIGN[:1], ("2001::1",), copies=3, hops=90, df=False)),
    _dns("lie-authoritative", "Flags 0x8400, no DF (China 2025, net4people 466)",
        ForgeDns(_FOREIGN[:1], ("2001::1",), header=0x8400, df=False, hops=44)),
    _dns("lie-lost-race", "The forged answer comes after the genuine one",
        ForgeDns(_FOREIGN[:1], ("2001::1",), after=0.09, hops=60)),
    _dns("lie-mirrored", "TTL of the question mirrored (FOCI 2020)",
        ForgeDns(_FOREIGN[:1], ("2001::1",), hops="trigger")),
    _dns("lie-swallowed", "The question goes no further", ForgeDns(_FOREIGN[:1], ("2001::1",), swallow=True)),
    _dns("iran", "10.10.34.35 and d0::11 (Iran)", ForgeDns(("10.10.34.35",), ("d0::11",), hops="trigger",
        swallow=True)),
    _dns("iran-race", "10.10.34.36 beside the genuine answer", ForgeDns(("10.10.34.36",), ("d0::11",), hops=62)),
    _dns("loopback", "127.0.0.1 (Turkmenistan)", ForgeDns(("127.0.0.1",), ("::1",), hops=126, ipid=30000, df=False)),
    _dns("zero", "0.0.0.0", ForgeDns(("0.0.0.0",), ("::",), swallow=True)),
    _dns("page", "The address of a block page that answers on port 80", ForgeDns(("203.0.113.80",), (), ttl=3600)),
    _dns("nxdomain", "NXDOMAIN without SOA, before the genuine answer", ForgeDns(rcode=3, hops=61)),
    _dns("nxdomain-swallowed", "NXDOMAIN without SOA, alone", ForgeDns(rcode=3, hops=61, swallow=True)),
    _dns("nxdomain-border", "The same from the border", ForgeDns(rcode=3, hops=48, swallow=True), FAR_BOX),
    _dns("refused", "REFUSED, before the genuine answer", ForgeDns(rcode=REFUSED, hops=61)),
    _dns("servfail", "SERVFAIL, alone", ForgeDns(rcode=SERVFAIL, hops=61, swallow=True)),
    _dns("empty", "An empty answer", ForgeDns(rcode=0, hops=61, swallow=True)),
    _dns("no-resolver", "Answers from an address that serves no DNS", ForgeDns(_FOREIGN[:1], hops=57),
        does=(*_questions(), Dns(WA, at=1, times=3, every=2, resolver="93.184.215.34"),
        Dns("example.org", at=1.5, times=2, every=2, resolver="93.184.215.34"), *everyday(9))),
    _dns("drop-unknown", "Questions for a site that is no known service vanish", Drop(direction="up"),
        trigger=Trigger(qname=("example.com",)), does=(*_questions(), Dns("example.com", at=0.4, times=3, every=3),
        Dns("www.example.com", at=1.4, times=2, every=4), *everyday(12)), resolver=PROVIDER_RESOLVER),
    _dns("drop-few", "Few questions, some of which vanish", Drop(direction="up"),
        trigger=Trigger(qname=("example.com",)), does=(Dns("example.com", at=0.5, times=3, every=4),
        *(Dns(name, at=1.0 + i, times=1) for i, name in enumerate(("example.org", "github.com", "ya.ru"))),
        Dns("vk.com", at=9.5)), resolver=PROVIDER_RESOLVER),
    _dns("lie-few", "Few questions, two of them lied to", ForgeDns(_FOREIGN[:1], hops=52),
        does=(Dns(WA, at=0.5, times=2, every=11), Dns("vk.com", at=13),
        *(Dns(name, at=2.0 + 1.5 * i) for i, name in enumerate(("example.org", "github.com", "ya.ru",
            "example.com"))))),
    _dns("drop", "Questions vanish", Drop(direction="up")),
    _dns("a-only", "Only A is forged, AAAA is honest", ForgeDns(_FOREIGN[:1], hops=59),
        does=(*(Dns(name, at=0.3 + 0.4 * i, times=4, every=2.1, kinds=(A,)) for i, name in enumerate(_ASKED)),
        *everyday(9))),
    Scenario("dns-two-injectors", "dns",
        "Two injectors answer, each with an address of its own (Triplet Censors, FOCI 2020)", _USUAL,
             (Rule(_BY_NAME, ForgeDns(_FOREIGN[:1], ("2001::1",), hops=52)),
             Rule(_BY_NAME, ForgeDns(_FOREIGN[1:], ("2001::2",), hops="trigger", after=0.002))), NEAR_BOX),
    _dns("http-after", "Lied to a sink that takes connections", ForgeDns(("93.184.215.34",), hops=55),
        does=(*_questions(), Https(WA, at=2, times=3, every=2, hello="browser"), *everyday(9))),
    _resolver("resolver-nxdomain",
        "The provider's resolver says NXDOMAIN, another does not (Russia 2026, net4people 580)", 3),
    _resolver("resolver-censored", "The provider's resolver says that it was made to (extended error 16)", 3,
        says_why=16),
    _resolver("resolver-blocked", "The provider's resolver says that it blocks (extended error 15)", REFUSED,
        says_why=15),
    _resolver("resolver-refused", "The provider's resolver refuses", REFUSED),
    _resolver("resolver-lies", "The provider's resolver gives a page's address", ("203.0.113.80",)),
    _resolver("resolver-private", "The provider's resolver gives a private address", ("10.10.34.34",)),
]
