"""Transfers that stop for good at one volume, and the ordinary stops that look alike."""

import pytest

import signatures
from tests.conversation import Conversation, analyze

SERVERS = ("192.0.2.9", "198.51.100.7", "203.0.113.5", "192.0.2.77")


@pytest.fixture(scope="module")
def loaded():
    return signatures.load()


def download(size, *, at=0.0, server=SERVERS[0], name="cdn.example.net", segment=1400, push=False, **kind):
    """A connection whose answer has come as far as `size`; the last segment says that more is to come unless `push`."""
    talk = Conversation(name, server, at=at, **kind).open().hello().answer()
    talk.up("PA", b"\x17\3\3\0\x40" + bytes(64), after=5).down("A")
    while size > 0:
        part = min(segment, size)
        size -= part
        talk.down("PA" if push and not size else "A", bytes(part), after=1).up(after=0.1)
    return talk


def gives_up(talk, after=8000.0, resends=4):
    """The client says goodbye, and again and again: nobody hears it."""
    talk.up("FA", after=after)
    wait, seq = 300.0, talk.seq - 1
    for _ in range(resends):
        talk.up("FA", after=wait, seq=seq)
        wait *= 2
    return talk


def others(until=60_000.0, every=5_000.0):
    """Someone else, all the while."""
    at, talks = 0.0, []
    while at < until:
        talks.append(Conversation("www.example.org", "198.51.100.200", at=at).works())
        at += every
    return talks


def rules(result, wanted="freeze."):
    return sorted({f.rule.id for f in result.findings if f.rule.id.startswith(wanted)})


def state(result, target="cdn.example.net"):
    return next(v for v in result.answers if v.target == target)


def test_one_volume_again_and_again(loaded):
    talks = [gives_up(download(size, at=at)) for size, at in ((16_384, 0), (15_900, 20_000), (17_000, 40_000))]
    result = analyze(*talks, *others(80_000), loaded=loaded)
    assert "freeze.same_volume" in rules(result)
    verdict = state(result)
    assert verdict.state in ("likely_blocked", "blocked")
    (method,) = [m for m in verdict.methods if m.method.action == "freeze"]
    assert (method.method.trigger, method.method.position) == ("volume", "in_path")
    assert abs(method.freeze_bytes - 16_384) <= 1460
    assert len(method.flows) == 3


def test_silence_to_the_end_of_the_capture_counts_when_more_was_to_come(loaded):
    talks = [download(16_384, at=at, server=server) for at, server in zip((0, 2_000, 9_000), SERVERS, strict=False)]
    assert "freeze.same_volume" in rules(analyze(*talks, *others(), loaded=loaded))
    whole = [download(16_384, at=at, server=s, push=True) for at, s in zip((0, 2_000, 9_000), SERVERS, strict=False)]
    assert not rules(analyze(*whole, *others(), loaded=loaded))  # nothing says that more was to come


