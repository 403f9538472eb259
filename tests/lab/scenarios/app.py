"""Ordinary behaviour of programs: slow readers, aborted downloads, idleness, proxies."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenario import Scenario
from tests.lab.scenarios.call import GOOGLE, REFLECTORS, WHATSAPP, calls
from tests.lab.scenarios.common import NEAR_BOX, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.scenarios.throttle import MEDIA, downloads
from tests.lab.traffic import Activity, Call, Chat, Connect, Dns, Http, Https


def _app(name: str, about: str, *does: Activity, **more) -> Scenario:
    return Scenario(f"app-{name}", "app", about, (*does, *everyday(13)), path=more.pop("path", NEAR_BOX), **more)


_CONTROL = downloads("github.com", 500_000, 2, 4, 1.0)

# fmt: off
ALL = [  # a table, one scenario after the other
    _app("slow-reader", "A video player takes 40 kB a second: the window closes",
        replace(downloads(MEDIA, 450_000, 2), read_rate=40_000, buffer=32_768), _CONTROL),
    _app("slow-reader-tiny", "A small buffer limits to a few segments a round trip",
        replace(downloads(MEDIA, 300_000, 2), buffer=4_608), _CONTROL),
    _app("bursts", "A player fetches pieces with pauses", Https(MEDIA, at=0.5, times=2, every=2, requests=5,
        pause=2.0, down=60_000, hello="browser"), _CONTROL),
    _app("aborts", "The user leaves in the middle of downloads: resets by the client",
        replace(downloads(MEDIA, 800_000, 3, 3), abort_after=100_000, close="reset"), _CONTROL),
    _app("leaves", "The user closes in the middle: late data meet a closed socket",
        replace(downloads(MEDIA, 800_000, 3, 3), abort_after=100_000), _CONTROL),
    _app("left-open", "Connections are left open and idle", attempts(WA, 4, 2, close="leave"),
        attempts(WA_FRONT, 3, 3, close="leave")),
    _app("impatient", "The client gives up after half a second, on a slow site",
        attempts(WA, 4, 3, patience=0.5, close="reset"), changes={WA: {"behaviour": "slow"}}),
    _app("chat", "Long chats of two messengers, small messages",
        Chat("g.whatsapp.net", protocol="noise", port=5222, messages=12, pause=1.0),
        Chat(address="149.154.167.51", messages=12, pause=1.0),
        Chat(address="91.108.56.130", at=1, messages=8, pause=1.5, picture=150_000)),
    _app("idle-chat", "A chat that is idle for ten seconds, then goes on",
        Chat("g.whatsapp.net", protocol="noise", port=5222, messages=4, idle=10.0),
        Chat(address="149.154.167.51", messages=4, idle=10.0)),
    _app("calls", "Calls of four services", calls("whatsapp", WHATSAPP, times=1),
        calls("reflector", REFLECTORS, at=2, times=1), calls("signal", ("35.190.0.1",), at=4, times=1),
        calls("discord", ("66.22.216.10",), at=6, times=1), calls("google", GOOGLE, at=3)),
    _app("call-missed", "Nobody picks up: set-up without media",
        Call(service="whatsapp", relays=WHATSAPP, at=1, times=3, every=4, media=False),
        Call(service="reflector", relays=REFLECTORS, at=2, times=2, every=5, media=False)),
    _app("uploads", "Uploads of pictures", Https(WA, at=0.5, times=2, every=4, up=300_000, down=200, hello="browser"),
        Https("github.com", at=1, times=2, every=4, up=300_000, down=200, hello="browser")),
    _app("probes", "Connections that say nothing", *(Connect(name, at=0.3 + i, times=4, every=3) for i,
        name in enumerate((WA, "github.com", "x.com")))),
    _app("plain", "Plain HTTP", *(Http(name, at=0.3 + i, times=4, every=3, path="/20000") for i,
        name in enumerate(("example.com", "example.org", WA)))),
    _app("keep-alive", "Many requests over one connection", Https(WA, at=0.5, requests=12, pause=0.8,
        hello="browser"), Https("x.com", at=0.7, requests=12, pause=0.8, hello="browser")),
    _app("pieces", "Hellos in many small pieces", *interleaved(WA, WA_FRONT, pieces=120)),
    _app("dns-heavy", "Many questions, two resolvers", *(Dns(name, at=0.2 + 0.2 * i, times=5, every=2, kinds=(1, 28),
        resolver=("8.8.8.8", "77.88.8.8")[i % 2]) for i, name in enumerate((WA, "github.com", "x.com", "ya.ru",
        "t.me", "discord.com")))),
    _app("tls12", "TLS 1.2 to everybody", *interleaved(WA, WA_FRONT, hello="tls12"),
        *(attempts(name, 2, 4, hello="tls12") for name in ("github.com", "x.com"))),
]
