"""Answers of `interference` and `interference analyze`: what goes where, in which order, with which exit code."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from tests.analyzer.cli.command import DEMO, call, run

SCHEMA = json.loads((files("analyzer") / "data" / "result.schema.json").read_text("utf-8"))
HEADER = Path(DEMO).read_bytes()[:24]


@pytest.fixture
def quiet(tmp_path: Path) -> str:
    """A capture without packets."""
    path = tmp_path / "quiet.pcap"
    path.write_bytes(HEADER)
    return str(path)


def test_alone_it_introduces_itself_and_answers_the_example():
    ran = run()
    assert (ran.code, ran.err) == (0, "")
    introduction, _, answer = ran.out.partition("demo.pcap\n")
    assert len([line for line in introduction.splitlines() if line]) == 8
    assert "interference live" in introduction
    assert "Interference was found." in answer


def test_a_capture_alone_is_analysed():
    assert call(DEMO).out == call("analyze", DEMO).out == call("-r", DEMO).out == call("analyze", "-r", DEMO).out
    assert call("--json", DEMO).documents == call("analyze", DEMO, "--json").documents


def test_standard_input_is_a_capture():
    (piped,) = run("-", "--json", stdin=Path(DEMO).read_bytes()).documents
    (opened,) = call(DEMO, "--json").documents
    assert piped["capture"]["name"] == "standard input"
    assert piped["verdicts"] == opened["verdicts"]


def test_standard_input_among_others_and_several_processes():
    ran = run("--json", "--jobs", "2", DEMO, "-", DEMO, stdin=Path(DEMO).read_bytes())
    assert [document["capture"]["packets"] for document in ran.documents] == [456, 456, 456]


def test_json_keeps_its_contract(quiet, tmp_path):
    ran = call("--json", "--all", DEMO, quiet, str(tmp_path / "gone"))
    assert len(ran.documents) == 3
    for document in ran.documents:
        jsonschema.validate(document, SCHEMA)
    assert ran.out.isascii()  # nothing in it moves or hides in a terminal


def test_several_processes_answer_as_one_does(quiet, tmp_path):
    captures = (DEMO, quiet, str(tmp_path / "gone"), DEMO, quiet)
    alone, together = run("--json", *captures), run("--json", "--jobs", "3", *captures)
    assert together.out == alone.out
    assert together.err == alone.err
    assert together.code == alone.code == 3


@pytest.mark.parametrize(
    ("states", "code"), [("blocked", 1), ("likely_blocked,blocked", 1), ("throttled, down", 0), ("", 0)]
)
def test_fail_on(states, code):
    assert call(DEMO, "--fail-on", states).code == code


def test_an_unusable_capture_wins_over_a_state_that_was_found(tmp_path):
    assert call(str(tmp_path / "gone"), DEMO, "--fail-on", "blocked").code == 3
    assert call(DEMO, str(tmp_path / "gone"), "--fail-on", "blocked").code == 3


def test_a_target_alone():
    (document,) = call(DEMO, "--json", "--target", "telegram").documents
    assert [verdict["target"] for verdict in document["verdicts"]] == ["web.telegram.org"]
    assert call(DEMO, "--target", "telegram", "--fail-on", "blocked").code == 0


def test_a_target_of_no_known_service_is_answered_when_it_is_asked_for():
    assert "Working: 10.0.0.1" in call(DEMO, "--target", "10.0.0.1").out


def test_a_target_that_is_not_there_is_no_all_clear(quiet, tmp_path):
    ran = call(DEMO, "--target", "whatsap", "-o", str(tmp_path / "r.html"))
    assert ran.code == 2
    assert ran.out == ""
    assert "no verdict about 'whatsap' in this capture; did you mean 'whatsapp'" in ran.err
    assert not (tmp_path / "r.html").exists()
    (document,) = call(DEMO, "--json", "--target", "nobody.example").documents
    assert document["verdicts"] == []
    assert "no verdict about 'nobody.example'" in document["error"]
    assert call(quiet, DEMO, "--target", "whatsapp", "--fail-on", "blocked").code == 2
    assert call(DEMO, str(tmp_path / "gone"), "--target", "whatsap").code == 3


def test_help_shows_the_options_that_matter_and_whole_sentences():
    said = call("--help").out
    assert all(option in said for option in ("-o", "--json", "--lang", "--fail-on", "--target"))
    assert "..." not in said.split("Commands:")[1].split("Captures without")[0]


def test_files_of_the_same_name_are_told_apart(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "client.pcap").write_bytes(Path(DEMO).read_bytes())
    captures = [str(tmp_path / name / "client.pcap") for name in ("here", "there")]
    assert [d["capture"]["name"] for d in call("--json", *captures).documents] == [
        "here/client.pcap",
        "there/client.pcap",
    ]
    assert [d["capture"]["name"] for d in call("--json", "--redact", *captures).documents] == ["capture"] * 2
    assert call(captures[0]).out.startswith("client.pcap\n")


def test_a_rotated_capture_is_one(tmp_path):
    whole = Path(DEMO).read_bytes()
    middle = frame_at(whole, 200)
    parts = [tmp_path / "x.pcap10", tmp_path / "x.pcap9"]
    parts[0].write_bytes(HEADER + whole[middle:])
    parts[1].write_bytes(whole[:middle])
    (merged,) = call("--merge", "--json", *map(str, parts)).documents
    (opened,) = call("--json", DEMO).documents
    assert merged["verdicts"] == opened["verdicts"]  # frame numbers included
    assert merged["capture"]["name"] == "x.pcap9 and 1 more"
    assert len(call("--json", *map(str, parts)).documents) == 2


def test_a_rotated_capture_with_a_file_missing_is_unusable(tmp_path):
    ran = call("--merge", DEMO, str(tmp_path / "gone"))
    assert (ran.code, ran.err) == (3, "interference: demo.pcap: gone: there is no such file\n")


def test_languages_follow_one_another():
    out = call(DEMO, "--lang", "ru,en").out
    assert out.index("Вмешательство обнаружено.") < out.index("Interference was found.")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["analyze"], "which capture?"),
        (["analyze", "-", "-"], "standard input can be read only once"),
        (["--merge", "-", DEMO], "standard input"),
        ([DEMO, "--fail-on", "blokked"], "there is no state 'blokked'; there is blocked, "),
        ([DEMO, "--lang", "xx"], "no report in the language 'xx'"),
        ([DEMO, "--jobs", "0"], "--jobs"),
        ([DEMO, "--meta", "country"], "'country' is not KEY=VALUE"),
        ([DEMO, "--meta", "country=IR"], "--meta is for CSV and Parquet"),
        (["--no-such-option", DEMO], "--no-such-option"),
        (["anlyze", DEMO], "did you mean 'analyze'?"),
        ([DEMO, "--redact"], "--redact is for what leaves your hands"),
        ([DEMO, "-o", "a.json", "-o", "b.html"], "one report at a time"),
        ([DEMO, "-o", "a.html", "--full", "--redact"], "contradict each other"),
        (["nonsense"], "there is no command and no file 'nonsense'"),
        (["nonsense", "-o", "report.html"], "there is no command and no file 'nonsense'"),
    ],
)
def test_wrong_usage(arguments, why):
    ran = call(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err


def test_a_capture_may_be_called_like_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "analyse").write_bytes(HEADER)
    assert call("analyse").code == 0  # not taken for a slip of the pen


def test_answers_stand_apart():
    one = call(DEMO).out
    assert call(DEMO, DEMO).out == f"{one}\n{one}"


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["analyze", "--help"], ["live", "-h"], ["--version"]])
def test_help_and_version(words):
    ran = call(*words)
    assert (ran.code, ran.err) == (0, "")
    assert "interference" in ran.out


def frame_at(data: bytes, number: int) -> int:
    """Where the record of a frame begins in a little-endian pcap file."""
    at = 24
    for _ in range(number - 1):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
    return at
