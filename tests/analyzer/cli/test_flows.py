"""`interference flows`: every conversation, for eyes and for pandas."""

from __future__ import annotations

import csv
import json

import pytest

import analyzer
import signatures
from tests.analyzer.cli.command import DEMO, call

FLOWS = analyzer.analyze(None, signatures.load()).flow_table


def test_a_line_for_each_conversation():
    ran = call("flows", DEMO)
    head, *lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert head.split()[:2] == ["FLOW", "STREAM"]
    assert [int(line.split()[0]) for line in lines] == FLOWS.flow.tolist()
    (reset,) = [line.split() for line in lines if line.split()[0] == "6"]
    assert {"web.whatsapp.com", "whatsapp/web", "rst_down", "157.240.0.60"} <= set(reset)


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_whole_tables_in_files(tmp_path, kind):
    file = tmp_path / f"flows.{kind}"
    ran = call("flows", DEMO, "-o", str(file))
    assert (ran.code, ran.out, ran.err) == (0, "", f"interference: {file} is written\n")
    rows = read(file)
    assert list(rows[0]) == [*(column.name for column in FLOWS.schema), "community_id", "ja3"]
    assert [int(row["flow"]) for row in rows] == FLOWS.flow.tolist()
    assert [row["sni"] or None for row in rows] == FLOWS.sni.tolist()
    never_closed = [row["fin_up"] or None for row, fin in zip(rows, FLOWS.fin_up.tolist(), strict=True) if fin < 0]
    assert never_closed == [None] * len(never_closed) != []  # missing is null, never a number


def read(file):
    if file.suffix == ".json":
        return json.loads(file.read_text())
    if file.suffix == ".csv":
        with file.open(newline="") as lines:
            return list(csv.DictReader(lines))
    return pytest.importorskip("pyarrow.parquet").read_table(file).to_pylist()


def test_who_captured_can_be_hidden(tmp_path):
    assert "10.0.0.2" in call("flows", DEMO).out
    ran = call("flows", DEMO, "--redact")
    assert "10.0.0.2" not in ran.out
    assert "web.whatsapp.com" in ran.out


def test_a_report_is_no_table(tmp_path):
    ran = call("flows", DEMO, "-o", str(tmp_path / "flows.html"))
    assert (ran.code, ran.out) == (2, "")
    assert "a table ends in .parquet, .csv or .json" in ran.err
