"""Bytes to values, pure: no reading of files, no clock, nothing of the analyzer behind it.

What comes from the wire is hostile and often cut, so three answers are kept apart everywhere: a value; `NOT_YET`,
when more bytes could still make one; `NEVER`, when no bytes can. "The hello was not all captured" and "this is no
TLS" lead to different sentences in a report. No parser raises on any bytes, and each one is linear in its input.
"""

from enum import Enum
from typing import Final, Literal


class Parse(Enum):
    """Why there is no value. Both are false, so `if hello:` reads as it should."""

    NOT_YET = "not yet"
    NEVER = "never"

    def __bool__(self) -> Literal[False]:
        return False


NOT_YET: Final = Parse.NOT_YET
NEVER: Final = Parse.NEVER
