"""Filtering by address, port, address family and protocol: SYNs that vanish, are reset, answered by others, or refused by ICMP."""

from __future__ import annotations

from tests.lab.actions.answers import ForgeSynAck, Reject
from tests.lab.actions.resets import Headers, Reset
from tests.lab.actions.stops import Drop
from tests.lab.middlebox import Delays
from tests.lab.packet import TCP, UDP
from tests.lab.rules import Action, Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.common import FAR_BOX, NEAR_BOX, SIGNAL, WA, attempts, everyday
from tests.lab.traffic import Call, Chat, Connect, Https
from tests.lab.trigger import Trigger

TELEGRAM = ("149.154.160.0/20", "91.108.0.0/16")
DCS = ("149.154.167.51", "149.154.167.91", "91.108.56.130")
META = ("157.240.0.0/16", "31.13.64.0/18", "179.60.192.0/22")
DOMESTIC = ("87.240.128.0/18", "77.88.0.0/16", "213.59.252.0/22", "155.212.192.0/20")
_BY_PREFIX = Trigger(prefixes=TELEGRAM)
_TELEGRAM_TRIES = (
    *(Chat(address=dc, at=0.4 + i * 0.3, times=2, every=8, patience=12, messages=3) for i, dc in enumerate(DCS)),
    attempts("web.telegram.org", 2, 8, at=1.5, patience=12),
)
_LATER = (*_TELEGRAM_TRIES, *everyday(18))


def _address(
    name: str, about: str, action: Action, trigger: Trigger = _BY_PREFIX, path: Delays = NEAR_BOX, does=_LATER, **more
) -> Scenario:
    begins = more.pop("begins", 0.0)
    return Scenario(f"address-{name}", "address", about, does, (Rule(trigger, action, begins=begins),), path, **more)


def _reject(code: int, about: str, kind: int = 3, v6: bool = False) -> Scenario:
    word = f"icmp-{'v6-' * v6}{code}"
    if v6:
        does = (
            attempts(WA, 3, 5, v6=True),
            attempts("web.telegram.org", 3, 5, at=1.0, v6=True),
            Https("example.org", at=2, times=3, every=4, v6=True),
            *everyday(14),
        )
        return _address(
            word,
            about,
            Reject(code),
            Trigger(version6=True, prefixes=("2a03:2880::/32", "2001:67c:4e8::/48")),
            does=does,
        )
    return _address(word, about, Reject(code, kind=kind))


_SYN_RESET = Reset(headers=Headers(ttl=64, ipid=0))

