"""Who is known to sign certificates, read from `data/issuers.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

_DATA = Path(__file__).parents[1] / "data" / "issuers.toml"


class Issuers(NamedTuple):
    public: frozenset[str]  # organisations of public authorities
    own: dict[str, frozenset[str]]  # service -> organisations that sign for it alone
    interceptors: dict[str, str]  # name -> source


@cache
def issuers() -> Issuers:
    """All of them."""
    data = tomllib.loads(_DATA.read_text("utf-8"))
    return Issuers(
        public=frozenset(data["public"]["organisations"]),
        own={row["service"]: frozenset(row["organisations"]) for row in data["own"]},
        interceptors={name: row["source"] for row in data["interceptor"] for name in row["names"]},
    )
