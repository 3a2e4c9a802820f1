"""A network as a figure, in one of two styles."""

from typing import Protocol

from cnncli.views.architecture.flow import Flow, inset
from cnncli.views.architecture.layout import Gaps, Layout, Size, forms
from cnncli.views.architecture.looks import Look
from cnncli.views.architecture.page import Heading, Piece, composed
from cnncli.views.architecture.sheet import Sheet
from cnncli.views.architecture.stacks import Stacks
from cnncli.views.figure.scene import Figure


class Style(Protocol):
    """How the cards of a network look, and which way they follow each other."""

    @property
    def gaps(self) -> Gaps:
        """What is left free between cards."""

    def looks(self, sheet: Sheet) -> dict[str, Look]:
        """The look of each card and of the input, by name."""

    def size(self, look: Look) -> Size:
        """Its extents along the flow and across."""

    def piece(self, layout: Layout, looks: dict[str, Look]) -> Piece:
        """Cards in their places, and the arrows between them."""


STYLES: dict[str, Style] = {"blocks": Stacks(), "flow": Flow()}
"""By name."""


def draw(sheet: Sheet, heading: Heading, style: Style) -> Figure:
    """Draw a network.

    Returns
    -------
    Figure
        On one page of A4, upright or across, or smaller.
    """
    looks = style.looks(sheet)
    sizes = {name: style.size(look) for name, look in looks.items()}
    mains = [style.piece(layout, looks) for layout in forms(sizes, sheet.edges, style.gaps)]
    insets = [inset(letter, sheet.kinds[letter], inside) for letter, inside in sheet.insides.items()]
    inner = [card for inside in sheet.insides.values() for card in inside]
    return composed(mains, insets, heading, [*sheet.shown, *inner])
