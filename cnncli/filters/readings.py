"""Matrices that could be read in two ways: both are shown, with the text to type for each."""

import re
from collections.abc import Sequence

from cnncli.errors import CnncliError
from cnncli.filters.entry import read_number

Rows = list[list[str]]
_LONGEST = 160  # characters of a matrix that is written out


def separator_readings(rows: Sequence[str]) -> list[Rows | None]:
    """What rows with both commas and blanks between numbers may be: ``1 1 1, 1 1 1, 1 1 1``.

    Parameters
    ----------
    rows : sequence of str
        As they are between ``;`` or lines.
    """
    return [_by_commas(rows), _by_blanks(rows), _decimal_commas(rows), [_numbers(row) for row in rows]]


def line_readings(lines: Sequence[str]) -> list[Rows | None]:
    """What several lines with ``;`` inside may be: it ends rows, or stands between columns."""
    parts = [line.removesuffix(";").split(";") for line in lines]
    ended = [_numbers(part) for line in parts for part in line]
    beside = [[number for part in line for number in _numbers(part)] for line in parts]
    return [ended, beside]


def ask(found: Sequence[Rows | None], what: str) -> None:
    """Refuse a matrix that can be read in two ways.

    Parameters
    ----------
    found : sequence of rows or None
        What it may be; what is no matrix of numbers does not count.
    what : str
        What is wrong with it.

    Raises
    ------
    CnncliError
        There are two readings or more; the hint has the text to type for each.
    """
    readings: dict[str, str] = {}
    for rows in found:
        if rows and len({len(row) for row in rows}) == 1 and all(map(_are_numbers, rows)):
            readings.setdefault("; ".join(" ".join(row) for row in rows), f"{len(rows[0])}x{len(rows)}")
    if len(readings) < 2:
        return
    hints = [f"'{text}' for {size}" for text, size in readings.items() if len(text) <= _LONGEST]
    raise CnncliError(
        f"{what}, which can mean {' or '.join(readings.values())} (columns x rows); expected one meaning",
        f"Write {', or '.join(hints)}." if hints else "Write blanks between numbers, and ';' between rows.",
    )


def _are_numbers(row: list[str]) -> bool:
    return all(read_number(cell) is not None for cell in row)


def _by_commas(rows: Sequence[str]) -> Rows | None:
    """One line whose commas end rows."""
    return [part.split() for part in rows[0].split(",")] if len(rows) == 1 else None


def _by_blanks(rows: Sequence[str]) -> Rows | None:
    """One line whose blanks end rows, as in ``0,-1,0 -1,5,-1 0,-1,0``."""
    if len(rows) > 1:
        return None
    return [re.split(r"\s*,\s*", part) for part in re.split(r"(?<![\s,])\s+(?![\s,])", rows[0].strip())]


def _decimal_commas(rows: Sequence[str]) -> Rows | None:
    """Numbers with decimal commas, some of them, and blanks between."""
    cells = [row.split() for row in rows]
    whole = all(re.fullmatch(r"[+-]?\d+(,\d+)?", cell) for row in cells for cell in row)
    return [[cell.replace(",", ".") for cell in row] for row in cells] if whole else None


def _numbers(text: str) -> list[str]:
    return re.split(r"\s*,\s*|\s+", text.strip())
