"""Places for the cards of a network: in ranks along the flow, side by side where it branches.

The method is that of Sugiyama, Tagawa and Toda (1981): rank by the longest path, give an edge that spans
ranks a place in each, order each rank by the mean place of its neighbours, then choose coordinates. These are
the least squares from the mean of the neighbours' that keep the order and its distances, found by pooling
adjacent violators.

Legend: *along* runs with the flow and *across* at right angles to it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Size = tuple[float, float]  # along, across
Place = tuple[float, float, float, float]  # along from and to, across from and to
Edge = tuple[str, str]
Route = tuple[tuple[float, float], ...]
GUTTER = 34.0  # between parts of a flow that lie side by side
CONTINUED = "\ncontinued"  # after the name of a card: the dot from which its edges go on in the next part
_DOT = (4.0, 12.0)
_MOST_PARTS = 8
_SWEEPS = 12
_YIELDING = 0.02  # how much less than a card an edge that passes insists on its place


@dataclass(frozen=True)
class Layout:
    """Where things are.

    Attributes
    ----------
    size : (along, across)
        Of everything.
    places : dict of str to (from, to, from, to)
        Of each card: along, then across.
    routes : dict of (str, str) to tuple of (along, across)
        Of each edge, the points that it passes.
    turns : frozenset of (str, str)
        Edges from one part to the next: their middle two points lie in the gutter.
    """

    size: Size
    places: dict[str, Place]
    routes: dict[Edge, Route]
    turns: frozenset[Edge] = frozenset()


def ranks_of(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Length of the longest path to each card; names in topological order."""
    before, _ = _neighbours(edges)
    ranks: dict[str, int] = {}
    for name in names:
        ranks[name] = max((ranks[source] + 1 for source in before.get(name, ())), default=0)
    return ranks


def breaks(ranks: Mapping[str, int], edges: Sequence[Edge]) -> dict[int, str]:
    """Ranks before which the flow can be cut, with the only card from which edges cross there.

    That card lies just before the cut, alone in its rank.
    """
    last = max(ranks.values())
    sources: list[set[str]] = [set() for _ in range(last + 1)]
    for source, target in edges:
        for rank in range(ranks[source] + 1, ranks[target] + 1):
            sources[rank].add(source)
    alone = Counter(ranks.values())
    return {
        rank: next(iter(names))
        for rank, names in enumerate(sources)
        if len(names) == 1 and alone[rank - 1] == 1 and all(ranks[name] == rank - 1 for name in names)
    }


@dataclass(frozen=True)
class Gaps:
    """What is left free, in pixels.

    Attributes
    ----------
    between : float
        Ranks.
    beside : float
        Cards of one rank.
    ports : float
        At most, ends of edges at one card.
    """

    between: float
    beside: float
    ports: float = 16.0


def layered(sizes: Mapping[str, Size], edges: Sequence[Edge], gaps: Gaps) -> Layout:
    """Lay out cards.

    Parameters
    ----------
    sizes : mapping of str to (along, across)
        Of each card, in topological order.
    edges : sequence of (str, str)
        From a card to one that reads it.
    gaps : Gaps
        What is left free.

    Returns
    -------
    Layout
    """
    ranks = ranks_of(list(sizes), edges)
    rows: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name, rank in ranks.items():
        rows[rank].append(name)
    widths = {name: size[1] for name, size in sizes.items()}
    chains = {edge: _chain(edge, ranks, rows, widths) for edge in edges}
    links = [link for chain in chains.values() for link in pairwise(chain)]
    _order(rows, links)
    centers = _centers(rows, links, widths, gaps.beside)
    edge_of = min(centers[name] - widths[name] / 2 for row in rows for name in row)
    places, bands, at = {}, [], 0.0
    for row in rows:
        depth = max((sizes[name][0] for name in row if name in sizes), default=0.0)
        bands.append((at, at + depth))
        for name in row:
            if name in sizes:
                across, half = centers[name] - edge_of, widths[name] / 2
                places[name] = (at, at + sizes[name][0], across - half, across + half)
        at += depth + gaps.between
    across = max(centers[name] + widths[name] / 2 for row in rows for name in row) - edge_of
    found = {name: center - edge_of for name, center in centers.items()}
    ends = _ports(chains, places, found, gaps.ports)
    routes = _routes(chains, places, found, bands, ends)
    return Layout((at - gaps.between, across), places, routes)


