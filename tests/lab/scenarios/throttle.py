"""Slowing down: policers, shapers, targeted loss, lost acknowledgements, freezes."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.actions.limits import Police, Shape, Slow
from tests.lab.actions.stops import Drop, DropAcks, Lose
from tests.lab.middlebox import Delays
from tests.lab.packet import UDP
from tests.lab.rules import Action, Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, LONG, NEAR_BOX, SHORT, WA, everyday
from tests.lab.traffic import Activity, Chat, Https, Quic
from tests.lab.trigger import Trigger

MEDIA, FRONT = "rr1---sn-n8v7znz7.googlevideo.com", "www.youtube.com"
_BY_NAME = Trigger(sni=("googlevideo.com",))
_BY_PREFIX = Trigger(prefixes=("149.154.160.0/20", "91.108.0.0/16"))
_KB = 1000


def downloads(name: str, size: int, times: int = 2, every: float = 3.0, at: float = 0.5, **more) -> Https:
    """Something large, the application wants it for about twelve seconds at the limited rate."""
    return replace(Https(name, at=at, times=times, every=every, down=size, hello="browser", patience=14), **more)


def _controls(size: int = 500_000) -> tuple[Activity, ...]:
    """Downloads of other services in the same minutes."""
    return (
        downloads("www.wikipedia.org", size, 2, 5, 1.0), downloads("github.com", size, 2, 5, 2.0),
            downloads("example.org", size, 1, 5, 3.0),
    )  # fmt: skip


def _by_name(
    name: str, about: str, action: Action, size: int, path: Delays = NEAR_BOX, trigger: Trigger = _BY_NAME, **more
) -> Scenario:
    flows = more.pop("flows", 2)
    begins = more.pop("begins", 0.0)
    more.setdefault("does", (downloads(MEDIA, size, flows, **more.pop("want", {})), *_controls(), *everyday(12)))
    return Scenario(
        f"throttle-{name}", "throttle", about, rules=(Rule(trigger, action, begins=begins),), path=path, **more
    )


def _police(kbps: int, bucket: int, path: Delays = NEAR_BOX, suffix: str = "", **more) -> Scenario:
    size = int(kbps * 125 * 13 + bucket)
    name = f"police-{kbps}k-{bucket // _KB}kB{suffix}"
    limit = Police(kbps=kbps, bucket=bucket, scope=more.pop("scope", "flow"), direction=more.pop("direction", "down"))
    return _by_name(
        name,
        f"Policed to {kbps} kbit/s, bucket of {bucket // _KB} kB{more.pop('about', '')}",
        limit,
        size,
        path,
        **more,
    )


def _shape(kbps: int, queue: int, path: Delays = NEAR_BOX, suffix: str = "", **more) -> Scenario:
    size = int(kbps * 125 * 12)
    name = f"shape-{kbps}k-{queue // _KB}kB{suffix}"
    limit = Shape(kbps=kbps, queue=queue, scope=more.pop("scope", "flow"), direction=more.pop("direction", "down"))
    return _by_name(
        name, f"Shaped to {kbps} kbit/s, queue of {queue // _KB} kB{more.pop('about', '')}", limit, size, path, **more
    )


_TELEGRAM_MEDIA = (
    *(Chat(address=dc, at=0.5 + i, messages=5, pause=0.4, picture=260_000, patience=25) for i,
        dc in enumerate(("149.154.167.51", "149.154.167.91", "91.108.56.130"))),
    *_controls(), *everyday(12),
)  # fmt: skip


def _freeze(name: str, about: str, action: Action, trigger: Trigger, **more) -> Scenario:
    does = (
        *(downloads(site, 250_000, 3, 4.0, 0.5 + i, patience=12) for i, site in enumerate(("discord.com", "x.com"))),
        *_controls(250_000), *everyday(14),
    )  # fmt: skip
    return Scenario(
        f"throttle-{name}",
        "throttle",
        about,
        more.pop("does", does),
        (Rule(trigger, action),),
        more.pop("path", NEAR_BOX),
        **more,
    )


_HOSTING = ("162.159.128.0/19", "104.244.40.0/21")

# fmt: off
ALL = [  # a table, one scenario after the other
    _police(64, 10_000),
    _police(64, 30_000, LONG, "-long"),
    _police(128, 15_000),
    _police(150, 20_000),
    _police(150, 20_000, FAR_BOX, "-border"),
    _police(150, 60_000, SHORT, "-short"),
    _police(150, 20_000, suffix="-bbr", congestion="bbr", about=", BBR at both ends"),
    _police(150, 30_000, suffix="-up", direction="up", about=", upwards",
        does=(Https(MEDIA, at=0.5, times=2, every=3, up=260_000, down=100, hello="browser", patience=14),
        Https("github.com", at=1, times=2, every=4, up=300_000, down=100, hello="browser"), *everyday(12))),
    _police(150, 30_000, suffix="-both", direction="both", about=", both ways"),
    _police(150, 30_000, suffix="-shared", scope="server", about=" for all flows to a server together", flows=3,
        want={"every": 1.0}),
    _police(256, 30_000, suffix="-client", scope="client", about=" for all flows of a client to this service",
        flows=3, want={"every": 1.5}),
    _police(512, 50_000),
    _police(512, 50_000, suffix="-jitter", path=Delays(0.008, 0.032, jitter=0.006), about=", on a path with jitter"),
    _police(512, 50_000, suffix="-one-flow", flows=1, about=", a single flow"),
    _police(512, 100_000, suffix="-onset", begins=6.0, about=", from the sixth second on",
        does=(downloads(MEDIA, 1_800_000, 2, 2.0, pace=(20, 2500)), *_controls(), *everyday(12))),
    _police(1000, 80_000),
    _police(2000, 100_000),
    _police(2000, 250_000, LONG, "-long"),
    _police(300, 40_000, suffix="-no-control", about=", nothing else in the capture",
        does=(downloads(MEDIA, 550_000, 2),)),
    _by_name("police-after-200kB", "Policed to 256 kbit/s after the first 200 kB",
        Police(kbps=256, bucket=20_000, direction="down"), 600_000,
        trigger=Trigger(sni=("googlevideo.com",), down_bytes=200_000)),
    Scenario("throttle-police-prefix", "throttle",
        "A messenger's prefixes policed to 128 kbit/s together (Russia 2026)", _TELEGRAM_MEDIA,
        (Rule(_BY_PREFIX, Police(kbps=128, bucket=20_000, scope="client", direction="down")),), NEAR_BOX),
    Scenario("throttle-police-protocol", "throttle", "A protocol policed: MTProto", _TELEGRAM_MEDIA,
        (Rule(Trigger(protocol="mtproto"), Police(kbps=200, bucket=30_000, direction="down")),), NEAR_BOX),
    Scenario("throttle-police-quic", "throttle", "QUIC policed by name to 512 kbit/s (Russia 2024)",
        (Quic(MEDIA, at=0.5, times=2, every=2, down=800_000, patience=14),
        Quic("www.wikipedia.org", at=1, times=2, every=3, down=500_000, patience=10), *_controls(), *everyday(12)),
        (Rule(Trigger(sni=("googlevideo.com",), proto=UDP), Police(kbps=512, bucket=40_000, direction="down")),),
        NEAR_BOX),
    Scenario("throttle-police-clients", "throttle",
        "At the server: one network's clients are policed, others are not",
        tuple(downloads(MEDIA, 500_000, 2, 3, 0.4 + i * 0.3, client=client) for i,
        client in enumerate(("198.51.100.23", "203.0.113.7", "192.0.2.55", "5.34.112.9"))),
        (Rule(Trigger(sni=("googlevideo.com",), clients=("198.51.100.23", "203.0.113.7")),
        Police(kbps=256, bucket=30_000, direction="down")),), NEAR_BOX,
        clients=("198.51.100.23", "203.0.113.7", "192.0.2.55", "5.34.112.9")),
    _by_name("crawl", "650 bytes a second: the handshake itself crawls (TSPU SNI-III, 2022)",
        Police(kbps=5.2, bucket=3000), 20_000, flows=3, want={"every": 4.0}),
    _by_name("crawl-8k", "1 kB a second", Police(kbps=8, bucket=4000, direction="down"), 30_000, flows=3,
        want={"every": 4.0}),
    _shape(128, 20_000),
    _shape(150, 60_000),
    _shape(150, 60_000, FAR_BOX, "-border"),
    _shape(256, 100_000, suffix="-bbr", congestion="bbr", about=", BBR at both ends"),
    _shape(512, 60_000),
    _shape(512, 200_000, LONG, "-long"),
    _shape(512, 60_000, suffix="-shared", scope="server", about=" for all flows to a server together", flows=3,
        want={"every": 1.0}),
    _shape(512, 60_000, suffix="-up", direction="up", about=", upwards",
        does=(Https(MEDIA, at=0.5, times=2, every=3, up=700_000, down=100, hello="browser", patience=14),
        Https("github.com", at=1, times=2, every=4, up=300_000, down=100, hello="browser"), *everyday(12))),
    _shape(1000, 100_000),
    _shape(2000, 200_000),
    Scenario("throttle-shape-prefix", "throttle", "A messenger's prefixes shaped to 200 kbit/s", _TELEGRAM_MEDIA,
        (Rule(_BY_PREFIX, Shape(kbps=200, queue=60_000, scope="client", direction="down")),), NEAR_BOX),
    Scenario("throttle-slow-prefix", "throttle", "A messenger's prefixes answer 350 ms later (Belarus 2020)",
        _TELEGRAM_MEDIA, (Rule(_BY_PREFIX, Slow(seconds=0.35)),), NEAR_BOX),
    _by_name("loss-5", "5 % of the packets lost, by name", Lose(0.05, direction="down"), 700_000),
    _by_name("loss-15", "15 % lost", Lose(0.15, direction="down"), 500_000, flows=3),
    _by_name("loss-30", "30 % lost, both ways", Lose(0.30), 200_000, flows=3),
    _by_name("loss-bursts", "Bursts of loss, by name", Lose(bursts=(0.01, 0.15, 0.7), direction="down"), 600_000,
        flows=3),
    _by_name("acks-70", "70 % of the client's acknowledgements lost (YouTube 2024, net4people 382)", DropAcks(0.7),
        900_000),
    _by_name("acks-95", "95 % of the client's acknowledgements lost", DropAcks(0.95), 400_000),
    _freeze("freeze-16kB", "After 16 kB nothing of the server passes (Russia 2025, net4people 490)",
        Drop(direction="down", kind="freeze"), Trigger(prefixes=_HOSTING, down_bytes=16_000)),
    _freeze("freeze-16kB-both", "After 16 kB nothing passes", Drop(kind="freeze"),
        Trigger(prefixes=_HOSTING, down_bytes=16_000)),
    _freeze("freeze-20kB-border", "After 20 kB, at the border", Drop(kind="freeze"),
        Trigger(prefixes=_HOSTING, down_bytes=20_000), path=FAR_BOX),
    _freeze("freeze-64kB", "After 64 kB", Drop(direction="down", kind="freeze"),
        Trigger(prefixes=_HOSTING, down_bytes=64_000)),
    _freeze("freeze-skips", "After 16 kB, a third of the connections is spared",
        Drop(direction="down", kind="freeze"), Trigger(prefixes=_HOSTING, down_bytes=16_000, chance=0.66)),
    _freeze("freeze-25-packets", "After 25 packets, however small", Drop(spare=25, kind="freeze"),
        Trigger(prefixes=_HOSTING), does=(*(downloads(site, 80_000, 3, 4.0, 0.5 + i, pace=(60, 1500)) for i,
        site in enumerate(("discord.com", "x.com"))), *_controls(250_000), *everyday(14))),
    _freeze("freeze-name", "By name, other names on the address pass", Drop(direction="down", kind="freeze"),
        Trigger(sni=("discord.com",), down_bytes=16_000), does=(downloads("discord.com", 250_000, 4, 3.5),
        downloads("shop.example.org", 250_000, 3, 3.5, 1.5, address="162.159.128.233"), *_controls(250_000),
        *everyday(14))),
    _freeze("freeze-up", "Uploads freeze after 20 kB", Drop(spare=30, direction="up", kind="freeze"),
        Trigger(prefixes=_HOSTING), does=(*(Https(site, at=0.5 + i, times=3, every=4, up=150_000, down=100,
        hello="browser", patience=12) for i, site in enumerate(("discord.com", "x.com"))), *_controls(250_000),
        *everyday(14))),
    _freeze("freeze-two", "Two frozen flows, nothing large beside them", Drop(direction="down", kind="freeze"),
        Trigger(prefixes=_HOSTING, down_bytes=16_000), does=(downloads("x.com", 250_000, 2, 3), *everyday(16))),
    _freeze("freeze-two-hosts", "One frozen flow at each of two hosters", Drop(direction="down", kind="freeze"),
        Trigger(prefixes=_HOSTING, down_bytes=16_000), does=(downloads("x.com", 250_000, 1),
        downloads("discord.com", 250_000, 1, at=3), *everyday(16))),
    _freeze("freeze-one", "A single frozen flow", Drop(direction="down", kind="freeze"),
        Trigger(prefixes=_HOSTING, down_bytes=16_000), does=(downloads("x.com", 250_000, 1), *_controls(250_000),
        *everyday(14))),
    _by_name("police-chat", "Policed so that chat passes and pictures do not",
        Police(kbps=64, bucket=16_000, direction="down"), 0, trigger=Trigger(protocol="noise"),
        does=(Chat("g.whatsapp.net", protocol="noise", port=5222, at=0.5, messages=6, pause=0.5, picture=120_000,
        patience=25), Chat("g.whatsapp.net", protocol="noise", at=1.5, messages=6, pause=0.5, picture=120_000,
        patience=25), downloads(WA, 200_000, 2, 5), *_controls(), *everyday(12))),
]
