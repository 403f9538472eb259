"""Filtering by server name without a reset to the client: drops of every kind, alerts, FINs, forged bytes, interception."""

from __future__ import annotations

from tests.lab.actions.oddities import Decoy
from tests.lab.actions.payloads import alert
from tests.lab.actions.resets import Headers, Inject
from tests.lab.actions.stops import Drop, Limit
from tests.lab.middlebox import Delays
from tests.lab.rules import Action, Residual, Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import (
    DISCORD,
    FAR_BOX,
    LONG,
    NEAR_BOX,
    SHORT,
    SIGNAL,
    WA,
    WA_FRONT,
    attempts,
    everyday,
    interleaved,
)
from tests.lab.topology import Topology
from tests.lab.traffic import Https
from tests.lab.trigger import Trigger

BY_NAME = Trigger(sni=(WA,))
MLKEM_SHARE = b"\x11\xec\x04\xc0"  # the group and length of a post-quantum key share
_THREE = ("157.240.0.60", "93.184.215.14", "104.244.42.1")
_SLOW = {"times": 4, "every": 4.0}
_WA6 = "2a03:2880:f2ff:c5:face:b00c:0:167"


def _named(name: str, about: str, action: Action | None, path: Delays = NEAR_BOX, residual: Residual | None = None,
           trigger: Trigger = BY_NAME, **more) -> Scenario:  # fmt: skip
    more.setdefault("does", (*interleaved(WA, WA_FRONT, **_SLOW, patience=9), *everyday(18)))
    rules = (*((Rule(trigger, action, residual=residual),) if action else ()), *more.pop("aside", ()))
    return Scenario(f"sni-{name}", "sni", about, rules=rules, path=path, **more)


def _hello(kind: str, **more) -> tuple:
    return (*interleaved(WA, WA_FRONT, **_SLOW, patience=9, hello=kind, **more), *everyday(18, kind))


_DROP_UP = Drop(direction="up")

