"""Ordinary trouble at the server's end."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.actions.limits import Slow
from tests.lab.actions.oddities import Hops
from tests.lab.actions.resets import Headers, Later, Reset
from tests.lab.actions.stops import Drop, Lose
from tests.lab.middlebox import Delays
from tests.lab.rules import Rule, Together
from tests.lab.scenario import Scenario
from tests.lab.scenarios.call import WHATSAPP, calls
from tests.lab.scenarios.common import LONG, NEAR_BOX, SIGNAL, TG, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.scenarios.quic import visits
from tests.lab.scenarios.throttle import downloads
from tests.lab.topology import Topology
from tests.lab.traffic import Activity, Chat, Connect, Dns, Http, Https, Quic
from tests.lab.trigger import Trigger

_USUAL = (*interleaved(WA, WA_FRONT, times=4, every=3.0, patience=9), *everyday(14))
_ALL = Trigger()
_FIFTY = tuple(f"{a}.{b}.{c}.{17 + i}" for i, (a, b, c) in enumerate(
    (5 + 3 * i % 180, (i * 37) % 250, (i * 91) % 250) for i in range(50)))  # fmt: skip


def _site(
    name: str, about: str, behaviour: str = "", does: tuple[Activity, ...] = _USUAL, site: str = WA, **more
) -> Scenario:
    change = {"behaviour": behaviour, **more.pop("change", {})}
    return Scenario(
        f"server-{name}", "server", about, does, path=more.pop("path", NEAR_BOX), changes={site: change}, **more
    )


def _box(name: str, about: str, action, cause: str, does: tuple[Activity, ...] = _USUAL, **more) -> Scenario:
    trigger = more.pop("trigger", Trigger(addresses=("157.240.0.60",)))
    path = more.pop("path", NEAR_BOX)
    return Scenario(f"server-{name}", "server", about, does, (Rule(trigger, action, cause),), path, **more)


# fmt: off
ALL = [  # a table, one scenario after the other
    _site("down", "The server is down: silence", change={"up": False},
        does=(attempts(WA, 3, 5, patience=12), *everyday(18))),
    _site("down-unreachable", "The last router says host unreachable", change={"up": False}, cause="server_down",
          topology=Topology(commands=(("far2", "route add unreachable 157.240.0.60"),)),
          does=(attempts(WA, 4, 3), *everyday(14))),
    Scenario("server-down-two", "server", "Two addresses of one service are down",
        (attempts(SIGNAL, 2, 9, patience=12), attempts("storage.signal.org", 2, 9, at=1.5), *everyday(18)),
        changes={SIGNAL: {"up": False}}, path=NEAR_BOX),
    _site("closed-443", "Nothing listens on port 443", change={"closed": (443,)}),
    _site("closed-5222", "One of two chat ports is closed", site="g.whatsapp.net", change={"closed": (5222,)},
        does=(*(Chat("g.whatsapp.net", at=0.5 + i, protocol="noise", port=(5222, 443)[i % 2],
        messages=3) for i in range(6)), *everyday(12))),
    Scenario("server-closed-two", "server", "Ports closed on two servers of one service",
        (attempts(TG, 3, 4), Chat(address="149.154.167.51", at=1, times=3, every=4), *everyday(14)),
        changes={TG: {"closed": (443,)}, "dc2.telegram": {"closed": (443,)}}, path=NEAR_BOX),
    _site("linger", "Every connection is closed by a reset", "linger"),
    _site("linger-long", "The same on a long path", "linger", path=LONG),
    _site("unread", "Answers and leaves with data unread: the kernel resets", "unread",
        does=(Https(WA, at=0.5, times=4, every=3, up=200_000, down=100, hello="browser"), *everyday(14))),
    _site("crash", "Resets in the middle of a transfer", "crash",
        does=(*interleaved(WA, WA_FRONT, times=4, every=3.0, down=300_000), *everyday(14))),
    _site("stall", "Stalls in the middle of a transfer", "stall",
        does=(*interleaved(WA, WA_FRONT, times=3, every=4.0, down=300_000, patience=12), *everyday(18))),
    _site("stall-one", "One stalled transfer of many", "stall",
        does=(attempts(WA, 1, down=300_000, patience=14), downloads("github.com", 200_000), *everyday(14))),
    _site("stuck", "Takes connections, never answers a hello", "stuck",
        does=(attempts(WA, 3, 5, patience=10), attempts(WA_FRONT, 2, 6, at=2, patience=9), *everyday(18))),
    _site("silent", "Takes connections, reads nothing", "silent",
        does=(attempts(WA, 3, 5, patience=10, hello="openssl"), *everyday(18))),
    _site("slow", "Four seconds of thinking before each answer", "slow"),
    _site("backlog", "Overloaded: connections wait, SYN/ACKs are repeated", "backlog", change={"backlog": 1},
        does=(attempts(WA, 8, 0.6, patience=10), *everyday(14))),
    _site("expired", "An expired certificate; the client leaves with an alert", "expired",
        does=(*interleaved(WA, WA_FRONT, times=4, every=3, hello="openssl", trust=True), *everyday(14))),
    _site("refuses-name-alert", "Refuses names that do not live there, with an alert", "refuse_unknown_alert",
        does=(attempts(WA, 3, 3, hello="openssl"), attempts("pay.example.net", 4, 3, at=1.5, address="157.240.0.60",
        hello="openssl"), *everyday(14))),
    _site("refuses-name-reset", "Refuses names that do not live there, with a reset", "refuse_unknown_reset",
        does=(attempts(WA, 4, 3), attempts("pay.example.net", 4, 3, at=1.5, address="157.240.0.60"), *everyday(14))),
    _site("large-hello-reset", "Cannot take a hello of two segments: resets (tldr.fail)", "one_segment_hello",
        does=(attempts(WA, 3, 3), attempts(WA_FRONT, 3, 3, at=1.5), attempts(WA, 3, 3, at=2.2, hello="openssl"),
        *everyday(14))),
    _site("large-hello-silent", "Cannot take a hello of two segments: waits for ever", "one_segment_silent",
        does=(attempts(WA, 3, 4, patience=10), attempts(WA_FRONT, 2, 5, at=1.5, patience=10),
        attempts(WA, 3, 4, at=2.2, hello="openssl"), *everyday(18))),
    _site("once", "Closes after each answer", "once"),
    _site("syn-cookies", "SYN cookies on every connection", topology=Topology(kernel=(("server",
        "net/ipv4/tcp_syncookies", 2),))),
    _site("no-timestamps", "Stacks without timestamps", topology=Topology(kernel=(("server",
        "net/ipv4/tcp_timestamps", 0),))),
    _site("no-sack", "Without SACK, some loss", topology=Topology(kernel=(("server", "net/ipv4/tcp_sack", 0),)),
        rules=(Rule(_ALL, Lose(0.02), "loss"),)),
    _site("ttl-128", "Initial TTL 128", change={"ttl": 128}),
    _site("ttl-255-linger", "Initial TTL 255, closes by reset", "linger", change={"ttl": 255}),
    _box("balancer-classes", "A load balancer answers SYNs itself (TTL +180), data come from behind",
        Hops(handshake=180), "load_balancer"),
    _box("balancer-endings", "Resets and FINs come from the balancer", Hops(ending=60), "load_balancer",
        changes={WA: {"behaviour": "linger"}}),
    _box("balancer-flows", "Every connection at another backend: TTL varies by up to 20", Hops(per_flow=20),
        "load_balancer", changes={WA: {"behaviour": "linger"}}),
    _box("route-change", "A route change in the middle of connections", Hops(data=-3, ending=-3, after=1.0),
        "route_change", does=(attempts(WA, 3, 3, down=40_000, pace=(150, 2000)), attempts(WA_FRONT, 3, 3, at=1.5),
        *everyday(12))),
    _box("idle-reset", "A balancer resets connections older than five seconds",
        Later(Together(actions=(Reset(to="both", headers=Headers(ttl="peer", ipid=0, window=0)), Drop())), 5.0),
        "load_balancer", path=Delays(0.0385, 0.0015),
        does=(Chat(address="157.240.0.60", at=0.5, times=3, every=3, messages=12, pause=0.8),
        Https(WA, at=1, times=3, every=3, hello="browser"), *everyday(14))),
    _site("paced", "Sends 400 kbit/s by its own will", does=(downloads(WA, 500_000, 2, pace=(40, 2000)),
        downloads("github.com", 500_000, 2, 4), *everyday(14))),
    _site("paced-slow", "A live stream of 120 kbit/s", does=(downloads(WA, 170_000, 2, pace=(100, 1500)),
        downloads("github.com", 500_000, 2, 4), *everyday(14))),
    _site("own-403", "The site's own 403", "forbidden", does=(Http(WA, at=0.5, times=4, every=3),
        Http("example.com", at=1, times=4, every=3), *everyday(13))),
    _site("own-451", "The site's own 451", "legal", does=(Http(WA, at=0.5, times=4, every=3),
        Http("example.com", at=1, times=4, every=3), *everyday(13))),
    _site("own-redirect", "The site's own redirect", "moved",
        does=(Http(WA, at=0.5, times=4, every=3), Http("example.com", at=1, times=4, every=3), *everyday(13))),
    _site("no-h3", "No QUIC there: ICMP says so, TCP works", change={"h3": False}, does=(*visits(), *everyday(16))),
    Scenario("server-no-h3-silent", "server", "No QUIC there, and a firewall at the site keeps silent",
        (*visits(), *everyday(16)), (Rule(Trigger(addresses=("157.240.0.60", "157.240.0.174"), ports=(443,),
        proto=17), Lose(1.0), "site_firewall"),), NEAR_BOX),
    Scenario("server-relay-down", "server", "One relay of three is down",
        (calls("whatsapp", WHATSAPP), Chat("g.whatsapp.net", protocol="noise", port=5222, messages=10),
        *everyday(17)), changes={"relay2.whatsapp": {"up": False}}, path=NEAR_BOX),
    Scenario("server-relay-closed", "server", "One relay refuses by ICMP port unreachable",
        (calls("whatsapp", WHATSAPP), Chat("g.whatsapp.net", protocol="noise", port=5222, messages=10),
        *everyday(17)), changes={"relay2.whatsapp": {"relay": False}}, path=NEAR_BOX),
    Scenario("server-fifty-clients", "server", "Fifty clients on fifty paths, some of them bad",
        tuple(replace(attempts(WA, 2, 5, down=30_000), at=0.3 + 0.13 * i, client=client) for i,
        client in enumerate(_FIFTY)),
             (Rule(Trigger(clients=_FIFTY[::9]), Lose(0.08), "loss"),
             Rule(Trigger(clients=_FIFTY[4::11]), Slow(0.4, "both"), "long_path")),
             Delays(0.005, 0.004, near_of={client: 0.004 + 0.007 * (i % 23) for i, client in enumerate(_FIFTY)}),
             clients=_FIFTY, vantages=("server",)),
    _site("scan", "Closed and silent ports, looked at one by one",
        does=(*(Connect(address="157.240.0.60", port=port, at=0.3 + 0.2 * i, patience=3) for i,
        port in enumerate((21, 22, 25, 110, 143, 993, 5228, 8080, 8443))), *everyday(10))),
    _site("traceroute", "TCP SYNs with small TTLs: ICMP time exceeded comes back", cause="small_ttl",
        does=(*(Connect(address="157.240.0.60", ttl=ttl, at=0.4 + 0.5 * ttl, patience=2) for ttl in range(1, 8)),
        attempts(WA, 2, 3), *everyday(10))),
    Scenario("server-dns-typo", "server", "Names that do not exist",
        (*(Dns(f"{name}.example.net", at=0.3 + i, times=2, every=4, kinds=(1, 28)) for i,
        name in enumerate(("wwww", "mail2", "api-old"))), *everyday(10)), path=NEAR_BOX),
    Scenario("server-quic-fine", "server", "QUIC of two versions, large hellos: all well",
        (*visits(large=True), *(replace(each, version=2, at=each.at + 1) for each in visits()[:3] if isinstance(each,
        Quic)), *everyday(16)), path=NEAR_BOX),
    Scenario("server-router-address", "server", "ICMP host unreachable for a single host of many",
        (Chat(address="149.154.167.91", at=1, times=3, every=4),
        Chat(address="149.154.167.51", at=1, times=3, every=4), *everyday(12)),
        changes={"dc4.telegram": {"up": False}}, path=NEAR_BOX,
        topology=Topology(commands=(("far2", "route add unreachable 149.154.167.91"),))),
]
