"""Hellos and talks that nobody hears any more: each rule with conversations on which it fires, and its near misses."""

import pytest

from analyzer.signature import Loaded
from signatures import sni_filtering
from tests.analyzer.wire.hellos import chrome, hello, records, server_name
from tests.conversation import Conversation, Names, analyze

NAME, OTHER, HOST, ELSEWHERE = "web.whatsapp.com", "cdn.example.net", "157.240.0.60", "198.51.100.7"
PHONE = "10.215.173.1"
LOADED = Loaded((sni_filtering,), Names(), "test", "2026-09-01")
RECORD = b"\x17\3\3\0\x40" + bytes(64)


def fired(*talks):
    """{rule: finding}, without the prefix that all rules share; much later, somebody else is served."""
    late = Conversation("late.example.net", "203.0.113.9", at=900_000).works()
    found = {f.rule.id: f for f in analyze(*talks, late, loaded=LOADED).findings}
    return {rule.removeprefix("sni."): finding for rule, finding in found.items()}


def proof(finding):
    return [(w.frame, w.role) for w in finding.witnesses]


def silenced(at=0.0, *, times=4, first=300.0, name=NAME, server=HOST, share=32, segment=1400, **more):
    """A connection that was greeted, and whose hello nobody acknowledges."""
    talk = Conversation(name, server, at=at, **more).open().hello(share=share, segment=segment)
    return talk.resend(times, first=first)


def works(at=0.0, name=OTHER, server=ELSEWHERE, **more):
    return Conversation(name, server, at=at, **more).works()


# -- one connection ---------------------------------------------------------------------------------------------


def test_a_hello_that_nobody_acknowledges():
    found = fired(silenced(times=3))["hello_unanswered"]
    size = len(records(chrome(NAME.encode())))
    assert found.measured == {"resent": 3, "unheard_s": 2.1, "unacknowledged_bytes": size}
    assert proof(found) == [
        (4, "trigger"), (5, "missing_after"), (6, "missing_after"), (7, "missing_after"), (2, "baseline"),
    ]  # fmt: skip
    assert (found.rule.strength, found.method.action, found.method.position) == ("weak", "drop", "in_path")


def first_part():
    """A hello of two segments whose first arrives."""
    talk = Conversation(NAME).open().hello(share=1216)
    return talk.down("A", ack=1001 + 1400)


def test_the_part_that_completes_the_name():
    found = fired(first_part().resend(3))
    assert found["tail_unanswered"].measured["resent"] == 3
    assert proof(found["tail_unanswered"])[0] == (5, "trigger")
    assert "hello_unanswered" not in found


@pytest.mark.parametrize(
    "talk",
    [
        silenced(times=2),
        silenced(times=3, first=100),  # 0.7 s in all
        silenced().answer(),  # the last of them got through
        silenced(client=PHONE),  # headers invented on the phone
        # lost first and then acknowledged; what follows is lost twice
        Conversation(NAME).open().hello().resend(2).down("A").up("PA", RECORD).resend(2, first=1500),
        Conversation(NAME).open().hello().down("A", window=0, ack=1001).resend(4),  # the server's own wish
        Conversation(NAME).open().up("PA", RECORD, ttl=9).resend(4),  # a packet tool's decoy, to die on the way
        Conversation(NAME).up("A", after=0).down("A").hello().resend(4),  # begun before the capture
    ],
)
def test_silence_that_means_nothing(talk):
    assert not {"hello_unanswered", "tail_unanswered"} & set(fired(talk))


def cut_short(times=6, *, first=300.0, more=0):
    """A talk that dies: what the client says is never acknowledged, whatever the server still says."""
    talk = Conversation(NAME, HOST).open().hello().answer().up("PA", RECORD, after=20).resend(times, first=first)
    for _ in range(more):
        talk.down("PA", RECORD, after=50, ack=talk.seq - len(RECORD))
    return talk


