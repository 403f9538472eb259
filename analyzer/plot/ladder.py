"""The packet ladder: time runs down, packets slant between the lanes of client, path and server.

What touches the lane of the capture is in the file; the rest is inferred from the shortest way there and back, and the
path lane stands as far away as the times allow. Time is to scale; where nothing happens for long it is cut, the same
scale goes on, and the time that was left out stands beside the double strokes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from analyzer.plot.svg import Canvas, Drawing

WIDE, NARROW = 560, 336  # px; a phone shows the narrow one without scaling its text down
TOP = 56  # px above the lanes, for their names
ROUND_TRIP = 200  # px for one way there and back, if all fits
BUSY = 620  # px for all time in which something is under way
LABEL = 29  # px a label of two lines takes
CUT = 26  # px of a cut
PAUSE = 1.5  # one-way times of silence that are still drawn to scale


class Lane(NamedTuple):
    title: str
    below: str = ""


class Arrow(NamedTuple):
    """A packet. `at` is when it passes the capture, in seconds since the ladder's start."""

    at: float
    outgoing: bool  # away from the capture's lane
    look: str = "plain"  # plain, forged (from the path), lost (on the path), border (an error from the path)
    label: str = ""
    below: str = ""
    aside: str = ""  # beside the line
    number: int = 0  # of the note it belongs to; 0 for none


class Ladder(NamedTuple):
    near: Lane  # where it was captured
    path: Lane
    far: Lane
    arrows: Sequence[Arrow]  # by time
    way: float  # seconds from the near lane to the far one
    path_way: float  # seconds from the near lane to the path lane
    title: str
    passed: Callable[[float], str]  # words for time that is left out
    near_left: bool = True
    dead_from: float | None = None  # from here on the near end takes the connection for closed
    bracket: tuple[float, float, str, str] | None = None  # from, to, and two lines about it


def draw(ladder: Ladder, width: int = WIDE) -> Drawing:
    """The ladder as a picture `width` pixels wide: `WIDE` or `NARROW`."""
    return _Page(ladder, width).draw()


