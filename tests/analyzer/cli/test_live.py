"""`interference live`: the same answer as the file that it keeps, on a network where resets really are forged."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import analyzer
import signatures
from analyzer import kernels
from analyzer.cli import live_view
from analyzer.cli.outlet import Manner
from tests.analyzer.cli import forged_reset
from tests.analyzer.cli.command import DEMO, ROOT, at_a_terminal, call
from tests.lab import namespace

OF_THE_FILE = ("name", "sha256", "format", "bytes")  # what a live capture cannot share with the file it keeps
LIVE_NEEDS = namespace.why_not()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """(exit code, live document, file that was kept, standard error)"""
    if LIVE_NEEDS:
        pytest.skip(LIVE_NEEDS)
    kept = tmp_path_factory.mktemp("live") / "kept.pcapng"
    done = subprocess.run(
        [sys.executable, "-m", forged_reset.HERE, str(kept)], capture_output=True, cwd=ROOT, timeout=300
    )
    assert done.stdout, done.stderr.decode()
    return done.returncode, json.loads(done.stdout), kept, done.stderr.decode()


def test_forged_resets_are_found_while_they_happen(played):
    _, document, _, _ = played
    by_target = {verdict["target"]: verdict for verdict in document["verdicts"]}
    cut = by_target[forged_reset.CUT]
    assert cut["state"] in ("blocked", "likely_blocked")
    assert {method["action"] for method in cut["methods"]} == {"rst"}
    assert by_target[forged_reset.FINE]["state"] == "ok"


def test_live_equals_offline(played):
    _, live, kept, _ = played
    (offline,) = call("--json", str(kept)).documents
    for document in (live, offline):
        for key in OF_THE_FILE:
            del document["capture"][key]
    drops = live["coverage"].pop("kernel_drops"), offline["coverage"].pop("kernel_drops")
    assert drops == (0, None)  # the capturing program knows them, and writes them into no pcap
    assert live == offline


def test_ctrl_c_ends_it_with_the_report(played):
    code, document, _, err = played
    assert code == 130
    assert document["coverage"]["cut_at_byte"] is None  # the capturing program delivered what it held
    assert err.endswith("interference: interrupted: the answer is about what came up to then\n")


@pytest.fixture(autouse=True)
def as_before():
    """A live capture switches to compiled kernels for good, and this process has other tests to run."""
    with kernels.forced("interpreted"):
        yield


@pytest.fixture
def capturing(tmp_path, monkeypatch):
    """Puts a program in the place of dumpcap; gives the function that says what it does."""

    def with_program(script: str) -> None:
        program = tmp_path / "bin" / "dumpcap"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return with_program


def test_every_packet_until_the_program_ends(capturing, tmp_path):
    capturing(f"cat {DEMO}")
    kept = tmp_path / "kept.pcapng"
    ran = call("live", "-i", "wlan0", "-w", str(kept), "--json")
    (live,), (demo,) = ran.documents, call("--json", DEMO).documents
    assert (ran.code, live["capture"]["name"]) == (0, "wlan0")
    assert live["verdicts"] == demo["verdicts"] == call("--json", str(kept)).documents[0]["verdicts"]


def test_a_number_of_packets(capturing, tmp_path):
    capturing(f"cat {DEMO}")
    kept = tmp_path / "kept.pcapng"
    (document,) = call("live", "-i", "wlan0", "-c", "37", "-w", str(kept), "--json").documents
    assert document["capture"]["packets"] == 37
    assert call("--json", str(kept)).documents[0]["capture"]["packets"] == 37


def test_a_number_of_seconds(capturing):
    capturing(f"cat {DEMO}; trap 'exit 0' INT; while :; do sleep 0.1; done")
    ran = call("live", "-i", "wlan0", "-d", "0.5", "--fail-on", "blocked")
    assert ran.code == 1
    assert "Interference was found." in ran.out
    assert "\x1b" not in ran.out + ran.err  # no running view without a terminal


def test_a_terminal_shows_how_it_stands(capturing):
    capturing(f"cat {DEMO}; sleep 2")
    code, shown = at_a_terminal("live", "-i", "wlan0")
    running, _, report = shown.partition("Interference was found.")
    assert code == 0
    assert "wlan0 · " in running and "456 packets" in running and "Blocked in part" in running
    assert "Ctrl-C ends the capture and gives the report." in running
    assert "Triggered by" in report and "Ctrl-C" not in report


def test_pictures_follow_packet_time_and_wait_while_answers_take_long(monkeypatch):
    now = 0.0
    monkeypatch.setattr(live_view.time, "monotonic", lambda: now)
    monkeypatch.setattr(live_view.sys, "stderr", SimpleNamespace(isatty=lambda: True))
    view = live_view.View("wlan0", Manner())
    tick = live_view.EVERY_NS
    assert [view.wants(clock) for clock in (0, tick - 1, tick, tick + 1)] == [True, False, True, False]
    now = 1.0  # the answer took a second
    view.update(analyzer.analyze(None, signatures.load()))
    assert not view.wants(2 * tick)
    now = 1.0 + live_view.REST
    assert view.wants(2 * tick)


def test_drops_of_the_kernel_are_said(capturing):
    summary = "Packets received/dropped on interface 'wlan0': 456/12 (pcap:12/dumpcap:0/flushed:0/ps_ifdrop:0) (97.4%)"
    capturing(f'cat {DEMO}; echo "{summary}" >&2')
    assert "The capturing program missed 12 packets." in call("live", "-i", "wlan0").out


NO_PERMISSION = """Capturing on 'wlan0'
dumpcap: You do not have permission to capture on device "wlan0".
(socket: Operation not permitted)
Please check to make sure you have sufficient permissions.

On Debian and Debian derivatives such as Ubuntu, if you have installed Wireshark from a package, try running
"""
NO_DEVICE = """Capturing on 'wlan0'
dumpcap: There is no device named "wlan0".
(No such device exists)
"""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            NO_PERMISSION,
            "there is no permission to capture on wlan0: try it as root (sudo), or let this user run dumpcap",
        ),
        (NO_DEVICE, 'cannot capture on wlan0: There is no device named "wlan0". (No such device exists)'),
        ("", "cannot capture on wlan0: dumpcap ended without a word"),
    ],
)
def test_one_clear_line_where_it_cannot_capture(capturing, tmp_path, said, line):
    (tmp_path / "said").write_text(said)
    capturing(f"cat {tmp_path / 'said'} >&2; exit 1")
    ran = call("live", "-i", "wlan0")
    assert (ran.code, ran.out, ran.err) == (3, "", f"interference: {line}\n")


def test_nothing_to_capture_with(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "scapy", None)
    ran = call("live", "-i", "wlan0")
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert "install dumpcap" in ran.err


def test_a_capture_is_never_written_over(capturing, tmp_path):
    capturing(f"cat {DEMO}")
    kept = tmp_path / "kept.pcapng"
    kept.write_bytes(Path(DEMO).read_bytes())
    ran = call("live", "-i", "wlan0", "-w", str(kept))
    assert (ran.code, ran.out) == (2, "")
    assert "a capture is never written over" in ran.err
    assert kept.read_bytes() == Path(DEMO).read_bytes()


@pytest.mark.parametrize("arguments", [["-w", "no/such/folder/x.pcapng"], ["-o", "report.txt"], ["-c", "0"], []])
def test_wrong_usage(capturing, tmp_path, monkeypatch, arguments):
    capturing(f"cat {DEMO}")
    monkeypatch.chdir(tmp_path)
    interface = ["-i", "wlan0"] if arguments else []
    assert call("live", *interface, *arguments).code == 2