def forms(sizes: Mapping[str, Size], edges: Sequence[Edge], gaps: Gaps) -> Iterator[Layout]:
    """Lay out cards in one part, then cut into two of about one length that lie side by side, and so on.

    The arguments are those of `layered`.
    """
    ranks = ranks_of(list(sizes), edges)
    lengths = [0.0] * (max(ranks.values()) + 1)
    for name, rank in ranks.items():
        lengths[rank] = max(lengths[rank], sizes[name][0] + gaps.between)
    for count in range(1, _MOST_PARTS + 1):
        cuts = _cuts(lengths, ranks, edges, count)
        if cuts is None:
            return
        yield _parted(sizes, edges, ranks, cuts, gaps)


def _parted(
    sizes: Mapping[str, Size],
    edges: Sequence[Edge],
    ranks: Mapping[str, int],
    cuts: Sequence[int],
    gaps: Gaps,
) -> Layout:
    """Parts of a flow, each beginning where the one before it did; edges between them run in the gutters.

    Where a card before a cut has several readers, one edge leads to a dot at the head of the next part.
    """
    gap = gaps.between
    places: dict[str, Place] = {}
    routes: dict[Edge, Route] = {}
    turns: dict[Edge, float] = {}
    across = length = 0.0
    for first, end in pairwise([0, *cuts, max(ranks.values()) + 1]):
        part = {name: sizes[name] for name, rank in ranks.items() if first <= rank < end}
        inside = [edge for edge in edges if edge[0] in part and edge[1] in part]
        crossing = [edge for edge in edges if edge[0] not in part and edge[1] in part]
        if len(crossing) > 1:
            dot = f"{crossing[0][0]}{CONTINUED}"
            part = {dot: _DOT, **part}
            inside = [*((dot, target) for _, target in crossing), *inside]
            crossing = [(crossing[0][0], dot)]
        layout = layered(part, inside, gaps)
        for name, (top, bottom, left, right) in layout.places.items():
            places[name] = (top + gap, bottom + gap, left + across, right + across)
        for edge, points in layout.routes.items():
            routes[edge] = tuple((a + gap, c + across) for a, c in points)
        turns |= dict.fromkeys(crossing, across - GUTTER / 2)
        across += layout.size[1] + GUTTER
        length = max(length, layout.size[0])
    for edge, gutter in turns.items():
        routes[edge] = _connector(places[edge[0]], places[edge[1]], gutter, gap)
    return Layout((length + 2 * gap, across - GUTTER), places, routes, frozenset(turns))


def _connector(source: Place, target: Place, gutter: float, gap: float) -> Route:
    """From the foot of a part to the head of the next."""
    _, bottom, *leaving = source
    top, _, *entering = target
    start, end = sum(leaving) / 2, sum(entering) / 2
    low, high = bottom + 0.55 * gap, top - 0.6 * gap
    return (bottom, start), (low, start), (low, gutter), (high, gutter), (high, end), (top, end)


def _cuts(
    lengths: Sequence[float], ranks: Mapping[str, int], edges: Sequence[Edge], count: int
) -> list[int] | None:
    """The ranks before which a flow is cut into so many parts that the longest is as short as can be.

    None: so many cuts can't be made.
    """
    allowed = list(breaks(ranks, edges))
    before = [0.0]
    for length in lengths:
        before.append(before[-1] + length)
    best: dict[int, tuple[float, list[int]]] = {end: (before[end], []) for end in [*allowed, len(lengths)]}
    for _ in range(1, count):
        best = {
            end: min(
                (
                    (max(best[cut][0], before[end] - before[cut]), [*best[cut][1], cut])
                    for cut in allowed
                    if cut < end and cut in best
                ),
                key=lambda found: found[0],
            )
            for end in [*allowed, len(lengths)]
            if any(cut < end and cut in best for cut in allowed)
        }
    found = best.get(len(lengths))
    return None if found is None else found[1]


def _chain(
    edge: Edge, ranks: Mapping[str, int], rows: list[list[str]], widths: dict[str, float]
) -> list[str]:
    """An edge's ends, and between them a place in each rank that it passes."""
    source, target = edge
    between = []
    for rank in range(ranks[source] + 1, ranks[target]):
        name = f"{source}\n{target}\n{rank}"
        rows[rank].append(name)
        widths[name] = 10.0
        between.append(name)
    return [source, *between, target]


