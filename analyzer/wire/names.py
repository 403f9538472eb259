"""Text that came from the wire: names, realms, reasons, titles.

A server name may hold anything, an escape sequence for the reader's terminal included. One function makes text of
such bytes, once and for all: printable, and reversible, so that two different names never look alike. What stands
for a byte is always `\\xNN`, as in Python's own `backslashreplace`; the backslash itself is doubled.
"""

import re

MAX_TEXT = 255  # RFC 1035 §3.1: no name is longer; what is longer is cut here, whatever it claims to be
MAX_HOSTNAME = 253  # the same bound, without the length octets of first label and root
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)


def text(data: bytes, limit: int = MAX_TEXT) -> str:
    """Printable, reversible text of at most `limit` bytes."""
    data = data[:limit]
    if data.isascii():
        plain = data.decode("ascii")
        if plain.isprintable() and "\\" not in plain:
            return plain
    decoded = data.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in decoded)


def plausible_hostname(name: str) -> bool:
    """Whether a name could be a host's (RFC 1123 §2.1, underscores allowed as the world does), and not an address."""
    name = name.removesuffix(".")
    if not 0 < len(name) <= MAX_HOSTNAME:
        return False
    labels = name.split(".")
    return not labels[-1].isdigit() and all(map(_LABEL.fullmatch, labels))
