"""Networks with a policy of their own that applies to everybody and everything alike: portals, enterprises, odd resolvers."""

from __future__ import annotations

from tests.lab.actions import payloads
from tests.lab.actions.resets import Headers, Inject, Reset
from tests.lab.actions.stops import Drop
from tests.lab.packet import TCP, UDP
from tests.lab.resolver import SERVFAIL, Zone
from tests.lab.rules import Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FINE, NEAR_BOX, TG, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.traffic import Dns, Http, Proxied
from tests.lab.trigger import Trigger
from tests.lab.world import LOCAL_RESOLVER, PROXY

_MIX = (
    *interleaved(WA, WA_FRONT, times=3, every=4),
    *(Http(name, at=0.6 + i, times=2, every=5) for i, name in enumerate(("example.com", "example.org"))),
    *everyday(12),
)
_ASKED = tuple(Dns(name, at=0.3 + 0.3 * i, times=2, every=4, kinds=(1, 28)) for i, name in enumerate((WA, TG, *FINE)))
_PORTAL = Together(
    actions=(
        Inject(Headers(ttl=64, ipid=0, window=502), payload=payloads.PORTAL, kind="blockpage", flags="FPA"),
        Drop(),
    )
)
_ALL_NAMES = ("web.whatsapp.com", "cdn.example.net", *FINE)

# fmt: off
ALL = [  # a table, one scenario after the other
    Scenario("network-portal", "network", "A captive portal: every page leads to the login, TLS is reset", _MIX, (
        Rule(Trigger(host=("com", "org", "net")), _PORTAL, "captive_portal"),
        Rule(Trigger(ports=(443,), proto=TCP), Together(actions=(Reset(headers=Headers(ttl=64, ipid=0)), Drop())),
            "captive_portal")), NEAR_BOX),
    Scenario("network-portal-drop", "network", "A captive portal: pages lead to the login, TLS hears nothing", _MIX, (
        Rule(Trigger(host=("com", "org", "net")), _PORTAL, "captive_portal"),
            Rule(Trigger(ports=(443,), proto=TCP), Drop(), "captive_portal")), NEAR_BOX),
    Scenario("network-portal-dns", "network", "A captive portal: every name has the portal's address", _MIX,
        zones={"*": Zone({"*": ("192.168.1.254",)})},
             changes={"login.portal.example": {"v4": "192.168.1.254", "behaviour": "portal", "h3": False,
             "closed": (443, 853)}}, path=NEAR_BOX, cause="captive_portal"),
    Scenario("network-proxy", "network", "An enterprise proxy carries everything (CONNECT)",
        tuple(Proxied(name, proxy=PROXY, at=0.3 + i, times=3, every=4) for i, name in enumerate((WA, TG, *FINE))),
        path=NEAR_BOX),
    Scenario("network-proxy-refuses", "network", "An enterprise proxy knows one site not",
        (*(Proxied(name, proxy=PROXY, at=0.3 + i, times=3, every=4) for i, name in enumerate(FINE)),
        Proxied("unknown.example.net", proxy=PROXY, at=1, times=3, every=4)), path=NEAR_BOX),
    Scenario("network-inspection", "network", "An enterprise inspects TLS: one authority signs for every name",
        (*interleaved(WA, WA_FRONT, hello="tls12"), *everyday(10, hello="tls12")), path=NEAR_BOX,
        cause="enterprise_tls",
             changes={name: {"intercepted": (name, "cdn.example.net")} for name in (WA, *FINE)}),
    Scenario("network-split-horizon", "network", "Inside names have private addresses",
        (*_ASKED, *(Dns(name, at=0.5 + i, times=3, every=3, resolver=LOCAL_RESOLVER, kinds=(1, 28)) for i,
        name in enumerate(("wiki.corp.example", "mail.corp.example"))), *everyday(10)),
             resolver=LOCAL_RESOLVER, zones={LOCAL_RESOLVER: Zone({"wiki.corp.example": ("10.20.3.4",),
             "mail.corp.example": ("10.20.3.9",)})}, path=NEAR_BOX),
    Scenario("network-dns64", "network", "DNS64: IPv6 addresses are made up from IPv4 (RFC 6147)",
        (*_ASKED, *everyday(10)), zones={"*": Zone({"github.com": ("140.82.121.4", "64:ff9b::8c52:7904"),
        "ya.ru": ("77.88.55.242", "64:ff9b::4d58:37f2")})}, path=NEAR_BOX),
    Scenario("network-resolver-dead", "network", "The resolver does not answer", (*_ASKED, *everyday(8)),
        zones={"*": Zone(silent=True)}, path=NEAR_BOX, cause="dns_failure"),
    Scenario("network-resolver-fails", "network", "The resolver answers SERVFAIL to everything",
        (*_ASKED, *everyday(8)), zones={"*": Zone({"*": SERVFAIL})}, path=NEAR_BOX, cause="dns_failure"),
    Scenario("network-resolver-plain", "network", "A home router that knows no EDNS", (*_ASKED, *everyday(10)),
        resolver=LOCAL_RESOLVER, zones={LOCAL_RESOLVER: Zone(edns=False)}, path=NEAR_BOX),
    Scenario("network-geo-dns", "network", "Two resolvers give different, legal addresses",
        (*_ASKED, *(Dns(name, at=0.5 + 0.4 * i, times=3, every=3, resolver="77.88.8.8") for i,
        name in enumerate((WA, TG, "github.com"))), *everyday(10)),
             zones={"77.88.8.8": Zone({"web.whatsapp.com": ("157.240.0.61",), "github.com": ("140.82.121.3",)})},
             path=NEAR_BOX),
    Scenario("network-none", "network", "No connectivity at all",
        (*_ASKED, *interleaved(WA, WA_FRONT, times=3, every=4), *everyday(13)),
        (Rule(Trigger(), Drop(), "no_connectivity"),), NEAR_BOX),
    Scenario("network-no-udp", "network", "A firewall that lets only DNS and TCP through, whatever the service",
        (*everyday(10), attempts(WA, 3, 3)), (Rule(Trigger(proto=UDP, ports=(443, 3478)), Drop(), "firewall"),),
        NEAR_BOX),
]
