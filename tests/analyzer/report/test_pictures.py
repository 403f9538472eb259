"""Pictures say what the packets say: who sent what, how far away, what never came."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from analyzer.report import Words, pictures
from analyzer.result import CaptureInfo, Exhibit, FlowKey, Named, Result, Verdict
from analyzer.signature import Method
from analyzer.tables import SERIES, Kind, Table
from tests.analyzer.report import scenes


def accused(result: Result, target: str) -> Verdict:
    return next(verdict for verdict in result.answers if verdict.target == target)


def ladder(result: Result, target: str, lang: str = "en") -> pictures.Ladder:
    verdict = accused(result, target)
    flows = {key.flow for key in verdict.methods[0].flows}
    exhibit = next(e for e in result.exhibits if e.key.flow in flows)
    found = pictures.ladder(result, verdict, verdict.methods[0], exhibit, Words(lang))
    assert found is not None
    return found


def words(drawing) -> list[str]:
    return re.findall("<text[^>]*>(.*?)</text>", drawing.body)


def test_a_forged_reset_is_marked_with_its_distance_and_its_greatest_way():
    found = ladder(scenes.scene("reset"), "web.whatsapp.com")
    said = words(found.picture.wide)
    assert "forged · TTL 54" in said and "TTL 52" in said
    assert "at most 5.5 ms away" in said  # half of the 11 ms between hello and reset
    assert "208.0 ms" in said and "there and back" in said
    assert [part for part in said if part in ("SYN", "SYN/ACK", "ClientHello", "RST/ACK", "answer")] == [
        "SYN", "SYN/ACK", "ClientHello", "RST/ACK", "answer",
    ]  # fmt: skip
    assert found.picture.wide.body.count('class="diamond"') == 1
    assert "lost" not in found.picture.wide.body


def test_notes_tie_rules_to_packets_of_the_picture():
    result = scenes.scene("reset")
    found = ladder(result, "web.whatsapp.com")
    assert [note.number for note in found.notes] == list(range(1, len(found.notes) + 1))
    rules = {finding.rule.id for note in found.notes for finding in note.findings}
    assert rules <= set(accused(result, "web.whatsapp.com").methods[0].rules)
    assert {str(note.number) for note in found.notes} <= set(words(found.picture.wide))


def test_dropped_packets_end_on_the_path_and_repeats_are_counted():
    found = ladder(scenes.scene("drop"), "x.com")
    said = words(found.picture.wide)
    assert [f"sent again {k}" in said for k in range(1, 6)] == [True] * 5
    assert found.picture.wide.body.count('class="cross"') >= 6  # the hello and five repeats
    assert not re.search("forged", " ".join(said))
    assert any("where it was lost is not known" in caption for caption in found.captions)


def test_silent_relays_are_drawn_level_without_a_known_distance():
    found = ladder(scenes.scene("calls"), "whatsapp/calls")
    assert {"sent again 1", "sent again 2", "sent again 3"} <= set(words(found.picture.wide))


def test_a_capture_at_the_server_is_drawn_from_there():
    result = scenes.scene("reset")
    verdict, exhibit = result.answers[0], replace(result.exhibits[0], vantage="server")
    found = pictures.ladder(result, verdict, verdict.methods[0], exhibit, Words())
    assert found is not None
    titles = re.findall(r'<text class="b[^"]*" x="([\d.]+)" y="16">(client|server)<', found.picture.wide.body)
    x = {name: float(at) for at, name in titles}
    assert x["client"] < x["server"] < found.picture.wide.width - 100  # room for labels is on the server's side


def test_the_timeline_shows_failures_and_controls_in_the_same_minutes():
    drawing = pictures.timeline(scenes.scene("reset"), Words()).wide
    assert drawing.body.count('class="diamond"') == 5
    assert drawing.body.count("bar control") >= 4
    assert {"WhatsApp", "web", "files", "Signal", "+1:00"} <= set(words(drawing))


def test_times_of_the_day_only_where_they_may_be_shown():
    result = scenes.scene("reset")
    assert any(
        re.fullmatch(r"\d\d:\d\d:\d\d", word) for word in words(pictures.timeline(result, Words(), relative=False).wide)
    )
    assert not any(re.fullmatch(r"\d\d:\d\d:\d\d", word) for word in words(pictures.timeline(result, Words()).wide))


def test_a_limit_is_drawn_with_other_transfers_and_the_fitted_rate():
    result = scenes.scene("slow")
    (verdict,) = [v for v in result.answers if v.methods]
    found = pictures.speed(result, verdict.methods[0], Words())
    assert found is not None and found.arrival is not None and found.sequence is not None
    assert "128 kbit/s" in words(found.rates.wide)
    assert found.rates.wide.body.count("curve slow") == 3 and found.rates.wide.body.count('class="box"') == 3
    assert found.sequence.wide.body.count("missing") > 5 and found.sequence.wide.body.count("again") > 5


def transfer(flow: int, every: float) -> Exhibit:
    """Sent by a server for 20 s: a packet of 1,460 bytes every so many seconds; of ten, the second is lost and sent again."""
    number = np.arange(int(20 / every))
    again = number[1::10]
    order = np.argsort(np.concatenate((number, again + 3.5)), kind="stable")
    sent = np.concatenate((number, again))[order]
    kind = np.concatenate((np.full(len(number), Kind.NEW), np.full(len(again), Kind.RESENT)))[order]
    n = len(sent)
    columns = {
        "ts": (np.sort(np.concatenate((number, again + 3.5))) * every * 1e9).astype(np.int64), "seq": 1000 + sent * 1460,
        "payload_len": np.full(n, 1460), "kind": kind,
    }  # fmt: skip
    series = Table(SERIES, {c.name: columns.get(c.name, np.zeros(n, c.dtype)).astype(c.dtype) for c in SERIES})
    key = FlowKey(flow, flow, "tcp", "10.0.0.2", 40_000 + flow, "192.0.2.9", 443)
    return Exhibit(key, "cdn.example.net", "server", series=series)


def slowed(rate: float, *exhibits: Exhibit) -> pictures.Speed:
    method = Named(Method("police"), (), (), 0, tuple(e.key for e in exhibits), rate_kbps=rate, bucket_bytes=10_000)
    found = pictures.speed(Result(CaptureInfo("x"), exhibits=exhibits), method, Words())
    assert found is not None and found.arrival is not None and found.sequence is not None
    return found


def test_transfers_that_share_a_limit_are_drawn_as_one():
    """Three of 120 kbit/s each: together they are the limit of 360, or each by itself has one of 120."""
    three = [transfer(flow, 0.1) for flow in range(3)]
    shared, own = slowed(360, *three), slowed(120, *three)
    assert shared.rates.wide.body.count("curve slow") == 1
    assert "cdn.example.net, all together" in words(shared.arrival.wide)
    assert own.rates.wide.body.count("curve slow") == 3
    assert "120 kbit/s after 10.0 kB" in words(own.arrival.wide)


def test_at_the_sender_the_copy_that_was_lost_is_crossed_out():
    body = slowed(120, transfer(0, 0.1)).sequence.wide.body
    assert body.count('class="missing"') == body.count('class="again"') == 20


@pytest.mark.parametrize("scene", sorted(scenes.SCENES))
def test_phones_get_a_picture_of_their_own(scene):
    result = scenes.scene(scene)
    drawing = pictures.timeline(result, Words())
    assert drawing.narrow.width <= 340 < drawing.wide.width


def test_without_flows_or_packets_there_is_no_picture():
    empty = Result(CaptureInfo("x"))
    assert pictures.timeline(empty, Words()) is None
