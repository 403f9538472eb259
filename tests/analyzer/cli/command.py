"""Runs the command line: in this process where that is enough, else as a program of its own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from analyzer.api import demo_capture
from analyzer.cli.commands import app

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "analyzer")
DEMO = str(demo_capture())


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def call(*arguments: str, stdin: bytes | None = None) -> Ran:
    """In this process, without a terminal."""
    done = CliRunner().invoke(app, arguments, input=stdin, prog_name="interference")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


def run(*arguments: str, stdin: bytes = b"") -> Ran:
    """As a program, its streams being pipes."""
    done = subprocess.run([*PROGRAM, *arguments], input=stdin, capture_output=True, cwd=ROOT, check=False, timeout=120)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def at_a_terminal(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code, and what came on the terminal that is all three streams of the program."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execvpe(PROGRAM[0], [*PROGRAM, *arguments], {**os.environ, "TERM": "xterm", **(env or {})})
    shown = b""
    while True:
        try:
            more = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            break
        if not more:
            break
        shown += more
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode()