def records(size, *, at):
    """A download in TLS records of 4 kB, every segment pushed, as far as `size`."""
    stream = (b"\x17\3\3\x10\0" + bytes(4096)) * (size // 4101 + 1)
    talk = Conversation("cdn.example.net", SERVERS[0], at=at).open().hello().answer()
    for start in range(0, size, 1400):
        talk.down("PA", stream[start : min(start + 1400, size)], after=1).up(after=0.1)
    return talk


def test_a_record_cut_in_its_middle_counts_too(loaded):
    cut, whole = 18_200, 4 * 4101
    assert "freeze.same_volume" in rules(
        analyze(*(records(cut, at=at) for at in (0, 2e4, 4e4)), *others(8e4), loaded=loaded)
    )
    assert not rules(analyze(*(records(whole, at=at) for at in (0, 2e4, 4e4)), *others(8e4), loaded=loaded))


def test_what_fell_silent_at_the_same_place_is_counted_with_the_others(loaded):
    sure = [gives_up(download(16_384, at=at)) for at in (0, 20_000, 40_000)]
    quiet = gives_up(download(16_384, at=50_000, push=True))  # as it stands, perhaps only an idle connection
    (method,) = state(analyze(*sure, quiet, *others(80_000), loaded=loaded)).methods
    assert len(method.flows) == 4
    assert not rules(
        analyze(*(gives_up(download(16_384, at=at, push=True)) for at in (0, 20_000, 40_000)), loaded=loaded)
    )


def test_a_nat_that_forgets_idle_connections(loaded):
    talks = []
    for at in (0, 20_000, 40_000):
        talk = download(16_384, at=at, push=True).up("PA", b"\x17\3\3\0\x40" + bytes(64), after=6_000)
        talks.append(talk.resend(5))
    assert not rules(analyze(*talks, *others(80_000), loaded=loaded))


def upload(size, *, at, resends=5, **kind):
    talk = Conversation("cdn.example.net", SERVERS[0], at=at, **kind).open().hello().answer()
    for _ in range(size // 1400):
        talk.up("PA", bytes(1400), after=1).down("A", after=1)
    return talk.up("PA", bytes(1400), after=1).resend(resends)


@pytest.mark.parametrize("greeted", [False, True])
def test_an_address_that_greets_nobody_any_more_was_not_cut_off_by_volume(loaded, greeted):
    talks = [gives_up(download(16_384, at=at)) for at in (0, 500, 1_000)]
    again = Conversation("cdn.example.net", SERVERS[0], at=30_000)
    for wait in (0, 1_000, 2_000, 4_000):
        again.up("S", after=wait, seq=1000)
    later = [Conversation("cdn.example.net", SERVERS[0], at=40_000).works()] if greeted else []
    result = analyze(*talks, again, *later, *others(80_000), loaded=loaded)
    assert ("freeze.same_volume" in rules(result)) == greeted


def test_uploads_freeze_too(loaded):
    talks = [upload(28_000, at=at) for at in (0, 20_000, 40_000)]
    result = analyze(*talks, *others(80_000), loaded=loaded)
    assert "freeze.same_volume" in rules(result)
    assert state(result).methods[0].method.action == "freeze"
    assert abs(state(result).methods[0].freeze_bytes - 28_000) <= 1460


def test_different_volumes_are_chance(loaded):
    talks = [gives_up(download(size, at=at)) for size, at in ((16_384, 0), (48_000, 20_000), (120_000, 40_000))]
    assert rules(analyze(*talks, *others(80_000), loaded=loaded)) == ["freeze.stopped_midway"]


@pytest.mark.parametrize("server", SERVERS[:2], ids=["at one server", "at two servers"])
def test_two_at_one_byte_one_after_the_other_are_probably_meant(loaded, server):
    talks = [gives_up(download(16_384)), gives_up(download(16_384, at=20_000, server=server))]
    result = analyze(*talks, *others(), loaded=loaded)
    assert rules(result) == ["freeze.same_volume_twice"]
    assert state(result).state == "likely_blocked"


@pytest.mark.parametrize(
    ("size", "at", "after"),
    [(18_500, 20_000, 8000.0), (16_384, 10, 8000.0), (16_384, 50_000, 40_000.0)],
    ids=["two packets apart", "side by side", "into a long pause, where a NAT may have forgotten"],
)
def test_two_that_ordinary_faults_may_have_stopped(loaded, size, at, after):
    talks = [gives_up(download(16_384), after=after), gives_up(download(size, at=at), after=after)]
    result = analyze(*talks, *others(120_000), loaded=loaded)
    assert "freeze.same_volume_twice" not in rules(result)
    assert state(result).state not in ("blocked", "likely_blocked")


def test_a_server_that_stalls_answers_the_goodbye(loaded):
    talks = []
    for at in (0, 20_000, 40_000):
        talks.append(download(16_384, at=at).up("FA", after=8_000).down("A"))
    assert not rules(analyze(*talks, *others(80_000), loaded=loaded))


def test_a_closed_window_is_the_clients_own_wish(loaded):
    talks = [download(16_384, at=at).up("A", window=0) for at in (0, 20_000, 40_000)]
    assert not rules(analyze(*talks, *others(80_000), loaded=loaded))


def test_too_early_is_no_volume(loaded):
    talks = [gives_up(download(5_600, at=at)) for at in (0, 20_000, 40_000)]
    assert not rules(analyze(*talks, *others(80_000), loaded=loaded))


def test_one_outage_stops_all_at_once(loaded):
    talks = [gives_up(download(16_384, at=at, server=server)) for at, server in zip((0, 0.5, 1), SERVERS, strict=False)]
    assert "freeze.same_volume" not in rules(analyze(*talks, loaded=loaded))


def test_where_most_go_further_nothing_is_said(loaded):
    stopped = [gives_up(download(16_384, at=at)) for at in (0, 20_000, 40_000)]
    passed = [download(60_000, at=at, push=True).close() for at in (1_000, 21_000, 41_000)]
    assert "freeze.same_volume" not in rules(analyze(*stopped, *passed, *others(80_000), loaded=loaded))


@pytest.mark.parametrize(("passing", "rule"), [(2, None), (4, "freeze.others_pass_few"), (7, "freeze.others_pass")])
def test_others_that_pass_the_volume_are_controls(loaded, passing, rule):
    stopped = [gives_up(download(16_384, at=at)) for at in (0, 20_000, 40_000)]
    passed = [
        download(90_000, at=3_000 + 6_000 * i, server="198.51.100.80", name="files.example.org", push=True).close()
        for i in range(passing)
    ]
    result = analyze(*stopped, *passed, *others(80_000), loaded=loaded)
    assert rules(result) == sorted({"freeze.same_volume", *([rule] if rule else [])})  # one in C(3 + passing, 3)
    assert state(result).state == ("blocked" if rule == "freeze.others_pass" else "likely_blocked")


def test_at_the_server_resends_go_unheard(loaded):
    talks = []
    for at in (0, 20_000, 40_000):
        talk = download(16_800, at=at, ttl=52, server_ttl=64, rtt=0.2)
        talk.down("A", bytes(1400), after=1)
        seq = talk.peer - 1400
        for wait in (300, 600, 1200, 2400, 4800):
            talk.down("A", bytes(1400), after=wait, seq=seq)
        talks.append(talk)
    result = analyze(*talks, *others(80_000), loaded=loaded)
    assert "freeze.same_volume" in rules(result)


def test_at_the_server_packets_are_counted_too(loaded):
    """Small records: too few bytes for a volume, but always the same number of packets."""
    talks = []
    for at in (0, 20_000, 40_000):
        talk = download(4_800, at=at, segment=400, ttl=52, server_ttl=64, rtt=0.2)
        talk.down("A", bytes(400), after=1)
        seq = talk.peer - 400
        for wait in (300, 600, 1200, 2400, 4800):
            talk.down("A", bytes(400), after=wait, seq=seq)
        talks.append(talk)
    (finding,) = [
        f for f in analyze(*talks, *others(80_000), loaded=loaded).findings if f.rule.id == "freeze.same_volume"
    ]
    assert finding.measured["freeze_bytes"] < 11_680
    assert "freeze_packets" not in finding.measured  # of the client's packets it is not known which came before
