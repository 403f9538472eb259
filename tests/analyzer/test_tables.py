"""What every table can do."""

from __future__ import annotations

import pickle

import pytest

from analyzer.tables import WITNESSES, Table


def test_a_table_goes_to_another_process_and_back():
    table = Table.of(WITNESSES, [{"evidence": 1, "frame": 15, "role": "forged"}])
    copy = pickle.loads(pickle.dumps(table))
    assert copy.schema == WITNESSES
    assert [row._asdict() for row in copy.rows()] == [{"evidence": 1, "frame": 15, "role": "forged"}]


def test_what_is_no_column_is_no_attribute():
    with pytest.raises(AttributeError, match="no column 'ttl'"):
        _ = Table.empty(WITNESSES).ttl


def test_draining_concatenates_sorts_and_uses_up():
    rows = [{"evidence": e, "frame": f, "role": "forged"} for e, f in ((2, 9), (1, 7), (1, 3))]
    parts = [Table.of(WITNESSES, rows[:2]), Table.empty(WITNESSES), Table.of(WITNESSES, rows[2:])]
    whole = Table.concat(WITNESSES, parts).sort("evidence", "frame")
    assert [row.frame for row in whole.rows()] == [3, 7, 9]
    assert list(Table.drain(WITNESSES, parts, "evidence", "frame").rows()) == list(whole.rows())
    assert parts == []


def test_one_row_is_like_all_rows():
    table = Table.of(WITNESSES, [{"evidence": 1, "frame": 15, "role": None}])
    assert table.row(0) == next(table.rows())
    assert type(table.row(0).frame) is int
