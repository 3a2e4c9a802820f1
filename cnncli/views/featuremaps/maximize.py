"""Maximize: the input that excites a unit or a class most, found by gradient ascent.

Sources: Erhan et al., Visualizing higher-layer features of a deep network, 2009; jitter, blur and total
variation as in Olah, Mordvintsev and Schubert, Feature visualization, 2017, and Mahendran and Vedaldi, 2016.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import Gelu, Graph, LeakyRelu, Network, Relu, Relu6, Silu
from cnncli.nn.gradient import Gradient
from cnncli.views.colors import as_rgb, short
from cnncli.views.featuremaps.frames import fitted, size_within
from cnncli.views.featuremaps.model import Drawing, Floats, Progress, Request, Subject
from cnncli.views.featuremaps.units import FieldMap, layer_lines, unit_name, units_of
from cnncli.views.sections import Section, Tile

_UNITS, _NAMED_UNITS = 8, 18  # of a layer
_SIDE, _NAMED_SIDE = 120, 172  # pixels of a picture
STEPS = 96
_RATE = 0.06  # of Adam, in units of white
_BETAS, _EPSILON = (0.9, 0.99), 1e-8
_SMOOTH = 0.3  # weight of total variation beside the gradient, both of mean size 1
_BLUR_EVERY, _BLUR = 4, 0.2  # steps, and what each neighbour has of a pixel at the start; 0 at the end
_JITTER = 16  # pixels of the receptive field for one of jitter
_COARSEST, _FINE = 16, 0.5  # pixels of the coarsest scale at least; weight of finer details beside it
_GRAY = 0.5  # of the mean of colours, at each scale, added to each of them
_START = 0.03  # deviation of the noise it begins with, around gray
_MARGIN = 32  # inputs are a multiple of so many pixels, as the strides of networks ask
_READING = (
    "Inputs that excite a unit most, found by gradient ascent from gray noise and cut to the unit's "
    "receptive field: what it looks for. Under each are the unit and its value, "
    "before the activation function where the layer is one. Sizes are height × width."
)


class Found(NamedTuple):
    """What gradient ascent has found.

    Attributes
    ----------
    pixels : ndarray, shape (N, h, w, C), float32
        0 to 1, of the whole input.
    before, after : ndarray, shape (N,)
        Values of the units for the noise and for ``pixels``.
    """

    pixels: Floats
    before: Floats
    after: Floats


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw the inputs that excite units of layers most."""
    usual, side = (_NAMED_UNITS, _NAMED_SIDE) if request.named else (_UNITS, _SIDE)
    units = {layer: units_of(subject, layer, request, usual=usual) for layer in request.layers}
    sections, about, arrays = [], [], {}
    with request.progress(STEPS * len(units), "steps") as progress:
        for number, (layer, chosen) in enumerate(units.items()):
            found, cut = _of_layer(subject, layer, chosen, request.seed, _Part(progress, STEPS * number))
            sections.append(_section(subject, layer, chosen, found, cut, side=side))
            about.append(_about(layer, chosen, found))
            arrays[layer] = cut
    return Drawing(sections, {"seed": request.seed, "steps": STEPS, "layers": about}, arrays, _READING)


