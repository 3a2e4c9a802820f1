"""Blocks of a graph: what each scope holds, so that it can be folded, drawn and summed up as one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnncli.nn.graph import Graph, Node


@dataclass(frozen=True)
class Block:
    """The layers of a scope.

    Attributes
    ----------
    name : str
        Whole name of the scope; empty for the network itself.
    kind : str
        What it is called, such as ``BasicBlock``; may be empty.
    members : tuple of Node or Block
        The layers and blocks directly within it, by where their first layer is computed.
    inputs : tuple of str
        Names of the nodes outside that it reads.
    outputs : tuple of str
        Names of its nodes that are read outside, or are outputs of the network.
    """

    name: str
    kind: str
    members: tuple[Node | Block, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def nodes(self) -> Iterator[Node]:
        """All layers in it, also those of the blocks within."""
        for member in self.members:
            if isinstance(member, Block):
                yield from member.nodes
            else:
                yield member


def outline(graph: Graph) -> Block:
    """The tree of a network's blocks.

    Returns
    -------
    Block
        The network itself, which holds all others.
    """
    held: dict[str, dict[str, Node | None]] = {"": {}}  # by scope: its layers, and None for each scope
    for node in graph.nodes.values():
        outer = ""
        for scope in node.scopes:
            held[outer].setdefault(scope, None)
            held.setdefault(scope, {})
            outer = scope
        held[outer][node.name] = node

    def block(name: str) -> Block:
        members = tuple(block(each) if node is None else node for each, node in held[name].items())
        return Block(name, graph.scopes.get(name, ""), members, *_ends(graph, members))

    return block("")


def _ends(graph: Graph, members: tuple[Node | Block, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of what members read from outside, and of what is read of them there."""
    inside = {node.name for member in members for node in _nodes(member)}
    sources = [name for member in members for name in member.inputs]
    made = [name for member in members for name in _made(member)]
    results = set(graph.outputs.values())
    read = [
        name
        for name in made
        if name in results or any(reader.name not in inside for reader in graph.readers(name))
    ]
    return tuple(dict.fromkeys(name for name in sources if name not in inside)), tuple(read)


def _nodes(member: Node | Block) -> Iterator[Node]:
    if isinstance(member, Block):
        yield from member.nodes
    else:
        yield member


def _made(member: Node | Block) -> tuple[str, ...]:
    return member.outputs if isinstance(member, Block) else (member.name,)


def folded(
    block: Block, opened: frozenset[str] = frozenset()
) -> dict[str, tuple[Node | Block, tuple[str, ...]]]:
    """A block's members, with blocks shown as one thing each: what a diagram draws.

    Parameters
    ----------
    block : Block
        Usually the network, as `outline` returns it.
    opened : frozenset of str
        Whole names of blocks whose members are shown in their place.

    Returns
    -------
    dict of str to (Node or Block, tuple of str)
        By name: the layer or block, and the names of the shown things that it reads; what lies outside
        keeps its own name, as does the input of the network.
    """
    shown = list(_unfolded(block, opened))
    owners = {node.name: member.name for member in shown for node in _nodes(member)}
    return {
        member.name: (member, tuple(dict.fromkeys(owners.get(name, name) for name in member.inputs)))
        for member in shown
    }


def _unfolded(block: Block, opened: frozenset[str]) -> Iterator[Node | Block]:
    for member in block.members:
        if isinstance(member, Block) and member.name in opened:
            yield from _unfolded(member, opened)
        else:
            yield member
