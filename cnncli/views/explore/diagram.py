"""The diagrams of a page: cards of a network from top to bottom, and those of the inside of each block."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnncli.models.summary import Summary
from cnncli.nn import INPUT, Flatten, Graph
from cnncli.nn.blocks import outline
from cnncli.views.architecture.cards import Card, cards
from cnncli.views.architecture.layout import Gaps, layered
from cnncli.views.architecture.looks import COLORS, spoken

_WIDTH, _HEIGHT = 212.0, 74.0  # pixels of a card
_GAPS = Gaps(18.0, 14.0)
_ROOM, _UNDER = 20, 30  # letters of a title; of the line under it and the shape beside it
_ENTRY = "#5b6670"  # colour of the input's card


def diagrams(graph: Graph, table: Summary, *, whole: bool = False) -> dict[str, dict[str, Any]]:
    """The diagram of a network, named ``""``, and those of its blocks, by their names; ``whole`` opens all.

    Returns
    -------
    dict
        Each has size (width, height), edges (lists of points) and cards: box (x, y, width, height), names of
        its layers, out (the layer whose output it shows), block (whose diagram shows its inside, or None),
        title, under, size and spoken (texts), color.
    """
    top = cards(outline(graph), table, whole=whole, joined=False)
    found = {"": _diagram(graph, top)}
    for card in top:
        if card.block is not None:
            found[card.name] = _diagram(graph, cards(card.block, table, whole=True, joined=False))
    return found


def ends(drawn: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The layers whose outputs the cards of diagrams show."""
    shown = [card["out"] for diagram in drawn.values() for card in diagram["cards"]]
    return [name for name in dict.fromkeys(shown) if name != INPUT]


def _diagram(graph: Graph, shown: Sequence[Card]) -> dict[str, Any]:
    known = {card.name for card in shown}
    outside = [name for card in shown for name in card.reads if name not in known]
    entry = outside[0] if outside else INPUT
    edges = [(name if name in known else entry, card.name) for card in shown for name in card.reads]
    sizes = dict.fromkeys((entry, *(card.name for card in shown)), (_HEIGHT, _WIDTH))
    layout = layered(sizes, list(dict.fromkeys(edges)), _GAPS)
    listed = [_entry(graph, entry), *(_card(graph, card) for card in shown)]
    for card, name in zip(listed, (entry, *(card.name for card in shown)), strict=True):
        top, bottom, left, right = layout.places[name]
        card["box"] = [round(each, 1) for each in (left, top, right - left, bottom - top)]
    routes = [[[round(x, 1), round(y, 1)] for y, x in points] for points in layout.routes.values()]
    along, across = layout.size
    return {"size": [round(across, 1), round(along, 1)], "edges": routes, "cards": listed}


def _entry(graph: Graph, name: str) -> dict[str, Any]:
    """The card of what a diagram starts from: the image, or what a block reads."""
    shape = str(graph.shape_of(name))
    title = "input" if name == INPUT else "from before"
    return {
        "names": [name],
        "out": name,
        "block": None,
        "title": title,
        "under": "" if name == INPUT else _cut(name, _UNDER - len(shape)),
        "size": shape,
        "spoken": f"{title}, {name if name != INPUT else 'the image'}: {shape}",
        "color": _ENTRY,
    }


def _card(graph: Graph, card: Card) -> dict[str, Any]:
    names = [name for name in card.names if name in graph.nodes]
    kept = [name for name in names if not isinstance(graph.nodes[name].layer, Flatten)]
    block = card.block
    after = ", ".join(part.words for part in card.parts[1:])
    part = card.parts[0]
    return {
        "names": names,
        "out": block.outputs[-1] if block is not None and block.outputs else (kept or [INPUT])[-1],
        "block": None if block is None else block.name,
        "title": _cut(part.words, _ROOM),
        "under": _cut(f"{card.name}, {after}" if after else card.name, _UNDER - len(str(card.shape))),
        "size": str(card.shape),
        "spoken": spoken(card),
        "color": COLORS[card.family][1],
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
