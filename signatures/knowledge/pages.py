"""Block pages that measurement projects have documented, and pages known to be none, read from `data/pages.toml`."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from analyzer.wire.http import Response

_DATA = Path(__file__).parents[1] / "data" / "pages.toml"
_WHERE = ("body", "server", "location")
_ENCODINGS = ("utf-8", "cp1251")  # pages in Cyrillic come in either


class Page(NamedTuple):
    id: str
    scope: str  # nat, isp, or fp: nobody's block page
    where: str  # body or server (contains), location (begins with)
    texts: tuple[bytes, ...]  # one of them
    source: str


@cache
def pages() -> tuple[Page, ...]:
    """All of them in the order of the file, those of scope fp first: they veto."""
    data = tomllib.loads(_DATA.read_text("utf-8"))
    source = f"{data['source']}, {data['date']}"
    rows = [{"id": "", "scope": "fp", **row} for row in data["ordinary"]] + data["page"]
    return tuple(
        Page(row["id"], row["scope"], where, _encoded(row[where]), source)
        for row in rows
        for where in _WHERE
        if where in row
    )


def known_page(response: Response | None, stream: bytes) -> Page | None:
    """The documented page that an answer is, if it is one; scope fp too. Some forgers send a page without any HTTP head."""
    parts = {
        "location": (response.location or "").encode() if response else b"",
        "server": (response.server or "").encode() if response else b"",
        "body": stream[response.body_at :] if response else stream,
    }
    for page in pages():
        part = parts[page.where]
        if any(part.startswith(text) if page.where == "location" else text in part for text in page.texts):
            return page
    return None


def _encoded(text: str) -> tuple[bytes, ...]:
    """The text in every encoding that has all its letters."""
    found: dict[bytes, None] = {}
    for encoding in _ENCODINGS:
        with suppress(UnicodeEncodeError):
            found[text.encode(encoding)] = None
    return tuple(found)
