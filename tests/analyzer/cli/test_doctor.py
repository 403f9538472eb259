"""`interference doctor`: what is here, what is missing, and whether the answer to the example is right."""

from __future__ import annotations

import json

import analyzer
from analyzer import api
from analyzer.cli import doctor
from tests.analyzer.cli.command import call


def test_what_is_installed():
    ran = call("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert analyzer.__version__ in ran.out and "numpy 2." in ran.out


def test_what_is_missing_is_said_with_what_it_is_for(monkeypatch):
    monkeypatch.setenv("PATH", "")
    ran = call("doctor")
    assert ran.code == 0
    assert "not installed; it is wanted for full dissection" in ran.out


def test_the_example_is_answered_in_both_forms():
    ran = call("doctor", "--selftest")
    assert ran.code == 0
    assert ran.out.count("the example is answered as it should be") == 2


def test_a_wrong_answer_is_noticed(monkeypatch, tmp_path):
    expected = json.loads(api.demo_capture().with_name("demo.expected.json").read_text())
    expected["verdicts"][0]["state"] = "ok"
    (tmp_path / "demo.expected.json").write_text(json.dumps(expected))
    (tmp_path / "demo.pcap").write_bytes(api.demo_capture().read_bytes())
    monkeypatch.setattr(api, "demo_capture", lambda: tmp_path / "demo.pcap")
    ran = call("doctor", "--selftest")
    assert ran.code == 3
    assert "NOT answered as it should be" in ran.out


def test_agreeing_is_not_equality_but_nothing_may_be_missing():
    assert doctor._agrees({"a": 1, "b": 2}, {"a": 1})
    assert not doctor._agrees({"a": 1}, {"a": 1, "b": 2})
    assert not doctor._agrees([1, 2], [1])
    assert not doctor._agrees([{"a": 1}], [{"a": 2}])
