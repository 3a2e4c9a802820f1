"""A network as a figure, in one of two styles."""

from typing import Protocol

from cnncli.views.architecture.backward import stand_at_cards
from cnncli.views.architecture.flow import Flow, inset, panel
from cnncli.views.architecture.layout import Gaps, Layout, Size, forms
from cnncli.views.architecture.looks import Look
from cnncli.views.architecture.page import PAPERS, Heading, Piece, composed
from cnncli.views.architecture.sheet import Sheet
from cnncli.views.architecture.stacks import Stacks
from cnncli.views.figure.scene import Figure


class Style(Protocol):
    """How the cards of a network look, and which way they follow each other."""

    def gaps(self, *, back: bool) -> Gaps:
        """What is left free between cards, and for the arrows back."""

    def looks(self, sheet: Sheet) -> dict[str, Look]:
        """The look of each card and of the input, by name."""

    def size(self, look: Look) -> Size:
        """Its extents along the flow and across."""

    def piece(self, layout: Layout, looks: dict[str, Look], sheet: Sheet) -> Piece:
        """Cards in their places, and the arrows between them, and back."""


STYLES: dict[str, Style] = {"blocks": Stacks(), "flow": Flow()}
"""By name."""


_ENOUGH = 0.88  # of the text's full size: text below boxes is wide where the way back stands there


def draw(sheet: Sheet, heading: Heading, style: Style) -> Figure:
    """Draw a network.

    Returns
    -------
    Figure
        On one page of A4, upright or across, or smaller; all layers of all blocks on a page as large as they
        need.
    """
    looks = style.looks(sheet)
    sizes = {name: style.size(look) for name, look in looks.items()}
    gaps = style.gaps(back=sheet.back)
    mains = [style.piece(layout, looks, sheet) for layout in forms(sizes, sheet.edges, gaps)]
    insets = [inset(letter, sheet) for letter in sheet.insides]
    inner = [card for inside in sheet.insides.values() for card in inside]
    if sheet.back and not stand_at_cards(sheet.graph, sheet.shown):
        insets.append(panel(sheet, inner))
    return composed(
        mains,
        insets,
        heading,
        [*sheet.shown, *inner],
        enough=_ENOUGH if sheet.back else 1.0,
        papers=tuple(PAPERS) if sheet.whole else ("A4",),
    )
