"""Calls that never connect or fall silent, and the ordinary silences of relays and peers."""

import struct

import pytest

import signatures
from tests.conversation import Conversation, analyze, datagram

CLIENT = "10.0.0.2"
WHATSAPP = ("157.240.0.62", "31.13.84.62", "157.240.203.62")
REFLECTORS = ("91.108.13.34", "91.108.9.21", "91.108.17.7")
GOOGLE = ("74.125.250.129", "172.253.121.127", "64.233.165.127", "74.125.200.127", "108.177.15.127", "142.250.21.127")


@pytest.fixture(scope="module")
def loaded():
    return signatures.load()


def stun(kind, *attributes):
    body = b"".join(struct.pack("!HH", number, len(value)) + value for number, value in attributes)
    return struct.pack("!HHI", kind, len(body), 0x2112A442) + bytes(range(12)) + body


ALLOCATE = stun(0x0003, (0x4000, bytes(100)))  # as WhatsApp asks
ALLOCATED = stun(0x0103, (0x0020, bytes(8)))
BINDING, BOUND = stun(0x0001), stun(0x0101, (0x0020, bytes(8)))
PING = bytes(range(16)) + b"\xff" * 12 + b"\xfe\xff\xff\xff" + bytes(8)  # as Telegram asks its reflectors


def ask(server, *, at=0.0, question=ALLOCATE, answer=None, port=3478, times=4, every=500.0, sport=None):
    sport = sport or 50_000 + sum(map(ord, server)) % 10_000 + int(at / 1000) % 1000
    packets = []
    for i in range(times):
        packets.append(datagram(CLIENT, server, sport, port, question, at + i * every))
        if answer:
            packets.append(datagram(server, CLIENT, port, sport, answer, at + i * every + 60, ttl=52))
    return packets


def media(
    server, *, at, seconds, heard, port=3478, size=160, every=20.0, question=ALLOCATE, answer=ALLOCATED, down=160
):
    """A relay that answers, then voice both ways; after `heard` seconds only the client's."""
    sport = 45_000 + int(at / 1000) % 5000
    packets = ask(server, at=at, question=question, answer=answer, port=port, times=2, sport=sport)
    voice, t = b"\x80\x78" + bytes(size - 2), 1000.0
    while t < seconds * 1000:
        packets.append(datagram(CLIENT, server, sport, port, voice, at + t))
        if t < heard * 1000:
            packets.append(datagram(server, CLIENT, port, sport, b"\x80\x78" + bytes(down - 2), at + t + 5, ttl=52))
        t += every
    return packets


def chat(at=0.0, name="web.whatsapp.com", server="157.240.0.60"):
    return Conversation(name, server, at=at, client=CLIENT).works()


def later(at=20_000.0):
    """The capture goes on."""
    return Conversation("www.example.org", "198.51.100.200", at=at, client=CLIENT).works()


def rules(result):
    return sorted({f.rule.id for f in result.findings if f.rule.id.startswith("calls.")})


def verdict(result, target):
    return next(v for v in result.answers if v.target == target)


def test_silent_relays_while_stun_is_answered_elsewhere(loaded):
    relays = [ask(server) for server in WHATSAPP[:2]]
    result = analyze(
        *relays, ask(GOOGLE[0], question=BINDING, answer=BOUND, port=19302), chat(), later(), loaded=loaded
    )
    assert rules(result) == ["calls.relays_silent"]
    calls = verdict(result, "whatsapp/calls")
    assert calls.state == "likely_blocked"
    (method,) = calls.methods
    assert (method.method.action, method.method.trigger, method.method.trigger_detail) == ("drop", "protocol", "STUN")
    assert verdict(result, "web.whatsapp.com").state == "ok"


