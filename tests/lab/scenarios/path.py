"""Ordinary trouble on the way: loss, queues, NATs, tariffs, MTUs, outages, broken IPv6."""

from __future__ import annotations

from tests.lab.actions.limits import Police, Shape, Slow
from tests.lab.actions.oddities import Double
from tests.lab.actions.resets import Headers, Reset
from tests.lab.actions.stops import Drop, DropLarge, Forget, Lose
from tests.lab.middlebox import Delays
from tests.lab.rules import Action, Rule
from tests.lab.scenario import Scenario
from tests.lab.scenarios.call import REFLECTORS, WHATSAPP, calls
from tests.lab.scenarios.common import FAR_BOX, NEAR_BOX, TG, WA, WA_FRONT, attempts, everyday, interleaved
from tests.lab.scenarios.quic import visits
from tests.lab.scenarios.throttle import MEDIA, downloads
from tests.lab.topology import Topology
from tests.lab.traffic import Activity, Chat, Https
from tests.lab.trigger import Trigger

EVERYTHING = Trigger()

# fmt: off
MIX = (
    *interleaved(WA, WA_FRONT, times=3, every=4.0), downloads(MEDIA, 400_000, 2, 4),
        downloads("github.com", 400_000, 2, 4, 2.0),
    Chat("g.whatsapp.net", protocol="noise", port=5222, at=0.5, messages=10, pause=1.2),
        calls("whatsapp", WHATSAPP, at=3, times=1), *everyday(14),
)  # fmt: skip
_IDLE = (
    *(Chat(address=address, at=0.5 + 0.3 * i, messages=4, pause=0.4, idle=8.0, patience=8) for i,
        address in enumerate(("149.154.167.51", "149.154.167.91"))),
    Chat("g.whatsapp.net", protocol="noise", port=5222, at=0.8, messages=4, pause=0.4, idle=8.0, patience=8),
        Https(WA, at=1, requests=3, pause=7, hello="browser"),
    Https("github.com", at=1.5, requests=2, pause=8, hello="browser"), *everyday(16),
)  # fmt: skip


def _path(
    name: str,
    about: str,
    action: Action,
    cause: str,
    does: tuple[Activity, ...] = MIX,
    trigger: Trigger = EVERYTHING,
    **more,
) -> Scenario:
    begins, ends, path = more.pop("begins", 0.0), more.pop("ends", float("inf")), more.pop("path", NEAR_BOX)
    return Scenario(
        f"path-{name}", "path", about, does, (Rule(trigger, action, cause, begins=begins, ends=ends),), path, **more
    )


_DOWNLOADS = (
    downloads(MEDIA, 900_000, 2, 2),
    downloads("github.com", 900_000, 2, 2, 1.0),
    downloads("www.wikipedia.org", 600_000, 1, 2, 2.0),
    *everyday(12),
)

