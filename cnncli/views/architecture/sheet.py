"""A network to be drawn: its cards, and what both styles say of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.models.summary import Summary
from cnncli.nn import INPUT, Graph
from cnncli.nn.blocks import outline
from cnncli.nn.graph import MAIN
from cnncli.nn.layers.text import Embedding
from cnncli.views.architecture.backward import lines_of, stand_at_cards
from cnncli.views.architecture.cards import Card, cards, structure
from cnncli.views.architecture.example import Example, layers_on, tip_of, weight_norm
from cnncli.views.architecture.layout import CONTINUED, Edge
from cnncli.views.colors import short

END = "<end>"  # the name of what stands after the main output: no layer has such a name
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
    back : bool
        The way back is shown.
    example : Example or None
        A picture that goes through it.
    whole : bool
        Every layer of every block is in its place.
    """

    graph: Graph
    table: Summary
    shown: Sequence[Card]
    back: bool = False
    example: Example | None = None
    whole: bool = False

    @classmethod
    def of(
        cls,
        graph: Graph,
        table: Summary,
        *,
        whole: bool = False,
        back: bool = False,
        example: Example | None = None,
    ) -> "Sheet":
        """The sheet of a network; ``whole`` shows every layer of every block in its place."""
        return cls(graph, table, cards(outline(graph), table, whole=whole), back, example, whole)

    @property
    def edges(self) -> list[Edge]:
        """From a card, or the input, to one that reads it; to the end from the card of the main output."""
        ends = [(self.last.name, END)] if self.has_end else []
        return [*((name, card.name) for card in self.shown for name in dict.fromkeys(card.reads)), *ends]

    @property
    def has_end(self) -> bool:
        """Whether the answer or the loss stands after the main output."""
        return self.back or (self.example is not None and self.example.drawn)

    def goes_back(self, source: str) -> bool:
        """Whether a gradient flows back to a card, or to the input: numbers of words have none."""
        if not self.back or source.removesuffix(CONTINUED) != INPUT:
            return self.back
        return not any(isinstance(node.layer, Embedding) for node in self.graph.readers(INPUT))

    @property
    def last(self) -> Card:
        """The card of the main output."""
        return next(card for card in self.shown if self.graph.output in layers_on(self.graph, card))

    @property
    def tips(self) -> list[str]:
        """The last layer of each card, also of those inside blocks."""
        every = [*self.shown, *(card for inside in self.insides.values() for card in inside)]
        return list(dict.fromkeys(tip_of(self.graph, card) for card in every))

    def maps_of(self, card: Card) -> NDArray[np.float32] | None:
        """What a card's last layer computes, (H, W, C), where it is drawn."""
        if self.example is None or not self.example.drawn:
            return None
        return self.example.activations.get(tip_of(self.graph, card))

    def back_of(self, card: Card) -> list[str]:
        """What stands at a card of the way back: the terms, unless they have a panel, and the norms."""
        if not self.back:
            return []
        lines = lines_of(self.graph, card) if stand_at_cards(self.graph, self.shown) else []
        if self.example is None:
            return lines
        norm = self.example.outputs.get(tip_of(self.graph, card))
        lines += [f"|dLoss/doutput| = {short(norm)}"] if norm is not None else []
        norm = weight_norm(self.graph, card, self.example)
        return [*lines, f"|dLoss/dw| = {short(norm)}"] if norm is not None else lines

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
