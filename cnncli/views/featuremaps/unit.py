"""One value of a network's convolution, worked out: patch, kernels, products, sum, bias, and what follows it.

A network's convolution is a cross-correlation: kernels lie on the patch as they are written. All sums are of
float64 products of the network's own float32 numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import INPUT, AvgPool, BatchNorm, Conv, Graph, LeakyRelu, MaxPool, Node, Relu, Relu6
from cnncli.nn.layers.activation import Activation
from cnncli.nn.window import Axis
from cnncli.views.featuremaps.model import Subject
from cnncli.views.featuremaps.words import kind_of

Numbers = NDArray[np.float64]
Place = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """What a layer makes of the value before it.

    Attributes
    ----------
    layer, kind : str
        Its name, and what it does.
    formula : str
        Worked out in numbers.
    value : float
        Its result.
    """

    layer: str
    kind: str
    formula: str
    value: float


@dataclass(frozen=True, eq=False)
class Unit:
    """One value of a convolution.

    Attributes
    ----------
    node : Node
        The layer.
    number : int
        Which of its maps, from 0.
    at : (x, y)
        Column and row of the value in the map.
    first : int
        The first channel that its group reads; 0 without groups.
    patch, kernel : ndarray, shape (kh, kw, C), float64
        What is read, zeros beyond the edges, and the weights.
    outside : ndarray, shape (kh, kw), bool
        Where the patch is padding.
    bias : float or None
        None where the layer has none.
    map : ndarray, shape (H, W), float32
        All values of the unit.
    steps : tuple of Step
        What follows: batch norm, activation and pooling, as far as each is all that reads the one before.
    """

    node: Node
    number: int
    at: Place
    first: int
    patch: Numbers
    kernel: Numbers
    outside: NDArray[np.bool_]
    bias: float | None
    map: NDArray[np.float32]
    steps: tuple[Step, ...]

    @property
    def products(self) -> Numbers:
        """Patch times kernel."""
        return self.patch * self.kernel

    @property
    def sums(self) -> Numbers:
        """Sum of the products of each channel, (C,)."""
        return np.asarray(self.products.sum(axis=(0, 1)))

    @property
    def value(self) -> float:
        """What the layer computes: all sums, and the bias."""
        return float(self.sums.sum()) + (self.bias or 0.0)

    def strongest(self, count: int) -> tuple[NDArray[np.intp], float]:
        """The channels whose sums are largest, and the sum of all others."""
        order = np.argsort(-np.abs(self.sums), kind="stable")
        return order[:count], float(self.sums[order[count:]].sum())


def followers(graph: Graph, name: str) -> list[Node]:
    """Batch norm, activation and pooling behind a layer, as far as each is all that reads the one before."""
    found: list[Node] = []
    while len(readers := graph.readers(found[-1].name if found else name)) == 1:
        if not isinstance(readers[0].layer, BatchNorm | Activation | MaxPool | AvgPool):
            break
        found.append(readers[0])
        if isinstance(readers[0].layer, MaxPool | AvgPool):
            break
    return found


def unit_at(subject: Subject, name: str, number: int | None = None, at: Place | None = None) -> Unit:
    """Work out one value of a convolution.

    Parameters
    ----------
    subject : Subject
        Network and image.
    name : str
        Of a `Conv`.
    number : int or None
        Of the map; None: the one with the largest value, after its batch norm.
    at : (x, y) or None
        Of the value; None: where the map responds most.
    """
    graph = subject.graph
    node = graph.nodes[name]
    after = followers(graph, name)
    source = node.inputs[0]
    kept = [name, *(each.name for each in after)]
    found = subject.activations([*kept, *([] if source == INPUT else [source])])
    # Before activations, which may end at 6 for many.
    responses = found[next((each.name for each in after[:1] if isinstance(each.layer, BatchNorm)), name)]
    if number is None:
        number = int(responses.max(axis=(0, 1)).argmax())
    if at is None:
        y, x = np.unravel_index(int(responses[:, :, number].argmax()), responses.shape[:2])
        at = (int(x), int(y))
    arrays = subject.network.export()
    weight = arrays[f"{name}.weight"][number].astype(np.float64).transpose(1, 2, 0)
    layer = node.layer
    assert isinstance(layer, Conv)
    first = number // (layer.out_channels // layer.groups) * weight.shape[2]
    read = subject.seen.x if source == INPUT else found[source]
    patch, outside = _patch(read[:, :, first : first + weight.shape[2]], node, at)
    bias = float(arrays[f"{name}.bias"][number]) if f"{name}.bias" in arrays else None
    unit = Unit(node, number, at, first, patch, weight, outside, bias, found[name][:, :, number], ())
    return _with_steps(unit, after, arrays, found)


def _taps(axis: Axis, position: int) -> NDArray[np.intp]:
    """The positions of the input that a window reads."""
    return np.arange(axis.size) * axis.dilation + position * axis.stride - axis.before


def _patch(read: NDArray[np.float32], node: Node, at: Place) -> tuple[Numbers, NDArray[np.bool_]]:
    """What a window reads, (kh, kw, C), and where that is padding."""
    rows, columns = (
        _taps(axis, position)
        for axis, position in zip(node.layer.window(node.input_shapes[0]), at[::-1], strict=True)
    )
    outside = ((rows < 0) | (rows >= read.shape[0]))[:, None] | ((columns < 0) | (columns >= read.shape[1]))
    inside = np.ix_(np.clip(rows, 0, read.shape[0] - 1), np.clip(columns, 0, read.shape[1] - 1))
    return np.where(outside[..., None], 0.0, read[inside].astype(np.float64)), outside


def _with_steps(
    unit: Unit,
    after: list[Node],
    arrays: Mapping[str, NDArray[np.float32]],
    found: Mapping[str, NDArray[np.float32]],
) -> Unit:
    """The unit with what follows it."""
    steps: list[Step] = []
    value = unit.value
    before = unit.node.name
    for node in after:
        if isinstance(node.layer, MaxPool | AvgPool):
            formula, value = _pooled(node, found[before][:, :, unit.number], unit.at)
        elif isinstance(node.layer, BatchNorm):
            formula, value = _normed(node, arrays, unit.number, value)
        else:
            formula, value = _activated(
                node, value, float(found[node.name][unit.at[1], unit.at[0], unit.number])
            )
        steps.append(Step(node.name, kind_of(node), formula, value))
        before = node.name
    return Unit(**{**vars(unit), "steps": tuple(steps)})


def _normed(
    node: Node, arrays: Mapping[str, NDArray[np.float32]], number: int, value: float
) -> tuple[str, float]:
    """A value minus the running mean, divided by the deviation, times the scale, plus the shift."""
    mean, var, scale, shift = (
        float(arrays[f"{node.name}.{part}"][number])
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    assert isinstance(node.layer, BatchNorm)
    deviation = (var + node.layer.epsilon) ** 0.5
    found = (value - mean) / deviation * scale + shift
    text = (
        f"({plain(value)} − {bracketed(mean)}) ÷ {plain(deviation)} × {bracketed(scale)} + {bracketed(shift)}"
    )
    return f"{text} = {plain(found)}", found


def _activated(node: Node, value: float, network: float) -> tuple[str, float]:
    """What an activation makes of a value; those that are no short formula as the network has it."""
    rules: dict[type, tuple[str, Callable[[float], float]]] = {
        Relu: ("max(0, {})", lambda v: max(0.0, v)),
        Relu6: ("min(6, max(0, {}))", lambda v: min(6.0, max(0.0, v))),
    }
    if isinstance(node.layer, LeakyRelu):
        slope = node.layer.slope
        found = value if value > 0 else slope * value
        return f"{plain(value)}{'' if value > 0 else f' × {slope:g}'} = {plain(found)}", found
    rule = rules.get(type(node.layer))
    if rule is None:
        return f"{kind_of(node)} of {plain(value)} = {plain(network)}", network
    found = rule[1](value)
    return f"{rule[0].format(plain(value))} = {plain(found)}", found


def _pooled(node: Node, values: NDArray[np.float32], at: Place) -> tuple[str, float]:
    """The window of a pooling that holds a value, and what it gives."""
    axes = node.layer.window(node.input_shapes[0])
    spans = []
    for axis, position, count, size in zip(axes, at[::-1], node.shape[:2], values.shape, strict=True):
        window = min(max((position + axis.before) // axis.stride, 0), count - 1)
        taps = _taps(axis, window)
        spans.append(taps[(taps >= 0) & (taps < size)])
    part = values[np.ix_(*spans)].astype(np.float64)
    listed = ", ".join(plain(float(value)) for value in part.ravel())
    if isinstance(node.layer, MaxPool):
        found = float(part.max())
        return f"the largest of {listed} = {plain(found)}", found
    area = part.size if part.size == axes[0].size * axes[1].size else axes[0].size * axes[1].size
    found = float(part.sum()) / area
    return f"the mean of {listed} = {plain(found)}", found


def plain(value: float) -> str:
    """A number with four decimals and a true minus sign."""
    text = f"{value:.4f}".replace("-", "−")
    return text.replace("−", "") if float(f"{value:.4f}") == 0 else text


def bracketed(value: float) -> str:
    """As `plain`, negative numbers in brackets."""
    text = plain(value)
    return f"({text})" if text.startswith("−") else text
