"""What the columns of a table hold, counted in one pass: rows, distinct values, numbers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from cnncli.data.classes import is_missing
from cnncli.data.sheet import Row

_MOST = 100_000  # distinct values that are kept for a column: no dataset has so many classes
_SAMPLE = 50  # first rows that are kept complete
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite decimal number."""
    return _NUMBER.fullmatch(cell) is not None


def fitted(row: Row, width: int) -> Row | None:
    """A row as wide as the first: empty cells are added or removed. None where extra cells hold values."""
    if any(row[width:]):
        return None
    return row[:width] + [""] * (width - len(row))


@dataclass
class ColumnValues:
    """Counts of a table's rows.

    Attributes
    ----------
    width : int
        Columns of the first row.
    rows : int
        Rows that are as wide as the first.
    values : list of dict
        For each column, how often each distinct value occurs, without missing values. Only the first 100,000
        distinct values are counted.
    sample : list of list of str
        The first rows.
    """

    width: int
    rows: int = 0
    values: list[dict[str, int]] = field(default_factory=list)
    sample: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count a row; one that is wider than the first is ignored."""
        cells = fitted(row, self.width)
        if cells is None:
            return
        self.rows += 1
        if len(self.sample) < _SAMPLE:
            self.sample.append(cells)
        for cell, counts in zip(cells, self.values, strict=True):
            if not is_missing(cell) and (cell in counts or len(counts) < _MOST):
                counts[cell] = counts.get(cell, 0) + 1

    def present(self, at: int) -> int:
        """Rows in which a column has a value."""
        return sum(self.values[at].values())

    def is_unique(self, at: int) -> bool:
        """Whether each of several rows has a different value, as file names and row numbers do."""
        return 1 < len(self.values[at]) == self.present(at) or len(self.values[at]) == _MOST

    def are_numbers(self, at: int) -> bool:
        """Whether all values of a column are numbers."""
        return bool(self.values[at]) and all(map(is_number, self.values[at]))


def column_values(rows: Iterable[tuple[int, Row]], width: int, *, skip: int) -> ColumnValues:
    """Count the rows of a table after the first ``skip``."""
    values = ColumnValues(width, values=[{} for _ in range(width)])
    for _, row in islice(rows, skip, None):
        values.add(row)
    return values
