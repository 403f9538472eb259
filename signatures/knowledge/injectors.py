"""Machines whose forged resets have been described, read from `data/injectors/*.toml`: what a reset is consistent with.

A match names a candidate and never convicts: anybody can send the same bytes. All fields of one shape must hold, and
none of them is an absolute TTL, which differs with the place of the capture. Their form is in `data/injectors/README.md`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from analyzer.serial import ahead
from analyzer.tables import TCP_ACK, TCP_RST

DATA = Path(__file__).parents[1] / "data" / "injectors"
_FLAGS = {"R": TCP_RST, "RA": TCP_RST | TCP_ACK}
_COLUMN = {"ip_id": "ipid", "df": "df", "window": "win", "options": "optlen", "payload": "payload_len"}

Range = tuple[int, int]


class Reset(Protocol):
    """A row of tables.PACKETS."""

    ttl: int
    ipid: int
    df: int
    tcp_flags: int
    seq: int
    win: int
    optlen: int
    payload_len: int


@dataclass(frozen=True, slots=True)
class Injector:
    """One shape of one machine's resets."""

    name: str
    source: str  # with its date
    flags: int
    count: Range
    fields: dict[str, Range]  # column of tables.PACKETS -> allowed values
    steps: tuple[int, ...]  # bytes, from the lowest sequence number; empty: any
    id_steps: tuple[int, ...]  # of the IP-ID, in the order sent; empty: any
    rising: bool  # TTLs consecutive, and windows too, in the same order

    def fits(self, resets: Sequence[Reset]) -> bool:
        """Whether the resets with its flags are of this shape."""
        mine = [reset for reset in resets if reset.tcp_flags == self.flags]
        if not self.count[0] <= len(mine) <= self.count[1]:
            return False
        for column, (low, high) in self.fields.items():
            if not all(low <= getattr(reset, column) <= high for reset in mine):
                return False
        return self._steps_fit(mine) and (not self.rising or _rising(mine))

    def _steps_fit(self, mine: list[Reset]) -> bool:
        if self.steps:
            lowest = min(mine, key=lambda reset: ahead(reset.seq, mine[0].seq)).seq
            if tuple(sorted(ahead(reset.seq, lowest) for reset in mine)) != self.steps:
                return False
        return not self.id_steps or tuple((reset.ipid - mine[0].ipid) % 65536 for reset in mine) == self.id_steps


def _rising(mine: list[Reset]) -> bool:
    """One more hop and one more byte of window from each to the next, in whatever order they arrived."""
    ordered = sorted(mine, key=lambda reset: reset.ttl)
    steps = [(b.ttl - a.ttl, b.win - a.win) for a, b in pairwise(ordered)]
    return all(step == (1, 1) for step in steps)


@cache
def injectors() -> tuple[Injector, ...]:
    """All shapes, in the order of the files. Errors: ValueError where a file holds an unknown word."""
    found: list[Injector] = []
    for path in sorted(DATA.glob("*.toml")):
        facts = tomllib.loads(path.read_text("utf-8"))
        found += [_read(path.stem, facts["name"], shape) for shape in facts["shape"]]
    return tuple(found)


def match(resets: Sequence[Reset]) -> Injector | None:
    """The described machine that the resets of one side of a connection are consistent with; None for none, or several."""
    fitting = [injector for injector in injectors() if injector.fits(resets)]
    return fitting[0] if len({injector.name for injector in fitting}) == 1 else None


_WORDS = {"flags", "count", "steps", "id_steps", "rising", "source", "date", *_COLUMN}


def _read(stem: str, name: str, shape: dict[str, Any]) -> Injector:
    if not shape.keys() <= _WORDS:
        raise ValueError(f"{stem}: {', '.join(sorted(shape.keys() - _WORDS))} is not a known word")
    return Injector(
        name=name,
        source=f"{shape['source']} ({shape['date']})",
        flags=_FLAGS[shape["flags"]],
        count=_range(shape["count"]),
        fields={column: _range(shape[word]) for word, column in _COLUMN.items() if word in shape},
        steps=tuple(shape.get("steps", ())),
        id_steps=tuple(shape.get("id_steps", ())),
        rising=shape.get("rising", False),
    )


def _range(value: int | list[int]) -> Range:
    """A number stands for itself, a pair for all between."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])
