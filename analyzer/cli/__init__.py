"""The command line. Commands assemble what the other rooms offer and compute nothing themselves.

One module per command (or closely related group); `commands` knows them by name and imports a module when its command
is called. Exit codes are a contract: 0 analysed, 1 a state named by `--fail-on` was found, 2 wrong usage, 3 a capture
is unusable (3 wins over 1), 130 after Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
import traceback


def main() -> None:
    """Entry point of `interference`."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `interference ... | head` ends silently, like any Unix tool
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names from the wire meet terminals that are not UTF-8
    from analyzer.cli.commands import app
    from analyzer.cli.exits import UNUSABLE

    try:
        app(prog_name="interference")
    except Exception:
        # A bug. Python would end with 1, and 1 means that interference was found.
        traceback.print_exc()
        sys.exit(UNUSABLE)
