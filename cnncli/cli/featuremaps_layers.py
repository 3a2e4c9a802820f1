"""Which layers the views of ``cnncli featuremaps`` draw: by name, number or glob."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from cnncli.errors import CnncliError
from cnncli.nn import Graph
from cnncli.views.featuremaps.model import View, changes_values


def chosen_layers(
    graph: Graph, patterns: Sequence[str], views: Mapping[str, View], *, every: bool = False
) -> dict[str, tuple[str, ...]]:
    """The layers that each view draws, in the order of computation.

    Parameters
    ----------
    graph : Graph
        The network.
    patterns : sequence of str
        Names, globs such as ``layer1.*``, and numbers: 1 is the first layer, -1 the last. None: what a view
        draws then.
    views : mapping of str to View
        By name.
    every : bool
        All layers of each view.

    Returns
    -------
    dict of str to tuple of str
        Names by view.

    Raises
    ------
    CnncliError
        Where a pattern is no layer of any of the views, or a view has none of those that are.
    """
    known = {view: _known(graph, row) for view, row in views.items()}
    if patterns and every:
        raise CnncliError("--layer and --all are both given; expected one of them", "Leave one out.")
    if every:
        return {view: tuple(names) for view, names in known.items()}
    if not patterns:
        return {view: tuple(row.usual(graph, known[view])) for view, row in views.items()}
    wanted: set[str] = set()
    for pattern in patterns:
        found = matching(graph, pattern)
        if not any(name in found for names in known.values() for name in names):
            raise _unknown(pattern, known, views)
        wanted |= found
    chosen = {view: tuple(name for name in names if name in wanted) for view, names in known.items()}
    for view, names in chosen.items():
        if not names:
            raise _unknown(", ".join(patterns), {view: known[view]}, views)
    return chosen


def _known(graph: Graph, view: View) -> list[str]:
    return [name for name, node in graph.nodes.items() if view.has(node)]


def matching(graph: Graph, pattern: str) -> set[str]:
    """The layers that a name, a number or a glob means; a name that looks like a number is a name."""
    names = [*graph.nodes]
    numbered = [name for name, node in graph.nodes.items() if changes_values(node)]
    if pattern in names:
        return {pattern}
    try:
        number = int(pattern)
    except ValueError:
        return {name for name in names if fnmatchcase(name, pattern)}
    place = number - 1 if number > 0 else number + len(numbered)
    return {numbered[place]} if number and 0 <= place < len(numbered) else set()


def _unknown(pattern: str, known: Mapping[str, Sequence[str]], views: Mapping[str, View]) -> CnncliError:
    from cnncli.nearest import did_you_mean

    view = next(iter(known))
    names = list(dict.fromkeys(name for names in known.values() for name in names))
    hint = did_you_mean(pattern, names, form="--layer {}") or "Leave --layer out to see the usual ones."
    return CnncliError(
        f"--layer is {pattern!r}; the network has no such {views[view].noun}: {', '.join(names)}", hint
    )
