"""What a table is: named NumPy columns of one length."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np


class Column(NamedTuple):
    name: str
    dtype: str
    unit: str
    meaning: str
    null: Any = None  # the stored value that means "not known"; None where every row has one


class Table:
    """Named NumPy columns of one length: `table.ttl`, `len(table)`, `table[mask]`, `table.rows()`.

    The columns are the attributes. Of a `lazy` table, some rows of another for one, each is made when it is first asked
    for: a flow's few packets have more columns than rows, and most are never looked at.
    """

    __slots__ = ("__dict__", "__weakref__", "_make", "schema")

    def __init__(self, schema: tuple[Column, ...], columns: Mapping[str, np.ndarray]):
        self.schema = schema
        self._make: Callable[[str], np.ndarray] | None = None  # as long as a column may still be missing
        self.__dict__ = {column.name: columns[column.name] for column in schema}

    @classmethod
    def lazy(cls, schema: tuple[Column, ...], make: Callable[[str], np.ndarray]) -> Table:
        """`make` gives a column by its name, and always the same."""
        table = cls.__new__(cls)
        table.schema, table._make = schema, make
        return table

    @classmethod
    def empty(cls, schema: tuple[Column, ...]) -> Table:
        return cls(schema, {column.name: np.empty(0, column.dtype) for column in schema})

    @classmethod
    def of(cls, schema: tuple[Column, ...], rows: Iterable[Mapping[str, Any]]) -> Table:
        """From row mappings; a column that a row leaves out is null there."""
        rows = list(rows)
        columns = {}
        for column in schema:
            values = np.empty(len(rows), column.dtype)
            for i, row in enumerate(rows):
                value = row.get(column.name)
                values[i] = column.null if value is None else value
            columns[column.name] = values
        return cls(schema, columns)

    @classmethod
    def concat(cls, schema: tuple[Column, ...], tables: Iterable[Table]) -> Table:
        tables = list(tables)
        if not tables:
            return cls.empty(schema)
        if len(tables) == 1:
            return tables[0]
        return cls(schema, {c.name: np.concatenate([t.columns[c.name] for t in tables]) for c in schema})

    @classmethod
    def drain(cls, schema: tuple[Column, ...], tables: list[Table], *names: str) -> Table:
        """Concatenated and sorted by columns. `tables` are used up: of a million flows no column is held twice for long."""
        if len(tables) < 2:
            return cls.concat(schema, tables).sort(*names)
        order = np.lexsort([np.concatenate([t.columns[name] for t in tables]) for name in reversed(names)])
        columns, in_order = {}, _is_range(order)
        for column in schema:
            whole = np.concatenate([t.columns.pop(column.name) for t in tables])
            columns[column.name] = whole if in_order else whole[order]
        tables.clear()
        return cls(schema, columns)

    def __getattr__(self, name: str) -> np.ndarray:
        if self._make is None:
            raise AttributeError(f"no column {name!r}")
        column = self.__dict__[name] = self._make(name)
        return column

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """All columns by name; what is changed in it changes in the table."""
        if self._make is not None:
            self.__dict__ = {column.name: getattr(self, column.name) for column in self.schema}
            self._make = None
        return self.__dict__

    def made(self) -> Table:
        """This table with all its columns made: it holds nothing else in memory any more."""
        _ = self.columns
        return self

    def __reduce__(self):
        # Pickled by its parts: unpickling by slots would look up columns before there are any.
        return Table, (self.schema, self.columns)

    def __len__(self) -> int:
        return len(getattr(self, self.schema[0].name))

    def __getitem__(self, pick: np.ndarray | slice) -> Table:
        """Rows by mask, indices or slice, in the order asked; lazy, so that it may keep this table in memory."""
        if isinstance(pick, np.ndarray) and pick.dtype == bool:
            pick = np.flatnonzero(pick)
        return Table.lazy(self.schema, lambda name: getattr(self, name)[pick])

    def row(self, i: int) -> SimpleNamespace:
        """One row as Python values."""
        return _row_maker(tuple(self.columns))([values.item(i) for values in self.columns.values()])

    def rows(self) -> Iterator[SimpleNamespace]:
        """All rows as Python values; for small tables, never on the way of every packet."""
        # Whole columns become Python values at once, and tuples with names: fifty times quicker than value by value.
        values = zip(*(column.tolist() for column in self.columns.values()), strict=True)
        return cast("Iterator[SimpleNamespace]", map(_row_maker(tuple(self.columns)), values))

    def sort(self, *names: str) -> Table:
        order = np.lexsort([self.columns[name] for name in reversed(names)])
        return self if _is_range(order) else self[order]

    def to_pandas(self):
        """A pandas DataFrame: times as UTC timestamps, nulls as NA, meaning of each column in `attrs`."""
        import pandas as pd

        frame = {}
        for column in self.schema:
            values = self.columns[column.name]
            missing = np.zeros(len(values), bool) if column.null is None else values == column.null
            if column.unit == "time":
                series = pd.Series(pd.to_datetime(np.where(missing, 0, values), unit="ns", utc=True))
                frame[column.name] = series.mask(missing)
            elif column.null is not None and column.dtype != "f8":
                frame[column.name] = pd.Series(values).astype("Int64").mask(missing)
            else:
                frame[column.name] = pd.Series(values)
        table = pd.DataFrame(frame)
        table.attrs["columns"] = {c.name: f"{c.meaning} [{c.unit}]" if c.unit else c.meaning for c in self.schema}
        return table


def _is_range(order: np.ndarray) -> bool:
    return bool((np.diff(order) == 1).all())


@cache
def _row_maker(names: tuple[str, ...]) -> Callable[[Iterable], Any]:
    """A named tuple from values as many as names, unchecked: a third of the time of its `_make`."""
    return partial(tuple.__new__, namedtuple("Row", names))
