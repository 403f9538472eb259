"""QUIC that is cut: each rule with conversations on which it fires, and a near miss."""

from analyzer.signature import Loaded
from signatures import ip_refusal, quic_filtering
from tests.conversation import Conversation, Names, analyze
from tests.lookups import Lookups
from tests.quic_talk import V2, QuicTalk

WA, FRONT = "web.whatsapp.com", "cdn.example.net"  # at one address
TG, TG_AT = "web.telegram.org", "149.154.167.99"
SITES = (("example.org", "93.184.215.14"), ("www.wikipedia.org", "185.15.59.224"), ("github.com", "140.82.121.4"))
LOADED = Loaded((quic_filtering,), Names(), "test", "2026-09-01")


def fired(*talks, modules=LOADED):
    """{rule: finding}; a last conversation, much later, so that nothing ends with the capture."""
    late = Conversation("late.example.net", "93.184.1.1", at=90_000).works()
    return {f.rule.id: f for f in analyze(*(t.packets for t in (*talks, late)), loaded=modules).findings}


def silent(name, at, server="157.240.0.60", **more):
    return QuicTalk(name, server, at=at, **more).initial(times=4)


def fine(name, at, server="157.240.0.60", **more):
    return QuicTalk(name, server, at=at, **more).works()


def tcp(name, at, server="157.240.0.60"):
    return Conversation(name, server, at=at).works()


def cut(name, at, server="157.240.0.60"):
    """The first flight is answered, what follows is not."""
    talk = QuicTalk(name, server, at=at).initial().flight().up(bytes((0xE0,)) + bytes(80), 1)
    return talk.up(bytes(60), 300).up(bytes(60), 600).up(bytes(60), 1200)


BY_NAME = [talk for i in range(4) for talk in (silent(WA, 5000 * i), fine(FRONT, 5000 * i + 2500))]
OTHERS = [fine(*SITES[0][:1], 2000 + 4000 * i, SITES[0][1]) for i in range(4)]


def method(finding):
    return (finding.method.action, finding.method.trigger, finding.method.position, finding.method.trigger_detail)


def test_by_name():
    found = fired(*BY_NAME, tcp(WA, 4000))
    assert method(found["quic.dropped_by_name"]) == ("drop", "sni", "in_path", WA)
    assert found["quic.name_effect_few"].measured["p"] == 0.0143
    more = [talk for i in range(4, 7) for talk in (silent(WA, 5000 * i), fine(FRONT, 5000 * i + 2500))]
    assert fired(*BY_NAME, *more)["quic.name_effect"].measured["p"] <= 0.01


def test_an_address_without_quic():
    """All names at one address are silent: a firewall at the site, or a filter. Nobody is accused."""
    site = [talk for i in range(4) for talk in (silent(WA, 5000 * i), silent(FRONT, 5000 * i + 2500))]
    found = fired(*site, *OTHERS, tcp(WA, 4000))
    assert set(found) == {"quic.initial_unanswered"}
    assert found["quic.initial_unanswered"].rule.strength == "weak"
    assert not fired(*site, *OTHERS), "and without TCP there, nothing is said at all"


def test_refused_by_name():
    pairs = [
        talk for i in range(4) for talk in (QuicTalk(WA, at=5000 * i).initial().refused(), fine(FRONT, 5000 * i + 2500))
    ]
    assert fired(*pairs)["quic.name_effect_few"].method.action == "icmp_reject"
    assert "ip.icmp_admin" not in fired(*pairs, modules=Loaded((ip_refusal,), Names(), "t", "t")), "nobody else answers"


def test_another_service_like_the_proven_one():
    also = [silent(TG, 1000 + 6000 * i, TG_AT) for i in range(2)]
    found = fired(*BY_NAME, *also, tcp(TG, 9000, TG_AT))
    assert method(found["quic.dropped_too"]) == ("drop", "sni", "in_path", TG)
    assert "quic.dropped_too" not in fired(*BY_NAME, *also), "its TCP must work"
    assert "quic.dropped_too" not in fired(*also, *OTHERS, tcp(TG, 9000, TG_AT)), "nothing is proven"
    assert "quic.dropped_too" not in fired(*BY_NAME, *also, tcp(TG, 9000, TG_AT), fine(TG, 20_000, TG_AT))


def test_cut_after_the_answer():
    found = fired(cut(WA, 0), cut(WA, 8000), *OTHERS, tcp(WA, 4000))
    assert method(found["quic.cut_after_answer"]) == ("delayed_drop", "sni", "in_path", WA)
    assert fired(cut(WA, 0), cut(WA, 8000), *OTHERS)["quic.cut_after_answer"].method.trigger == "none_seen"
    assert "quic.cut_after_answer" not in fired(cut(WA, 0), *OTHERS), "once is bad luck"
    assert "quic.cut_after_answer" not in fired(cut(WA, 0), cut(WA, 8000)), "nobody else is fine"
    assert "quic.cut_after_answer" not in fired(cut(WA, 0), cut(WA, 8000), fine(WA, 16_000), *OTHERS)


