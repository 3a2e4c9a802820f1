"""A network's layers as a tree of blocks, as summaries show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnncli.models.summary import LayerRow, Pair, Summary
from cnncli.models.words import words_of
from cnncli.nn import Graph, Node, Shape
from cnncli.nn.blocks import Block, outline


@dataclass(frozen=True)
class Part:
    """A layer, a block of layers, or several blocks in a row that are alike.

    Attributes
    ----------
    names : tuple of str
        Its whole name, such as ``layer1.0``; of blocks that are alike, all of theirs.
    kind : str
        ``3x3 conv, /2`` of a layer, ``BasicBlock`` of a block; empty for a block without a kind.
    shape : Shape
        Of its output.
    parameters, multiply_adds : int
        Of all layers in it, and in all blocks that it stands for.
    receptive_field : (int, int)
        Of its output, as in `LayerRow`.
    parts : tuple of Part
        What lies in a block; of blocks that are alike, in the first. A layer has none.
    """

    names: tuple[str, ...]
    kind: str
    shape: Shape
    parameters: int
    multiply_adds: int
    receptive_field: Pair
    parts: tuple["Part", ...] = ()

    @property
    def name(self) -> str:
        """Whole name of the first."""
        return self.names[0]


def tree(graph: Graph, table: Summary, *, fold: bool = True) -> tuple[Part, ...]:
    """The layers and blocks of a network.

    Parameters
    ----------
    graph : Graph
        The network.
    table : Summary
        Its summary.
    fold : bool
        Show blocks that follow each other and are alike, in all but their names and places, as one part.

    Returns
    -------
    tuple of Part
        By where their first layer is computed.
    """
    rows = {row.name: row for row in table.layers}
    return tuple(_part(run, rows, fold=fold) for run in _runs(outline(graph), fold=fold))


def _part(run: Sequence[Node | Block], rows: Mapping[str, LayerRow], *, fold: bool) -> Part:
    """What stands for a layer, a block, or several blocks that are alike."""
    first, names = run[0], tuple(member.name for member in run)
    if isinstance(first, Node):
        row = rows[first.name]
        return Part(names, words_of(first), row.shape, row.parameters, row.multiply_adds, row.receptive_field)
    parts = tuple(_part(each, rows, fold=fold) for each in _runs(first, fold=fold))
    parameters, multiply_adds = (
        len(run) * sum(getattr(part, name) for part in parts) for name in ("parameters", "multiply_adds")
    )
    end = rows[_end(run[-1])]
    return Part(names, first.kind, end.shape, parameters, multiply_adds, end.receptive_field, parts)


def _runs(block: Block, *, fold: bool) -> list[list[Node | Block]]:
    """The members of a block, each with the blocks after it that are alike."""
    runs: list[list[Node | Block]] = []
    for member in block.members:
        start = runs[-1][0] if runs and fold and isinstance(member, Block) else None
        if start is not None and form(start, start.name) == form(member, member.name):
            runs[-1].append(member)
        else:
            runs.append([member])
    return runs


def form(member: Node | Block, within: str) -> tuple[Any, ...]:
    """All that makes a block what it is, but its name: equal for blocks that are alike."""
    name = member.name.removeprefix(within)
    if isinstance(member, Block):
        return name, member.kind, *(form(each, within) for each in member.members)
    inputs = [each.removeprefix(within) if each.startswith(f"{within}.") else "" for each in member.inputs]
    return name, member.layer, *inputs, member.shape, *member.input_shapes


def _end(member: Node | Block) -> str:
    """The layer whose output is that of a block."""
    if isinstance(member, Node):
        return member.name
    return member.outputs[-1] if member.outputs else _end(member.members[-1])