# fmt: off
ALL = [  # a table, one scenario after the other
    _named("drop-up", "From the name on, nothing of the client passes", _DROP_UP),
    _named("drop-both", "From the name on, nothing passes", Drop()),
    _named("drop-down", "The hello passes, nothing of the server does (Iran 2025, net4people 489)",
        Drop(direction="down")),
    _named("drop-border", "Dropped at the border", Drop(), FAR_BOX),
    _named("drop-short", "Dropped, on a short path", Drop(), SHORT),
    _named("drop-long", "Dropped, on a long path", Drop(), LONG),
    _named("drop-one-segment", "The hello in one segment", _DROP_UP, does=_hello("openssl")),
    _named("drop-tls12", "A TLS 1.2 client", _DROP_UP, does=_hello("tls12")),
    _named("drop-tail", "A box that reads to the end of the hello: the first segment is acknowledged, the rest never",
        _DROP_UP, trigger=Trigger(sni=(WA,), whole_hello=True)),
    _named("drop-pieces", "The same, the hello in small pieces", _DROP_UP,
        trigger=Trigger(sni=(WA,), whole_hello=True), does=(*interleaved(WA, WA_FRONT, **_SLOW, patience=9,
        pieces=400), *everyday(18))),
    _named("drop-ipv6", "Over IPv6", Drop(), does=(attempts(WA, **_SLOW, patience=9, v6=True),
        attempts(WA_FRONT, **_SLOW, at=2.5, address=_WA6), *everyday(18))),
    _named("drop-two-attempts", "Two attempts, no other name on that address", Drop(),
        does=(attempts(WA, 2, 11, patience=10), *everyday(20))),
    _named("drop-one-attempt", "One attempt", Drop(), does=(attempts(WA, 1, patience=12), *everyday(12))),
    _named("drop-skips", "A third is spared", Drop(), trigger=Trigger(sni=(WA,), chance=0.65),
        does=(*interleaved(WA, WA_FRONT, times=7, every=2.5, patience=9), *everyday(18))),
    _named("drop-signal", "Signal's names", Drop(direction="up"), trigger=Trigger(sni=("signal.org",)),
        does=(attempts(SIGNAL, 3, 5, patience=9), attempts("storage.signal.org", 3, 5, at=1.5, patience=9),
        *everyday(16))),
    _named("drop-discord", "Several names of one service, one address; a shop beside it works", Drop(),
        trigger=Trigger(sni=("discord.com", "discord.gg")), does=(attempts(DISCORD, 3, 5, patience=9),
        attempts("gateway.discord.gg", 2, 5, at=1.5, address="162.159.128.233", patience=9),
        attempts("shop.example.org", 4, 4, at=2.5), *everyday(16))),
    _named("drop-decoy",
        "A desync tool sends a false hello in front; the filter drops by protocol and address all the same",
        Drop(direction="up"), trigger=Trigger(addresses=("157.240.0.60",), protocol="tls"),
            topology=Topology(device=True),
        aside=(Rule(Trigger(addresses=("157.240.0.60",), protocol="tls"), Decoy(hops=0, bad_checksum=True),
            "local_packet_tool",
            device=True),)),
    _named("drop-ech", "The public name of encrypted hellos (Russia 2024, net4people 417)", Drop(),
        trigger=Trigger(sni=("cloudflare-ech.com",)), does=(*interleaved("cloudflare-ech.com",
        "crypto.cloudflare.com", **_SLOW, patience=9), *everyday(18))),
    _named("drop-elsewhere", "The name at an address where it does not live, as measurement tools do", Drop(),
        does=(attempts("example.com", 4, 4, at=0.5, sni=WA, patience=9), attempts("example.com", 4, 4, at=2.5),
        *everyday(18))),
    _named("drop-many-addresses", "One name at three unrelated addresses, each with another name that works",
        Drop(direction="up"),
        does=(*(attempts(WA, 2, 8, at=0.5 + i, sni=WA, address=address, patience=7) for i,
            address in enumerate(_THREE)),
            *(attempts(name, 2, 8, at=4.5 + i, address=address) for i,
            (name, address) in enumerate(zip(("cdn.example.net", "www.example.org", "t.co"), _THREE, strict=True))),
            *everyday(16))),
    _named("drop-fingerprint", "By the client's make: hellos with a post-quantum share", Drop(),
        trigger=Trigger(fingerprint=MLKEM_SHARE, addresses=("157.240.0.60",)),
        does=(attempts(WA, 4, 4, patience=9), attempts(WA, 4, 4, at=2.5, hello="openssl"), *everyday(18))),
    _named("residual-3", "Dropped, and for 9 s everything to that address and port", Drop(), residual=Residual(9),
        does=(attempts(WA, 2, 18, patience=7), attempts(WA_FRONT, 4, 4.5, at=5, patience=6), *everyday(30))),
    _named("residual-renewed", "The same, renewed by each packet that it stops", Drop(),
        residual=Residual(6, renewed=True), does=(attempts(WA, 1, patience=7),
        attempts(WA_FRONT, 5, 4, at=4, patience=5), *everyday(26))),
    _named("residual-5", "Dropped, and the 5-tuple stays dead: the same port fails, another works (TSPU)", Drop(),
        residual=Residual(60, tuple_size=5), trigger=Trigger(sni=(WA,), chance=1.0),
        does=(Https(WA, at=0.5, hello="browser", source_port=40001, close="reset", patience=6),
        Https(WA_FRONT, at=9, hello="browser", source_port=40001, patience=6),
        Https(WA_FRONT, at=9.5, times=3, every=2, hello="browser"), *everyday(16))),
    _named("delayed-6", "Six more packets pass, then none (TSPU SNI-II, IMC 2022)",
        Drop(spare=6, kind="delayed_drop")),
    _named("delayed-8", "Eight more packets pass", Drop(spare=8, kind="delayed_drop"), FAR_BOX),
    _named("delayed-12-up", "After twelve packets nothing of the client passes",
        Drop(direction="up", spare=12, kind="delayed_drop"),
        does=(*interleaved(WA, WA_FRONT, **_SLOW, patience=9, down=80_000), *everyday(18))),
    _named("delayed-20", "After twenty packets nothing passes", Drop(spare=20, kind="delayed_drop"),
        does=(*interleaved(WA, WA_FRONT, **_SLOW, patience=9, down=80_000), *everyday(18))),
    _named("first-data", "The handshake passes, the first request does not (Russia 2026, mtg 547)",
        Drop(direction="up", spare=5, kind="delayed_drop")),
    _named("twenty-seconds", "Dropped for ten seconds, then passed", Drop(seconds=10),
        does=(attempts(WA, 2, 14, patience=13), attempts(WA_FRONT, 4, 5, at=3), *everyday(24))),
    _named("too-many", "After four connections with one name at once, more hear nothing (net4people 546)", Limit(),
        does=(attempts(WA, 9, 0.2, at=2, down=20_000, pace=(300, 2000), patience=9), attempts(WA_FRONT, 5, 2),
        *everyday(12))),
    _named("alert-112", "A forged alert: unrecognised name",
        Inject(payload=alert(112), kind="tls_alert", headers=Headers(ttl=66))),
    _named("alert-40-reset", "A forged alert with a reset behind it",
        Inject(payload=alert(40), kind="tls_alert", reset_after=True, headers=Headers(ttl="peer", window=502))),
    _named("alert-and-drop", "A forged alert, TTL copied; the rest is dropped",
        Together(actions=(Inject(payload=alert(80), kind="tls_alert", headers=Headers(ttl="peer", ipid="peer")),
        Drop()))),
    _named("alert-border", "A forged alert from the border: later than half of the way, sooner than the server",
        Inject(payload=alert(112), kind="tls_alert", headers=Headers(ttl=66)), FAR_BOX),
    _named("fin", "A forged FIN (the flow goes on behind it)",
        Inject(flags="FA", kind="fin", headers=Headers(ttl=81, ipid="random"))),
    _named("fin-and-drop", "A forged FIN; the rest is dropped",
        Together(actions=(Inject(flags="FA", kind="fin", headers=Headers(ttl="peer", window=501)), Drop()))),
    _named("fin-text", "A FIN with the text of a middlebox, a reset behind it (Uzbekistan)",
        Inject(payload=b"Middlebox v 1.0", flags="FPA", kind="fin", reset_after=True,
        headers=Headers(ttl=60, ipid="random"))),
    _named("garbage", "Forged bytes instead of a ServerHello",
        Inject(payload=b"\x16\x03\x03\x00\x20" + bytes(range(32)), kind="forged_data", headers=Headers(ttl=57))),
    _named("mitm", "One name is answered with another authority's certificate (Kazakhstan)", None,
        does=(*interleaved(WA, WA_FRONT, hello="tls12"), *everyday(hello="tls12")),
        changes={WA: {"intercepted": (WA,)}}, vantages=("client",)),
    _named("mitm-strict", "The same; the client leaves with an alert", None,
        does=(*interleaved(WA, WA_FRONT, hello="tls12", trust=True), *everyday(hello="tls12")),
        changes={WA: {"intercepted": (WA,)}}, vantages=("client",)),
    _named("mitm-at-times", "Every second connection to one name is intercepted", None,
        does=(*interleaved(WA, WA_FRONT, hello="tls12", times=6, every=2), *everyday(hello="tls12")),
        changes={WA: {"intercepted": (WA,), "intercepts_every": 2}}, vantages=("client",)),
    _named("mitm-many", "Several services are intercepted, others not", None,
        does=(*interleaved(WA, WA_FRONT, hello="tls12"), *interleaved("www.instagram.com", "x.com", hello="tls12"),
        *everyday(hello="tls12")), changes={WA: {"intercepted": (WA,)},
        "www.instagram.com": {"intercepted": ("www.instagram.com",)}}, vantages=("client",)),
]
