"""Sanity: heatmaps of every method while layers lose what they have learned, from the output on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnncli.attribution.methods import METHODS, usable
from cnncli.attribution.model import Attribution, How, Plans, Target
from cnncli.attribution.sanity import Similarity, cascade, similarity
from cnncli.errors import OptionError
from cnncli.models.stages import stages
from cnncli.nn import Graph
from cnncli.nn.weight_gradient import has_weights
from cnncli.views.colors import Colors, ColorScale
from cnncli.views.featuremaps.attribution import (
    is_fine,
    neighbourhoods,
    place_of,
    scale_for,
    smoothing_words,
    targets_of,
)
from cnncli.views.featuremaps.frames import fitted, size_within
from cnncli.views.featuremaps.model import Drawing, Floats, Request, Subject
from cnncli.views.featuremaps.units import mosaic
from cnncli.views.sections import ROOM, Section, Tile

_FEW = 8  # layers with weights that lose them one by one; of deeper networks, stages do
_STEPS = 32  # of integrated gradients
_LARGEST = 150  # pixels of a heatmap
_BEFORE = "trained"
_READING = (
    "What speaks for {}, by every method (Adebayo et al., 2018): first by the trained network, then with the "
    "layers from the output to the named one as before training, their weights drawn at random (seed {}). A "
    "method that shows what the network has learned changes; one whose heatmaps stay shows the image. Each "
    "heatmap has a scale of its own. Below: Spearman's rank correlation with the first heatmap, in brackets "
    "that of magnitudes; 1 is the same order of pixels, 0 none."
)


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw the heatmaps of every method, layer by layer."""
    if request.named:
        raise OptionError(
            "--layer is given; --view sanity goes through all layers", "Leave --layer out, or give --all."
        )
    if len(request.targets) > 1:
        raise OptionError(
            f"--target is given {len(request.targets)} times; --view sanity is of one class",
            "Give one --target.",
        )
    (target,) = targets_of(subject, request)
    groups = groups_of(subject.graph, every=request.every)
    found = _found(subject, request, target.target, groups)
    name = subject.classes[target.label]
    record = {
        "target": name,
        "index": target.label,
        **place_of(subject, target),
        "seed": request.seed,
        "randomized": [{"name": each, "layers": layers} for each, layers in groups.items()],
    }
    sections, methods, arrays = [], {}, {}
    for method in found[0]:
        steps = [each[method] for each in found]
        alike = [similarity(steps[0].heatmap, each.heatmap) for each in steps]
        sections.append(_section(method, [_BEFORE, *groups], steps, alike))
        methods[method] = {**steps[0].about, **_record(alike[1:])}
        arrays[method] = np.stack([each.heatmap for each in steps])
    return Drawing(sections, {**record, "methods": methods}, arrays, _READING.format(name, request.seed))


def groups_of(graph: Graph, *, every: bool = False) -> dict[str, list[str]]:
    """Layers with weights by the name of what loses them together, from the output on.

    Parameters
    ----------
    graph : Graph
        The network.
    every : bool
        Layer by layer, however deep it is: each with the norms behind it. Without it, stages of networks of
        more than 8 layers with weights, and the layers behind the stages one by one.
    """
    nodes = graph.pruned((graph.output,)).nodes.values()
    deep = not every and sum(map(has_weights, nodes)) > _FEW
    of_stage = {layer: stage.name for stage in stages(graph) for layer in stage.layers} if deep else {}
    groups: dict[str, list[str]] = {}
    last = None
    for node in nodes:
        if not node.layer.parameters(node.input_shapes):
            continue
        if last is None or has_weights(node) or node.name in of_stage:
            last = of_stage.get(node.name, node.name)
        groups.setdefault(last, []).append(node.name)
    return dict(reversed(groups.items()))


def _found(
    subject: Subject, request: Request, target: Target, groups: Mapping[str, Sequence[str]]
) -> list[dict[str, Attribution]]:
    """Heatmaps by method: of the network as it is, and after each group of layers."""
    how = How(baseline=request.baseline, seed=request.seed, steps=_STEPS)
    names, _ = usable(subject.graph)
    x = subject.seen.x
    with request.progress(len(names) * (len(groups) + 1), "heatmaps") as bar:
        done = 0

        def ask(plans: Plans) -> dict[str, Attribution]:
            nonlocal done
            made = {}
            for name in names:
                made[name] = METHODS[name].attribute(plans, x, target, how)
                done += 1
                bar.draw(done)
            return made

        return cascade(subject.network, [*groups.values()], ask, seed=request.seed, threads=subject.threads)


def _section(
    method: str,
    names: Sequence[str],
    steps: Sequence[Attribution],
    alike: Sequence[Similarity],
) -> Section:
    """A method's heatmaps side by side."""
    room = min(_LARGEST, ROOM // len(steps) - 4)
    fine = is_fine(steps[0])
    pictures = [_picture(each.heatmap, room, fine=fine) for each in steps]
    size = pictures[0].shape[1], pictures[0].shape[0]
    below = ("1", *(f"{_short(each.signed)} ({_short(each.absolute)})" for each in alike[1:]))
    tile = Tile(mosaic([pictures], size=size), "", columns=tuple(names), below=below)
    about = steps[0].about
    lines = [f"{about[key]} {key}" for key in ("steps", "samples", "windows") if key in about]
    if fine:
        lines.append(f"magnitudes, {smoothing_words(steps[0].heatmap)}")
    return Section(method, tuple(lines), (tile,), side=max(tile.pixels.shape[:2]), strip=True)


def _picture(heatmap: Floats, side: int, *, fine: bool) -> Colors:
    """A heatmap on a scale of its own; small ones in whole enlargements.

    Of ``fine`` ones, in which single pixels cannot be seen, how much there is in each neighbourhood.
    """
    height, width = heatmap.shape
    longest = max(height, width)
    side = side // longest * longest or side
    if fine:
        heatmap = neighbourhoods(heatmap)
    scale = scale_for([heatmap])
    if fine:
        scale = ColorScale(0.0, scale.high, scale.clipped)
    return fitted(scale.colors(heatmap), size_within(width, height, side))


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _record(alike: Sequence[Similarity]) -> dict[str, Any]:
    """Correlations after each group, as JSON."""
    return {
        name: [None if value is None else float(f"{value:.6g}") for value in values]
        for name, values in zip(("spearman", "spearman_absolute"), zip(*alike, strict=True), strict=True)
    }
