"""Block pages that measurement projects have documented, read from `data/pages.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from analyzer.wire.http import Response

_DATA = Path(__file__).parents[1] / "data" / "pages.toml"


class Page(NamedTuple):
    id: str
    where: str  # body or location
    contains: bool  # else: begins with
    text: bytes
    source: str


@cache
def pages() -> tuple[Page, ...]:
    """All of them, in the order of the file."""
    data = tomllib.loads(_DATA.read_text("utf-8"))
    source = f"{data['source']}, {data['date']}"
    return tuple(
        Page(row["id"], row["where"], row["is"] == "contains", row["text"].encode(), source) for row in data["page"]
    )


def known_page(response: Response | None, stream: bytes) -> Page | None:
    """The documented page that an answer is, if it is one. Some forgers send a page without any HTTP head."""
    location = (response.location or "").encode() if response else b""
    body = stream[response.body_at :] if response else stream
    for page in pages():
        text = location if page.where == "location" else body
        if page.text in text if page.contains else text.startswith(page.text):
            return page
    return None
