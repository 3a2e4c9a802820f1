"""Ambiguous matrices: the readings are shown, with the text to type for each."""

import re
from collections.abc import Sequence

from cnncli.errors import CnncliError
from cnncli.filters.entry import read_number

Rows = list[list[str]]
_MAX_LENGTH = 160  # characters of a matrix in a hint


def separator_readings(rows: Sequence[str]) -> list[Rows | None]:
    """Possible readings of rows with both commas and spaces between numbers: ``1 1 1, 1 1 1, 1 1 1``.

    Parameters
    ----------
    rows : sequence of str
        The text between ``;`` or line ends.
    """
    return [_by_commas(rows), _by_spaces(rows), _decimal_commas(rows), [_numbers(row) for row in rows]]


def line_readings(lines: Sequence[str]) -> list[Rows | None]:
    """Possible readings of several lines with ``;`` inside: it ends rows, or separates columns."""
    parts = [line.removesuffix(";").split(";") for line in lines]
    ended = [_numbers(part) for line in parts for part in line]
    beside = [[number for part in line for number in _numbers(part)] for line in parts]
    return [ended, beside]


def ask(found: Sequence[Rows | None], what: str) -> None:
    """Refuse an ambiguous matrix.

    Parameters
    ----------
    found : sequence of rows or None
        Possible readings; those that are not a matrix of numbers are ignored.
    what : str
        What makes it ambiguous.

    Raises
    ------
    CnncliError
        If there are two readings or more; the hint has the text to type for each.
    """
    readings: dict[str, str] = {}
    for rows in found:
        if rows and len({len(row) for row in rows}) == 1 and all(map(_are_numbers, rows)):
            readings.setdefault("; ".join(" ".join(row) for row in rows), f"{len(rows[0])}x{len(rows)}")
    if len(readings) < 2:
        return
    hints = [f"'{text}' for {size}" for text, size in readings.items() if len(text) <= _MAX_LENGTH]
    raise CnncliError(
        f"{what}, which can mean {' or '.join(readings.values())} (columns x rows); expected one meaning",
        f"Write {', or '.join(hints)}." if hints else "Write blanks between numbers, and ';' between rows.",
    )


def _are_numbers(row: list[str]) -> bool:
    return all(read_number(cell) is not None for cell in row)


def _by_commas(rows: Sequence[str]) -> Rows | None:
    """One line whose commas end rows."""
    return [part.split() for part in rows[0].split(",")] if len(rows) == 1 else None


def _by_spaces(rows: Sequence[str]) -> Rows | None:
    """One line whose spaces end rows, as in ``0,-1,0 -1,5,-1 0,-1,0``."""
    if len(rows) > 1:
        return None
    return [re.split(r"\s*,\s*", part) for part in re.split(r"(?<![\s,])\s+(?![\s,])", rows[0].strip())]


def _decimal_commas(rows: Sequence[str]) -> Rows | None:
    """Numbers separated by spaces, some of them with decimal commas."""
    cells = [row.split() for row in rows]
    whole = all(re.fullmatch(r"[+-]?\d+(,\d+)?", cell) for row in cells for cell in row)
    return [[cell.replace(",", ".") for cell in row] for row in cells] if whole else None


def _numbers(text: str) -> list[str]:
    return re.split(r"\s*,\s*|\s+", text.strip())