def test_a_talk_that_died():
    found = fired(cut_short())["dead_after_hello"]
    assert found.measured == {"resent": 6, "unheard_s": 18.9, "unacknowledged_bytes": len(RECORD)}
    assert proof(found)[0] == (7, "trigger")
    assert [role for _, role in proof(found)].count("missing_after") == 4
    assert found.method.action == "delayed_drop"
    talking = cut_short(3).down("PA", RECORD, after=10, ack=cut_short(0).seq - len(RECORD))
    assert "dead_after_hello" in fired(talking), "the server talks, and does not hear"
    assert "dead_after_hello" not in fired(cut_short(4)), "a slow server answers within ten seconds"


def unheard(copies=3, *, apart=400.0, then=None, answered=True):
    """The server repeats what the client has acknowledged."""
    talk = Conversation(NAME, HOST).open().hello().answer()
    seq = talk.peer
    talk.down("PA", RECORD).up() if answered else talk.down("PA", RECORD)
    for _ in range(copies):
        talk.down("PA", RECORD, after=apart, seq=seq)
        if answered:
            talk.up()
        apart *= 2
    return then(talk) if then else talk


def several():
    """Three segments that the server repeats once each."""
    talk = Conversation(NAME, HOST).open().hello().answer()
    first = talk.peer
    for _ in range(3):
        talk.down("PA", RECORD).up()
    for n in range(3):
        talk.down("PA", RECORD, after=400, seq=first + n * len(RECORD)).up()
    return talk


def doubled(talk):
    """As a mirror port shows it: each packet on its way in and on its way out."""
    talk.packets = [copy for at, data in talk.packets for copy in ((at, data), (at + 0.01, data))]
    return talk


def test_acknowledgments_that_do_not_arrive():
    found = fired(unheard())["acks_unheard"]
    assert found.measured == {"resent_by_server": 3, "over_s": 2.4}
    assert proof(found) == [
        (4, "trigger"), (8, "baseline"), (9, "contradicts"), (11, "contradicts"), (13, "contradicts"),
    ]  # fmt: skip
    assert (found.rule.strength, found.method.action) == ("strong", "delayed_drop")


def test_acknowledgments_that_hardly_arrive():
    """Segment after segment is repeated until one of its acknowledgments comes through."""
    talk = unheard(3, then=lambda talk: talk.down("PA", RECORD, after=80).up())
    for apart in (400, 800, 1600):
        talk.down("PA", RECORD, after=apart, seq=talk.peer - len(RECORD)).up()
    found = fired(talk.down("PA", RECORD))["acks_unheard"]
    assert found.measured == {"resent_by_server": 3, "over_s": 2.4}


@pytest.mark.parametrize(
    "talk",
    [
        unheard(2),
        unheard(3, apart=5),  # sooner than an acknowledgment can arrive
        unheard(3, answered=False),  # the client has not acknowledged it
        unheard(3, then=lambda talk: talk.up("PA", RECORD).down("A")),  # a hole in the air, and it has closed
        unheard(3, then=lambda talk: talk.down("PA", RECORD, after=1)),
        doubled(unheard(2)),
        several(),
    ],
)
def test_acknowledgments_that_arrive_after_all(talk):
    assert "acks_unheard" not in fired(talk)


def test_at_the_server_its_own_repeats_tell_nothing():
    talk = Conversation(NAME, rtt=0.1, ttl=44, server_ttl=64).up("S", after=0).down("SA", after=0.05).up(after=180)
    talk.hello().answer(after=1)
    for _ in range(4):
        talk.down("PA", bytes(8), after=400, seq=5001)
    assert "acks_unheard" not in fired(talk)


def test_two_contents_for_one_hello():
    first, second = (records(hello([server_name(name)])) for name in (b"a.example.org", b"b.example.org"))
    talk = Conversation(None).open().up("PA", first).up("PA", second, seq=1001).resend(3)
    found = fired(talk)["conflicting_hello"]
    assert (found.rule.leans, proof(found)) == ("limit", [(4, "trigger")])
    same = Conversation(None).open().up("PA", first).up("PA", first[:40], seq=1001).resend(3)
    assert "conflicting_hello" not in fired(same), "a resend cut otherwise"


# -- again and again --------------------------------------------------------------------------------------------


