"""Reports into files: every format, and never over a capture."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.analyzer.cli.command import DEMO, PROGRAM, ROOT, call


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return Path(shutil.copy(DEMO, tmp_path / "mine.pcap"))


def test_words_go_into_the_file_instead_of_the_terminal(capture, tmp_path):
    file = tmp_path / "report.md"
    ran = call(str(capture), "-o", str(file))
    assert (ran.code, ran.out, ran.err) == (0, "", f"interference: {file} is written\n")
    text = file.read_text()
    assert "Interference was found." in text
    assert "10.0.0.2" not in text and "mine.pcap" not in text  # safe to forward unless asked
    call(str(capture), "-o", str(file), "--full")
    assert "10.0.0.2" in file.read_text() and "mine.pcap" in file.read_text()


def test_json_on_the_terminal_and_a_report_beside_it(capture, tmp_path):
    ran = call(str(capture), "--json", "-o", str(tmp_path / "report.json"))
    assert json.loads((tmp_path / "report.json").read_text()) == ran.documents[0]


def test_several_captures_in_one_table(capture, tmp_path):
    file = tmp_path / "verdicts.csv"
    ran = call(str(capture), str(tmp_path / "gone"), "-o", str(file), "--meta", "country=IR", "--redact")
    assert ran.code == 3
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["country"] for row in rows} == {"IR"}
    assert [row["target"] for row in rows if row["state"] == "blocked"] == ["web.whatsapp.com"]
    assert rows[-1]["error"] == "there is no such file"
    assert "mine.pcap" not in file.read_text()


def test_parquet_has_the_same_rows(capture, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    call(str(capture), "-o", str(tmp_path / "v.parquet"), "--meta", "country=IR")
    table = parquet.read_table(tmp_path / "v.parquet").to_pylist()
    assert [row["target"] for row in table if row["state"] == "blocked"] == ["web.whatsapp.com"]
    assert {row["country"] for row in table} == {"IR"}


def test_a_report_is_written_over_a_report(capture, tmp_path):
    file = tmp_path / "report.md"
    file.write_text("old")
    assert call(str(capture), "-o", str(file)).code == 0
    assert file.read_text() != "old"


@pytest.mark.parametrize("way", ["itself", "symlink", "hardlink", "other_spelling"])
@pytest.mark.parametrize("command", ["analyze", "flows"])
def test_never_over_the_capture(capture, tmp_path, monkeypatch, way, command):
    before = capture.read_bytes()
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "out.csv"
    if way == "symlink":
        file.symlink_to(capture)
    elif way == "hardlink":
        os.link(capture, file)
    else:
        file = capture if way == "itself" else Path("./mine.pcap")
    ran = call(command, str(capture), "-o", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert "a capture is never written over" in ran.err
    assert capture.read_bytes() == before


def test_not_over_a_capture_that_comes_second_either(capture):
    assert call(DEMO, str(capture), "-o", str(capture)).code == 2


@pytest.mark.parametrize("file", ["report.txt", "report", "no/such/folder/report.md", "."])
def test_where_no_report_can_be_written(capture, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    ran = call(str(capture), "-o", file)
    assert (ran.code, ran.out) == (2, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.pcap"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [[DEMO], [DEMO, "--json"], ["rules"]])
def test_where_nothing_can_be_written_one_line_says_so(arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr == b"interference: the answer cannot be written: No space left on device\n"


def test_nothing_is_reported_on_no_capture(tmp_path):
    report, table = tmp_path / "report.html", tmp_path / "table.csv"
    ran = call(str(tmp_path / "gone.pcap"), "-o", str(report))
    assert (ran.code, report.exists()) == (3, False)
    assert ran.err.splitlines()[1:] == [f"interference: {report} is not written: there is nothing to report"]
    assert call(str(tmp_path / "gone.pcap"), "-o", str(table)).code == 3
    assert "there is no such file" in table.read_text()