def test_reflectors_are_relays_too(loaded):
    relays = [ask(server, question=PING, port=596) for server in REFLECTORS]
    others = ask(GOOGLE[0], question=BINDING, answer=BOUND, port=19302)
    result = analyze(*relays, others, chat(name="web.telegram.org", server="149.154.167.99"), later(), loaded=loaded)
    assert "calls.relays_silent" in rules(result)
    assert verdict(result, "telegram/calls").state == "likely_blocked"


def test_relays_of_two_protocols_are_two_findings(loaded):
    relays = [ask(server, question=PING, port=596) for server in REFLECTORS]
    turn = [ask(server, question=BINDING, port=1400) for server in REFLECTORS[:2]]
    others = ask(GOOGLE[0], question=BINDING, answer=BOUND, port=19302)
    result = analyze(*relays, *turn, others, chat(name="web.telegram.org"), later(), loaded=loaded)
    (method,) = verdict(result, "telegram/calls").methods
    assert len(method.flows) == 5


def test_many_against_many_is_no_chance(loaded):
    relays = [ask(server) for server in WHATSAPP]
    others = [ask(server, question=BINDING, answer=BOUND, port=19302) for server in GOOGLE]
    assert rules(analyze(*relays, *others[:3], chat(), later(), loaded=loaded)) == [
        "calls.others_answered_few",  # 1 / C(6, 3)
        "calls.relays_silent",
    ]
    more = [ask(f"93.57.123.{i}") for i in range(3)]
    result = analyze(*relays, *more, *others, chat(), later(), loaded=loaded)  # 1 / C(12, 6)
    assert rules(result) == ["calls.others_answered", "calls.relays_silent"]
    assert verdict(result, "whatsapp/calls").state == "blocked"


def test_one_silent_relay_is_ordinary(loaded):
    google = ask(GOOGLE[0], question=BINDING, answer=BOUND, port=19302)
    assert not rules(analyze(ask(WHATSAPP[0]), google, chat(), later(), loaded=loaded))
    spare = [ask(WHATSAPP[0]), ask(WHATSAPP[1]), ask(WHATSAPP[2], answer=ALLOCATED)]
    assert not rules(analyze(*spare, google, chat(), later(), loaded=loaded))
    again = [ask(WHATSAPP[0], at=9_000), ask(WHATSAPP[2], at=9_000, answer=ALLOCATED)]
    assert not rules(analyze(*spare, *again, google, chat(), later(), loaded=loaded))


def test_most_relays_silent_in_every_call(loaded):
    google = ask(GOOGLE[0], question=BINDING, answer=BOUND, port=19302)
    calls = [ask(server, at=at) for at in (0, 9_000) for server in WHATSAPP[:2]]
    answering = [ask(WHATSAPP[2], at=at, answer=ALLOCATED) for at in (0, 9_000)]
    assert rules(analyze(*calls, *answering, google, chat(), later(), loaded=loaded)) == ["calls.relays_silent"]


def test_no_datagram_is_answered_at_all(loaded):
    relays = [ask(server) for server in WHATSAPP]
    result = analyze(*relays, chat(), later(), loaded=loaded)
    assert rules(result) == ["calls.relays_silent_only"]
    assert verdict(result, "whatsapp/calls").state == "impaired", "a place that lets no datagrams pass"
    assert not rules(analyze(*relays, later(), loaded=loaded)), "nothing of the service works"


def test_who_filters_elsewhere_is_no_place_without_datagrams(loaded):
    relays = [ask(server) for server in WHATSAPP]
    reset = [
        Conversation("web.telegram.org", "149.154.167.99", at=at, client=CLIENT, rtt=200)
        .open().hello().reset(after=5, ttl=100).answer(after=195)
        for at in (0, 12_000)
    ]  # fmt: skip
    result = analyze(*relays, chat(), *reset, later(), loaded=loaded)
    assert verdict(result, "web.telegram.org").state == "blocked"
    assert verdict(result, "whatsapp/calls").state == "likely_blocked"


