"""Small captures are answered about as fast as tshark prints them: nothing is imported that is not needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest

from tests.analyzer.cli.command import DEMO, PROGRAM, ROOT

AT_MOST = 4  # times as long as `tshark -V`
ROUNDS = 9  # the least of them counts: other work on the machine only ever adds
HEAVY = {"dask", "jinja2", "matplotlib", "numba", "pandas", "pyarrow", "pyshark", "rich", "scapy", "scipy"}


def imported(*arguments: str) -> set[str]:
    """Packages that a run of the command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], *arguments],
        capture_output=True,
        cwd=ROOT,
        check=True,
        text=True,
    )
    modules = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {module.partition(".")[0] for module in modules}


def test_json_needs_nothing_heavy():
    packages = imported("analyze", DEMO, "--json")
    assert {"numpy", "typer", "signatures"} <= packages
    assert not packages & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["analyze", "--help"], ["--version"]])
def test_help_needs_nothing_heavy(arguments):
    assert not imported(*arguments) & HEAVY


def test_words_need_rich_alone():
    assert imported(DEMO) & HEAVY == {"rich"}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_a_small_capture_takes_at_most_four_times_as_long_as_tshark():
    commands = {"ours": [*PROGRAM, "analyze", DEMO, "--json"], "tshark": ["tshark", "-n", "-r", DEMO, "-V"]}
    took = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):  # interleaved, so that both meet the same machine
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
            took[name] = min(took[name], time.perf_counter() - began)
    assert took["ours"] <= AT_MOST * took["tshark"], took
