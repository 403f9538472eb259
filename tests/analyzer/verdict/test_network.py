"""The network before any service: what works only at home, and datagrams that nobody answers."""

import numpy as np
import pytest

import signatures
from analyzer.engine import Analysis
from analyzer.result import CaptureInfo
from tests.conversation import Conversation, analyze, datagram, frames_of, packets_of
from tests.quic_talk import QuicTalk

CLIENT = "10.0.0.2"
SOCKETCAN = 227  # a link type without IP
SITES = (
    ("www.instagram.com", "157.240.0.174"),
    ("www.wikipedia.org", "185.15.59.224"),
    ("example.org", "93.184.215.14"),
)


def state(*talks):
    return analyze(*talks, loaded=signatures.load()).network.state


def dead(name, server, at=0.0):
    """SYNs that nobody answers, twice, after a lookup that said where."""
    talk = Conversation(name, server, at=at).up("S", after=0)
    for wait in (1000, 2000, 4000):
        talk.up("S", after=wait, seq=1000)
    return talk


def home(*names):
    return [Conversation(name, f"77.88.{i}.9", at=500.0 * i).works() for i, name in enumerate(names)]


ABROAD = [dead(None, server, 700.0 * i) for i, server in enumerate(("140.82.121.4", "93.184.215.14", "185.15.59.224"))]
BLOCKED_ALONE = [
    dead(None, server, 700.0 * i) for i, server in enumerate(("149.154.167.51", "157.240.0.60", "104.244.42.1"))
]


@pytest.mark.parametrize(
    "names",
    [
        ("ya.ru", "vk.com"),  # listed
        ("www.sberbank.ru", "shop.example.ru"),  # not listed, named after one country
        ("ya.ru", "shop.example.ru"),
        ("bank.example.ir", "xn--mgba3a4f16a.xn--mgba3a4f16a"),
    ],
)
def test_only_what_is_at_home(names):
    assert state(*home(*names), *ABROAD) == "domestic_only"


@pytest.mark.parametrize(
    "names",
    [
        ("www.sberbank.ru", "www.bund.de"),  # two countries
        ("ya.ru", "vk.com", "www.bund.de"),  # a country that the listed ones are not of
        ("www.twitch.tv", "www.vox.tv"),  # a country's name that is sold to everybody
        ("shop.example.ru", "www.example.com"),
    ],
)
def test_something_abroad_works(names):
    assert state(*home(*names), *ABROAD) != "domestic_only"


def works(*servers):
    return [Conversation(name, server, at=500.0 * i).works() for i, (name, server) in enumerate(servers)]


def test_one_target_abroad_shows_little():
    assert analyze(*works(SITES[1]), loaded=signatures.load()).network.why == "one_target_works"
    assert analyze(*works(*SITES[1:]), loaded=signatures.load()).network.why == "some_foreign_traffic_works"


def test_what_was_tried_after_the_network_died_tells_of_no_service():
    result = analyze(*works(*SITES), *[dead(name, s, 20_000.0 + 10) for name, s in SITES], loaded=signatures.load())
    assert result.network.why == "stopped_answering"
    assert {v.state for v in result.answers} <= {"ok", "insufficient"}


def test_three_blocked_messengers_are_not_all_that_is_abroad():
    assert state(*home("ya.ru", "vk.com"), *BLOCKED_ALONE) != "domestic_only"


def quic(answered=()):
    talks = [QuicTalk(name, server, at=1000.0 * i) for i, (name, server) in enumerate(SITES)]
    return [(t.works() if t.server in answered else t.initial(times=4)).packets for t in talks]


TCP = [Conversation(name, server, at=6_000.0 + 500 * i).works() for i, (name, server) in enumerate(SITES)]


def relays(*servers, answer=()):
    packets = []
    for server in servers:
        for i in range(4):
            packets.append(datagram(CLIENT, server, 40_000, 3478, b"\0\3\0\0\x21\x12\xa4\x42" + bytes(12), i * 500.0))
            if server in answer:
                packets.append(
                    datagram(server, CLIENT, 3478, 40_000, b"\1\3\0\0\x21\x12\xa4\x42" + bytes(12), i * 500.0 + 60)
                )
    return packets


WHATSAPP, GOOGLE = ("157.240.0.62", "31.13.84.62"), "74.125.250.129"


def test_quic_is_answered_nowhere():
    assert state(*quic(), *TCP) == "no_quic"
    assert state(*quic(answered=(SITES[2][1],)), *TCP) == "normal"
    assert state(*quic()[:1], *TCP) == "normal", "one site may have no QUIC"
    assert state(*quic(), relays(GOOGLE, answer=(GOOGLE,)), *TCP) == "no_quic", "other datagrams pass"


def test_datagrams_are_answered_nowhere():
    assert state(relays(*WHATSAPP, GOOGLE), *TCP) == "no_udp"
    assert state(relays(*WHATSAPP, GOOGLE, answer=(GOOGLE,)), *TCP) == "normal"
    assert state(relays(*WHATSAPP, "179.60.195.62"), *TCP) == "normal", "a matter of one service"


def test_a_file_of_which_nothing_can_be_read_shows_nothing():
    frames = frames_of(packets_of(Conversation("example.org").works()))
    analysis = Analysis(signatures.load())
    analysis.feed(frames._replace(link=np.full_like(frames.link, SOCKETCAN)))
    network = analysis.finish(CaptureInfo("can")).network
    assert (network.state, network.why) == ("unknown", "nothing_readable")
