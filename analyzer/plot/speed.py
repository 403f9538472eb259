"""Graphs of speed: rates over time, arrival against a token bucket, and the sequence graph of one transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from analyzer.plot.scale import Scale, clock_ticks, decades, round_ticks
from analyzer.plot.svg import Canvas, Drawing

WIDE, HALF, NARROW = 1000, 480, 336
LEFT, RIGHT, TOP, BOTTOM = 84, 14, 22, 26
POINTS = 2  # bins: what lasts no longer is drawn as one mark
NEAR = 14  # px between the names of two lines
NAMED_AT = 0.7  # of the way along a rising line stands its name


class Curve(NamedTuple):
    """Values over time. `look` is slow (what the verdict is about), control, or plain."""

    t: Sequence[float]  # seconds
    y: Sequence[float]
    name: str = ""
    look: str = ""


class Level(NamedTuple):
    """A level, or a line that rises by `slope` a second, that was fitted."""

    y: float
    name: str
    slope: float = 0.0


class Graph(NamedTuple):
    title: str
    curves: Sequence[Curve]
    clock: Callable[[float], str]
    unit: Callable[[float], str]  # words for a value
    levels: Sequence[Level] = ()
    log: bool = False
    onset: tuple[float, str] | None = None
    segments: Sequence[tuple[float, float, str]] = ()  # (t, y, look): seg, missing, again; of a sequence graph


def draw(graph: Graph, width: int = WIDE, height: int = 240) -> Drawing:
    """The graph as a picture: `WIDE`, `HALF` (two beside each other) or `NARROW`."""
    canvas = Canvas(width, height, graph.title)
    times = [t for curve in graph.curves for t in curve.t] + [t for t, _, _ in graph.segments]
    values = [y for curve in graph.curves for y in curve.y if y > 0 or not graph.log]
    values += [y for _, y, _ in graph.segments] + [level.y for level in graph.levels if not level.slope]
    if not times or not values:
        return canvas.drawing()
    x = Scale(min(times), max(times), LEFT, width - RIGHT)
    if graph.log:
        y = Scale(min(values) / 1.6, max(values) * 1.6, height - BOTTOM, TOP, log=True)
    else:
        y = Scale(0, max(values) * 1.05, height - BOTTOM, TOP)
    _axes(canvas, graph, x, y)
    for curve in graph.curves:
        _curve(canvas, curve, x, y)
    _segments(canvas, graph, x, y)
    _levels(canvas, graph, x, y)
    _curve_names(canvas, graph, x, y)
    if graph.onset:
        at = x(graph.onset[0])
        canvas.line(at, TOP - 8, at, height - BOTTOM, "onset")
        canvas.text(at + 5, TOP - 8, graph.onset[1], "slow halo")
    return canvas.drawing()


def _axes(canvas: Canvas, graph: Graph, x: Scale, y: Scale) -> None:
    narrow = canvas.width < HALF
    ticks = decades(y.low, y.high) if graph.log else round_ticks(y.low, y.high, 5)
    for value in ticks:
        at = y(value)
        canvas.line(LEFT, at, canvas.width - RIGHT, at, "grid")
        canvas.text(LEFT - 6, at + 4, graph.unit(value), "small end")
    for tick in clock_ticks(x.low, x.high, 3 if narrow else 4 if canvas.width < WIDE else 8):
        at = x(tick)
        canvas.line(at, canvas.height - BOTTOM, at, canvas.height - BOTTOM + 4, "base")
        anchor = "mid" if at < canvas.width - 30 else "end"
        canvas.text(at, canvas.height - 8, graph.clock(tick), f"small {anchor}")
    canvas.line(LEFT, canvas.height - BOTTOM, canvas.width - RIGHT, canvas.height - BOTTOM, "base")


def _curve(canvas: Canvas, curve: Curve, x: Scale, y: Scale) -> None:
    points = [(x(t), y(value)) for t, value in zip(curve.t, curve.y, strict=True) if value > 0 or not y.log]
    if len(points) <= POINTS:
        for px, py in points[:1]:
            if curve.look == "control":
                canvas.rect(px - 4, py - 4, 8, 8, "box")
            else:
                canvas.add("circle", "ring", cx=px, cy=py, r=4.5)
        return
    canvas.polyline(points, f"curve {curve.look}".strip())


def _curve_names(canvas: Canvas, graph: Graph, x: Scale, y: Scale) -> None:
    """Each name at the end of its line, but never on another name."""
    taken: list[float] = []
    for curve in graph.curves:
        if not curve.name or not curve.t:
            continue
        at = x(curve.t[-1])
        py = y(max(curve.y[-1], y.low)) - 9
        while any(abs(py - other) < NEAR for other in taken):
            py -= NEAR
        py = max(py, 11)
        taken.append(py)
        right = at > canvas.width * 0.5
        look = curve.look if curve.look in ("slow", "control") else "b"
        canvas.text(at + (0 if right else 6), py, curve.name, f"halo {look}" + (" end" if right else ""))


def _levels(canvas: Canvas, graph: Graph, x: Scale, y: Scale) -> None:
    for level in graph.levels:
        if level.slope:
            last = min(x.high, x.low + (y.high - level.y) / level.slope)
            canvas.line(x(x.low), y(level.y), x(last), y(level.y + level.slope * (last - x.low)), "fit")
            beside = x.low + NAMED_AT * (last - x.low)  # to the left of it, where what keeps to the limit never comes
            canvas.text(x(beside) - 10, y(level.y + level.slope * (beside - x.low)), level.name, "slow halo end")
        else:
            canvas.line(LEFT, y(level.y), canvas.width - RIGHT, y(level.y), "fit")
            canvas.text(canvas.width - RIGHT - 4, y(level.y) + 16, level.name, "slow halo end")


def _segments(canvas: Canvas, graph: Graph, x: Scale, y: Scale) -> None:
    for t, value, look in graph.segments:
        px, py = x(t), y(value)
        if look == "missing":
            canvas.cross(px, py, 3.5, "missing")
        elif look == "again":
            canvas.path(f"M{px - 3.5:.1f} {py + 3:.1f}h7l-3.5 -6.5z", "again")
        else:
            canvas.line(px, py - 2, px, py + 2, "seg")
