"""The timeline: the whole capture on one page, a row per service and role, a bar per conversation.

What failed and what worked beside each other in the same minutes is an argument by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from analyzer.plot.scale import Scale, clock_ticks
from analyzer.plot.svg import Canvas, Drawing

WIDE, NARROW = 1000, 336
ROW_WIDE, ROW_NARROW = 22, 34  # px a row takes; the narrow one has its name above its bar
TOP = 26
LEFT, NAMES = 290, 150  # px: where bars begin, and the names of roles
LEAST = 3  # px of the shortest bar
APART = 11  # px between marks that are still drawn one by one


class Bar(NamedTuple):
    start: float  # seconds since the capture's start
    end: float
    look: str = ""  # bad, slow, control, unsure, or plain


class Mark(NamedTuple):
    at: float
    look: str  # forged (diamond) or lost (cross)


class Row(NamedTuple):
    group: str  # service; empty where it is that of the row above
    name: str
    bars: Sequence[Bar]
    marks: Sequence[Mark] = ()
    look: str = ""  # of the name


class Timeline(NamedTuple):
    rows: Sequence[Row]
    length: float  # of the capture, seconds
    clock: Callable[[float], str]  # words for a moment
    title: str
    onsets: Sequence[tuple[float, str]] = ()  # moments at which a limit begins


def draw(timeline: Timeline, width: int = WIDE) -> Drawing:
    """The timeline as a picture `width` pixels wide: `WIDE` or `NARROW`."""
    narrow = width < WIDE
    left, row_height = (8, ROW_NARROW) if narrow else (LEFT, ROW_WIDE)
    height = TOP + row_height * len(timeline.rows) + 8
    canvas = Canvas(width, height, timeline.title)
    scale = Scale(0, timeline.length or 1.0, left, width - 12)
    for tick in clock_ticks(0, timeline.length or 1.0, 4 if narrow else 8):
        x = scale(tick)
        canvas.line(x, TOP - 6, x, height - 8, "grid")
        anchor = "mid" if 24 < x < width - 24 else "end" if x > width / 2 else ""
        canvas.text(x, 14, timeline.clock(tick), f"small {anchor}".strip())
    for k, row in enumerate(timeline.rows):
        top = TOP + row_height * k
        if row.group and k:
            canvas.line(0, top - 1, width, top - 1, "base")
        bar = top + (row_height - 10 if narrow else row_height / 2)
        _names(canvas, row, top, narrow)
        canvas.line(left, bar, width - 12, bar, "grid")
        _bars(canvas, row, scale, bar)
        _marks(canvas, row, scale, bar)
    for at, text in timeline.onsets:
        x = scale(at)
        canvas.line(x, TOP - 6, x, height - 8, "onset")
        right = x > width * 0.7
        canvas.text(x + (-5 if right else 5), height - 2, text, "slow halo" + (" end" if right else ""))
    return canvas.drawing()


def _names(canvas: Canvas, row: Row, top: float, narrow: bool) -> None:
    look = row.look if row.look in ("bad", "slow") else ""
    if narrow:
        said = f"{row.group} · {row.name}" if row.group and row.name else row.group or row.name
        canvas.text(8, top + 14, said, f"halo {look or ('b' if row.group else '')}".strip())
        return
    y = top + ROW_WIDE / 2 + 4
    canvas.text(0, y, row.group, "b")
    canvas.text(NAMES if row.name else 0, y, row.name, look)


def _bars(canvas: Canvas, row: Row, scale: Scale, y: float) -> None:
    """Bars of one look that would touch are drawn as one: a thousand short conversations stay one picture."""
    open_bars: dict[str, list[float]] = {}
    for bar in sorted(row.bars):
        x1 = scale(bar.start)
        x2 = max(scale(bar.end), x1 + LEAST)
        last = open_bars.get(bar.look)
        if last is not None and x1 <= last[1] + 1:
            last[1] = max(last[1], x2)
            continue
        if last is not None:
            _bar(canvas, last, bar.look, y)
        open_bars[bar.look] = [x1, x2]
    for look, last in open_bars.items():
        _bar(canvas, last, look, y)


def _bar(canvas: Canvas, ends: list[float], look: str, y: float) -> None:
    half = {"slow": 2.5, "bad": 2.5, "control": 2.5, "unsure": 4}.get(look, 1.6)
    canvas.rect(ends[0], y - half, ends[1] - ends[0], 2 * half, f"bar {look}".strip())


def _marks(canvas: Canvas, row: Row, scale: Scale, y: float) -> None:
    groups: list[tuple[float, str, int]] = []
    for mark in sorted(row.marks):
        x = scale(mark.at)
        if groups and groups[-1][1] == mark.look and x - groups[-1][0] < APART:
            groups[-1] = groups[-1][0], mark.look, groups[-1][2] + 1
        else:
            groups.append((x, mark.look, 1))
    for x, look, count in groups:
        if look == "forged":
            canvas.diamond(x, y, 5.5)
        else:
            canvas.cross(x, y)
        if count > 1:
            canvas.text(x + 8, y + 4, f"×{count}", "bad halo")
