"""Several methods at once, as real systems do it."""

from __future__ import annotations

from tests.lab.actions.answers import ForgeDns
from tests.lab.actions.limits import Police
from tests.lab.actions.payloads import IRAN
from tests.lab.actions.resets import Headers, Inject, Reset
from tests.lab.actions.stops import Drop
from tests.lab.packet import UDP
from tests.lab.rules import Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.address import DCS
from tests.lab.scenarios.call import WHATSAPP, calls
from tests.lab.scenarios.common import FAR_BOX, NEAR_BOX, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.scenarios.throttle import MEDIA, downloads
from tests.lab.traffic import Chat, Dns, Http, Https, Quic
from tests.lab.trigger import Trigger

_GFW_RESET = Reset(
    flags="R,RA,RA,RA", steps=(0, 0, 1460, 4380), headers=Headers(ttl=88, ipid="random", window=2920, rise=1)
)
_META = ("whatsapp.com", "whatsapp.net", "instagram.com")

# fmt: off
ALL = [  # a table, one scenario after the other
    Scenario("mixed-china", "mixed", "DNS lies, resets by name, QUIC by name", (
        *(Dns(name, at=0.3 + i, times=3, every=3) for i, name in enumerate((WA, "www.instagram.com"))),
        attempts(WA, 4, 3, address="157.240.0.60"), attempts(WA_FRONT, 4, 3, at=2, address="157.240.0.60"),
        Quic("www.instagram.com", at=1, times=3, every=4, address="157.240.0.174"),
            Quic("www.wikipedia.org", at=2, times=3, every=4), *everyday(14),
    ), (Rule(Trigger(qname=_META), ForgeDns(("31.13.94.37",), ("2001::1",), hops=52)),
        Rule(Trigger(sni=_META, proto=6), _GFW_RESET),
        Rule(Trigger(sni=_META, proto=UDP), Drop(direction="up", spare=1, kind="delayed_drop"))), FAR_BOX),
    Scenario("mixed-iran", "mixed", "DNS lies, pages by Host, resets by name, all QUIC dropped", (
        *(Dns(name, at=0.3 + i, times=3, every=3) for i, name in enumerate((WA, "www.instagram.com"))),
        attempts(WA, 4, 3, address="157.240.0.60"), attempts(WA_FRONT, 4, 3, at=2, address="157.240.0.60"),
            Http(WA, at=1.3, times=3, every=4, address="157.240.0.60"),
        Quic("www.instagram.com", at=1, times=3, every=4, address="157.240.0.174", fall_back=True),
            Quic("www.wikipedia.org", at=2, times=2, every=5, fall_back=True), *everyday(14),
    ), (Rule(Trigger(qname=_META), ForgeDns(("10.10.34.35",), ("d0::11",), hops="trigger", swallow=True)),
        Rule(Trigger(sni=_META, proto=6), Reset(headers=Headers(ttl="trigger"), payload=bytes(6))),
        Rule(Trigger(host=_META), Inject(Headers(ttl="trigger"), payload=IRAN, kind="blockpage", flags="FPA")),
            Rule(Trigger(ports=(443,), proto=UDP), Drop())), NEAR_BOX),
    Scenario("mixed-russia-2025", "mixed", "Calls cut, foreign hosting frozen after 16 kB, one name dropped", (
        calls("whatsapp", WHATSAPP), Chat("g.whatsapp.net", protocol="noise", port=5222, messages=10, pause=1),
        *(downloads(site, 200_000, 3, 4, 0.5 + i) for i, site in enumerate(("discord.com", "x.com"))),
            attempts("www.instagram.com", 3, 5, patience=9),
        downloads("www.wikipedia.org", 200_000, 2, 5, 1), *everyday(16),
    ), (Rule(Trigger(addresses=WHATSAPP, proto=UDP), Drop(direction="up")),
        Rule(Trigger(prefixes=("162.159.128.0/19", "104.244.40.0/21"), down_bytes=16_000), Drop(kind="freeze")),
        Rule(Trigger(sni=("instagram.com",)), Drop())), NEAR_BOX),
    Scenario("mixed-russia-2026", "mixed",
        "A messenger slowed by prefix, another's name denied by nobody but dropped", (
        *(Chat(address=dc, at=0.5 + i, messages=5, pause=0.5, picture=200_000, patience=25) for i,
            dc in enumerate(DCS)), attempts(WA, 3, 5, patience=9), attempts(WA_FRONT, 4, 4, at=2.5),
        downloads("www.wikipedia.org", 400_000, 2, 5, 1), downloads("github.com", 400_000, 2, 5, 2), *everyday(16),
    ), (Rule(Trigger(prefixes=("149.154.160.0/20", "91.108.0.0/16")),
        Police(kbps=128, bucket=20_000, scope="client", direction="down")),
        Rule(Trigger(sni=(WA,)), Drop(direction="up"))), NEAR_BOX),
    Scenario("mixed-name-and-quic", "mixed", "Resets for TLS, drops for QUIC, of one name", (
        *interleaved(WA, WA_FRONT, times=4, every=3), Quic(WA, at=1.1, times=3, every=4),
            Quic(WA_FRONT, at=2.2, times=3, every=4), *everyday(14),
    ), (Rule(Trigger(sni=(WA,), proto=6), Reset(to="both", headers=Headers(ttl=120, ipid="random"))),
        Rule(Trigger(sni=(WA,), proto=UDP), Drop())), NEAR_BOX),
    Scenario("mixed-police-and-reset", "mixed", "A name policed, another reset", (
        downloads(MEDIA, 250_000, 2), *interleaved(WA, WA_FRONT, times=4, every=3),
            downloads("www.wikipedia.org", 400_000, 2, 5, 1), downloads("github.com", 400_000, 2, 5, 2),
            *everyday(14),
    ), (Rule(Trigger(sni=("googlevideo.com",)), Police(kbps=150, bucket=20_000, direction="down")),
        Rule(Trigger(sni=(WA,)), Reset(headers=Headers(ttl=101, ipid="random")))), NEAR_BOX),
    Scenario("mixed-reset-then-drop", "mixed", "A box that resets, behind it one that drops what comes all the same",
        (
        *interleaved(WA, WA_FRONT, times=4, every=3, close="reset"), Https("x.com", at=1, times=3, every=4),
            *everyday(14),
    ), (Rule(Trigger(sni=(WA,)), Reset(to="server", headers=Headers(ttl=64))),
        Rule(Trigger(sni=(WA,)), Drop(direction="down", spare=1))), NEAR_BOX),
]
