"""What is kept to be looked at: the flows that verdicts name and one of each control, whatever the order of packets."""

from __future__ import annotations

import numpy as np

import signatures
from analyzer import limits
from analyzer.engine import Analysis
from analyzer.exhibits import Exhibits
from analyzer.result import CaptureInfo, Control, FlowKey, Named, Result, Verdict
from analyzer.signature import Loaded, Method
from analyzer.tables import Table
from tests.conversation import Conversation, Names, analyze, frames_of, packets_of

SERVER = "192.0.2.9"


def loaded() -> Loaded:
    every = signatures.load()
    return every._replace(knowledge=Names())


def cut(at: float, **options) -> Conversation:
    """A reset forged 11 ms after the hello; the server's answer still comes."""
    talk = Conversation("web.whatsapp.com", SERVER, at=at, **options).open().hello()
    return talk.reset(after=11, ttl=58).answer(after=69)


def fine(name: str, at: float, **options) -> Conversation:
    return Conversation(name, SERVER, at=at, **options).works()


def scene() -> list[Conversation]:
    return [talk for i in range(3) for talk in (cut(20_000 * i), fine("mmg.whatsapp.net", 20_000 * i + 9_000))]


def summary(result: Result) -> list[tuple]:
    def plain(table: Table):
        return tuple((name, values.tolist()) for name, values in table.columns.items())

    return [(e.key, e.target, e.vantage, e.rtt, plain(e.packets), plain(e.series)) for e in result.exhibits]


def test_a_verdict_comes_with_a_flow_of_its_own_and_one_of_its_control():
    result = analyze(*scene(), loaded=loaded())
    assert [(e.target, e.key.flow, e.vantage) for e in result.exhibits] == [
        ("web.whatsapp.com", 0, "client"),
        ("mmg.whatsapp.net", 1, "client"),
    ]
    exhibit = result.exhibits[0]
    assert exhibit.rtt == 80_000_000
    witnesses = {w.frame for named in result.answers[0].methods for w in named.witnesses}
    assert witnesses & set(exhibit.packets.frame.tolist())
    assert exhibit.packets.ttl[exhibit.packets.tcp_flags & 4 != 0].tolist() == [58]


def test_how_the_packets_come_makes_no_difference():
    frames = frames_of(packets_of(*scene()))
    whole = Analysis(loaded())
    whole.feed(frames)
    expected = whole.finish(CaptureInfo("built"))
    pieces = Analysis(loaded())
    for i in range(0, len(frames.ts), 5):
        pieces.feed(
            frames._replace(**{name: getattr(frames, name)[i : i + 5] for name in frames._fields if name != "data"})
        )
        pieces.snapshot(CaptureInfo("built"))
    assert summary(pieces.snapshot(CaptureInfo("built"))) == summary(expected)
    assert summary(pieces.finish(CaptureInfo("built"))) == summary(expected)


def test_what_works_leaves_none():
    assert analyze(fine("mmg.whatsapp.net", 0), fine("web.whatsapp.com", 50), loaded=loaded()).exhibits == ()


def test_slow_flows_bring_their_series_within_the_bound(monkeypatch):
    data = bytes(1400)
    slow = Conversation("files.telegram.org", SERVER).open().hello().answer()
    quick = Conversation("cdn.example.net", "192.0.2.10").open().hello().answer()
    for talk in (slow, quick):
        for _ in range(120):
            talk.answer(data, after=10)
    analysis = Analysis(loaded())
    analysis.feed(frames_of(packets_of(slow, quick)))
    result = analysis.finish(CaptureInfo("built"))
    named = Named(Method("police"), (), (), 0, (_key(result, "files.telegram.org"),))
    verdict = Verdict(
        "files.telegram.org", "throttled", methods=(named,),
        controls=(Control("same_protocol_other_service", "cdn.example.net", 1, 1),),
    )  # fmt: skip
    found = Exhibits().of((verdict,), analysis.seen)
    assert [(e.target, len(e.series) > 120) for e in found] == [("files.telegram.org", True), ("cdn.example.net", True)]
    monkeypatch.setattr(limits, "MAX_EXHIBIT_SERIES", len(found[0].series) + 1)
    assert [e.target for e in Exhibits().of((verdict,), analysis.seen)] == ["files.telegram.org"]


def _key(result: Result, target: str):
    flows = result.flow_table
    row = flows.row(int(np.flatnonzero(flows.target == target)[0]))
    return FlowKey(row.flow, row.stream, "tcp", row.client, row.client_port, row.server, row.server_port)


def test_the_pools_stay_small_and_keep_the_first(monkeypatch):
    monkeypatch.setattr(limits, "MAX_EXHIBITS", 4)
    talks = [Conversation(f"n{i}.example", f"192.0.2.{i}", at=30_000 * i).open().hello().resend(5) for i in range(12)]
    analysis = Analysis(loaded())
    analysis.feed(frames_of(packets_of(*talks)))
    analysis.finish(CaptureInfo("built"))
    assert sorted(analysis.exhibits._failed.kept) == [f"n{i}.example" for i in range(4)]
