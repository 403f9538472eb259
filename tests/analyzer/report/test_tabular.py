"""The flat table: a row per method, in CSV that no spreadsheet runs, and in Parquet with its types."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from analyzer.errors import UsageError
from analyzer.report import flat, render, tabular, write
from tests.analyzer.report import results


def rows(*given, **options) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(given, "csv", **options), newline="")))


def test_a_row_is_a_method_and_every_capture_has_one():
    twice = results.blocked(methods=(results.forged_reset(), results.forged_reset()))
    found = rows(results.result(twice, results.works()), results.empty(), results.unusable())
    assert [(row["target"], row["state"]) for row in found] == [
        ("web.whatsapp.com", "blocked"), ("web.whatsapp.com", "blocked"), ("chat.signal.org", "ok"), ("", ""), ("", ""),
    ]  # fmt: skip
    assert found[0]["rules"] == "rst.server_talks_on,sni.name_effect"
    assert found[-1]["error"] == "not a capture (at byte 0)"


def test_times_and_nulls():
    first, second = rows(results.result(results.blocked(), results.works()))
    assert first["onset"] == "2026-02-12T13:59:55.123456789Z"
    assert (second["onset"], second["rate_kbps"], second["first_frame"], second["action"]) == ("", "", "", "")


def test_meta_columns_stand_in_every_row_and_take_no_name_of_ours():
    found = rows(results.whole(), results.empty(), meta={"country": "XX", "=campaign": "=1+1"})
    assert {(row["country"], row["'=campaign"]) for row in found} == {("XX", "'=1+1")}
    with pytest.raises(UsageError, match="state"):
        flat.table([results.whole()], meta={"state": "x"})


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "\u202e=1"])
def test_no_cell_begins_like_a_formula(text):
    shown = tabular.cell(text)
    assert shown[0] not in "=+-@\t\r＝＋－＠" and shown.strip()[0] not in "=+-@＝＋－＠"


def test_hostile_names_neither_break_rows_nor_move_the_terminal():
    text = render([results.hostile()], "csv")
    assert all(char.isprintable() or char in "\r\n" for char in text)
    assert len(rows(results.hostile())) == len(results.HOSTILE) == text.count("\r\n") - 1


def test_parquet_has_types_even_where_all_is_null(tmp_path):
    path = tmp_path / "verdicts.parquet"
    write([results.empty(), results.unusable()], path, meta={"country": "XX"})
    table = parquet.read_table(path)
    assert table.schema.field("onset").type == pa.timestamp("ns", tz="UTC")
    assert table.schema.field("target").type == pa.string()
    assert table.schema.field("attempts").type == pa.int64()
    assert table.column("rate_kbps").to_pylist() == [None, None]
    assert table.column("country").to_pylist() == ["XX", "XX"]
    assert table.schema.field("onset").metadata[b"unit"] == b"time"


def test_parquet_and_csv_say_the_same(tmp_path):
    path = tmp_path / "verdicts.parquet"
    write([results.whole()], path)
    table = parquet.read_table(path).to_pylist()
    found = rows(results.whole())
    for name in ("capture", "target", "state", "trigger_detail", "rules"):
        assert [row[name] or "" for row in table] == [row[name] for row in found]
    assert [row["attempts"] for row in table] == [int(row["attempts"]) for row in found]


def test_names_that_are_no_utf8_are_still_written(tmp_path):
    path = tmp_path / "verdicts.parquet"
    write([results.result(results.blocked("a\udcff.example"))], path)
    assert parquet.read_table(path).column("target").to_pylist() == ["a\\udcff.example"]