def test_what_its_residue_hits():
    found = fired(cut(WA, 0), cut(FRONT, 2000), cut(WA, 8000), fine(FRONT, 30_000), *OTHERS, tcp(WA, 4000))
    assert found["quic.cut_after_answer"].measured["others_hit_behind_it"] == 1
    assert len(found["quic.cut_after_answer"].flows) == 3


def repeating(name=WA, factor=2.0, heard=True, at=0.0):
    """A server that repeats itself to a client that answers each time."""
    talk = QuicTalk(name, at=at).initial().flight().up(bytes(80), 1)
    gap = 240.0
    for _ in range(5):
        talk.down(bytes(1200), gap)
        if heard:
            talk.up(bytes(40), 2)
        gap *= factor
    return talk


def test_acknowledgements_unheard():
    found = fired(repeating())
    assert found["quic.acks_unheard"].measured["rounds"] == 6
    assert found["quic.acks_unheard"].method.action == "delayed_drop"
    witnesses = found["quic.acks_unheard"].witnesses
    assert [w.frame for w in witnesses if w.role == "trigger"] == [1], "the Initial, and not what was lost after it"
    assert "quic.acks_unheard" not in fired(repeating(factor=1.0)), "a server that speaks at its own pace"
    assert "quic.acks_unheard" not in fired(repeating(heard=False)), "a client that has gone"


def everything_silent(version=1):
    return [
        silent(name, 3000 * i + 6000 * j, at, version=version) for j in range(2) for i, (name, at) in enumerate(SITES)
    ]


DNS = Lookups(at=0).ask("example.org").answer("93.184.215.14")
TCP_FINE = [tcp(name, 1500 + 3000 * i, at) for i, (name, at) in enumerate(SITES)]


def test_everything_is_silent():
    found = fired(*everything_silent(), *TCP_FINE, DNS)
    assert method(found["quic.all_unanswered"])[:3] == ("drop", "protocol", "unknown")
    assert found["quic.all_unanswered"].rule.strength == "supporting", "offices and phones do that too"
    assert len(found["quic.all_unanswered"].flows) == 6
    assert "quic.all_unanswered" not in fired(*everything_silent(), *TCP_FINE), "no UDP works"
    assert "quic.all_unanswered" not in fired(*everything_silent(), DNS), "nothing works"
    assert "quic.all_unanswered" not in fired(*everything_silent(), *TCP_FINE, DNS, fine(WA, 5000))
    two_of_three = [talk for talk in everything_silent() if talk.server != SITES[2][1]]
    assert "quic.all_unanswered" not in fired(*two_of_three, *TCP_FINE, DNS), "two sites may have no QUIC"


def test_one_version_is_silent():
    found = fired(*everything_silent(), *TCP_FINE, DNS, fine("example.org", 5000, SITES[0][1], version=V2))
    assert method(found["quic.version_unanswered"]) == ("drop", "protocol", "in_path", "quic version 0x1")
    assert found["quic.version_unanswered"].measured["other_versions"] == ["0x6b3343cf"]
    elsewhere = fine("else.example.com", 5000, "20.1.1.1", version=V2)
    assert "quic.version_unanswered" not in fired(*everything_silent(), *TCP_FINE, DNS, elsewhere)


def short(name, at):
    """Stops after the first answers; the client takes TCP instead."""
    return [
        QuicTalk(name, at=at).initial().flight().up(bytes(80), 1).down(bytes(1200)).up(bytes(40), 1),
        tcp(name, at + 4000),
    ]


def test_stops_short_and_falls_back():
    pairs = [talk for i in range(4) for talk in (*short(WA, 12_000 * i), fine(FRONT, 12_000 * i + 6000))]
    assert method(fired(*pairs)["quic.stops_short"])[:2] == ("delayed_drop", "sni")
    both = [talk for i in range(4) for talk in (*short(WA, 12_000 * i), *short(FRONT, 12_000 * i + 6000))]
    assert "quic.stops_short" not in fired(*both), "the client prefers TCP for everything"


def deaf(name, at):
    """At the server: it answers, and the client begins again and again."""
    talk = QuicTalk(name, at=at, ttl=52, server_ttl=64)
    for i in range(4):
        talk.initial() if not i else talk.up(talk.packets[0][1][28:], after=300 * 2**i)
        talk.down(bytes((0xC0, 0, 0, 0, 1)) + bytes(1195), 0.2)
    return talk


def test_at_the_server():
    served = {"ttl": 52, "server_ttl": 64, "rtt": 0.2}
    pairs = [talk for i in range(4) for talk in (deaf(WA, 6000 * i), fine(FRONT, 6000 * i + 4000, **served))]
    assert method(fired(*pairs)["quic.dropped_by_name"]) == ("drop", "sni", "in_path", WA)
    assert not fired(*(fine(FRONT, 6000 * i, **served) for i in range(4)))


def test_verdicts():
    for talks in ((*BY_NAME, tcp(WA, 4000)), (cut(WA, 0), cut(WA, 12_000), *OTHERS, tcp(WA, 4000))):
        late = tcp("late.example.net", 90_000, "93.184.1.1")
        result = analyze(*(t.packets for t in (*talks, late)), loaded=LOADED)
        verdict = next(v for v in result.answers if v.target == WA)
        assert verdict.state in ("likely_blocked", "blocked")
        assert verdict.methods[0].method.trigger == "sni"
