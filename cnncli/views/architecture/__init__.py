"""Figures of networks, drawn from their graphs.

``cards`` says what is shown, ``layout`` where; ``stacks`` and ``flow`` are the two styles, ``page`` puts them
under a heading and on a page.
"""

from typing import Protocol

from cnncli.models.summary import Summary
from cnncli.nn import Graph
from cnncli.views.architecture.flow import flow
from cnncli.views.architecture.page import Heading
from cnncli.views.architecture.stacks import stacks
from cnncli.views.figure.scene import Figure


class Style(Protocol):
    """Draws a network."""

    def __call__(self, graph: Graph, table: Summary, heading: Heading, *, whole: bool = False) -> Figure:
        """A figure of a network, with its summary and what stands above it."""


STYLES: dict[str, Style] = {"blocks": stacks, "flow": flow}
"""By name."""
