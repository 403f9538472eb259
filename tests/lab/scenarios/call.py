"""Calls: set-up or media cut while chat works; limited; partly lost."""

from __future__ import annotations

from tests.lab.actions.answers import Reject
from tests.lab.actions.limits import Police
from tests.lab.actions.stops import Drop, DropMedia, Lose
from tests.lab.middlebox import Delays
from tests.lab.packet import UDP
from tests.lab.rules import Action, Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, NEAR_BOX, SIGNAL, WA, attempts, everyday
from tests.lab.traffic import Activity, Call, Chat
from tests.lab.trigger import Trigger

WHATSAPP = ("157.240.0.62", "31.13.84.62", "179.60.195.62")
REFLECTORS = ("91.108.13.34", "91.108.9.21", "149.154.166.113")
_FOUR = (*WHATSAPP, "102.132.96.62")
_SIX = ("74.125.250.129", "74.125.250.130", "142.250.82.9", "203.0.113.40", "203.0.114.41", "35.190.0.1")
GOOGLE, SIGNAL_TURN, DISCORD = ("74.125.250.129",), ("35.190.0.1",), ("66.22.216.10", "66.22.217.10")


def calls(service: str, relays: tuple[str, ...], **more) -> Call:
    return Call(
        service=service, relays=relays, **{"at": 1.0, "times": 2, "every": 9.0, "patience": 6.0, "seconds": 5.0, **more}
    )


_CHAT = (
    Chat("g.whatsapp.net", protocol="noise", port=5222, at=0.3, messages=14, pause=1.2), attempts(WA, 3, 5),
    Chat(address="149.154.167.51", at=0.5, messages=14, pause=1.2), attempts(SIGNAL, 2, 6, at=1.2),
)  # fmt: skip
_OTHERS = (calls("google", GOOGLE, at=2.0), *everyday(17))
_WHATSAPP = (calls("whatsapp", WHATSAPP), *_CHAT, *_OTHERS)
_TELEGRAM = (calls("reflector", REFLECTORS), calls("telegram", REFLECTORS[:2], at=1.2, media=False), *_CHAT, *_OTHERS)


def _call(
    name: str,
    about: str,
    action: Action,
    trigger: Trigger,
    does: tuple[Activity, ...] = _WHATSAPP,
    path: Delays = NEAR_BOX,
) -> Scenario:
    return Scenario(f"call-{name}", "call", about, does, (Rule(trigger, action),), path)


def _to(prefixes: tuple[str, ...], **more) -> Trigger:
    return Trigger(addresses=prefixes, proto=UDP, **more)


_STUN = Trigger(protocol="stun", proto=UDP, addresses=(*WHATSAPP, *REFLECTORS))

# fmt: off
ALL = [  # a table, one scenario after the other
    _call("whatsapp-stun", "WhatsApp's relays hear nothing; chat works (Russia, August 2025)", Drop(direction="up"),
        _STUN),
    _call("whatsapp-stun-both", "Nothing passes to or from them", Drop(), _STUN),
    _call("whatsapp-stun-down", "Their answers vanish", Drop(direction="down"), _STUN),
    _call("whatsapp-border", "At the border", Drop(), _STUN, path=FAR_BOX),
    _call("whatsapp-addresses", "By the relays' addresses", Drop(), _to(WHATSAPP)),
    _call("whatsapp-two-relays", "Two of three relays vanish", Drop(), _to(WHATSAPP[:2])),
    _call("whatsapp-media", "Set-up passes, media dies after 30 packets", Drop(spare=30, kind="delayed_drop"),
        _to(WHATSAPP)),
    _call("whatsapp-media-up", "Set-up passes, the client's media is cut",
        Drop(spare=60, direction="up", kind="delayed_drop"), _to(WHATSAPP)),
    _call("whatsapp-media-down", "Set-up passes, none of the relay's media come", DropMedia(), _to(WHATSAPP)),
    _call("whatsapp-relays", "Four relays are silent while six servers of others answer", Drop(), _to(_FOUR),
        (calls("whatsapp", _FOUR, times=1), *(calls("google", (address,), at=1.5 + 0.3 * i, times=1,
        media=False) for i, address in enumerate(_SIX)), *_CHAT, *everyday(12))),
    _call("whatsapp-relays-few", "Three relays are silent while four servers of others answer", Drop(), _to(WHATSAPP),
        (calls("whatsapp", WHATSAPP, times=1), *(calls("google", (address,), at=1.5 + 0.3 * i, times=1,
        media=False) for i, address in enumerate(_SIX[:4])), *_CHAT, *everyday(12))),
    _call("whatsapp-gargle", "A quarter of the media is lost", Lose(0.25), _to(WHATSAPP)),
    _call("whatsapp-police", "Media policed to 20 kbit/s", Police(kbps=20, bucket=3000), _to(WHATSAPP)),
    _call("whatsapp-icmp", "The relays are refused by ICMP 3/13", Reject(13), _to(WHATSAPP)),
    _call("telegram-reflectors", "Telegram's reflectors are silent: 40 bytes twice a second (Flowseal 6148)", Drop(),
        _to(REFLECTORS), _TELEGRAM),
    _call("telegram-up", "Only upwards", Drop(direction="up"), _to(REFLECTORS), _TELEGRAM),
    _call("telegram-stun", "Only STUN on port 1400", Drop(), Trigger(protocol="stun", ports=(1400,), proto=UDP),
        _TELEGRAM),
    _call("telegram-media", "Reflectors answer, media dies", Drop(spare=40, kind="delayed_drop"), _to(REFLECTORS),
        _TELEGRAM),
    _call("signal-turn", "Signal's TURN", Drop(), _to(SIGNAL_TURN),
        (calls("signal", SIGNAL_TURN, times=3, every=6), *_CHAT, *_OTHERS)),
    _call("discord-voice", "Discord's voice servers", Drop(), _to(DISCORD),
        (calls("discord", DISCORD), attempts("discord.com", 3, 4), *_CHAT, *_OTHERS)),
    _call("all-stun", "STUN of every service", Drop(), Trigger(protocol="stun", proto=UDP),
        (calls("whatsapp", WHATSAPP), calls("signal", SIGNAL_TURN, at=2.5), *_CHAT, *_OTHERS)),
]
