"""The command line. Commands assemble what the other rooms offer and compute nothing themselves.

One module per command (or closely related group); `commands` knows them by name and imports a module when its command
is called. Exit codes are a contract: 0 analysed, 1 a state named by `--fail-on` was found, 2 wrong usage, 3 a capture
is unusable (3 wins over 1), 130 after Ctrl-C.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import traceback
from typing import NoReturn

SELDOM = 100_000  # objects made between two searches for cycles: nearly all that an analysis makes lives to its end

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what writing to standard output may end with


def main() -> None:
    """Entry point of `interference`."""
    gc.set_threshold(SELDOM, 50, 50)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `interference ... | head` ends silently, like any Unix tool
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names from the wire meet terminals that are not UTF-8
    from analyzer.cli.commands import app
    from analyzer.cli.exits import UNUSABLE, USAGE

    try:
        try:
            app(prog_name="interference")
        finally:
            sys.stdout.flush()
            gc.freeze()  # Python would search all there is for cycles once more as it ends
    except OSError as error:
        if error.errno not in UNWRITABLE:
            _report_bug(UNUSABLE)
        from analyzer.cli.messages import complain

        complain(f"the answer cannot be written: {os.strerror(error.errno or 0)}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python tries the rest once more as it ends
        sys.exit(USAGE)
    except Exception:
        _report_bug(UNUSABLE)


def _report_bug(code: int) -> NoReturn:
    """Python would end with 1, and 1 means that interference was found."""
    traceback.print_exc()
    sys.exit(code)
