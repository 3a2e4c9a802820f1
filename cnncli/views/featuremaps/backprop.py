"""Backprop: the way back through a network, at each stage beside what went forward."""

from collections.abc import Mapping, Sequence

import numpy as np

from cnncli.errors import OptionError
from cnncli.models.stages import stages
from cnncli.nn import INPUT, Graph, Node
from cnncli.nn.gradient import Flow, Gradient, of_cross_entropy
from cnncli.nn.weight_gradient import has_weights, weight_gradient
from cnncli.views.colors import scale_around, scale_of, short
from cnncli.views.featuremaps.frames import fitted, size_within
from cnncli.views.featuremaps.model import Drawing, Floats, Request, Subject
from cnncli.views.featuremaps.units import layer_lines, mosaic
from cnncli.views.sections import BarRow, Section, Tile

_COUNT = 12  # maps of a layer
_SIDE = 72  # pixels of a map
_READING = (
    "The loss is the cross-entropy of the predicted class, {}: {}. A row of maps for what each layer "
    "computes, below it dLoss/doutput of the same maps: where the loss would rise (orange) or fall (blue) if "
    "a value rose. They are the maps with the largest gradients. The last row is dLoss/dw of the last "
    "convolution before them, for the input map where it is largest, or for all input maps of a 1 × 1 "
    "convolution. | | is the root of the sum of squares. Sizes are height × width."
)


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw what layers compute, and the gradients of the loss with respect to it and to their weights."""
    graph = subject.graph
    if subject.outputs.ndim > 1:
        raise OptionError(
            "--view backprop is of one class of an image; expected a network that has one, not one for each "
            "place",
            "See --view gradcam, which explains a box or the pixels of a class.",
        )
    label = int(subject.outputs.argmax())
    held = {layer: _weighted(graph, layer) for layer in request.layers}
    every = list(dict.fromkeys(node.name for nodes in held.values() for node in nodes))
    flow = _flow(subject, [*request.layers, *every], label)
    weights = {name: weight_gradient(graph.nodes[name], *_ends(flow, graph.nodes[name])) for name in every}
    loss = float(-np.log(_softmax(flow.outputs[0])[label]))
    sections = [_section(subject, layer, held[layer], flow, weights) for layer in request.layers]
    norms = {layer: _norm([weights[node.name] for node in held[layer]]) for layer in request.layers}
    sections.append(_norms_section(subject, norms))
    record = {
        "class": subject.classes[label],
        "loss": _rounded(loss),
        "layers": [
            {
                "name": layer,
                "output_gradient": _rounded(_norm([flow.gradients[layer]])),
                "weight_gradient": _rounded(norms[layer]),
                "weights": {node.name: _rounded(_norm([weights[node.name]])) for node in held[layer]},
            }
            for layer in request.layers
        ],
    }
    arrays = {layer: flow.gradients[layer][0] for layer in request.layers}
    arrays |= {f"{name}.weight": array for name, array in weights.items()}
    return Drawing(sections, record, arrays, _READING.format(subject.classes[label], short(loss)))


def _weighted(graph: Graph, layer: str) -> list[Node]:
    """Layers with weights: those of the stage that a layer stands for, or itself."""
    stage = next((each for each in stages(graph) if each.output == layer), None)
    names: Sequence[str] = (layer,) if stage is None else stage.layers
    return [graph.nodes[name] for name in names if has_weights(graph.nodes[name])]


def _flow(subject: Subject, names: Sequence[str], label: int) -> Flow:
    """What goes forward and back through layers and what they read."""
    graph = subject.graph
    read = {name for each in names for name in graph.nodes[each].inputs if name != INPUT}
    wrt = tuple(dict.fromkeys(names))
    keep = tuple(name for name in dict.fromkeys((*names, *read)) if name != graph.output)
    gradient = Gradient(subject.network, 1, wrt=wrt, keep=keep, threads=subject.threads)
    x = np.ascontiguousarray(subject.seen.x[None])
    flow = gradient.run(x, of_cross_entropy([label]))
    shape = graph.output_shape[:3]
    return Flow(
        flow.outputs,
        {INPUT: x, graph.output: flow.outputs.reshape(1, *shape), **flow.activations},
        flow.gradients,
    )


def _ends(flow: Flow, node: Node) -> tuple[Floats, Floats]:
    """What a layer reads, and the gradient with respect to what it computes."""
    return flow.activations[node.inputs[0]][0], flow.gradients[node.name][0]


def _section(
    subject: Subject, layer: str, held: Sequence[Node], flow: Flow, weights: Mapping[str, Floats]
) -> Section:
    name, lines = layer_lines(subject.graph, layer)
    output, gradient = flow.activations[layer][0], flow.gradients[layer][0]
    chosen = np.argsort(-np.abs(gradient).mean(axis=(0, 1)), kind="stable")[:_COUNT]
    size = size_within(output.shape[1], output.shape[0], _SIDE)
    forward, back = scale_of(output), scale_around(gradient)
    rows = [
        [fitted(forward.colors(output[..., c]), size) for c in chosen],
        [fitted(back.colors(gradient[..., c]), size) for c in chosen],
    ]
    labels = ["output", "dL/doutput"]
    last = next((node.name for node in reversed(held) if len(weights[node.name]) == output.shape[2]), None)
    if last is not None:
        scale = scale_around(weights[last])
        rows.append([fitted(scale.colors(_picture(weights[last][c])), size) for c in chosen])
        labels.append("dL/dw")
    picture = mosaic(rows, size=size)
    said = [f"|dLoss/doutput| = {short(_norm([gradient]))}"]
    if held:
        what = f"{len(held)} layers" if len(held) > 1 else held[0].name
        said.append(f"|dLoss/dw| = {short(_norm([weights[node.name] for node in held]))}, {what}")
    tile = Tile(picture, "", rows=tuple(labels))
    note = "maps " + ", ".join(f"#{c}" for c in chosen)
    return Section(
        name, (lines[0], *said), (tile,), side=max(picture.shape[:2]), scale=back, note=note, strip=True
    )


def _picture(kernel: Floats) -> Floats:
    """A kernel's slice where it is largest; all numbers of one that has no extent, in rows."""
    if kernel.ndim == 3 and kernel.shape[1:] != (1, 1):
        found: Floats = kernel[int((kernel**2).sum(axis=(1, 2)).argmax())]
        return found
    flat = kernel.ravel()
    across = int(np.ceil(np.sqrt(len(flat))))
    return np.pad(flat, (0, -len(flat) % across)).reshape(-1, across)


def _norms_section(subject: Subject, norms: Mapping[str, float]) -> Section:
    """The weights' gradients of all stages, to compare."""
    most = max(norms.values(), default=0.0) or 1.0
    bars = tuple(
        BarRow(layer_lines(subject.graph, layer)[0], short(norm), norm / most)
        for layer, norm in norms.items()
    )
    return Section("|dLoss/dw|", ("of each stage, from the input on",), bars=bars, strip=True)


def _norm(arrays: Sequence[Floats]) -> float:
    return float(np.sqrt(sum((array.astype(np.float64) ** 2).sum() for array in arrays)))


def _softmax(outputs: Floats) -> Floats:
    powers = np.exp(outputs.astype(np.float64) - outputs.max())
    return np.asarray(powers / powers.sum(), np.float32)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
