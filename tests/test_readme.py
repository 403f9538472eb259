"""What README.md shows is what the program does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.cli.commands import COMMANDS
from analyzer.signature import ACTIONS, POSITIONS, TRIGGERS

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text("utf-8")
SHOWN = [line.removeprefix("    ").rstrip() for line in README.splitlines() if line.startswith("    ") or not line]


def test_the_sample_is_what_is_printed():
    command = "interference analyzer/data/demo.pcap"
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    arguments = [sys.executable, "-m", "analyzer", *command.split()[1:]]
    printed = subprocess.run(arguments, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    begin = SHOWN.index(f"$ {command}") + 1
    assert SHOWN[begin : begin + len(lines)] == lines


@pytest.mark.parametrize(
    "command", sorted({line.split()[1] for line in SHOWN if re.match(r"interference [a-z]+( |$)", line)})
)
def test_every_command_in_it_is_there(command: str):
    assert command in COMMANDS


def test_every_value_of_the_axes_is_explained():
    for value in (*TRIGGERS, *ACTIONS, *POSITIONS):
        assert f"`{value}`" in README


def test_every_file_that_it_points_to_is_there():
    places = re.findall(r"\]\(([^)]+)\)", README)
    assert places
    for place in places:
        assert (PROJECT / place).exists(), place
