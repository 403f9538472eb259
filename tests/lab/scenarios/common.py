"""Pieces that many scenarios share: the usual traffic around what is interfered with, and names for both."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.middlebox import Delays
from tests.lab.traffic import Activity, Http, Https

WA, WA_FRONT = "web.whatsapp.com", "cdn.example.net"  # the second lives on the first one's address
TG, SIGNAL, DISCORD = "web.telegram.org", "chat.signal.org", "discord.com"
FINE = ("example.org", "www.wikipedia.org", "github.com", "ya.ru", "vk.com", "www.gosuslugi.ru")

NEAR_BOX = Delays(0.008, 0.032)  # a box at the access provider, the server 80 ms away
FAR_BOX = Delays(0.060, 0.025)  # a box at the border
SHORT = Delays(0.003, 0.009)
LONG = Delays(0.012, 0.120)


def everyday(until: float = 8.0, hello: str = "browser", names: tuple[str, ...] = FINE) -> tuple[Activity, ...]:
    """Ordinary browsing beside it: a few sites, a connectivity check."""
    pages = tuple(
        Https(name, at=0.3 + i * until / len(names), times=2, every=until / 2, hello=hello, down=3000 + 4000 * i)
        for i, name in enumerate(names)
    )
    return (*pages, Http("connectivitycheck.gstatic.com", at=0.1, path="/generate_204"))


def attempts(name: str, times: int = 4, every: float = 2.0, at: float = 0.5, **more: object) -> Https:
    """The page that is interfered with, tried several times as browsers do."""
    return replace(Https(name, at=at, times=times, every=every, hello="browser"), **more)


def interleaved(name: str, other: str, times: int = 4, every: float = 2.0, **more: object) -> tuple[Activity, ...]:
    """Attempts at a name, and between them a name beside it."""
    make = more.get("hello", "browser")  # a control by another make of client would be none
    return attempts(name, times, every, **more), attempts(other, times, every, at=0.5 + every / 2, hello=make)
