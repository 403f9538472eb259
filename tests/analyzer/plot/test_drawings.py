"""Drawings: time is to scale, labels keep apart, text from strangers is text, and the picture is well-formed."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from analyzer.plot import ladder, speed, svg, timeline
from analyzer.plot.ladder import Arrow, Ladder, Lane

HOSTILE = '"><script>alert(1)</script>\x00\ud800&'
SVG = "{http://www.w3.org/2000/svg}"


def drawn(drawing: svg.Drawing) -> ElementTree.Element:
    """Parsed as XML, which is stricter than HTML."""
    return ElementTree.fromstring(drawing.body)


def texts(drawing: svg.Drawing) -> dict[str, tuple[float, float]]:
    return {e.text or "": (float(e.get("x")), float(e.get("y"))) for e in drawn(drawing).iter(f"{SVG}text")}


def a_ladder(arrows, **more) -> Ladder:
    lanes = Lane("client"), Lane("path"), Lane("server")
    return Ladder(*lanes, arrows, **{"way": 0.1, "path_way": 0.005, "title": "t", "passed": "{:.1f} s".format} | more)


def race() -> Ladder:
    return a_ladder([
        Arrow(0.0, True, label="SYN"), Arrow(0.2, False, label="SYN/ACK"), Arrow(0.2005, True, label="hello"),
        Arrow(0.2115, False, "forged", label="RST"), Arrow(0.41, False, label="answer"),
    ])  # fmt: skip


def lanes_x(width: int, mirrored: bool = False) -> list[float]:
    spec = race()._replace(near_left=not mirrored)
    found = [e for e in drawn(ladder.draw(spec, width)).iter(f"{SVG}line") if "lane" in (e.get("class") or "")]
    return [float(e.get("x1")) for e in found]


def test_time_is_to_scale():
    picture = drawn(ladder.draw(race()))
    lines = [e.get("points") for e in picture.iter(f"{SVG}polyline") if e.get("class") in (None, "forged")]
    near, _, far = lanes_x(ladder.WIDE)
    left = []
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.split()]
        left += [y for x, y in points if x == near]
    syn, synack, hello, reset, answer = left
    assert (hello - synack) / (synack - syn) == pytest.approx(0.0005 / 0.2, abs=0.01)
    assert (answer - synack) / (synack - syn) == pytest.approx(0.21 / 0.2, rel=0.01)
    assert synack - syn == pytest.approx(ladder.ROUND_TRIP, rel=0.01)
    assert reset > hello and far > near


def test_a_forgery_comes_from_the_path_and_not_from_the_server():
    picture = drawn(ladder.draw(race()))
    (forged,) = [e.get("points") for e in picture.iter(f"{SVG}polyline") if e.get("class") == "forged"]
    near, path, _ = lanes_x(ladder.WIDE)
    assert [float(point.split(",")[0]) for point in forged.split()] == [path, near]
    assert len([e for e in picture.iter(f"{SVG}path") if e.get("class") == "diamond"]) == 1


@pytest.mark.parametrize("width", [ladder.WIDE, ladder.NARROW])
def test_labels_keep_apart_and_inside(width):
    burst = [Arrow(0.2 + k / 1e4, False, "forged", label=f"RST {k}", below="b") for k in range(9)]
    picture = ladder.draw(a_ladder([Arrow(0.0, True, label="SYN"), *burst]), width)
    ys = sorted(y for text, (_, y) in texts(picture).items() if text.startswith("RST"))
    assert all(later - earlier >= ladder.LABEL - 1 for earlier, later in pairwise(ys))
    assert ys[-1] < picture.height


def test_long_silence_is_cut_and_its_length_written_beside():
    arrows = [Arrow(t, True, "lost", label=f"hello {k}") for k, t in enumerate((0.0, 0.3, 0.9, 2.1, 60.0))]
    picture = ladder.draw(a_ladder(arrows, way=0.02))
    assert picture.height <= ladder.TOP + ladder.BUSY + 4 * ladder.CUT + 40
    assert "57.9 s" in texts(picture)
    crosses = [e for e in drawn(picture).iter(f"{SVG}path") if e.get("class") == "cross"]
    assert len(crosses) == len(arrows)


def test_a_capture_at_the_server_is_drawn_the_other_way_round():
    near, path, far = lanes_x(ladder.WIDE, mirrored=True)
    assert near > path > far


def test_without_a_known_distance_packets_are_drawn_level():
    arrows = [Arrow(0.0, True, "lost"), Arrow(0.5, True, "lost"), Arrow(1.0, False)]
    assert ladder.draw(a_ladder(arrows, way=0.0, path_way=0.0)).height < 400


@pytest.mark.parametrize("width", [timeline.WIDE, timeline.NARROW])
def test_a_thousand_conversations_are_a_few_bars(width):
    bars = [timeline.Bar(k / 10, k / 10 + 0.05) for k in range(1000)]
    spec = timeline.Timeline([timeline.Row("s", "r", bars)], 400, "{:.0f}".format, "t")
    picture = timeline.draw(spec, width)
    assert len(picture.body) < 20_000
    assert len([e for e in drawn(picture).iter(f"{SVG}rect") if "bar" in (e.get("class") or "")]) < 300


def test_marks_that_would_touch_are_counted():
    marks = [timeline.Mark(10 + k / 100, "forged") for k in range(5)] + [timeline.Mark(300, "forged")]
    spec = timeline.Timeline([timeline.Row("s", "r", [], marks)], 400, "{:.0f}".format, "t")
    assert "×5" in texts(timeline.draw(spec))
    assert timeline.draw(spec).body.count("diamond") == 2


def test_a_transfer_of_a_moment_is_one_mark_and_a_longer_one_a_line():
    graph = speed.Graph(
        "t",
        [speed.Curve([1.0], [9000.0], "quick", "control"), speed.Curve([1.0, 2.0, 3.0], [128.0, 130, 120], "slow", "slow")],
        str, str, [speed.Level(128.0, "128 kbit/s")], log=True,
    )  # fmt: skip
    picture = speed.draw(graph)
    classes = [e.get("class") for e in drawn(picture).iter()]
    assert classes.count("box") == 1 and classes.count("curve slow") == 1 and classes.count("fit") == 1


def test_an_empty_graph_is_an_empty_picture():
    assert not texts(speed.draw(speed.Graph("t", [], str, str)))


def test_text_from_strangers_is_text():
    specs = [
        ladder.draw(a_ladder([Arrow(0.0, True, label=HOSTILE, below=HOSTILE, aside=HOSTILE)], title=HOSTILE)),
        timeline.draw(timeline.Timeline([timeline.Row(HOSTILE, HOSTILE, [])], 9, lambda _: HOSTILE, HOSTILE)),
        speed.draw(speed.Graph(HOSTILE, [speed.Curve([0.0, 1], [1.0, 2], HOSTILE)], str, lambda _: HOSTILE)),
    ]
    for picture in specs:
        assert not [e for e in drawn(picture).iter() if "script" in e.tag]
        assert "<script>" in drawn(picture).get("aria-label")


def test_a_picture_alone_brings_its_colours_along():
    alone = ladder.draw(race()).alone()
    assert "prefers-color-scheme:dark" in alone and ElementTree.fromstring(alone).get("width") == str(ladder.WIDE)
    used = set(re.findall(r"var\((--\w+)", svg.STYLE)) - {"--sans"}
    assert used <= set(re.findall(r"(--\w+):", svg.LIGHT)) == set(re.findall(r"(--\w+):", svg.DARK))
