"""The little of SVG that the drawings need: elements with classes, escaped text, a style sheet for both papers.

Nothing is coloured here: elements carry classes, and `STYLE` gives them colours by custom properties, which the report
defines for its page and a drawing alone brings along (`Drawing.alone`). No style attributes: the report's content
security policy forbids them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_INSTEAD = "\ufffd"

LIGHT = (
    "--paper:#fdfcf8;--panel:#f4f1e9;--ink:#1c1f23;--ink2:#50565e;--rule:#d8d3c7;--faint:#e9e5db;--bad:#a61c16;"
    "--slow:#8a4a00;--fine:#17614f;--unsure:#59606a;--control:#1d5691;--bar:#b86f08;--band:#f6dcd6;"
)
DARK = (
    "--paper:#14171a;--panel:#1d2125;--ink:#e9e6df;--ink2:#adb3ba;--rule:#3a4046;--faint:#282d32;--bad:#ff8b7c;"
    "--slow:#f2b45c;--fine:#74cfb6;--unsure:#b0b6bd;--control:#8fbdf0;--bar:#c98a2a;--band:#43221f;"
)
STYLE = """\
.plot{display:block;width:100%;height:auto;font-family:var(--sans,sans-serif);font-size:12.5px}
.plot text{fill:var(--ink)}.plot .b{font-weight:600}.plot .small{font-size:12px;fill:var(--ink2)}
.plot .it{font-size:12px;font-style:italic;fill:var(--ink2)}
.plot .end{text-anchor:end}.plot .mid{text-anchor:middle}
.plot text.bad{fill:var(--bad);font-weight:600}.plot text.slow{fill:var(--slow);font-weight:600}
.plot text.control{fill:var(--control);font-weight:600}
.plot line,.plot path,.plot polyline{fill:none;stroke:var(--ink);stroke-width:1.3}
.plot .grid{stroke:var(--faint);stroke-width:1}.plot .base{stroke:var(--rule);stroke-width:1}
.plot .lead{stroke:var(--ink2);stroke-width:.8}.plot .ghost{stroke:var(--ink2);stroke-width:1;stroke-dasharray:1 5}
.plot .lane{stroke:var(--ink);stroke-width:2}.plot .lane.soft{stroke:var(--rule)}
.plot .lane.dead{stroke:var(--bad);stroke-dasharray:3 4}.plot .lane.wall{stroke:var(--bad);stroke-width:5;opacity:.5}
.plot .cut{stroke:var(--ink2);stroke-width:1.2}
.plot .forged{stroke:var(--bad);stroke-width:3.2}.plot .lost{stroke:var(--bad);stroke-width:1.5}
.plot .cross{stroke:var(--bad);stroke-width:2.4}
.plot .head{fill:var(--ink);stroke:none}.plot .head.forged,.plot .diamond{fill:var(--bad);stroke:none}
.plot .head.lost{fill:var(--bad);stroke:none}
.plot .gap{fill:var(--paper);stroke:none}.plot .num{fill:var(--paper);stroke:var(--ink);stroke-width:1.3}
.plot text.num{stroke:none;fill:var(--ink);font-weight:600;font-size:11.5px}
.plot .halo{stroke:var(--paper);stroke-width:4;paint-order:stroke;stroke-linejoin:round}
.plot .band{fill:var(--band);stroke:none}
.plot rect.bar{fill:var(--ink2)}.plot rect.bar.bad{fill:var(--bad);opacity:.45}.plot rect.bar.slow{fill:var(--bar)}
.plot rect.bar.control{fill:var(--control)}.plot rect.bar.unsure{fill:none;stroke:var(--unsure);stroke-dasharray:3 2}
.plot .onset{stroke:var(--slow);stroke-width:1.4;stroke-dasharray:5 3}
.plot .fit{stroke:var(--slow);stroke-width:1.6;stroke-dasharray:7 4}
.plot .curve{stroke:var(--ink);stroke-width:1.6}.plot .curve.slow{stroke:var(--bar);stroke-width:2}
.plot .curve.control{stroke:var(--control)}
.plot .ring{fill:none;stroke:var(--bar);stroke-width:2}.plot .box{fill:none;stroke:var(--control);stroke-width:2}
.plot .seg{stroke:var(--ink);stroke-width:1.6}.plot .missing{stroke:var(--bad);stroke-width:1.3}
.plot .again{fill:none;stroke:var(--slow);stroke-width:1.3}
"""


class Drawing(NamedTuple):
    """A finished picture; a notebook shows it as it is."""

    body: str  # an <svg> element without style
    width: int
    height: int

    def __str__(self) -> str:
        return self.body

    def alone(self) -> str:
        """The picture with its own colours, light or dark as the reader's page: a file of its own."""
        style = f"svg{{{LIGHT}}}@media (prefers-color-scheme:dark){{svg{{{DARK}}}}}{STYLE}"
        paper = '<rect width="100%" height="100%" style="fill:var(--paper)"/>'
        at = self.body.index(">") + 1
        sized = self.body[: at - 1] + f' width="{self.width}" height="{self.height}">'
        return f"{sized}<style>{style}</style>{paper}{self.body[at:]}"

    def _repr_svg_(self) -> str:
        return self.alone()

    def save(self, path: Path | str) -> None:
        Path(path).write_text(self.alone(), encoding="utf-8")


