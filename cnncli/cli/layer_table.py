"""The layers of a network as a table, blocks indented: of ``models`` and of what ``train`` prints."""

from collections.abc import Iterator, Sequence

from cnncli.models.tree import Part
from cnncli.table import table_lines
from cnncli.text import amount

_HEADING = ("layer", "", "output", "parameters", "mult-adds", "rec. field")
_BY_WORTH = (0, 2, 3, 4, 1, 5)
_NUMBERS = (3, 4)


def layer_lines(
    parts: Sequence[Part], columns: int | None, *, indent: int = 0, opened: bool = True
) -> list[str]:
    """The lines of the table, its heading first.

    Parameters
    ----------
    parts : sequence of Part
        From `cnncli.models.tree.tree`.
    columns : int or None
        Of the terminal; None: as wide as it gets.
    indent : int
        Blanks before each line.
    opened : bool
        Show what is in blocks that have a kind, such as ``BasicBlock``, too.
    """
    rows = [_HEADING, *_rows(parts, "", opened=opened)]
    return table_lines(rows, columns=columns, by_worth=_BY_WORTH, right=_NUMBERS, indent=indent)


def _rows(parts: Sequence[Part], scope: str, *, opened: bool) -> Iterator[tuple[str, ...]]:
    for part in parts:
        names = [name.removeprefix(scope) for name in part.names]
        label = names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
        yield (
            "  " * scope.count(".") + label,
            part.kind if len(names) == 1 else f"{len(names)} x {part.kind}".rstrip(),
            str(part.shape),
            f"{part.parameters:,}" if part.parameters else "",
            amount(part.multiply_adds) if part.multiply_adds else "",
            "x".join(map(str, part.receptive_field)),
        )
        if opened or not part.kind:
            yield from _rows(part.parts, f"{part.name}.", opened=opened)