def test_the_capture_ends_before_an_answer_could_come(loaded):
    relays = [ask(server, times=3, every=100) for server in WHATSAPP]
    google = ask(GOOGLE[0], question=BINDING, answer=BOUND, port=19302, times=2)
    assert not rules(analyze(*relays, google, chat(), loaded=loaded))


def test_at_the_server_answers_go_unheard(loaded):
    def served(server, *, answered, repeats=5, same=True):
        packets = []
        for i in range(repeats):
            question = ALLOCATE if same else stun(0x0003, (0x4000, bytes([i]) * 100))[:8] + bytes([i]) * 12 + bytes(104)
            packets.append(datagram("198.51.100.23", server, 50_001, 3478, question, i * 800.0, ttl=52))
            if answered:
                packets.append(datagram(server, "198.51.100.23", 3478, 50_001, ALLOCATED, i * 800.0 + 1, ttl=64))
        return packets

    assert rules(analyze(served(WHATSAPP[0], answered=True), loaded=loaded)) == ["calls.answers_unheard"]
    assert not rules(analyze(served(WHATSAPP[0], answered=False), loaded=loaded))
    assert not rules(analyze(served(WHATSAPP[0], answered=True, repeats=3), loaded=loaded))
    assert not rules(analyze(served(WHATSAPP[0], answered=True, same=False), loaded=loaded))


def test_media_die_while_others_are_heard(loaded):
    call = media(WHATSAPP[0], at=0, seconds=12, heard=6)
    result = analyze(call, chat(), later(8_000), later(), loaded=loaded)
    assert rules(result) == ["calls.media_dies"]
    (method,) = verdict(result, "whatsapp/calls").methods
    assert method.method.action == "delayed_drop"


def test_media_that_die_in_silence_are_a_lost_link(loaded):
    assert rules(analyze(media(WHATSAPP[0], at=0, seconds=12, heard=6), chat(), loaded=loaded)) == [
        "calls.media_died_once"
    ]


def test_calls_that_die_again(loaded):
    calls = [media(WHATSAPP[0], at=at, seconds=12, heard=6) for at in (0, 30_000)]
    assert rules(analyze(*calls, chat(), loaded=loaded)) == ["calls.media_dies"]


def test_hanging_up_is_quicker(loaded):
    assert not rules(analyze(media(WHATSAPP[0], at=0, seconds=7, heard=6), chat(), later(8_000), loaded=loaded))


def test_media_one_way(loaded):
    call = media(WHATSAPP[0], at=0, seconds=10, heard=0)
    pings = ask(WHATSAPP[0], at=2_000, times=4, every=2_000, answer=ALLOCATED, sport=45_000)
    assert rules(analyze(call, pings, chat(), later(), loaded=loaded)) == ["calls.media_one_way"]
    both = media(WHATSAPP[0], at=0, seconds=10, heard=10)
    assert not rules(analyze(both, chat(), later(), loaded=loaded))


def test_media_one_way_in_call_after_call(loaded):
    def call(server, at):
        pings = ask(server, at=at + 1_500, times=4, every=1_000, answer=ALLOCATED, sport=45_000 + int(at / 1000))
        return media(server, at=at, seconds=5, heard=0) + pings

    calls = [call(WHATSAPP[0], 0), call(WHATSAPP[1], 9_000)]
    others = media(GOOGLE[0], at=1_000, seconds=5, heard=5, port=19302, question=BINDING, answer=BOUND)
    result = analyze(*calls, others, chat(), later(), loaded=loaded)
    assert rules(result) == ["calls.media_one_way", "calls.media_one_way_again"]
    assert verdict(result, "whatsapp/calls").state == "likely_blocked"
    assert rules(analyze(calls[0], others, chat(), later(), loaded=loaded)) == ["calls.media_one_way"], "one call"
    assert rules(analyze(*calls, chat(), later(), loaded=loaded)) == ["calls.media_one_way"], "perhaps no media at all"
