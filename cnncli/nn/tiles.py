"""Networks over images of any size, in tiles: the outputs are those for the whole image, bit for bit.

A tile is read with a margin around it, as wide as outputs look beyond it, and only what lies within the
margin is kept. Tiles begin where the steps of all layers begin, those of Winograd's algorithm as well, so
that every number is computed as it is for the whole image.

Legend: an image has H rows, W columns and C channels, outputs (H, W, K).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn.algorithms.winograd import TILE
from cnncli.nn.graph import INPUT, Graph
from cnncli.nn.inference import Inference
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.network import Floats, Network
from cnncli.nn.window import Axis
from cnncli.records import record

SIDE = 512  # of a tile, at least, where the image is larger
_MARGINS = (6, 5, 4, 3)  # in a side: the more, the more pixels of a tile are kept
_WIDEST = 1 << 26  # values of the widest layer of a tile: 256 MB
_PLANS = 4  # for sizes of images, that are kept
_LARGE = 16  # steps of an image for which Winograd's algorithm is as fast as it gets

Read = Callable[[slice, slice], NDArray[np.float32]]


@record
class Piece:
    """A part of an image.

    Attributes
    ----------
    rows, columns : slice
        Its pixels.
    inner : (slice, slice)
        Where they are in the tile that they come from.
    """

    rows: slice
    columns: slice
    inner: tuple[slice, slice]


class TiledNetwork:
    """A network that has an output for each pixel, for images of any size.

    Parameters
    ----------
    network : Network
        For images of one size.
    threads : int
        That share a tile.
    side : int
        Of a tile, in pixels, at least.

    Attributes
    ----------
    step : int
        Images are filled up to multiples of it.
    margin : int
        Pixels around a tile, of which outputs in it may know.

    Raises
    ------
    CnncliError
        Where a layer looks at the whole image, or outputs are not one for each pixel.
    """

    def __init__(self, network: Network, *, threads: int, side: int = SIDE) -> None:
        self.network, self._threads = network, threads
        self._arrays = network.export()
        graph = network.graph
        whole = layer_of_wholes(graph)
        if whole is not None:
            raise CnncliError(
                f"layer {whole} looks at the whole image, which cannot be cut into tiles; expected "
                "convolutions and poolings of small windows",
                "Resize images to the network's own input.",
            )
        if graph.output_shape[:2] != graph.input_shape[:2]:
            raise CnncliError(
                f"the outputs are {graph.output_shape} for images of {graph.input_shape}; expected one for "
                "each pixel",
                "Use a network for masks, such as unet.",
            )
        self.step = TILE * _step(graph)
        large = resized(graph, (_LARGE * self.step,) * 2)
        self.margin = -(-_reach(large, self.step) // self.step) * self.step
        self._side = -(-max(side, self._fitting()) // self.step) * self.step
        self._plans: dict[tuple[int, int], Inference] = {}

    def _fitting(self) -> int:
        """Pixels of a side, as many as fit into some memory."""
        graph = self.network.graph
        pixel = max(node.shape.size for node in graph.nodes.values()) / (
            graph.input_shape[0] * graph.input_shape[1]
        )
        sides = [times * self.margin for times in _MARGINS]
        return next((each for each in sides if each * each * pixel <= _WIDEST), sides[-1])

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """An image's size, filled up below and to the right."""
        rows, columns = (-(-pixels // self.step) * self.step for pixels in (height, width))
        return rows, columns

    def tile(self, height: int, width: int) -> tuple[int, int]:
        """The size of tiles of an image: such that layers use the algorithms that they use for the whole."""
        high, wide = self.padded(height, width)
        whole, side = resized(self.network.graph, (high, wide)), self._side
        while (min(side, high), min(side, wide)) != (high, wide):
            tile = min(side, high), min(side, wide)
            if _algorithms(resized(self.network.graph, tile)) == _algorithms(whole):
                return tile
            side += self._side
        return high, wide

    def pieces(self, height: int, width: int) -> Iterator[Piece]:
        """The parts of an image, row by row; together they cover it, each pixel once."""
        across = list(self._along(width, self.padded(height, width)[1], self.tile(height, width)[1]))
        for rows, inner_rows in self._along(
            height, self.padded(height, width)[0], self.tile(height, width)[0]
        ):
            for columns, inner_columns in across:
                yield Piece(rows, columns, (inner_rows, inner_columns))

    def _along(self, pixels: int, padded: int, tile: int) -> Iterator[tuple[slice, slice]]:
        """Pixels, and where they are in their tile."""
        done = 0
        while done < pixels:
            first = min(max(0, done - self.margin), padded - tile)
            last = tile + first - (self.margin if first + tile < padded else 0)
            last = min(last, pixels)
            yield slice(done, last), slice(done - first, last - first)
            done = last

    def run(self, read: Read, height: int, width: int) -> Iterator[tuple[Piece, Floats]]:
        """Outputs of an image, piece by piece.

        Parameters
        ----------
        read : callable
            ``read(rows, columns)`` gives pixels (h, w, C) as the network takes them; slices may reach beyond
            the image, below and to the right, up to `padded`.
        height, width : int
            H and W.

        Yields
        ------
        piece, outputs
            (h, w, K) for the rows and columns of the piece.
        """
        inference = self._plan(self.tile(height, width))
        high, wide = inference.network.graph.input_shape[:2]
        for piece in self.pieces(height, width):
            top, left = piece.rows.start - piece.inner[0].start, piece.columns.start - piece.inner[1].start
            pixels = read(slice(top, top + high), slice(left, left + wide))
            outputs = inference.run(np.ascontiguousarray(pixels, np.float32)[None])
            yield piece, outputs.reshape(high, wide, -1)[piece.inner]

    def _plan(self, size: tuple[int, int]) -> Inference:
        if size not in self._plans:
            while len(self._plans) >= _PLANS:
                del self._plans[next(iter(self._plans))]
            network = Network(resized(self.network.graph, size), scheme=None)
            network.load(self._arrays)
            self._plans[size] = Inference(network, 1, threads=self._threads)
        return self._plans[size]


def resized(graph: Graph, size: tuple[int, int]) -> Graph:
    """The same layers for images of another height and width.

    Raises
    ------
    CnncliError
        Where they do not fit.
    """
    made = Graph((*size, graph.input_shape.channels))
    for node in graph.nodes.values():
        made.add(node.layer, inputs=node.inputs, name=node.name)
    for role, name in graph.outputs.items():
        made.set_output(name, role)
    return made


def layer_of_wholes(graph: Graph) -> str | None:
    """The first layer whose window depends on the size of images, as of a global pooling; None: no such."""
    step = _step(graph)
    near, far = (resized(graph, (times * step, times * step)) for times in (8, 16))
    for name, node in near.nodes.items():
        other = far.nodes[name]
        if node.layer.window(node.input_shapes[0]) != other.layer.window(other.input_shapes[0]):
            return name
    return None


def _step(graph: Graph) -> int:
    """Pixels from one value to the next, of the coarsest maps; those of all others divide it."""
    one = Fraction(1)
    steps = {INPUT: (one, one)}
    for node in graph.nodes.values():
        axes = node.layer.window(node.input_shapes[0])
        along = zip(steps[node.inputs[0]], axes, strict=True)
        rows, columns = (step * axis.stride / axis.upsampled for step, axis in along)
        steps[node.name] = rows, columns
    return lcm(*(step.numerator for both in steps.values() for step in both))


def _reach(graph: Graph, step: int) -> int:
    """How many pixels beyond itself a square of so many pixels of the output depends on, to any side.

    Winograd's algorithm computes squares of outputs at a time, whose last bits depend on one another.
    """
    needed: dict[str, list[tuple[int, int]]] = {graph.output: [(0, step)] * 2}
    for node in reversed(graph.nodes.values()):
        if node.name in needed:
            axes, wanted = node.layer.window(node.input_shapes[0]), needed[node.name]
            if isinstance(node.layer, Conv) and node.layer.algorithm(node.input_shapes, 1) == "winograd":
                wanted = [(first // TILE * TILE, -(-last // TILE) * TILE) for first, last in wanted]
            spans = [_read(axis, *span) for axis, span in zip(axes, wanted, strict=True)]
            for name in node.inputs:
                others = needed.get(name, spans)
                needed[name] = [(min(a, b), max(c, d)) for (a, c), (b, d) in zip(spans, others, strict=True)]
    return max(max(-first, last - step) for first, last in needed[INPUT])


def _read(axis: Axis, first: int, last: int) -> tuple[int, int]:
    """The inputs that outputs ``first`` to before ``last`` depend on."""
    if axis.upsampled == 1:
        start = first * axis.stride - axis.before
        return start, start + (last - 1 - first) * axis.stride + axis.extent
    up = axis.upsampled
    return (first + axis.before - axis.extent) // up + 1, (last - 1 + axis.before) // up + 1


def _algorithms(graph: Graph) -> list[str]:
    """How each convolution is computed."""
    nodes = graph.nodes.values()
    return [node.layer.algorithm(node.input_shapes, 1) for node in nodes if isinstance(node.layer, Conv)]
