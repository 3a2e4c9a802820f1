"""Tables of plain text that fit a terminal."""

from collections.abc import Collection, Sequence

_GAP = 2  # blanks between columns
_INDENT = 2  # where columns need the room


def table_lines(
    rows: Sequence[Sequence[str]],
    *,
    columns: int | None,
    by_worth: Sequence[int],
    right: Collection[int] = (),
    indent: int = 0,
) -> list[str]:
    """Lines of a table.

    Parameters
    ----------
    rows : sequence of sequences of str
        Its cells, the heading first.
    columns : int or None
        Of the terminal; None: as wide as it gets.
    by_worth : sequence of int
        Places of the cells of a row, the one to keep longest first: what does not fit is left out. Where
        that would be, the indent shrinks before.
    right : collection of int
        Places of the cells that are aligned at their right end.
    indent : int
        Blanks before each line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if columns is not None and indent + sum(widths) + _GAP * (len(widths) - 1) > columns:
        indent = min(indent, _INDENT)
    kept: set[int] = set()
    used = indent - _GAP
    for place in by_worth:
        if not kept or columns is None or used + _GAP + widths[place] <= columns:
            kept.add(place)
            used += _GAP + widths[place]
    return [
        " " * indent
        + (" " * _GAP)
        .join(
            row[place].rjust(widths[place]) if place in right else row[place].ljust(widths[place])
            for place in sorted(kept)
        )
        .rstrip()
        for row in rows
    ]
