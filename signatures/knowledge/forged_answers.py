"""Addresses and aliases that stand in documented forged DNS answers, read from `data/forged_answers.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

_DATA = Path(__file__).parents[1] / "data" / "forged_answers.toml"
KINDS = ("page", "sink")


class Pool(NamedTuple):
    """Answers of one origin. A `page` is a block page's host, a `sink` an address that forgers made up or borrowed."""

    id: str
    kind: str
    answers: tuple[str, ...]
    source: str


@cache
def pools() -> tuple[Pool, ...]:
    """All of them, in the order of the file. Errors: ValueError where a kind is not known or an answer stands twice."""
    data = tomllib.loads(_DATA.read_text("utf-8"))
    found = tuple(
        Pool(row["id"], row["kind"], tuple(row["answers"].split()), f"{row['source']}, {row['date']}")
        for row in data["pool"]
    )
    answers = [answer for pool in found for answer in pool.answers]
    if len(answers) != len(set(answers)) or any(pool.kind not in KINDS for pool in found):
        raise ValueError("an answer belongs to one pool, and a pool is of one of the known kinds")
    return found
