"""What a figure of a network shows: a card for a layer and what belongs to it, or for a block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnncli.models.summary import LayerRow, Summary
from cnncli.models.tree import form
from cnncli.models.words import words_of
from cnncli.nn import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Frames,
    GlobalAvgPool,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Node,
    PadChannels,
    ScaleChannels,
    Shape,
    Upsample,
)
from cnncli.nn.blocks import Block, folded
from cnncli.nn.layers.text import BoundedLinear, ConvOverTime, Embedding

CONV, POOL, ACTIVATION, NORM, FC, COMBINE, BLOCK = (
    "convolution",
    "pooling",
    "activation",
    "normalisation, dropout",
    "fully connected",
    "combination",
    "block",
)
_FAMILIES: dict[type[Layer], str] = {
    Conv: CONV,
    ConvTranspose: CONV,
    ConvOverTime: CONV,
    Linear: FC,
    BoundedLinear: FC,
    Embedding: FC,
    MaxPool: POOL,
    AvgPool: POOL,
    GlobalAvgPool: POOL,
    AdaptiveAvgPool: POOL,
    Upsample: POOL,
    BatchNorm: NORM,
    LocalResponseNorm: NORM,
    Dropout: NORM,
    Add: COMBINE,
    Concat: COMBINE,
    ScaleChannels: COMBINE,
    PadChannels: COMBINE,
    Frames: COMBINE,
    Clip: COMBINE,
}
_SMALL = 4  # layers of a block that is opened rather than shown as one, if they make a single card


@dataclass(frozen=True)
class Part:
    """A layer on a card.

    Attributes
    ----------
    words : str
        What it does.
    family : str
        What kind of layer it is, which chooses its colour.
    count : int
        Maps of a convolution or units of a fully connected layer; 0 for others.
    """

    words: str
    family: str
    count: int = 0


@dataclass(frozen=True)
class Card:
    """A layer with the norms and activations that follow it, or a block, or several blocks that are alike.

    Attributes
    ----------
    names : tuple of str
        Of the layers or blocks on it, in the order of computation.
    parts : tuple of Part
        What they do.
    reads : tuple of str
        First names of the cards whose output it reads; ``input`` is the image.
    shape : Shape
        Of its output.
    parameters, multiply_adds : int
        Of all layers on it.
    block : Block or None
        The block that it stands for, the first of those that are alike.
    times : int
        How many blocks it stands for.
    """

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    reads: tuple[str, ...]
    shape: Shape
    parameters: int
    multiply_adds: int
    block: Block | None = None
    times: int = 1

    @property
    def name(self) -> str:
        """Of the first layer or block, which names the card."""
        return self.names[0]

    @property
    def family(self) -> str:
        """That of its first layer."""
        return self.parts[0].family


def cards(block: Block, table: Summary, *, whole: bool = False, joined: bool = True) -> list[Card]:
    """The cards of a network or of a block, in the order of computation.

    Parameters
    ----------
    block : Block
        The network, as `cnncli.nn.blocks.outline` gives it, or one of its blocks.
    table : Summary
        That of the network.
    whole : bool
        Open all blocks.
    joined : bool
        Show blocks that follow each other and are alike as one card.

    Returns
    -------
    list of Card
        Blocks without a kind, such as the stages of a ResNet, are opened.
    """
    rows = {row.name: row for row in table.layers}
    shown = folded(block, frozenset(_opened(block, whole=whole)))
    made = [_card(member, reads, rows) for member, reads in shown.values()]
    merged = _merged(made)
    return _joined(merged) if joined else merged


def _opened(block: Block, *, whole: bool) -> list[str]:
    """Names of the blocks within that are not shown as one card."""
    names = []
    for member in block.members:
        if isinstance(member, Block) and (whole or not member.kind or _is_chain(member)):
            names += [member.name, *_opened(member, whole=whole)]
    return names


def _is_chain(block: Block) -> bool:
    """Whether it is one layer with a norm and an activation."""
    layers = [member for member in block.members if isinstance(member, Node)]
    return len(layers) == len(block.members) <= _SMALL and all(map(_follows, layers[1:]))


def _follows(node: Node) -> bool:
    """Whether a layer is shown on the card of the one before it."""
    family = _family(node.layer)
    return len(node.inputs) == 1 and (family in (NORM, ACTIVATION) or isinstance(node.layer, Flatten))


def _family(layer: Layer) -> str:
    return _FAMILIES.get(type(layer), ACTIVATION)


def _card(member: Node | Block, reads: tuple[str, ...], rows: Mapping[str, LayerRow]) -> Card:
    if isinstance(member, Node):
        row = rows[member.name]
        parts = (
            ()
            if isinstance(member.layer, Flatten)
            else (Part(words_of(member), _family(member.layer), _count(member)),)
        )
        return Card((member.name,), parts, reads, row.shape, row.parameters, row.multiply_adds)
    inside = [rows[node.name] for node in member.nodes]
    end = rows[member.outputs[-1]] if member.outputs else inside[-1]
    return Card(
        (member.name,),
        (Part(member.kind or member.name, BLOCK),),
        reads,
        end.shape,
        sum(row.parameters for row in inside),
        sum(row.multiply_adds for row in inside),
        member,
    )


def _count(node: Node) -> int:
    return node.shape.channels if isinstance(node.layer, Conv | Linear) else 0


def _merged(made: Sequence[Card]) -> list[Card]:
    """Cards of which norms and activations have joined that of the layer they follow."""
    read = [name for card in made for name in card.reads]
    joined: dict[str, str] = {}  # from the name of a card to that of the one that it has joined
    kept: dict[str, Card] = {}
    for card in made:
        reads = tuple(joined.get(name, name) for name in card.reads)
        host = kept.get(reads[0]) if len(reads) == 1 else None
        follows = card.block is None and (not card.parts or card.family in (NORM, ACTIVATION))
        if host is not None and host.block is None and follows and read.count(host.names[-1]) == 1:
            joined[card.name] = host.name
            kept[host.name] = replace(
                host,
                names=host.names + card.names,
                parts=host.parts + card.parts,
                shape=card.shape if card.parts else host.shape,  # a flatten moves nothing
                parameters=host.parameters + card.parameters,
                multiply_adds=host.multiply_adds + card.multiply_adds,
            )
        elif not card.parts:  # a flatten with nobody to join: its reader reads what it reads
            joined[card.name] = reads[0]
        else:
            kept[card.name] = replace(card, reads=reads)
    return list(kept.values())


def _joined(made: Sequence[Card]) -> list[Card]:
    """Cards of which blocks that follow each other and are alike have become one."""
    readers = {card.name: [each for each in made if card.name in each.reads] for card in made}
    joined: dict[str, str] = {}
    kept: dict[str, Card] = {}
    for card in made:
        reads = tuple(joined.get(name, name) for name in card.reads)
        host = kept.get(reads[0]) if len(reads) == 1 else None
        if host is not None and _are_alike(host, card) and len(readers[host.names[-1]]) == 1:
            joined[card.name] = host.name
            kept[host.name] = replace(
                host,
                names=host.names + card.names,
                parameters=host.parameters + card.parameters,
                multiply_adds=host.multiply_adds + card.multiply_adds,
                times=host.times + 1,
            )
        else:
            kept[card.name] = replace(card, reads=reads)
    return list(kept.values())


def _are_alike(one: Card, other: Card) -> bool:
    if one.block is None or other.block is None:
        return False
    return form(one.block, one.block.name) == form(other.block, other.block.name)


def structure(block: Block) -> tuple[Any, ...]:
    """What is drawn alike: names, kinds of layers and what they read, whatever their sizes."""
    return tuple(_structure(member, block.name) for member in block.members)


def _structure(member: Node | Block, within: str) -> tuple[Any, ...]:
    name = member.name.removeprefix(within)
    if isinstance(member, Block):
        return name, member.kind, *(_structure(each, within) for each in member.members)
    reads = [each.removeprefix(within) if each.startswith(f"{within}.") else "" for each in member.inputs]
    return name, type(member.layer), *reads
