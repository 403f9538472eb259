"""Text in columns: labels with what belongs to them, and tables.

On a terminal, long text wraps behind its own margin; in a pipe nothing wraps, so that grep and awk see whole lines.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # rich is loaded where something is shown, and not for a line of help
    from rich.console import Console

GAP = "  "
NARROWEST = 20  # of what wraps; a narrower terminal breaks lines itself
WIDEST_CELL = 44  # longer cells (names of hosts, mostly) are cut; an IPv6 address with its port is not


def show_pairs(rows: Iterable[tuple[str, Iterable[str]]], console: Console) -> None:
    """Print labels and, beside each, one line or several. What has no line, or only empty ones, is left out."""
    from rich.cells import cell_len
    from rich.text import Text

    kept = [(label, [*filter(None, lines)]) for label, lines in rows]
    margin = 2 * len(GAP) + max((cell_len(label) for label, lines in kept if lines), default=0)
    for label, lines in kept:
        parts = [part for line in lines for part in _wrapped(line, margin, width_of(console))]
        for number, part in enumerate(parts):
            start = GAP + label if number == 0 else ""
            line = Text(start + " " * (margin - cell_len(start)), "dim") + Text(part, "default")
            console.print(line, soft_wrap=True, highlight=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """Lines of a table: columns as wide as they need to be, the last one wrapped to what is left of `width`."""
    from rich.cells import cell_len

    lines = [head, *rows]
    widths = [min(WIDEST_CELL, max(map(cell_len, column))) for column in list(zip(*lines, strict=True))[:-1]]
    margin = sum(widths) + len(GAP) * len(widths)
    for *cells, last in lines:
        start = "".join(_fit(cell, width) + GAP for cell, width in zip(cells, widths, strict=True))
        for number, part in enumerate(_wrapped(last, margin, width) or [""]):
            yield ((start if number == 0 else " " * margin) + part).rstrip()


def width_of(console: Console) -> int | None:
    """How wide lines may become; None where nobody reads them as they come."""
    from analyzer.report.terminal import WIDEST

    return min(console.width, WIDEST) if console.is_terminal else None


def _wrapped(line: str, margin: int, width: int | None) -> list[str]:
    return [line] if width is None else textwrap.wrap(line, max(NARROWEST, width - margin))


def _fit(cell: str, width: int) -> str:
    from rich.cells import cell_len

    if cell_len(cell) > width:
        cell = cell[: width - 1] + "…"
    return cell + " " * (width - cell_len(cell))