# fmt: off
ALL = [  # a table, one scenario after the other
    Scenario("path-clean", "path", "Nothing is wrong", MIX, path=NEAR_BOX),
    Scenario("path-clean-far", "path", "Nothing is wrong, on a long path", MIX, path=Delays(0.05, 0.09)),
    Scenario("path-clean-ipv6", "path", "Nothing is wrong, over IPv6",
        (attempts(WA, 4, 3, v6=True), attempts(TG, 3, 3, at=1, v6=True), attempts("example.org", 3, 4, v6=True),
        Https("www.wikipedia.org", at=1, times=3, every=3, race=True), *everyday(12)), path=NEAR_BOX),
    Scenario("path-eyeballs", "path", "IPv6 answers late: happy eyeballs close the loser (RFC 8305)",
        (*(Https(name, at=0.4 + i, times=3, every=4, race=True) for i,
        name in enumerate((WA, TG, "example.org", "www.wikipedia.org"))), *everyday(12)),
             (Rule(Trigger(version6=True), Slow(0.35, "both"), "slow_ipv6"),), NEAR_BOX),
    _path("broken-ipv6", "IPv6 leads nowhere; happy eyeballs fall back", Drop(), "broken_ipv6",
        (*(Https(name, at=0.4 + i, times=3, every=4, race=True) for i,
        name in enumerate((WA, TG, "example.org", "www.wikipedia.org"))), *everyday(12)), Trigger(version6=True)),
    _path("loss-2", "2 % loss for everybody", Lose(0.02), "loss"),
    _path("loss-6", "6 % loss for everybody", Lose(0.06), "loss"),
    _path("loss-12", "12 % loss for everybody", Lose(0.12), "loss"),
    _path("wifi", "Radio: bursts of loss", Lose(bursts=(0.01, 0.2, 0.8)), "loss"),
    _path("wifi-bad", "Bad radio: long bursts", Lose(bursts=(0.01, 0.06, 0.9)), "loss"),
    _path("bufferbloat", "One queue of half a megabyte for everything, 2 Mbit/s",
        Shape(kbps=2000, queue=500_000, scope="all"), "congestion", _DOWNLOADS),
    _path("bufferbloat-slow", "One queue for everything, 600 kbit/s", Shape(kbps=600, queue=150_000, scope="all"),
        "congestion"),
    _path("shallow-queue", "One shallow queue for everything, 1 Mbit/s", Shape(kbps=1000, queue=15_000, scope="all"),
        "congestion", _DOWNLOADS),
    _path("tariff-police", "A data plan: everything policed to 512 kbit/s",
        Police(kbps=512, bucket=60_000, scope="all"), "tariff", _DOWNLOADS),
    _path("tariff-police-128", "A data plan used up: everything policed to 128 kbit/s",
        Police(kbps=128, bucket=30_000, scope="all"), "tariff"),
    _path("tariff-shape", "A data plan used up: everything shaped to 256 kbit/s",
        Shape(kbps=256, queue=60_000, scope="all"), "tariff"),
    _path("tariff-in-turn", "A data plan, large downloads one after the other",
        Police(kbps=512, bucket=60_000, scope="all"), "tariff",
        (*(downloads(name, 600_000, 1, at=0.5 + 13 * i) for i, name in enumerate((MEDIA, "github.com", "x.com"))),
        *everyday(10, names=("ya.ru",)))),
    _path("tariff-one-flow", "A data plan, and a single download", Police(kbps=512, bucket=60_000, scope="all"),
        "tariff", (downloads(MEDIA, 800_000, 1), *everyday(10, names=("ya.ru",)))),
    _path("competing", "A download fills the line while others suffer", Shape(kbps=1500, queue=120_000, scope="all"),
        "congestion", (downloads("github.com", 2_500_000, 1), downloads(MEDIA, 300_000, 2, 4, 1.0),
        *interleaved(WA, WA_FRONT, times=3, every=4), *everyday(14))),
    _path("mtu-hole", "Nothing above 1,300 bytes comes back: every name stalls", DropLarge(1300, "down"), "path_mtu",
        (*interleaved(WA, WA_FRONT, times=3, every=4, patience=9), *everyday(16))),
    _path("mtu-hole-up", "Nothing above 1,300 bytes goes out: hellos of two segments stall, others pass",
        DropLarge(1300, "up"), "path_mtu", (*interleaved(WA, WA_FRONT, times=3, every=4, patience=9),
        attempts(WA, 3, 4, at=2.2, hello="openssl"), *everyday(16, hello="openssl"),
        attempts("github.com", 2, 5, at=1.0, patience=9))),
    _path("mtu-hole-one", "The same towards one network only", DropLarge(1300, "up"), "path_mtu",
        (*interleaved(WA, WA_FRONT, times=3, every=4, patience=9), attempts(WA, 3, 4, at=2.2, hello="openssl"),
        *everyday(16)), Trigger(prefixes=("157.240.0.0/24",))),
    Scenario("path-mtu-fine", "path", "A link of 1,280 bytes; ICMP tells, connections adapt", MIX, cause="path_mtu",
        path=NEAR_BOX, topology=Topology(commands=(("far0", "link set down3 mtu 1280"),
        ("far1", "link set up3 mtu 1280")))),
    _path("nat-timeout", "A NAT forgets after five idle seconds and drops", Forget(5.0), "nat_timeout", _IDLE),
    _path("nat-timeout-reset", "A NAT forgets after five idle seconds and resets",
        Forget(5.0, Reset(flags="R", headers=Headers(ttl=63, ipid=0))), "nat_timeout", _IDLE),
    _path("nat-timeout-server", "The same at the server's end: resets look like the server's",
        Forget(5.0, Reset(flags="R", headers=Headers(ttl="peer", ipid=0))), "nat_timeout", _IDLE, path=FAR_BOX),
    _path("outage", "Five seconds of nothing for everybody", Drop(), "outage", begins=6.0, ends=11.0),
    _path("outage-to-end", "From the eighth second on nothing passes", Drop(), "outage", begins=8.4),
    _path("outage-one-way", "Four seconds without downstream", Drop(direction="down"), "outage", begins=6.0,
        ends=10.0),
    _path("handover", "A handover: everything two seconds late for a while", Slow(2.0, "both"), "handover",
        begins=6.0, ends=7.5),
    _path("duplicates", "A link that delivers packets twice", Double(), "duplicates"),
    Scenario("path-jitter", "path", "Jitter of 30 ms", MIX, path=Delays(0.008, 0.032, jitter=0.03)),
    Scenario("path-reordering", "path", "Reordering", MIX, path=Delays(0.008, 0.032, jitter=0.006, reorders=True)),
    Scenario("path-satellite", "path", "600 ms of round trip",
        (*interleaved(WA, WA_FRONT, times=3, every=4), downloads("github.com", 300_000, 2), *everyday(14)),
        path=Delays(0.280, 0.020)),
    Scenario("path-bbr", "path", "BBR at both ends over a queue", _DOWNLOADS,
        (Rule(EVERYTHING, Shape(kbps=3000, queue=60_000, scope="all"), "congestion"),), NEAR_BOX, congestion="bbr"),
    _path("quic-loss", "QUIC over a lossy line", Lose(0.08), "loss", (*visits(), *everyday(16))),
    _path("call-loss", "Calls over a lossy line", Lose(0.1), "loss",
        (calls("whatsapp", WHATSAPP), calls("reflector", REFLECTORS, at=2),
        Chat("g.whatsapp.net", protocol="noise", port=5222, messages=10), *everyday(17))),
    _path("call-outage", "A call during an outage", Drop(), "outage",
        (calls("whatsapp", WHATSAPP, times=1), Chat("g.whatsapp.net", protocol="noise", port=5222, messages=12),
        calls("google", ("74.125.250.129",), at=1, times=1), *everyday(14)), begins=4.0, ends=9.0),
]