def test_dropped_each_time():
    found = fired(silenced(0), silenced(20_000), works(15_000))["hello_dropped_again"]
    assert found.measured == {"attempts": 2, "resent": [4, 4], "others_fine": 1}
    assert [role for _, role in proof(found)] == ["trigger"] * 2 + ["missing_after"] * 2 + ["baseline"]
    assert (found.subject, len(found.flows)) == (f"target {NAME} at port 443", 2)
    assert (found.rule.strength, found.method.action) == ("strong", "drop")


def test_dropped_each_time_as_the_end_of_a_large_hello():
    """Had a small last segment come through behind a lost large one, the receiver would have said so at once."""
    large = [silenced(20_000.0 * n, share=1216) for n in range(2)]
    assert "hello_dropped_again" in fired(*large, works(15_000))


def heard_late(at, waits=12_000.0, times=4):
    """Deaf to the hello until the client has given up, closed and yet repeats itself once more."""
    talk = Conversation(NAME, HOST, at=at).open().hello().resend(times)
    talk.up("FA", after=at + waits - talk.now)
    return talk.down("A", after=600).answer(after=1)


def test_heard_when_the_client_had_given_up():
    assert "hello_dropped_again" in fired(heard_late(0), heard_late(30_000), works(25_000))
    assert "hello_dropped_again" not in fired(heard_late(0, times=0), heard_late(30_000, times=0), works(25_000))


@pytest.mark.parametrize(
    "talks",
    [
        (silenced(0), works(15_000)),  # once
        (silenced(0), silenced(300), works(15_000)),  # opened at once, twice: one attempt
        (silenced(0), silenced(5000), works(15_000)),  # a retry
        (silenced(0), silenced(20_000)),  # nothing else was tried
        (silenced(0), silenced(20_000), works(200_000)),  # or much later
        (silenced(0), silenced(20_000), works(-200_000)),  # or before
        (silenced(0), silenced(20_000), works(15_000, client="10.0.0.9")),  # or by others
        (silenced(0), silenced(25_000), works(15_000), works(12_000, NAME, HOST)),  # the same was served in between
        # one large segment is lost to a path MTU hole, whatever it says:
        (silenced(0, share=1216, segment=1800), silenced(20_000, share=1216, segment=1800), works(15_000)),
        (silenced(0, client=PHONE), silenced(20_000, client=PHONE), works(15_000, client=PHONE)),
    ],
)
def test_not_dropped_each_time(talks):
    assert "hello_dropped_again" not in fired(*talks)


def test_what_was_served_before_it_began_is_no_excuse():
    assert "hello_dropped_again" in fired(works(-15_000, NAME, HOST), silenced(0), silenced(20_000), works(15_000))


def test_another_make_of_hello_may_be_spared():
    other = Conversation(NAME, HOST, at=12_000).open()
    other.up("PA", records(hello([server_name(NAME.encode())]))).answer().chat().close()
    assert "hello_dropped_again" in fired(silenced(0), silenced(20_000), works(15_000), other)


def died(at=0.0, *, rounds=1, pause=20.0, times=5, say=RECORD):
    """Greeted and answered; then nothing that the client says is acknowledged."""
    talk = Conversation(NAME, HOST, at=at).open().hello().answer().chat(rounds)
    return talk.up("PA", say, after=pause).resend(times)


def test_dead_each_time():
    found = fired(died(0), died(30_000), works(25_000))["dead_again"]
    assert found.measured == {"attempts": 2, "resent": [5, 5], "others_fine": 1}
    assert (found.rule.strength, found.method.action) == ("strong", "delayed_drop")


@pytest.mark.parametrize(
    "talks",
    [
        (died(0), works(25_000)),  # once
        (died(0), died(30_000)),  # nothing else was tried
        (died(0, pause=3500), died(30_000, pause=3500), works(25_000)),  # a NAT may have forgotten it
        (died(0, rounds=220), died(60_000, rounds=220), works(50_000)),  # grown old in health
        (died(0, times=3), died(30_000, times=3), works(25_000)),  # given up too soon to tell
        (died(0), died(40_000), works(25_000), works(22_000, NAME, HOST)),  # the same was served in between
        (died(0, say=bytes(1400)), died(30_000, say=bytes(1400)), works(25_000)),  # a path MTU hole
    ],
)
def test_not_dead_each_time(talks):
    assert "dead_again" not in fired(*talks)
