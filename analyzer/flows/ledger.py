"""Rows of integers that are written one by one while packets pass, kept flat: eight bytes a value, no object per row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from analyzer.tables import Column, Table


class Ledger:
    """A table that grows, up to `most` rows. All its columns are whole numbers or truth values."""

    def __init__(self, schema: tuple[Column, ...], most: int):
        self.schema, self.most = schema, most
        self.full = False  # a row was refused
        self._values = array("q")
        self._place = {column.name: i for i, column in enumerate(schema)}

    def __len__(self) -> int:
        return len(self._values) // len(self.schema)

    def add(self, values: Iterable[int]) -> int:
        """Enter a row, its values in the schema's order, and give its number; -1 when there is no more room."""
        number = len(self)
        if number >= self.most:
            self.full = True
            return -1
        self._values.extend(values)
        assert len(self._values) == (number + 1) * len(self.schema)
        return number

    def get(self, row: int, name: str) -> int:
        return self._values[row * len(self.schema) + self._place[name]]

    def put(self, row: int, name: str, value: int) -> None:
        self._values[row * len(self.schema) + self._place[name]] = value

    def table(self) -> Table:
        """What was entered so far, as a copy."""
        values = np.array(self._values, np.int64).reshape(-1, len(self.schema))
        return Table(self.schema, {c.name: values[:, i].astype(c.dtype) for i, c in enumerate(self.schema)})
