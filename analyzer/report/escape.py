"""Text from the wire, made safe to show.

Server names, hosts and DNS names are chosen by whoever sent the packets. Shown raw, they could recolour a terminal
(ANSI), reverse what is read (bidi overrides, "Trojan Source", CVE-2021-42574), hide inside a word (zero-width
characters), become a link or a tag (Markdown, HTML) or a formula (spreadsheets). What cannot be seen is shown as an
escape, the way Python writes it, so that a reader sees that it was there.
"""

from __future__ import annotations

import re
import unicodedata

SHOWN = 253  # a DNS name is at most 253 characters (RFC 1035, 2.3.4, less its root); longer text is cut and says so

_INVISIBLE = frozenset(
    {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
)  # controls, formats (bidi, zero-width), surrogates...
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")  # letters by category, nothing to the eye
_MARKDOWN = re.compile(r"[`|<>&]|\](?=[(\[:])")  # brackets mean nothing inside a code span, except to sloppy readers


def visible(text: str) -> str:
    """Safe in a terminal and in plain text: nothing in it moves, hides or recolours what stands around it."""
    cut = len(text) > SHOWN
    out = "".join(map(_visible, text[:SHOWN]))
    return out + "…" if cut else out


def _visible(char: str) -> str:
    if char == "\\":
        return "\\\\"
    if " " <= char <= "~":
        return char
    if char in _BLANK or unicodedata.category(char) in _INVISIBLE or (char.isspace() and char != " "):
        return _escaped(char)
    if unicodedata.category(char) in ("Mn", "Me"):  # marks pile up on their neighbours
        return _escaped(char)
    return char


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def code(text: str) -> str:
    """Safe in Markdown, in tables too: a code span, which is never a link, a tag or emphasis."""
    return f"`{_MARKDOWN.sub(lambda found: _escaped(found[0]), visible(text)).strip() or ' '}`"


def csv_cell(text: str) -> str:
    """Safe in a spreadsheet: not taken for a formula (OWASP, CSV injection)."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") else text