class _Page:
    def __init__(self, ladder: Ladder, width: int):
        self.ladder, self.width = ladder, width
        margin = 178 if width >= WIDE else 156
        near, far = (margin, width - 28) if ladder.near_left else (width - margin, 28)
        self.near, self.far = near, far
        self.path = near + (far - near) * 0.42
        self.time = _Time([self.interval(arrow) for arrow in ladder.arrows], ladder.way)
        self.labels = self.label_places()
        self.bottom = max(self.time.bottom + 10, max(self.labels, default=0) + LABEL)
        self.canvas = Canvas(width, self.bottom + 8, ladder.title)

    def interval(self, arrow: Arrow) -> tuple[float, float]:
        way = self.ladder.path_way if arrow.look in ("forged", "border") else self.ladder.way
        return (arrow.at, arrow.at + way) if arrow.outgoing else (arrow.at - way, arrow.at)

    def label_places(self) -> list[float]:
        """Labels stay in order and apart: each as near to its packet as those above it leave room."""
        places: list[float] = []
        for arrow in self.ladder.arrows:
            wanted = self.time(arrow.at) - 3
            places.append(max(wanted, places[-1] + LABEL) if places else wanted)
        return places

    def draw(self) -> Drawing:
        self.lanes()
        for arrow in self.ladder.arrows:
            self.arrow(arrow)
        for y, seconds in self.time.cuts:
            self.cut(y, seconds)
        if self.ladder.bracket and self.width >= WIDE:
            self.bracket(*self.ladder.bracket)
        for arrow, y in zip(self.ladder.arrows, self.labels, strict=True):
            self.label(arrow, y)
        for arrow in self.ladder.arrows:
            if arrow.number:
                self.mark(arrow)
        return self.canvas.drawing()

    def lanes(self) -> None:
        lanes = (
            (self.near, self.ladder.near, ""),
            (self.path, self.ladder.path, " soft"),
            (self.far, self.ladder.far, ""),
        )
        lost = any(arrow.look == "lost" for arrow in self.ladder.arrows)
        for x, lane, look in lanes:
            outer = x == self.far
            anchor = "mid" if not outer else ("end" if self.ladder.near_left else "")
            edge = x if not outer else (self.width - 4 if self.ladder.near_left else 4)
            self.canvas.text(edge, 16, lane.title, f"b {anchor}".strip())
            crowded = self.width < WIDE and x == self.path  # on a phone, the lanes' lines of text would touch
            self.canvas.text(edge, 45 if crowded else 31, lane.below, f"small {anchor}".strip())
            if x == self.path and lost:
                look = " wall"
            dead = self.ladder.dead_from if x == self.near else None
            middle = self.time(dead) if dead is not None else self.bottom
            self.canvas.line(x, TOP - 6, x, middle, f"lane{look}")
            if dead is not None:
                self.canvas.line(x, middle, x, self.bottom, "lane dead")

    def arrow(self, arrow: Arrow) -> None:
        near = (self.near, self.time(arrow.at))
        sign = 1 if arrow.outgoing else -1
        path = (self.path, self.time(arrow.at + sign * self.ladder.path_way))
        far = (self.far, self.time(arrow.at + sign * self.ladder.way))
        if arrow.look == "lost":
            self.canvas.polyline([near, path], "lost")
            self.canvas.line(*path, *far, "ghost")
            self.canvas.cross(*path)
        elif arrow.look in ("forged", "border"):
            self.canvas.polyline([path, near], "forged" if arrow.look == "forged" else "")
            self.head(path, near, arrow.look)
            self.canvas.diamond(*path, classes="diamond" if arrow.look == "forged" else "head")
        else:
            points = [near, path, far] if arrow.outgoing else [far, path, near]
            self.canvas.polyline(points)
            self.head(points[1], points[2], "")
        if arrow.aside:
            self.beside(arrow, path[1])

    def beside(self, arrow: Arrow, y: float) -> None:
        """A word at the path lane, towards the far side; on a phone, up to the edge and below the line."""
        look = "bad" if arrow.look in ("forged", "lost") else "small"
        y += -7 if arrow.look == "lost" else 4
        towards = self.ladder.near_left
        x = self.path + (12 if towards else -12)
        if self.width < WIDE and look == "bad":
            x, y, towards = (self.width - 4 if towards else 4), y + 14, not towards
        self.canvas.text(x, y, arrow.aside, f"halo {look}" + ("" if towards else " end"))

    def head(self, start: tuple[float, float], end: tuple[float, float], look: str) -> None:
        """The arrow's point, along its last piece."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        size = (dx * dx + dy * dy) ** 0.5 or 1.0
        dx, dy = dx / size, dy / size
        length, half = (11, 5) if look == "forged" else (8, 3.2)
        back = end[0] - length * dx, end[1] - length * dy
        corners = [end, (back[0] - half * dy, back[1] + half * dx), (back[0] + half * dy, back[1] - half * dx)]
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "z"
        self.canvas.path(d, f"head {look}".strip())

    def label(self, arrow: Arrow, y: float) -> None:
        if not arrow.label:
            return
        out = -1 if self.ladder.near_left else 1
        x = self.near + out * 14
        lane = self.near + out * 2, self.time(arrow.at)
        self.canvas.polyline([(self.near + out * 11, y), lane], "lead")
        anchor = " end" if self.ladder.near_left else ""
        look = "bad" if arrow.look in ("forged", "lost") else "b"
        self.canvas.text(x, y + 2, arrow.label, look + anchor)
        self.canvas.text(x, y + 14.5, arrow.below, "small" + anchor)

    def mark(self, arrow: Arrow) -> None:
        """The circled number, on the line but clear of its ends."""
        sign = 1 if arrow.outgoing else -1
        on_path = arrow.look in ("forged", "border", "lost")
        start, end = (self.near, self.path) if on_path else (self.path, self.far)
        early = self.ladder.path_way * sign if not on_path else 0.0
        late = (self.ladder.path_way if on_path else self.ladder.way) * sign
        y = (self.time(arrow.at + early) + self.time(arrow.at + late)) / 2
        self.canvas.number((start + end) / 2, y + (13 if arrow.look == "forged" else 0), arrow.number)

    def cut(self, y: float, seconds: float) -> None:
        """Double strokes through all lanes."""
        for x in (self.near, self.path, self.far):
            self.canvas.add("rect", "gap", x=x - 4, y=y - 3, width=8, height=6)
            for dy in (-3, 3):
                self.canvas.line(x - 6, y + dy + 2, x + 6, y + dy - 2, "cut")
        text = self.ladder.passed(seconds)
        out = 1 if self.ladder.near_left else -1
        self.canvas.text(self.near + out * 12, y + 4, text, "it halo" + ("" if self.ladder.near_left else " end"))

    def bracket(self, start: float, end: float, first: str, second: str) -> None:
        top, bottom = self.time(start), self.time(end)
        if bottom - top < 60:
            return
        x = 16 if self.ladder.near_left else self.width - 16
        out = 6 if self.ladder.near_left else -6
        self.canvas.path(f"M{x + out} {top:.1f}H{x}V{bottom:.1f}H{x + out}", "base")
        anchor = "" if self.ladder.near_left else " end"
        middle = (top + bottom) / 2
        self.canvas.text(x + out, middle - 2, first, "b halo" + anchor)
        self.canvas.text(x + out, middle + 12, second, "small halo" + anchor)


class _Time:
    """Seconds to pixels: one scale, with pauses cut out."""

    def __init__(self, intervals: Sequence[tuple[float, float]], way: float):
        pieces = _pieces(sorted(intervals) or [(0.0, 1.0)], way)
        busy = sum(end - start for start, end, _ in pieces)
        self.scale = min(ROUND_TRIP / (2 * way) if way > 0 else 1e9, BUSY / busy if busy > 0 else 1e9)
        self.starts: list[float] = []
        self.tops: list[float] = []
        self.ends: list[float] = []
        self.cuts: list[tuple[float, float]] = []
        y = float(TOP + 8)
        for k, (start, end, arrows) in enumerate(pieces):
            if k:
                self.cuts.append((y + CUT / 2, start - pieces[k - 1][1]))
                y += CUT
            self.starts.append(start)
            self.tops.append(y)
            self.ends.append(end)
            y += max((end - start) * self.scale, LABEL * arrows - CUT / 2, 4.0)
        self.bottom = y

    def __call__(self, at: float) -> float:
        k = max(0, bisect_right(self.starts, at + 1e-12) - 1)
        return self.tops[k] + (min(at, self.ends[k]) - self.starts[k]) * self.scale


def _pieces(intervals: Sequence[tuple[float, float]], way: float) -> list[tuple[float, float, int]]:
    """Times in which something is under way, and how many packets each holds; short pauses stay."""
    total = max(end for _, end in intervals) - intervals[0][0]
    pause = PAUSE * way if way > 0 else total / 12
    pieces = [(*intervals[0], 1)]
    for start, end in intervals[1:]:
        first, last, arrows = pieces[-1]
        if start - last > pause:
            pieces.append((start, end, 1))
        else:
            pieces[-1] = first, max(last, end), arrows + 1
    return pieces
