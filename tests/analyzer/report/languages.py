"""A language that nobody speaks, written from right to left: what cannot be read in it was never translated."""

from __future__ import annotations

import re
from gettext import NullTranslations

from analyzer.report.words import Words

_LATIN = "abcdefghijklmnopqrstuvwxyz"
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשתםןףך"
_TURN = str.maketrans(_LATIN + _LATIN.upper(), _HEBREW * 2)
_PLACEHOLDER = re.compile(r"(\{\w+\})")


class Mirrored(NullTranslations):
    """Turns the letters of every message into Hebrew ones; placeholders stay."""

    def gettext(self, message: str) -> str:
        return "".join(
            part if _PLACEHOLDER.fullmatch(part) else part.translate(_TURN) for part in _PLACEHOLDER.split(message)
        )

    def ngettext(self, one: str, many: str, n: int) -> str:
        return self.gettext(one if n == 1 else many)

    def pgettext(self, context: str, message: str) -> str:
        return message


class Pseudo(Words):
    """`Words` in that language."""

    def __init__(self):
        super().__init__()
        self.lang = "he"
        self._catalogue = Mirrored()
