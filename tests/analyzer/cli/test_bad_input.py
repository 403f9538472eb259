"""What cannot be analysed gets one clear line and exit code 3, and nothing of the user's is changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.analyzer.cli.command import DEMO, Ran, call, run

HEADER = Path(DEMO).read_bytes()[:24]
HUGE = struct.pack("<IIII", 1_700_000_000, 0, 0xFFFFFFFF, 0xFFFFFFFF)  # a record of 4 GiB
BAD = {  # name -> (bytes, what the line says)
    "empty.pcap": (b"", "the file is empty"),
    "photo.jpg": (
        b"\xff\xd8\xff\xe0" + bytes(300),
        "not a packet capture: it begins with ff d8 ff e0 (a JPEG picture?)",
    ),
    "cut.pcap": (HEADER[:20], "the file ends before its header does (at byte 20)"),
    "huge.pcap": (HEADER + HUGE + bytes(99), "a packet of 4294967295 bytes: the file is damaged (at byte 24)"),
    "saved.html": (b"<html><body>404</body></html>", "begins with 3c 68 74 6d (XML or HTML"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Bad captures; afterwards they must be what they were, and nothing must have come to them."""
    for name, (data, _) in BAD.items():
        (tmp_path / name).write_bytes(data)
    before = state(tmp_path)
    yield tmp_path
    assert state(tmp_path) == before


def state(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.is_file()
    }


def says(ran: Ran, given: Path, why: str) -> bool:
    """One line on standard error, with the path as it was given, and nothing on standard output."""
    return (
        ran.out == "" and ran.err.count("\n") == 1 and ran.err.startswith(f"interference: {given}: ") and why in ran.err
    )


@pytest.mark.parametrize("name", BAD)
def test_one_clear_line(folder, name):
    ran = call("analyze", str(folder / name))
    assert says(ran, folder / name, BAD[name][1]), ran
    assert ran.code == 3


@pytest.mark.parametrize("name", BAD)
def test_an_object_with_the_error_under_json(folder, name):
    ran = call("analyze", "--json", str(folder / name))
    (document,) = ran.documents
    assert BAD[name][1] in document["error"]
    assert (document["capture"]["name"], document["verdicts"], ran.code) == (name, [], 3)
    assert document["network"] == {"state": "unknown", "why": "nothing_captured"}


def test_a_missing_file(tmp_path):
    ran = call("analyze", str(tmp_path / "gone.pcap"))
    assert says(ran, tmp_path / "gone.pcap", "there is no such file")
    assert ran.code == 3


def test_a_directory_is_refused(folder):
    ran = call("analyze", str(folder))
    assert says(ran, folder, "it is a directory, not a capture")
    assert ran.code == 3


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, so it steps down for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission():
    call("analyze", DEMO)  # everything is imported by somebody who may read it
    with tempfile.TemporaryDirectory() as folder:  # not `tmp_path`, into which nobody may look
        path = Path(folder, "secret.pcap")
        path.write_bytes(HEADER)
        path.chmod(0)
        os.chmod(folder, 0o755)
        with as_nobody():
            ran = call("analyze", str(path))
    assert says(ran, path, "there is no permission to read it")
    assert ran.code == 3


def test_a_header_without_packets_is_no_error(tmp_path):
    path = tmp_path / "quiet.pcap"
    path.write_bytes(HEADER)
    ran = call("analyze", str(path))
    assert ran.code == 0
    assert "Nothing was captured" in ran.out
    assert ran.err == ""
    (document,) = call("analyze", "--json", str(path)).documents
    assert (document["error"], document["capture"]["packets"]) == (None, 0)


def test_damage_further_on_is_said_with_its_place(tmp_path):
    whole = Path(DEMO).read_bytes()
    path = tmp_path / "damaged.pcap"
    first = 24 + 16 + int.from_bytes(whole[32:36], "little")
    path.write_bytes(whole[:first] + HUGE + bytes(99))
    ran = call("analyze", "--json", str(path))
    (document,) = ran.documents
    assert (ran.code, document["error"], document["capture"]["packets"]) == (0, None, 1)
    assert document["coverage"]["cut_at_byte"] == first


def test_the_others_are_still_analysed_and_come_in_order(folder):
    ran = call("analyze", "--json", DEMO, str(folder / "photo.jpg"), DEMO)
    assert [document["capture"]["name"] for document in ran.documents] == ["demo.pcap", "photo.jpg", "demo.pcap"]
    assert [document["error"] is None for document in ran.documents] == [True, False, True]
    assert ran.code == 3


def test_names_of_files_are_shown_escaped(tmp_path):
    ran = call("analyze", str(tmp_path / "a\x1b[31m\nb"))
    assert ran.err == f"interference: {tmp_path}/a\\x1b[31m\\x0ab: there is no such file\n"


@pytest.mark.parametrize("command", ["flows", "inspect"])
def test_other_commands_say_it_alike(folder, command):
    ran = call(command, str(folder / "photo.jpg"), *(["--flow", "0"] if command == "inspect" else []))
    assert (ran.code, ran.out) == (3, "")
    assert "a JPEG picture?" in ran.err


def test_nothing_piped_in():
    ran = run("-")
    assert (ran.code, ran.err) == (3, "interference: standard input: the file is empty\n")
