"""Any table as CSV, JSON or Parquet.

A spreadsheet runs a cell that begins like a formula, and the names in our cells are chosen by strangers: such a cell
gets an apostrophe in front, as OWASP advises ("CSV Injection"), and what cannot be seen is written as an escape.
Parquet is read by programs: there a name stands as the wire gave it.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from analyzer.report.escape import visible
from analyzer.report.moments import iso
from analyzer.tables import Column, Table

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four: their full-width forms


def writes(path: Path) -> bool:
    """Whether the file's suffix names a format that `write` knows."""
    return path.suffix.lower() in (".csv", ".json", ".parquet")


def write(table: Table, path: Path) -> None:
    """Write a table in the format that the file's suffix names.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    if path.suffix.lower() == ".parquet":
        write_parquet(table, path)
        return
    text = csv_text(table) if path.suffix.lower() == ".csv" else json_text(table)
    path.write_text(text, encoding="utf-8", newline="")


def json_text(table: Table) -> str:
    """A JSON array of rows, each on a line of its own; null is null, times are ISO 8601 in UTC."""
    cells = [[_json_value(column, value) for value in table.columns[column.name].tolist()] for column in table.schema]
    names = [column.name for column in table.schema]
    rows = (json.dumps(dict(zip(names, row, strict=True))) for row in zip(*cells, strict=True))
    return "[\n" + ",\n".join(rows) + "\n]\n"


def csv_text(table: Table) -> str:
    """RFC 4180 with a header line; null is an empty cell, times are ISO 8601 in UTC."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(cell(column.name) for column in table.schema)
    cells = [[_csv_value(column, value) for value in table.columns[column.name].tolist()] for column in table.schema]
    writer.writerows(zip(*cells, strict=True))
    return out.getvalue()


def cell(text: str) -> str:
    """Text that no spreadsheet takes for anything else."""
    shown = visible(text)
    return "'" + shown if shown.lstrip().startswith(FORMULA) else shown


def _csv_value(column: Column, value: Any) -> Any:
    if _missing(column, value):
        return ""
    if column.unit == "time":
        return iso(value) or ""
    return cell(_text(value)) if column.dtype == "O" else value


def _json_value(column: Column, value: Any) -> Any:
    if _missing(column, value):
        return None
    return iso(value) if column.unit == "time" else value


def write_parquet(table: Table, path: Path) -> None:
    """One Parquet file; column meanings and units go along as field metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    fields, arrays = [], []
    for column in table.schema:
        values = table.columns[column.name].tolist()
        kept = [None if _missing(column, value) else _arrow_value(column, value) for value in values]
        about = {"meaning": column.meaning, "unit": column.unit}
        fields.append(pa.field(column.name, _arrow_type(column, pa), metadata=about))
        arrays.append(pa.array(kept, fields[-1].type))
    parquet.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path)


def _arrow_type(column: Column, pa: Any) -> Any:
    if column.unit == "time":
        return pa.timestamp("ns", tz="UTC")
    named = {"O": pa.string(), "?": pa.bool_(), "f8": pa.float64(), "i8": pa.int64(), "i4": pa.int32()}
    return named.get(column.dtype, pa.int16())


def _arrow_value(column: Column, value: Any) -> Any:
    # a name may hold lone surrogates, which UTF-8 cannot carry
    return _text(value).encode("utf-8", "backslashreplace").decode() if column.dtype == "O" else value


def _text(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str)
    return str(value)


def _missing(column: Column, value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return column.null is not None and value == column.null


def texts(names: Iterable[str], meaning: str) -> tuple[Column, ...]:
    """Text columns of these names."""
    return tuple(Column(name, "O", "", meaning) for name in names)
