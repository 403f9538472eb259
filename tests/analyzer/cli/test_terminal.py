"""What a person at a terminal sees, and what a pipe never does; and what Ctrl-C leaves."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from analyzer.cli import progress
from tests.analyzer.cli.command import DEMO, PROGRAM, ROOT, at_a_terminal

WHOLE = Path(DEMO).read_bytes()
PATIENCE_S = 60


def test_colour_at_a_terminal():
    code, shown = at_a_terminal(DEMO)
    assert code == 0
    assert "\x1b[1;31m" in shown  # bold red: blocked
    assert "Interference was found." in shown


def test_no_colour_where_it_is_not_wanted():
    _, shown = at_a_terminal(DEMO, env={"NO_COLOR": "1"})
    assert "\x1b[1;31m" not in shown and "\x1b[31m" not in shown
    assert "Interference was found." in shown


def test_nothing_is_waited_for_at_a_terminal():
    code, shown = at_a_terminal("-")
    assert code == 3
    assert "nothing is piped into standard input" in shown


def test_a_reader_that_goes_away_is_no_error():
    process = subprocess.Popen([*PROGRAM, DEMO, *[DEMO] * 50], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE_S) == -signal.SIGPIPE


@pytest.fixture
def waiting(request):
    """A program that has read what came through a pipe, and waits for more."""
    process = subprocess.Popen(
        [*PROGRAM, "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    process.stdin.write(request.param)
    process.stdin.flush()
    wait_until_it_sleeps(process.pid)
    yield process
    process.kill()
    process.wait()


def wait_until_it_sleeps(pid: int) -> None:
    """Until a program uses no more processor time: it has read what there is."""
    deadline, before = time.monotonic() + PATIENCE_S, -1
    while time.monotonic() < deadline:
        now = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        if now == before and now > 0:
            return
        before = now
        time.sleep(0.5)
    raise TimeoutError


@pytest.mark.parametrize("waiting", [b""], indirect=True)
def test_ctrl_c_ends_the_waiting_for_a_first_packet(waiting):
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=PATIENCE_S)
    assert (waiting.returncode, json.loads(out)["error"]) == (130, "interrupted before its first packet")
    assert err.startswith(b"interference: standard input: interrupted before its first packet\n")


@pytest.mark.parametrize("waiting", [WHOLE], indirect=True, ids=["demo"])
def test_ctrl_c_ends_the_reading_and_not_the_answer(waiting):
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=PATIENCE_S)
    document = json.loads(out)
    assert waiting.returncode == 130
    assert {v["target"]: v["state"] for v in document["verdicts"]}["web.whatsapp.com"] == "blocked"
    assert document["coverage"]["cut_at_byte"] == len(WHOLE)  # and the answer says how far it goes
    assert err == b"interference: interrupted: the answer is about what came up to then\n"


def wait_until_read(pipe: BinaryIO) -> None:
    """Until whoever reads a pipe has taken all that is in it."""
    deadline = time.monotonic() + PATIENCE_S
    while fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)) != bytes(4):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
    time.sleep(0.5)  # and asks for more


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("reaches", ["the program", "its whole group"])  # kill -INT, and Ctrl-C in a terminal
def test_ctrl_c_with_several_captures_keeps_what_was_found(tmp_path, jobs, reaches):
    fifo = tmp_path / "endless"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*PROGRAM, "--json", "--jobs", jobs, DEMO, str(fifo), DEMO, DEMO, DEMO, DEMO, DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    with fifo.open("wb") as endless:
        endless.write(WHOLE[:24])
        endless.flush()
        assert process.stdout is not None
        first = process.stdout.readline()
        wait_until_read(endless)
        (os.kill if reaches == "the program" else os.killpg)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert json.loads(first)["capture"]["packets"] == 456
    second, *ahead = map(json.loads, out.splitlines())
    assert (second["capture"]["name"], second["error"]) == ("endless", "interrupted before its first packet")
    assert len(ahead) < 5 if jobs == "2" else not ahead
    for document in ahead:  # begun by another process meanwhile: finished, or cut, and then it says so
        assert document["capture"]["packets"] == 456 or document["error"] or document["coverage"]["cut_at_byte"]
    assert process.returncode == 130
    assert err.endswith(b"interference: interrupted: the answer is about what came up to then\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_where_it_takes_a_while(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE_S", 0)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Progress(DEMO) as bar:
        bar(len(WHOLE) // 2)
    assert "demo.pcap" in terminal.getvalue()


@pytest.mark.parametrize("patience", [0, 60])
def test_no_progress_in_a_pipe_or_where_it_is_quick(monkeypatch, patience):
    stream = Terminal() if patience else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE_S", patience)
    with progress.Progress(DEMO) as bar:
        bar(len(WHOLE) // 2)
    assert stream.getvalue() == ""
