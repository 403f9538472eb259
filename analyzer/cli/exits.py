"""Exit codes of the command line: public contract."""

from __future__ import annotations

from analyzer.errors import InterferenceError, UsageError

FINE = 0
FOUND = 1  # a state named by --fail-on
USAGE = 2
UNUSABLE = 3  # a capture cannot be used, or a program that is needed is missing; wins over FOUND
INTERRUPTED = 130  # Ctrl-C, after what was found so far


def code_of(error: InterferenceError) -> int:
    return USAGE if isinstance(error, UsageError) else UNUSABLE