# fmt: off
ALL = [  # a table, one scenario after the other
    _address("drop", "SYNs to a messenger's prefixes vanish", Drop()),
    _address("drop-border", "The same at the border", Drop(), path=FAR_BOX),
    _address("drop-down", "The SYN passes, the SYN/ACK does not", Drop(direction="down")),
    _address("drop-one", "One address of several vanishes", Drop(), Trigger(addresses=("149.154.167.91",))),
    _address("drop-midway", "From the fifth second on: open conversations die as well", Drop(), begins=5.0,
        does=(*(Chat(address=dc, at=0.4, messages=14, pause=0.7, patience=10) for dc in DCS),
        *(Chat(address=dc, at=7 + i, times=2, every=6, patience=9) for i, dc in enumerate(DCS)), *everyday(18))),
    _address("drop-signal", "Two addresses of another service", Drop(),
        Trigger(addresses=("76.223.92.165", "142.251.1.121")),
        does=(attempts(SIGNAL, 2, 12, patience=11), attempts("storage.signal.org", 2, 12, at=1.5, patience=11),
        *everyday(24))),
    _address("drop-meta", "All of an operator: chat, web, calls", Drop(), Trigger(prefixes=META),
        does=(attempts(WA, 2, 10, patience=9), attempts("www.instagram.com", 2, 10, at=1, patience=9),
        Chat("g.whatsapp.net", protocol="noise", port=5222, times=2, every=10, patience=9),
        Call(service="whatsapp", relays=("157.240.0.62", "31.13.84.62", "179.60.195.62"), at=4, patience=5),
        *everyday(20))),
    _address("reset", "SYNs meet a forged RST/ACK; the SYN itself goes on", _SYN_RESET),
    _address("reset-in-path", "SYNs meet a forged RST/ACK and end there (TSPU 2022)",
        Together(actions=(_SYN_RESET, Drop()))),
    _address("reset-mirrored", "The same with the SYN's own IP-ID",
        Together(actions=(Reset(headers=Headers(ttl=120, ipid="trigger")), Drop()))),
    _address("reset-border", "The same at the border", Together(actions=(_SYN_RESET, Drop())), path=FAR_BOX),
    _address("synack-forged", "A forged SYN/ACK, then a reset to the first data (China's sinks, net4people 294)",
        ForgeSynAck(swallow=True, then_reset=True)),
    _address("synack-race", "A forged SYN/ACK beside the genuine one", ForgeSynAck(hops=101)),
    _reject(0, "Refused by ICMP: network unreachable"),
    _reject(1, "Refused by ICMP: host unreachable"),
    _reject(3, "Refused by ICMP: port unreachable, from a router"),
    _reject(9, "Refused by ICMP: network administratively prohibited"),
    _reject(10, "Refused by ICMP: host administratively prohibited"),
    _reject(13, "Refused by ICMP: communication administratively prohibited"),
    _reject(1, "IPv6 refused by ICMP: administratively prohibited", v6=True),
    _reject(5, "IPv6 refused by ICMP: source address failed policy", v6=True),
    _reject(6, "IPv6 refused by ICMP: reject route", v6=True),
    _address("icmp-silent-race", "An ICMP error, while the SYN goes on and is answered", Reject(13, drops=False)),
    _address("port-5222", "One port is closed to everybody", Drop(), Trigger(ports=(5222,), proto=TCP),
        does=(Chat("g.whatsapp.net", protocol="noise", port=5222, times=2, every=9, patience=8),
        Chat("g.whatsapp.net", at=3, protocol="noise", times=2, every=8),
        Chat("edge-chat.messenger.com", port=5222, protocol="noise", at=1, times=2, every=9, patience=8),
        *everyday(18))),
    _address("port-443-reset", "All of port 443 abroad is reset (China, 20 August 2025, net4people 511)",
        Reset(steps=(0, 0, 0), headers=Headers(ttl=88, ipid="random", window=2920, rise=1)),
        Trigger(ports=(443,), proto=TCP, outside=DOMESTIC), does=(*everyday(12), attempts(WA, 3, 3),
        Connect("example.org", port=80, at=2, times=2, every=4))),
    _address("port-853", "DNS over TLS is cut", Drop(), Trigger(ports=(853,)),
        does=(Https("dns.google", address="8.8.4.4", port=853, at=0.5, times=3, every=4, patience=9, hello="openssl"),
        Https("dns.google", address="8.8.4.4", at=2.0, times=3, every=4), *everyday(16))),
    _address("ipv6", "IPv6 of some services vanishes, IPv4 does not", Drop(),
        Trigger(version6=True, prefixes=("2a03:2880::/32", "2001:67c:4e8::/48")),
        does=(Https(WA, at=0.4, times=3, every=5, race=True),
        Https("web.telegram.org", at=1.4, times=3, every=5, race=True),
        Https("example.org", at=1.0, times=3, every=5, v6=True), *everyday(18))),
    _address("domestic-only", "Nothing abroad answers, domestic sites do", Drop(),
        Trigger(outside=(*DOMESTIC, "8.8.8.8/32")), does=(*everyday(20), attempts(WA, 2, 9), *_TELEGRAM_TRIES,
        Https("api.oneme.ru", at=1, times=4, every=4))),
    _address("noise-drop", "By protocol: after WhatsApp's first bytes nothing passes", Drop(),
        Trigger(protocol="noise"), does=(Chat("g.whatsapp.net", protocol="noise", port=5222, at=0.5, times=2, every=9,
        patience=8), Chat("g.whatsapp.net", protocol="noise", at=1.5, times=2, every=9, patience=8),
        attempts(WA, 4, 4), *everyday(20))),
    _address("mtproto-drop", "By protocol: random-looking first bytes, up packets dropped", Drop(direction="up"),
        Trigger(protocol="mtproto", proto=TCP), does=(*(Chat(address=dc, at=0.4 + i, times=2, every=9, patience=8,
        messages=3) for i, dc in enumerate(DCS)), attempts("web.telegram.org", 3, 5), *everyday(20))),
    _address("mtproto-delayed", "By protocol, after ten packets", Drop(spare=10, kind="delayed_drop"),
        Trigger(protocol="mtproto", proto=TCP), does=(*(Chat(address=dc, at=0.4 + i, times=2, every=11, patience=8,
        messages=10, pause=0.4) for i, dc in enumerate(DCS)), attempts("web.telegram.org", 3, 5), *everyday(20))),
    _address("udp-all", "All UDP but DNS vanishes", Drop(), Trigger(proto=UDP, ports=(443, 3478, 1400, 597)),
        does=(Call(service="whatsapp", relays=("157.240.0.62", "31.13.84.62"), at=1, times=2, every=9, patience=5),
        Call(service="reflector", relays=("91.108.13.34", "91.108.9.21"), at=3, times=2, every=9, patience=5),
        attempts(WA, 4, 4), *everyday(18))),
]
