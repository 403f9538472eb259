"""Whole captures, built packet by packet and analysed: what the pictures and the finished report are tested on.

Each scene is a client in one network with a private address, who also visits sites that are nobody's business.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scapy.layers.dns import DNS, DNSQR, DNSRR

import signatures
from analyzer.decode import Frames
from analyzer.engine import Analysis
from analyzer.result import CaptureInfo, Result
from tests.analyzer.limiter.emulated import Network
from tests.analyzer.limiter.path import Policer
from tests.conversation import Conversation, datagram, frames_of, packets_of
from tests.signatures.test_call_blocking import BINDING, BOUND, ask

CLIENT = "10.0.0.2"
FILE = "anna-home-wifi.pcapng"
DEVICE = "Pixel 8 of Anna"
VISITED = ("clinic.example.net", "203.0.113.77")
PRIVATE = (CLIENT, FILE, DEVICE, *VISITED)
WHATSAPP, X, SIGNAL, MAX = "157.240.205.60", "162.159.140.229", "13.248.212.111", "155.212.192.10"
TELEGRAM_FILES = "149.154.167.151"
MINUTE = 60_000.0
KILOBIT = 125.0  # bytes per second


def talk(name: str, server: str, at: float, **options) -> Conversation:
    return Conversation(name, server, CLIENT, at=at, **options)


def cut(name: str, server: str, at: float) -> Conversation:
    """A reset forged 11 ms after the hello, from another distance; the server, 208 ms away, still answers."""
    one = talk(name, server, at, rtt=208).open().hello()
    return one.reset(after=11, ttl=54).answer(after=198).up("R", after=0.1)


def swallowed(name: str, server: str, at: float) -> Conversation:
    """The hello and all that follows it is dropped; the server closes when nothing comes."""
    one = talk(name, server, at, rtt=46).open().hello().resend(5)
    for wait in (5_700, 300, 600, 1_200):
        one.down("FA", after=wait, seq=5001, ack=1001).up("A", after=0.3)
    return one


def everyday() -> list:
    """What else a phone does: services that work, sites that are nobody's business, a check for connectivity."""
    talks: list = [talk(*VISITED, at=7_000).works(), talk(*VISITED, at=150_000).works()]
    talks += [talk("chat.signal.org", SIGNAL, 12_000 + k * MINUTE, rtt=60).works() for k in range(4)]
    talks += [talk("api.oneme.ru", MAX, 22_000 + k * MINUTE, rtt=25).works() for k in range(3)]
    talks += [talk("connectivitycheck.gstatic.com", "142.250.185.99", 1_000 + k * 2 * MINUTE).works() for k in range(2)]
    return talks


def lookup(name: str, address: str, at: float) -> list[tuple[float, bytes]]:
    question = DNS(id=int(at) % 65536, rd=1, qd=DNSQR(qname=name))
    answer = DNS(
        id=int(at) % 65536, qr=1, rd=1, ra=1, qd=DNSQR(qname=name), an=DNSRR(rrname=name, rdata=address, ttl=60)
    )
    sport = 20_000 + int(at) % 10_000
    return [
        datagram(CLIENT, "10.0.0.1", sport, 53, bytes(question), at),
        datagram("10.0.0.1", CLIENT, 53, sport, bytes(answer), at + 20),
    ]


def resets() -> list:
    talks = [cut("web.whatsapp.com", WHATSAPP, 21_000 + k * 47_000) for k in range(5)]
    return talks + [talk("mmg.whatsapp.net", WHATSAPP, 33_000 + k * 45_000, rtt=208).works() for k in range(4)]


def drops() -> list:
    talks = [swallowed("x.com", X, 40_000 + k * 70_000) for k in range(4)]
    return talks + [talk("www.example.net", X, 44_000 + k * 40_000, rtt=46).works() for k in range(6)]


def calls() -> list:
    relays = ["157.240.0.62", "31.13.84.62", "157.240.203.62", "93.57.123.1", "93.57.123.2", "93.57.123.3"]
    others = [
        "74.125.250.129",
        "172.253.121.127",
        "64.233.165.127",
        "74.125.200.127",
        "108.177.15.127",
        "142.250.21.127",
    ]
    silent = [ask(relay, at=70_000 + 400 * k) for k, relay in enumerate(relays)]
    answered = [ask(o, at=80_000 + 300 * k, question=BINDING, answer=BOUND, port=19302) for k, o in enumerate(others)]
    return [*silent, *answered, *chats()]


def chats() -> list:
    return [talk("g.whatsapp.net", "157.240.205.61", 15_000 + k * MINUTE, rtt=208).works() for k in range(3)]


def downloads() -> Frames:
    """Three policed downloads, and as many from elsewhere that are not."""
    network = Network(rtt=0.045, client=CLIENT)
    limit = Policer(128 * KILOBIT, 32_000)
    for k in range(3):
        network.download(700_000, [limit], at=60.0 + 50 * k, server=TELEGRAM_FILES)
        network.download(1_500_000, at=66.0 + 50 * k, server=SIGNAL_FILES)
    return network.run(until=260.0)


SIGNAL_FILES = "104.18.10.47"


def transfers() -> list:
    """The lookups that name the servers of the downloads, and a chat that works."""
    names = [lookup("cdn2.signal.org", SIGNAL_FILES, 1_500.0)]
    return [*names, talk("web.telegram.org", "149.154.167.99", 31_000, rtt=50).works()]


@cache
def scene(name: str) -> Result:
    """One of `SCENES`, analysed."""
    return analysed(*SCENES[name](), bulk=downloads() if name in ("slow", "several") else None)


def analysed(*talks, bulk: Frames | None = None) -> Result:
    frames = frames_of(packets_of(*talks))
    if bulk is not None:
        frames = merged(frames, bulk)
    analysis = Analysis(signatures.load())
    analysis.feed(frames)
    info = CaptureInfo(
        FILE,
        "pcapng",
        "ab" * 32,
        bytes=len(frames.data),
        comments=(f"taken on {DEVICE}",),
        capturer=f"dumpcap on {DEVICE}",
    )
    return analysis.finish(info)


def merged(one: Frames, other: Frames) -> Frames:
    """Two captures of the same clock as one, in order of time."""
    order = np.argsort(np.concatenate((one.ts, other.ts)), kind="stable")
    both = {
        name: np.concatenate((getattr(one, name), getattr(other, name)))[order]
        for name in ("caplen", "origlen", "ts", "link", "iface")
    }
    offset = np.concatenate((one.offset, other.offset + len(one.data)))[order]
    return one._replace(
        data=np.concatenate((one.data, other.data)), offset=offset, number=np.arange(1, len(order) + 1), **both
    )


SCENES = {
    "reset": lambda: [*resets(), *everyday()],
    "drop": lambda: [*drops(), *everyday()],
    "slow": lambda: [*transfers(), *everyday()],
    "calls": lambda: [*calls(), *everyday()],
    "several": lambda: [*resets(), *drops(), *transfers(), *calls(), *everyday()],
    "nothing": everyday,
}
