"""Arrows between cards: forward, and the way back beside them."""

from cnncli.views.architecture.backward import BACK
from cnncli.views.architecture.layout import Edge
from cnncli.views.architecture.looks import FAINT
from cnncli.views.figure.scene import Group, Item, Line, Point, parallel

FORTH, BACKWARD = "forth", "back"  # first part of an arrow's key; the others are the names of its edge


def arrows(edge: Edge, points: tuple[Point, ...], back: Point | None) -> list[Item]:
    """The arrow of an edge and, moved by ``back`` (x, y), the one back along the same way."""
    forth = Group("", (Line(points, FAINT, 1.1, arrow=True),), (FORTH, *edge))
    if back is None:
        return [forth]
    way = tuple(reversed(parallel(points, back)))
    return [forth, Group("", (Line(way, BACK, 1.1, arrow=True),), (BACKWARD, *edge))]