class Canvas:
    """Elements in the order in which they are drawn.

    Parameters
    ----------
    width, height : float
        In pixels at the size it is meant for; text is never scaled down further than the page is narrower.
    title : str
        What the picture shows, in a sentence: read aloud in its place.
    """

    def __init__(self, width: float, height: float, title: str):
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def add(self, name: str, classes: str = "", inner: str | None = None, **attributes: float | str) -> None:
        given = "".join(f" {key.replace('_', '-')}={quoteattr(_number(value))}" for key, value in attributes.items())
        classed = f' class="{classes}"' if classes else ""
        self.parts.append(
            f"<{name}{classed}{given}/>" if inner is None else f"<{name}{classed}{given}>{inner}</{name}>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, classes: str = "") -> None:
        self.add("line", classes, x1=x1, y1=y1, x2=x2, y2=y2)

    def polyline(self, points: list[tuple[float, float]], classes: str = "") -> None:
        self.add("polyline", classes, points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points))

    def path(self, d: str, classes: str = "") -> None:
        self.add("path", classes, d=d)

    def rect(self, x: float, y: float, width: float, height: float, classes: str = "") -> None:
        self.add("rect", classes, x=x, y=y, width=width, height=height)

    def text(self, x: float, y: float, text: str, classes: str = "") -> None:
        self.add("text", classes, xml(text), x=x, y=y)

    def cross(self, x: float, y: float, r: float = 4.5, classes: str = "cross") -> None:
        d = f"M{_number(x - r)} {_number(y - r)}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}"
        self.path(d, classes)

    def diamond(self, x: float, y: float, r: float = 6, classes: str = "diamond") -> None:
        self.path(f"M{_number(x)} {_number(y - r)}l{r} {r}l{-r} {r}l{-r} {-r}z", classes)

    def number(self, x: float, y: float, number: int) -> None:
        """A circled number, which ties the picture to a note."""
        self.add("circle", "num", cx=x, cy=y, r=8.5)
        self.text(x, y + 4, str(number), "num mid")

    def drawing(self) -> Drawing:
        width, height = round(self.width), round(self.height)
        # role and name on the picture itself: its parts are not read one by one
        start = f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" xmlns="http://www.w3.org/2000/svg"'
        label = quoteattr(_NO_XML.sub(_INSTEAD, self.title))
        return Drawing(f"{start} aria-label={label}>{''.join(self.parts)}</svg>", width, height)


def xml(text: str) -> str:
    """Text as XML can hold it: what it has no place for becomes a replacement character."""
    return escape(_NO_XML.sub(_INSTEAD, text))


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
