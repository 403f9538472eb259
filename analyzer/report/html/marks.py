"""How states and names are shown in HTML: never by colour alone, never as anything but text.

Names from the wire are put between two characters of the private use area, which `escape.visible` never lets through:
so they survive being put into sentences, and become `<code>` when the sentence is escaped as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup, escape

from analyzer.report import phrases
from analyzer.report.escape import visible
from analyzer.report.words import Words

_START, _END = "\ue000", "\ue001"

LOOKS = {  # state -> class of its colour; its glyph has the state's name
    "blocked": "bad",
    "likely_blocked": "bad",
    "throttled": "slow",
    "likely_throttled": "slow",
    "impaired": "slow",
    "down": "unsure",
    "insufficient": "unsure",
    "ok": "fine",
}


class State(NamedTuple):
    """A state as it is shown."""

    look: str
    glyph: str
    text: str


def state(code_word: str, words: Words, in_part: bool = False) -> State:
    return State(
        LOOKS[code_word], code_word, words.say((phrases.SHORT_IN_PART if in_part else phrases.SHORT)[code_word])
    )


def code(text: str) -> str:
    """A name from the wire, marked so that it becomes `<code>`."""
    return f"{_START}{visible(text)}{_END}"


def rich(text: str) -> Markup:
    """Our sentence as HTML, with the marked names in it as code."""
    return Markup(str(escape(text)).replace(_START, "<code>").replace(_END, "</code>"))


def plain(text: str) -> str:
    """Our sentence without marks, for places that hold no elements."""
    return text.replace(_START, "").replace(_END, "")
