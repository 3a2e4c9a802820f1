"""A network to be drawn: its cards, and what both styles say of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnncli.models.summary import Summary
from cnncli.nn import Graph
from cnncli.nn.blocks import outline
from cnncli.nn.graph import MAIN
from cnncli.views.architecture.cards import Card, cards, structure
from cnncli.views.architecture.layout import Edge

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, eq=False)
class Sheet:
    """A network, its summary, and the cards that stand for it.

    Attributes
    ----------
    graph : Graph
        The network.
    table : Summary
        Its summary.
    shown : list of Card
        In the order of computation.
    """

    graph: Graph
    table: Summary
    shown: Sequence[Card]

    @classmethod
    def of(cls, graph: Graph, table: Summary, *, whole: bool = False) -> "Sheet":
        """The sheet of a network; ``whole`` shows every layer of every block in its place."""
        return cls(graph, table, cards(outline(graph), table, whole=whole))

    @property
    def edges(self) -> list[Edge]:
        """From a card, or the input, to one that reads it."""
        return [(name, card.name) for card in self.shown for name in dict.fromkeys(card.reads)]

    @cached_property
    def kinds(self) -> dict[str, Card]:
        """A letter for each kind of block, and the first card of that kind."""
        found: dict[tuple[Any, ...], Card] = {}
        for card in self.shown:
            if card.block is not None:
                found.setdefault(structure(card.block), card)
        return dict(zip(_LETTERS, found.values(), strict=False))

    @cached_property
    def insides(self) -> dict[str, list[Card]]:
        """By the letter of a kind of block, the cards of all layers of the first of that kind."""
        return {
            letter: cards(card.block, self.table, whole=True)
            for letter, card in self.kinds.items()
            if card.block is not None
        }

    @cached_property
    def _letters(self) -> dict[tuple[Any, ...], str]:
        return {structure(card.block): letter for letter, card in self.kinds.items() if card.block}

    def letter_of(self, card: Card) -> str:
        """The letter of a block's kind; empty for a layer."""
        return self._letters.get(structure(card.block), "") if card.block else ""

    def role_of(self, card: Card) -> str:
        """The role of the output that a card gives, such as ``aux1``; empty for the main output and none."""
        layers = [node.name for node in card.block.nodes] if card.block else card.names
        roles = {name: role for role, name in self.graph.outputs.items() if role != MAIN}
        return next((roles[name] for name in layers if name in roles), "")