def _order(rows: list[list[str]], links: Sequence[Edge]) -> None:
    """Order each rank by the mean place of its neighbours, forth and back."""
    before, after = _neighbours(links)
    at = {name: float(place) for row in rows for place, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        neighbours = after if sweep % 2 else before
        for row in reversed(rows) if sweep % 2 else rows:
            means = {name: _mean([at[each] for each in neighbours.get(name, [name])]) for name in row}
            row.sort(key=means.__getitem__)
            at.update((name, float(place)) for place, name in enumerate(row))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _neighbours(links: Sequence[Edge]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in links:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    return before, after


def _centers(
    rows: Sequence[Sequence[str]], links: Sequence[Edge], widths: Mapping[str, float], beside: float
) -> dict[str, float]:
    """The middle of each thing, across."""
    before, after = _neighbours(links)
    centers: dict[str, float] = {}
    for row in rows:
        at = 0.0
        for name in row:
            centers[name] = at + widths[name] / 2
            at += widths[name] + beside
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        for row in rows if forth else reversed(rows):
            wanted = [_wanted(name, before if forth else after, centers, forth=forth) for name in row]
            steps = [(widths[left] + widths[right]) / 2 + beside for left, right in pairwise(row)]
            weights = [_YIELDING if "\n" in name else 1.0 for name in row]
            centers.update(zip(row, spread(wanted, steps, weights), strict=True))
    return centers


def _wanted(
    name: str, neighbours: Mapping[str, Sequence[str]], centers: Mapping[str, float], *, forth: bool
) -> float:
    """The mean place of a thing's neighbours.

    Edges that pass count for a card only where no card is a neighbour, and the card at the end of an edge
    that passes does not move it: so cards lie in a straight line, and edges that skip them beside it.
    """
    near = neighbours.get(name, ())
    if "\n" in name:
        chosen = [each for each in near if forth or "\n" in each]
    else:
        chosen = [each for each in near if "\n" not in each] or list(near)
    return _mean([centers[each] for each in chosen or [name]])


def spread(wanted: Sequence[float], steps: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The places nearest to those wanted, by weighted squares, with at least ``steps`` between neighbours."""
    offsets = [0.0]
    for step in steps:
        offsets.append(offsets[-1] + step)
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for value, offset, weight in zip(wanted, offsets, weights, strict=True):
        pool = (value - offset, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _ports(
    chains: Mapping[Edge, Sequence[str]],
    places: Mapping[str, Place],
    centers: Mapping[str, float],
    most: float,
) -> dict[tuple[Edge, int], float]:
    """Where each edge leaves (0) and enters (1) a card: side by side, in the order of where they lead."""
    ports: dict[tuple[Edge, int], float] = {}
    for end, towards in ((0, 1), (1, -2)):
        groups: dict[str, list[tuple[float, Edge]]] = {}
        for edge, chain in chains.items():
            groups.setdefault(edge[end], []).append((centers[chain[towards]], edge))
        for name, group in groups.items():
            room = min(most, 0.8 * (places[name][3] - places[name][2]) / len(group))
            for number, (_, edge) in enumerate(sorted(group)):
                ports[edge, end] = centers[name] + (number - (len(group) - 1) / 2) * room
    return ports


def _routes(
    chains: Mapping[Edge, Sequence[str]],
    places: Mapping[str, Place],
    centers: Mapping[str, float],
    bands: Sequence[tuple[float, float]],
    ports: Mapping[tuple[Edge, int], float],
) -> dict[Edge, Route]:
    """The points of each edge, past the cards of the ranks that it spans."""
    routes = {}
    at = {band[0]: rank for rank, band in enumerate(bands)}
    for edge, chain in chains.items():
        start, end = places[edge[0]], places[edge[1]]
        rank = at[start[0]]
        points = [(start[1], ports[edge, 0])]
        if start[1] < bands[rank][1]:  # past larger cards of the same rank
            points.append((bands[rank][1], ports[edge, 0]))
        for step, name in enumerate(chain[1:-1], rank + 1):
            points += [(bands[step][0], centers[name]), (bands[step][1], centers[name])]
        routes[edge] = (*points, (end[0], ports[edge, 1]))
    return routes
