"""Lines for the person at the terminal, on standard error: results alone go to standard output."""

from __future__ import annotations

import sys


def complain(*said: str) -> None:
    """One line. File names are as hostile as anything else, so each part is escaped."""
    from analyzer.report.escape import visible

    print("interference", *map(visible, said), sep=": ", file=sys.stderr, flush=True)
