"""What README.md shows is what the program does. `python -m tests.test_readme` puts the sample of today into it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.cli.commands import COMMANDS
from analyzer.signature import ACTIONS, POSITIONS, TRIGGERS

PROJECT = Path(__file__).resolve().parents[1]
README = PROJECT / "README.md"
TEXT = README.read_text("utf-8")
COMMAND = "interference analyzer/data/demo.pcap"
SAMPLE = re.compile(rf"    \$ {COMMAND}\n(?:    .*\n|\n(?=    ))+")


def sample() -> str:
    """The command and what it prints on a terminal of 100 columns, indented as code."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    arguments = [sys.executable, "-m", "analyzer", *COMMAND.split()[1:]]
    printed = subprocess.run(arguments, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout
    return "".join(f"    {line}".rstrip() + "\n" for line in (f"$ {COMMAND}", *printed.strip().splitlines()))


def test_the_sample_is_what_is_printed():
    assert SAMPLE.findall(TEXT) == [sample()]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^    interference ([a-z]+)(?: |$)", TEXT, re.MULTILINE))))
def test_every_command_in_it_is_there(command: str):
    assert command in COMMANDS


def test_every_value_of_the_axes_is_explained():
    for value in (*TRIGGERS, *ACTIONS, *POSITIONS):
        assert f"`{value}`" in TEXT


def test_every_file_that_it_points_to_is_there():
    places = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert places
    for place in places:
        assert (PROJECT / place).exists(), place


if __name__ == "__main__":
    README.write_text(SAMPLE.sub(lambda _: sample(), TEXT), "utf-8")
