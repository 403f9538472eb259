"""Causes on the device itself: filters, firewalls, antivirus, capture apps, VPNs, desync tools, settings."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.actions.oddities import Decoy, Split
from tests.lab.actions.resets import Headers, Reset
from tests.lab.actions.stops import Drop, Lose
from tests.lab.packet import TCP, UDP
from tests.lab.resolver import Zone
from tests.lab.rules import Action, Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.call import WHATSAPP, calls
from tests.lab.scenarios.common import FINE, NEAR_BOX, SIGNAL, TG, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.scenarios.path import MIX as EVERYTHING
from tests.lab.scenarios.quic import visits
from tests.lab.scenarios.throttle import downloads
from tests.lab.topology import Topology
from tests.lab.traffic import Activity, Chat, Command, Dns, Http, Https
from tests.lab.trigger import Trigger
from tests.lab.world import LOCAL_RESOLVER

_OUTSIDE, _INSIDE = Topology(device=True), Topology(device=True, inside=True)
_USUAL = (*interleaved(WA, WA_FRONT, times=4, every=3.0, patience=8), *everyday(13))
_ADS = ("ads.example.net", "doubleclick.net", "adservice.google.com")
_HELLOS = Trigger(addresses=("157.240.0.60",), protocol="tls")
_BY_ADDRESS = Trigger(addresses=("157.240.0.60",))
_REFUSED = Together(actions=(Reset(headers=Headers(ttl=64, ipid=0, window=0), after=0.0002), Drop()))
_BOTH_ENDS = Reset(to="both", headers=Headers(ttl=64, ipid=0, window=0), after=0.0002)


def _device(name: str, about: str, action: Action, cause: str, trigger: Trigger = _BY_ADDRESS,
    does: tuple[Activity, ...] = _USUAL,
            topology: Topology = _OUTSIDE, **more) -> Scenario:  # fmt: skip
    begins = more.pop("begins", 0.0)
    rules = (Rule(trigger, action, cause, device=True, begins=begins), *more.pop("rules", ()))
    return Scenario(f"device-{name}", "device", about, does, rules, NEAR_BOX, topology, **more)


_GFW = Rule(Trigger(sni=(WA,)), Reset(flags="R", headers=Headers(ttl=71, ipid="random", window=1383)))

# fmt: off
ALL = [  # a table, one scenario after the other
    Scenario("device-ad-filter", "device", "An ad filter in the house answers 0.0.0.0 for advertisers",
        (*(Dns(name, at=0.3 + i, times=3, every=3, kinds=(1, 28)) for i, name in enumerate(_ADS)), *_USUAL),
        path=NEAR_BOX,
             resolver=LOCAL_RESOLVER, zones={LOCAL_RESOLVER: Zone(dict.fromkeys(_ADS, ("0.0.0.0", "::")))}),
    Scenario("device-ad-filter-nxdomain", "device", "An ad filter that says NXDOMAIN",
        (*(Dns(name, at=0.3 + i, times=3, every=3, kinds=(1, 28)) for i, name in enumerate(_ADS)), *_USUAL),
        path=NEAR_BOX,
             resolver=LOCAL_RESOLVER, zones={LOCAL_RESOLVER: Zone(dict.fromkeys(_ADS, 3))}),
    Scenario("device-ad-filter-says", "device", "An ad filter that says so (extended error 17)",
        (*(Dns(name, at=0.3 + i, times=3, every=3, kinds=(1, 28)) for i, name in enumerate(_ADS)), *_USUAL),
        path=NEAR_BOX,
             resolver=LOCAL_RESOLVER, zones={LOCAL_RESOLVER: Zone(dict.fromkeys(_ADS, 3), says_why=17)}),
    Scenario("device-hosts-file", "device", "The hosts file points to an address where nothing is",
        (attempts(WA, 3, 5, patience=9), attempts(TG, 3, 4), *everyday(16)), path=NEAR_BOX,
        hosts={WA: "203.0.113.99"}, cause="hosts_file"),
    Scenario("device-hosts-wrong", "device", "The hosts file points to somebody else's server",
        (attempts(WA, 3, 4, hello="openssl", trust=True), attempts(TG, 3, 4), *everyday(13)), path=NEAR_BOX,
        hosts={WA: "93.184.215.34"}, cause="hosts_file"),
    _device("firewall-in", "A firewall drops what comes from one address: the SYN/ACK is seen, and ignored",
        Drop(direction="down"), "local_firewall"),
    _device("firewall-in-data", "A firewall that lets handshakes through and drops what follows",
        Drop(direction="down", spare=3), "local_firewall"),
    _device("firewall-out-data", "A firewall that drops what goes out after the handshake: only the SYN leaves",
        Drop(direction="up", spare=2), "local_firewall"),
    _device("firewall-name", "A security product that drops by name, before the network card", Drop(direction="up"),
        "local_firewall", Trigger(sni=(WA,))),
    _device("filter-resets", "A filter that resets by name, towards the program and the server", _BOTH_ENDS,
        "local_firewall", Trigger(sni=(WA,))),
    _device("filter-resets-first", "The same, and the hello itself never leaves",
        Together(actions=(_BOTH_ENDS, Drop())), "local_firewall", Trigger(sni=(WA,))),
    _device("firewall-late", "A firewall rule that starts in the middle", Drop(), "local_firewall", begins=5.0,
        does=(Chat(address="157.240.0.60", at=0.5, messages=12, pause=0.8), *_USUAL)),
    _device("capture-app", "A phone's capture app whose firewall refuses one app", _REFUSED, "capture_app",
        topology=_INSIDE, phone=True),
    _device("capture-app-name", "A capture app that blocks by name", _REFUSED, "capture_app", Trigger(sni=(WA,)),
        topology=_INSIDE, phone=True),
    _device("capture-app-quic", "A capture app that blocks QUIC: programs fall back", Drop(), "capture_app",
        Trigger(ports=(443,), proto=UDP), (*visits(), *everyday(16)), _INSIDE, phone=True),
    _device("capture-app-dot", "A capture app that blocks private DNS", _REFUSED, "capture_app",
        Trigger(ports=(853,), proto=TCP), (Https("dns.google", address="8.8.4.4", port=853, at=0.5, times=4, every=3,
        hello="openssl"), *_USUAL), _INSIDE, phone=True),
    Scenario("device-phone-clean", "device", "A phone's capture app, nothing is wrong", EVERYTHING, path=NEAR_BOX,
        phone=True),
    Scenario("device-phone-loss", "device", "A phone's capture app on a lossy line", EVERYTHING,
        (Rule(Trigger(), Lose(0.05), "loss"),), NEAR_BOX, phone=True),
    Scenario("device-phone-server-down", "device", "A phone's capture app, one server is down, another refuses",
        (attempts(SIGNAL, 3, 4, patience=9), attempts(TG, 3, 4), *everyday(14)), path=NEAR_BOX, phone=True,
        changes={SIGNAL: {"up": False}, TG: {"closed": (443,)}}),
    Scenario("device-antivirus", "device", "An antivirus signs every certificate itself",
        (*interleaved(WA, WA_FRONT, hello="tls12"), *everyday(10, hello="tls12")), path=NEAR_BOX,
        cause="antivirus_tls",
             changes={name: {"intercepted": (name, "cdn.example.net")} for name in (WA, *FINE)},
             vantages=("client",)),
    Scenario("device-vpn", "device", "Everything goes through a VPN",
        (*interleaved(WA, WA_FRONT, times=3, every=4), downloads("github.com", 200_000, 2),
        Chat("g.whatsapp.net", protocol="noise", port=5222, messages=8), *everyday(12)), path=NEAR_BOX, vpn=True,
        clients=("198.51.100.23",)),
    Scenario("device-vpn-limited", "device", "A VPN over a slow line",
        (*interleaved(WA, WA_FRONT, times=3, every=4), downloads("github.com", 200_000, 2), *everyday(12)),
        (Rule(Trigger(), Lose(0.03), "loss"),), NEAR_BOX, vpn=True, clients=("198.51.100.23",)),
    _device("desync-decoy", "A desync tool sends a false hello that dies on the way", Decoy(), "local_packet_tool",
        _HELLOS),
    _device("desync-checksum", "A desync tool sends a false hello with a wrong checksum",
        Decoy(hops=0, bad_checksum=True), "local_packet_tool", _HELLOS),
    _device("desync-seq", "A desync tool sends a false hello with an old sequence number",
        Decoy(hops=0, seq_off=-10_000), "local_packet_tool", _HELLOS),
    _device("desync-split", "A desync tool cuts hellos and sends the second part first", Split(), "local_packet_tool",
        _HELLOS),
    _device("desync-filter", "A desync tool on a network with a filter: the filter is fooled by the decoy", Decoy(),
        "local_packet_tool", _HELLOS, rules=(_GFW,)),
    _device("data-saver", "The app may no longer use the network in the background", Drop(), "data_saver",
        Trigger(prefixes=("157.240.0.0/16",)), (Chat("g.whatsapp.net", protocol="noise", port=5222, messages=12,
        pause=0.8, patience=8), attempts(WA, 3, 4, patience=6), *everyday(14)), begins=6.0),
    Scenario("device-address-change", "device", "From one network to another: the old address is gone", (
        Chat(address="149.154.167.51", at=0.5, messages=14, pause=0.8, patience=8, client="198.51.100.23"),
            Chat("g.whatsapp.net", protocol="noise", port=5222, at=0.6, messages=14, pause=0.8, patience=8,
            client="198.51.100.23"),
        Command(at=6.0, line="addr del 198.51.100.23/32 dev lo"), attempts(WA, 2, 3, at=7, client="203.0.113.7"),
            Chat(address="149.154.167.51", at=7.5, messages=6, client="203.0.113.7"),
        *(replace(each, client="203.0.113.7", at=each.at + 6.5) for each in everyday(8)),
    ), path=NEAR_BOX, clients=("198.51.100.23", "203.0.113.7"), cause="address_change"),
    Scenario("device-clock", "device", "The device's clock is years off: every certificate is refused by the client",
        (*interleaved(WA, WA_FRONT, hello="openssl", trust=True),
        *(attempts(name, 2, 4, hello="openssl", trust=True) for name in FINE)), path=NEAR_BOX,
             changes={name: {"behaviour": "expired"} for name in (WA, *FINE)}, cause="client_clock"),
    Scenario("device-private-dns", "device", "Private DNS does not answer, programs use plain DNS",
        (Https("dns.google", address="8.8.4.4", port=853, at=0.5, times=4, every=3, hello="openssl"), *_USUAL),
        path=NEAR_BOX, changes={"dns.google": {"closed": (853,)}}),
    Scenario("device-restarts", "device", "Programs are killed: resets by the client in the middle of everything",
        (*(replace(downloads(name, 600_000, 3, 3, 0.5 + 0.5 * i), abort_after=60_000, close="reset") for i,
        name in enumerate((WA, TG, "github.com"))), *(Chat(address=dc, at=0.5, messages=6,
        close="reset") for dc in ("149.154.167.51", "149.154.167.91")), *everyday(12)), path=NEAR_BOX),
    _device("app-firewall-calls", "A privacy setting cuts calls through relays, chat goes on", Drop(direction="up"),
        "local_firewall", Trigger(addresses=WHATSAPP, proto=UDP),
        (calls("whatsapp", WHATSAPP), Chat("g.whatsapp.net", protocol="noise", port=5222, messages=10),
        *everyday(16))),
    Scenario("device-old-phone", "device", "An old program: plain HTTP, TLS 1.2, small hellos",
        (*(Http(name, at=0.4 + i, times=3, every=4) for i, name in enumerate(("example.com", "example.org"))),
        *interleaved(WA, WA_FRONT, hello="tls12"), *everyday(12, hello="tls12")), path=NEAR_BOX),
]
