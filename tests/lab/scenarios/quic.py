"""QUIC: dropped by name, by version, by address, altogether; refused by ICMP."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.actions.answers import Reject
from tests.lab.actions.stops import Drop, Lose
from tests.lab.middlebox import Delays
from tests.lab.packet import UDP
from tests.lab.rules import Action, Residual, Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, LONG, NEAR_BOX, WA, WA_FRONT, everyday
from tests.lab.traffic import Https, Quic
from tests.lab.trigger import Trigger

V1 = b"\0\0\0\1"
_NAME = "www.instagram.com"
_BY_NAME = Trigger(sni=(_NAME, WA), proto=UDP)
_ALL_443 = Trigger(ports=(443,), proto=UDP)


def visits(large: bool = False, version: int = 1, fall_back: bool = True) -> tuple:
    """Two filtered names, a name beside one of them, two sites elsewhere; TCP when QUIC does not answer."""
    base = Quic(down=20_000, large=large, version=version, fall_back=fall_back)
    return (
        replace(base, name=_NAME, at=0.4, times=4, every=4), replace(base, name=WA, at=1.4, times=3, every=5),
        replace(base, name=WA_FRONT, at=2.6, times=4, every=4),
            replace(base, name="www.wikipedia.org", at=0.8, times=3, every=5),
        replace(base, name="example.org", at=3.2, times=3, every=5),
            Https(_NAME, at=3.0, times=3, every=5, hello="browser"),
    )  # fmt: skip


def _quic(
    name: str, about: str, action: Action, trigger: Trigger = _BY_NAME, path: Delays = NEAR_BOX, **more
) -> Scenario:
    residual = more.pop("residual", None)
    more.setdefault("does", (*visits(), *everyday(16)))
    return Scenario(f"quic-{name}", "quic", about, rules=(Rule(trigger, action, residual=residual),), path=path, **more)


# fmt: off
ALL = [  # a table, one scenario after the other
    _quic("sni-drop", "By name: from the Initial on nothing of the client passes", Drop(direction="up")),
    _quic("sni-drop-both", "By name: nothing passes", Drop()),
    _quic("sni-drop-down", "By name: nothing of the server passes", Drop(direction="down")),
    _quic("sni-large", "By name, the hello in two datagrams", Drop(direction="up"),
        does=(*visits(large=True), *everyday(16))),
    _quic("sni-no-fallback", "By name; the client does not try TCP", Drop(),
        does=(*visits(fall_back=False), *everyday(16))),
    _quic("sni-many", "By name, many attempts at one address", Drop(direction="up"),
        does=(Quic(WA, at=0.4, times=6, every=2.5, wait=2.5), Quic(WA_FRONT, at=1.4, times=6, every=2.5),
        *everyday(16))),
    _quic("gfw", "The Initial itself arrives, later packets do not; residual (USENIX Security 2025)",
        Drop(direction="up", spare=1, kind="delayed_drop"), residual=Residual(7), path=FAR_BOX),
    _quic("gfw-after-answer", "Five packets pass, then the client is not heard",
        Drop(direction="up", spare=5, kind="delayed_drop")),
    _quic("delayed-both", "Twelve packets pass", Drop(spare=12, kind="delayed_drop")),
    _quic("long", "By name, on a long path", Drop(direction="up"), path=LONG),
    _quic("version-1", "By version 1: every name (TSPU 2022); version 2 passes", Drop(direction="up"),
        Trigger(quic_version=V1, proto=UDP, ports=(443,), axis_word="protocol"),
        does=(*visits(), *(replace(each, at=each.at + 0.5, version=2) for each in visits()[3:5]), *everyday(16))),
    _quic("all-443", "All UDP to port 443 vanishes (Iran 2022)", Drop(), _ALL_443),
    _quic("all-443-down", "All UDP from port 443 vanishes", Drop(direction="down"), _ALL_443),
    _quic("protocol", "By protocol", Drop(), Trigger(protocol="quic", proto=UDP)),
    _quic("endpoint", "UDP to some addresses, whatever the name (Iran 2021, WebSci 2021)", Drop(),
        Trigger(addresses=("157.240.0.174", "157.240.0.60"), proto=UDP)),
    _quic("icmp", "Refused by ICMP 3/13, by name", Reject(13)),
    _quic("loss", "By name: 40 % of the packets are lost", Lose(0.4),
        does=(*(replace(each, down=60_000) if isinstance(each, Quic) else each for each in visits()), *everyday(16))),
]