def maximized(
    network: Network,
    layer: str,
    units: Sequence[int],
    normalisation: tuple[Floats, Floats],
    *,
    seed: int,
    steps: int = STEPS,
    threads: int = 1,
    progress: Progress | None = None,
) -> Found:
    """Find inputs that excite units of a layer, each at the middle of its map.

    Where the layer is an activation function, they excite what it reads: a ReLU that is 0 has no gradient.

    Parameters
    ----------
    network : Network
        With its weights.
    layer : str
        Name.
    units : sequence of int
        Of the layer.
    normalisation : (mean, std), each (C,)
        Of inputs, white being 1.
    seed : int
        Of the noise and the jitter.
    steps : int
        Of gradient ascent.
    threads : int
        To use.
    progress : Progress or None
        Shows the steps.
    """
    graph = network.graph
    shape, layer = graph.shape_of(layer), _before_activation(graph, layer)
    start = _start_of(units, (shape.height // 2, shape.width // 2))
    gradient = Gradient(network, len(units), of=layer, threads=threads)
    rng = np.random.default_rng(seed)
    mean, std = (np.asarray(each, np.float32) for each in normalisation)
    x = rng.normal(0.5, _START, (len(units), *graph.input_shape[:3])).astype(np.float32)
    reach = max(0, min(FieldMap(graph, layer).size) // _JITTER)
    moments = np.zeros((2, *x.shape), np.float32)

    def values(images: Floats) -> Floats:
        flow = gradient.run(np.ascontiguousarray((images - mean) / std), start)
        maps = flow.outputs.reshape(len(units), *shape[:3])
        return maps[np.arange(len(units)), shape.height // 2, shape.width // 2, list(units)].copy()

    before = values(x)
    for step in range(1, steps + 1):
        by = rng.integers(-reach, reach + 1, 2)
        moved = np.roll(x, by, axis=(1, 2))
        flow = gradient.run(np.ascontiguousarray((moved - mean) / std), start)
        ascent = np.roll(flow.gradients["input"] / std, -by, axis=(1, 2))
        x = _stepped(x, _at_scales(ascent) - _SMOOTH * _scaled(_variation(x)), moments, step)
        if step % _BLUR_EVERY == 0 and step < steps:
            x = _blurred(x, _BLUR * (1 - step / steps))
        if progress is not None:
            progress.draw(step)
    return Found(x, before, values(x))


def _before_activation(graph: Graph, layer: str) -> str:
    """What an activation function reads; other layers themselves."""
    node = graph.nodes[layer]
    return node.inputs[0] if isinstance(node.layer, Relu | Relu6 | LeakyRelu | Silu | Gelu) else layer


def _of_layer(
    subject: Subject, layer: str, units: Sequence[int], seed: int, progress: Progress
) -> tuple[Found, Floats]:
    """What excites units of a layer, and its part within their receptive field."""
    network = _no_larger_than_needed(subject, layer)
    preprocessing = subject.checkpoint.preprocessing
    normalisation = (np.array(preprocessing.mean, np.float32), np.array(preprocessing.std, np.float32))
    found = maximized(
        network, layer, units, normalisation, seed=seed, threads=subject.threads, progress=progress
    )
    shape = network.graph.shape_of(layer)
    left, top, right, bottom = FieldMap(network.graph, layer).box(shape.height // 2, shape.width // 2)
    return found, found.pixels[:, top:bottom, left:right]


def _no_larger_than_needed(subject: Subject, layer: str) -> Network:
    """The layers up to one, for an input that its receptive field at the middle fits into.

    Of a network for photographs the first stages look at some dozens of pixels: an input of 224 x 224 would
    be hundreds of times the work.
    """
    graph = subject.graph
    height, width = (
        min(whole, -(-(size + _MARGIN) // _MARGIN) * _MARGIN)
        for size, whole in zip(FieldMap(graph, layer).size, graph.input_shape[:2], strict=True)
    )
    if (height, width) == graph.input_shape[:2] or graph.shape_of(layer)[:2] == (1, 1):
        return subject.network
    smaller = Graph((height, width, graph.input_shape.channels))
    for node in graph.pruned([layer]).nodes.values():
        smaller.add(node.layer, inputs=node.inputs, name=node.name)
    network = Network(smaller, scheme=None)
    network.load({name: subject.network.array(name) for name in (*network.parameters, *network.states)})
    return network


def _start_of(units: Sequence[int], place: tuple[int, int]) -> Any:
    """The gradient that begins at one unit for each input, at a place of its map."""

    def start(outputs: Floats) -> Floats:
        made = np.zeros_like(outputs)
        maps = made.reshape(len(made), *(outputs.shape[1:3] if outputs.ndim == 4 else (1, 1)), -1)
        maps[np.arange(len(units)), place[0], place[1], list(units)] = 1
        return made

    return start


def _stepped(x: Floats, ascent: Floats, moments: Floats, step: int) -> Floats:
    """One step of Adam upwards, kept between black and white."""
    first, second = _BETAS
    moments[0] = first * moments[0] + (1 - first) * ascent
    moments[1] = second * moments[1] + (1 - second) * ascent**2
    size = np.sqrt(moments[1] / (1 - second**step)) + _EPSILON
    moved = x + _RATE * (moments[0] / (1 - first**step)) / size
    return np.asarray(np.clip(moved, 0, 1), np.float32)


def _scaled(gradient: Floats) -> Floats:
    """A gradient of mean magnitude 1 for each input, where it is not 0."""
    size = np.abs(gradient).mean(axis=(1, 2, 3), keepdims=True)
    return np.asarray(gradient / np.where(size > 0, size, 1), np.float32)


def _at_scales(gradient: Floats) -> Floats:
    """A gradient whose details of every size have one magnitude: alone, the finest would win.

    Source: Mordvintsev, DeepDreaming with TensorFlow, 2016 (Laplacian pyramid normalisation).
    """
    height, width = gradient.shape[1:3]
    if gradient.shape[3] > 1:  # as in photographs, where most is light and dark
        gradient = gradient + _GRAY * gradient.mean(axis=3, keepdims=True)
    if min(height, width) < _COARSEST:
        return _scaled(gradient)
    ends = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
    even = np.pad(gradient, ends, mode="edge")
    count, rows, columns, channels = even.shape
    coarse = even.reshape(count, rows // 2, 2, columns // 2, 2, channels).mean(axis=(2, 4))
    details = _scaled(gradient - _doubled(coarse, height, width))
    return np.asarray(_FINE * details + _doubled(_at_scales(coarse), height, width), np.float32)


def _doubled(x: Floats, height: int, width: int) -> Floats:
    """Twice as large, smoothly, and cut to a size."""
    return _blurred(x.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width], 0.25)


def _variation(x: Floats) -> Floats:
    """Gradient of half the sum of squared differences between neighbours."""
    out = np.zeros_like(x)
    for axis in (1, 2):
        step = np.diff(x, axis=axis)
        low, high = [slice(None)] * 4, [slice(None)] * 4
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        out[tuple(low)] -= step
        out[tuple(high)] += step
    return out


def _blurred(x: Floats, share: float) -> Floats:
    """Each pixel gives a share of itself to each neighbour, along rows and then columns."""
    for axis in (1, 2):
        ends = [(0, 0)] * 4
        ends[axis] = (1, 1)
        padded = np.pad(x, ends, mode="edge")
        count = x.shape[axis]
        before, after = (padded.take(range(at, at + count), axis=axis) for at in (0, 2))
        x = np.asarray((1 - 2 * share) * x + share * (before + after), np.float32)
    return x


class _Part:
    """A part of a progress that begins somewhere."""

    def __init__(self, whole: Progress, first: int) -> None:
        self._whole, self._first = whole, first

    def draw(self, done: int) -> None:
        self._whole.draw(self._first + done)


def _section(
    subject: Subject, layer: str, units: Sequence[int], found: Found, cut: Floats, *, side: int
) -> Section:
    name, lines = layer_lines(subject.graph, layer)
    size = size_within(cut.shape[2], cut.shape[1], side)
    tiles = []
    for number, unit in enumerate(units):
        pixels: NDArray[np.uint8] = np.rint(255 * cut[number]).astype(np.uint8)
        said = short(float(found.after[number]))
        tiles.append(Tile(fitted(as_rgb(pixels), size), unit_name(subject, layer, unit), said))
    return Section(name, lines, tuple(tiles), side=side, strip=True)


def _about(layer: str, units: Sequence[int], found: Found) -> dict[str, Any]:
    return {
        "name": layer,
        "units": [
            {"unit": unit, "before": float(f"{before:.6g}"), "activation": float(f"{after:.6g}")}
            for unit, before, after in zip(units, found.before, found.after, strict=True)
        ],
    }
