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
