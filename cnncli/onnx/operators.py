"""Layers as operators of ONNX, each a function of the table at the end.

A value of the network is maps (N, C, H, W), or vectors (N, K) once it is flattened. Operators of maps take
what is flat as maps of one pixel, and the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import Layer
from cnncli.nn.graph import INPUT, Node
from cnncli.nn.layers.activation import Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Tanh
from cnncli.nn.layers.clips import Clip, Frames
from cnncli.nn.layers.combine import Add, Concat, Flatten, PadChannels, ScaleChannels
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.dropout import Dropout
from cnncli.nn.layers.linear import Linear
from cnncli.nn.layers.normalisation import BatchNorm, LocalResponseNorm
from cnncli.nn.layers.pooling import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool, Pool
from cnncli.nn.layers.text import BoundedLinear, ConvOverTime, Embedding
from cnncli.nn.layers.upsampling import ConvTranspose, Upsample
from cnncli.nn.window import Axis, Window, pair


class Writer:
    """The nodes and constants of an ONNX graph that is being written.

    Parameters
    ----------
    weights : dict of str to ndarray
        Parameters and buffers by name, as ``Network.export`` gives them.
    source : str
        The value that the network takes in.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        In order.
    arrays : dict of str to ndarray
        Constants by name: the weights that nodes use, and others.
    """

    def __init__(self, weights: dict[str, NDArray[np.float32]], source: str) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._weights = weights
        self._values = {INPUT: source}
        self._flat: set[str] = set()
        self._written: set[str] = set()

    def value(self, name: str) -> str:
        """The ONNX value of a layer's output."""
        return self._values[name]

    def is_flat(self, value: str) -> bool:
        """Whether a value is vectors (N, K)."""
        return value in self._flat

    def maps(self, name: str) -> str:
        """A layer's output as maps (N, C, H, W)."""
        value = self._values[name]
        if not self.is_flat(value):
            return value
        return self.add("Unsqueeze", [value, self.constant("sides", [2, 3])], f"{value}/maps")

    def flat(self, name: str) -> str:
        """A layer's output as vectors (N, K)."""
        value = self._values[name]
        return value if self.is_flat(value) else self.add("Flatten", [value], f"{value}/flat", flat=True)

    def weight(self, node: Node, name: str) -> str:
        """One of a layer's weights."""
        full = f"{node.name}.{name}"
        self.arrays[full] = self._weights[full]
        return full

    def constant(self, name: str, values: Any, kind: type = np.int64) -> str:
        """Another constant; what is written under a name already has to be the same."""
        array: NDArray[Any] = np.asarray(values, kind)
        if name in self.arrays and not np.array_equal(self.arrays[name], array):
            raise ValueError(f"the constant {name!r} is {self.arrays[name]} already; expected {array}")
        self.arrays[name] = array
        return name

    def add(self, kind: str, inputs: list[str], output: str, *, flat: bool = False, **attributes: Any) -> str:
        """Add a node, unless its output is there already; returns that."""
        from onnx import helper

        if output not in self._written:
            self._written.add(output)
            self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        if flat:
            self._flat.add(output)
        return output

    def end(self, node: Node, kind: str, inputs: list[str], *, flat: bool = False, **attributes: Any) -> None:
        """Add the node that computes a layer's output."""
        self._values[node.name] = self.add(kind, inputs, node.name, flat=flat, **attributes)

    def same(self, node: Node) -> None:
        """A layer whose output is its input."""
        self._values[node.name] = self._values[node.inputs[0]]


def alike(writer: Writer, node: Node) -> tuple[list[str], bool]:
    """The inputs of a layer, all flat or all maps, and which."""
    flat = all(writer.is_flat(writer.value(name)) for name in node.inputs)
    return [writer.value(name) if flat else writer.maps(name) for name in node.inputs], flat


def plain(kind: str, **attributes: Any) -> Callable[[Writer, Node], None]:
    """A layer that is one operator of all its inputs."""

    def write(writer: Writer, node: Node) -> None:
        inputs, flat = alike(writer, node)
        writer.end(node, kind, inputs, flat=flat, **attributes)

    return write


def _relu6(writer: Writer, node: Node) -> None:
    inputs, flat = alike(writer, node)
    limits = [writer.constant(name, value, np.float32) for name, value in (("zero", 0.0), ("six", 6.0))]
    writer.end(node, "Clip", [*inputs, *limits], flat=flat)


def _leaky(writer: Writer, node: Node) -> None:
    layer = cast(LeakyRelu, node.layer)
    inputs, flat = alike(writer, node)
    writer.end(node, "LeakyRelu", inputs, flat=flat, alpha=float(layer.slope))


def _silu(writer: Writer, node: Node) -> None:
    (x,), flat = alike(writer, node)
    gate = writer.add("Sigmoid", [x], f"{node.name}/gate", flat=flat)
    writer.end(node, "Mul", [x, gate], flat=flat)


def _gelu(writer: Writer, node: Node) -> None:
    """x / 2 (1 + erf(x / sqrt(2)))."""
    (x,), flat = alike(writer, node)
    name = node.name
    numbers = (("root", math.sqrt(0.5)), ("one", 1.0), ("half", 0.5))
    root, one, half = (writer.constant(each, number, np.float32) for each, number in numbers)
    error = writer.add("Erf", [writer.add("Mul", [x, root], f"{name}/scaled")], f"{name}/erf")
    share = writer.add("Mul", [writer.add("Add", [error, one], f"{name}/sum"), half], f"{name}/share")
    writer.end(node, "Mul", [x, share], flat=flat)


def _flatten(writer: Writer, node: Node) -> None:
    if writer.is_flat(writer.value(node.inputs[0])):
        writer.same(node)
    else:
        writer.end(node, "Flatten", [writer.value(node.inputs[0])], flat=True)


def _scale(writer: Writer, node: Node) -> None:
    writer.end(node, "Mul", [writer.maps(name) for name in node.inputs])


def _pad_channels(writer: Writer, node: Node) -> None:
    layer = cast(PadChannels, node.layer)
    pads = writer.constant(f"{node.name}/pads", [0, layer.before, 0, 0, 0, layer.after, 0, 0])
    writer.end(node, "Pad", [writer.maps(node.inputs[0]), pads])


def _linear(writer: Writer, node: Node) -> None:
    names = [name for name in ("weight", "bias") if name == "weight" or cast(Linear, node.layer).bias]
    inputs = [writer.flat(node.inputs[0]), *(writer.weight(node, name) for name in names)]
    writer.end(node, "Gemm", inputs, flat=True, transB=1)


def _convolution(writer: Writer, node: Node) -> None:
    layer = cast(Conv, node.layer)
    weights = [writer.weight(node, name) for name in ("weight", "bias") if name == "weight" or layer.bias]
    writer.end(
        node,
        "Conv",
        [writer.maps(node.inputs[0]), *weights],
        group=layer.groups,
        dilations=pair(layer.dilation),
        **_places(layer.window(node.input_shapes[0])),
    )


def _transposed(writer: Writer, node: Node) -> None:
    layer = cast(ConvTranspose, node.layer)
    weights = [writer.weight(node, name) for name in ("weight", "bias") if name == "weight" or layer.bias]
    writer.end(
        node,
        "ConvTranspose",
        [writer.maps(node.inputs[0]), *weights],
        kernel_shape=pair(layer.kernel),
        strides=pair(layer.stride),
        pads=(*pair(layer.padding), *pair(layer.padding)),
    )


def _upsample(writer: Writer, node: Node) -> None:
    layer = cast(Upsample, node.layer)
    scales = writer.constant(f"{node.name}/scales", [1, 1, *pair(layer.factor)], np.float32)
    how: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if layer.mode == "nearest":
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    writer.end(node, "Resize", [writer.maps(node.inputs[0]), "", scales], **how)


def _batch_norm(writer: Writer, node: Node) -> None:
    inputs, flat = alike(writer, node)
    names = ("weight", "bias", "running_mean", "running_var")
    values = [writer.weight(node, name) for name in names]
    writer.end(
        node, "BatchNormalization", [*inputs, *values], flat=flat, epsilon=cast(BatchNorm, node.layer).epsilon
    )


def _response_norm(writer: Writer, node: Node) -> None:
    """An even window lies differently in ONNX: there it is a convolution of squares."""
    layer = cast(LocalResponseNorm, node.layer)
    x = writer.maps(node.inputs[0])
    if layer.size % 2:
        writer.end(node, "LRN", [x], size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.bias)
        return
    channels = node.input_shapes[0].channels
    distance = np.arange(channels) - np.arange(channels)[:, None]  # from an output to an input
    near = (distance >= -(layer.size // 2)) & (distance <= (layer.size - 1) // 2)
    name, share = node.name, layer.alpha / layer.size
    band = writer.constant(f"{name}/band", near[:, :, None, None] * share, np.float32)
    bias = writer.constant(f"{name}/bias", np.full(channels, layer.bias), np.float32)
    beta = writer.constant(f"{name}/beta", layer.beta, np.float32)
    squares = writer.add("Mul", [x, x], f"{name}/squares")
    power = writer.add(
        "Pow", [writer.add("Conv", [squares, band, bias], f"{name}/sums"), beta], f"{name}/power"
    )
    writer.end(node, "Div", [x, power])


def _max_pool(writer: Writer, node: Node) -> None:
    window = cast(Pool, node.layer).window(node.input_shapes[0])
    writer.end(node, "MaxPool", [writer.maps(node.inputs[0])], **_places(_explicit(window, node)))


def _global_pool(writer: Writer, node: Node) -> None:
    writer.end(node, "GlobalAveragePool", [writer.maps(node.inputs[0])])


def _average_pool(writer: Writer, node: Node) -> None:
    layer, x = cast(AvgPool, node.layer), node.input_shapes[0]
    rows, columns = layer.window(x)
    if rows.ceil or columns.ceil:  # ONNX's versions differ in what a window beyond the end counts
        tables = [
            _means(axis, pixels, layer.count_padding)
            for axis, pixels in zip((rows, columns), x[:2], strict=True)
        ]
        by_matrices(writer, node, *tables)
        return
    count = int(layer.count_padding)
    writer.end(
        node,
        "AveragePool",
        [writer.maps(node.inputs[0])],
        count_include_pad=count,
        **_places((rows, columns)),
    )


def _adaptive_pool(writer: Writer, node: Node) -> None:
    x, y = node.input_shapes[0], node.shape
    if x.height % y.height == x.width % y.width == 0:
        size = (x.height // y.height, x.width // y.width)
        writer.end(node, "AveragePool", [writer.maps(node.inputs[0])], kernel_shape=size, strides=size)
        return
    by_matrices(writer, node, *(_parts(*sizes) for sizes in zip(x[:2], y[:2], strict=True)))


def by_matrices(
    writer: Writer, node: Node, rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> None:
    """Weighted sums as two products: rows (h, H) times maps times columns (w, W) transposed."""
    first = writer.constant(f"{node.name}/rows", rows, np.float32)
    second = writer.constant(f"{node.name}/columns", columns.T, np.float32)
    across = writer.add("MatMul", [writer.maps(node.inputs[0]), second], f"{node.name}/across")
    writer.end(node, "MatMul", [first, across])


def _parts(pixels: int, count: int) -> NDArray[np.float64]:
    """(count, pixels) shares of the means of an adaptive pooling."""
    shares = np.zeros((count, pixels))
    for each in range(count):
        lo, hi = each * pixels // count, -(-(each + 1) * pixels // count)
        shares[each, lo:hi] = 1 / (hi - lo)
    return shares


def _means(axis: Axis, pixels: int, count_padding: bool) -> NDArray[np.float64]:
    """(outputs, pixels) shares of the means of windows; the padding counts, what lies beyond it does not."""
    shares = np.zeros((axis.count(pixels), pixels))
    for each, row in enumerate(shares):
        lo = each * axis.stride - axis.before
        hi = min(lo + axis.extent, pixels + axis.after)
        inside = slice(max(lo, 0), min(hi, pixels))
        row[inside] = 1 / (hi - lo if count_padding else inside.stop - inside.start)
    return shares


def _explicit(window: Window, node: Node) -> Window:
    """Windows that extend beyond the end as padding there: versions of ONNX differ in what they count."""
    rows, columns = (
        Axis(axis.size, axis.stride, axis.before, _reach(axis, pixels)) if axis.ceil else axis
        for axis, pixels in zip(window, node.input_shapes[0][:2], strict=True)
    )
    return rows, columns


def _reach(axis: Axis, pixels: int) -> int:
    """Pixels behind the last one that windows reach."""
    return max(0, (axis.count(pixels) - 1) * axis.stride + axis.extent - pixels - axis.before)


def _places(window: Window) -> dict[str, Any]:
    """The attributes of a window."""
    rows, columns = window
    return {
        "kernel_shape": (rows.size, columns.size),
        "strides": (rows.stride, columns.stride),
        "pads": (rows.before, columns.before, rows.after, columns.after),
    }


def _frames(writer: Writer, node: Node) -> None:
    """(N, C, T * H, W) strips to (N * T, C, H, W) frames."""
    name, (height, width, channels) = node.name, node.shape[:3]
    apart = writer.constant(f"{name}/apart", [0, channels, node.shape.frames, height, width])
    frames = writer.add("Reshape", [writer.maps(node.inputs[0]), apart], f"{name}/frames")
    ordered = writer.add("Transpose", [frames], f"{name}/ordered", perm=(0, 2, 1, 3, 4))
    writer.end(node, "Reshape", [ordered, writer.constant(f"{name}/images", [-1, channels, height, width])])


def _clip(writer: Writer, node: Node) -> None:
    """(N * T, C) features of frames to (N, C, 1, T)."""
    name, (_, frames, channels) = node.name, node.shape[:3]
    apart = writer.constant(f"{name}/apart", [-1, 1, frames, channels])
    clips = writer.add("Reshape", [writer.flat(node.inputs[0]), apart], f"{name}/clips")
    writer.end(node, "Transpose", [clips], perm=(0, 3, 1, 2))


def _embedding(writer: Writer, node: Node) -> None:
    """(N, C, T) word vectors."""
    rows = writer.add("Gather", [writer.weight(node, "weight"), writer.value(INPUT)], f"{node.name}/rows")
    writer.end(node, "Transpose", [rows], perm=(0, 2, 1))


def _over_time(writer: Writer, node: Node) -> None:
    """Windows without a word do not count: after the ReLU they are times 0."""
    layer, name = cast(ConvOverTime, node.layer), node.name
    vectors, numbers = (writer.value(source) for source in node.inputs)
    beyond = (layer.kernel - 1,) * 2
    weights = [writer.weight(node, each) for each in ("weight", "bias")]
    sums = writer.add("Conv", [vectors, *weights], f"{name}/sums", kernel_shape=(layer.kernel,), pads=beyond)
    blank = writer.add("Equal", [numbers, writer.constant("padding", 0)], f"{numbers}/blank")
    words = writer.add("Cast", [writer.add("Not", [blank], f"{numbers}/there")], f"{numbers}/words", to=1)
    row = writer.add("Unsqueeze", [words, writer.constant("channel", [1])], f"{numbers}/row")
    counts = writer.add("MaxPool", [row], f"{name}/counts", kernel_shape=(layer.kernel,), pads=beyond)
    fired = writer.add("Mul", [writer.add("Relu", [sums], f"{name}/relu"), counts], f"{name}/fired")
    most = writer.add("GlobalMaxPool", [fired], f"{name}/most")
    writer.end(node, "Flatten", [most], flat=True)


def _same(writer: Writer, node: Node) -> None:
    writer.same(node)


OPERATORS: dict[type[Layer], Callable[[Writer, Node], None]] = {
    AdaptiveAvgPool: _adaptive_pool,
    Add: plain("Add"),
    AvgPool: _average_pool,
    BatchNorm: _batch_norm,
    BoundedLinear: _linear,
    Clip: _clip,
    Concat: plain("Concat", axis=1),
    Conv: _convolution,
    ConvOverTime: _over_time,
    ConvTranspose: _transposed,
    Dropout: _same,
    Embedding: _embedding,
    Flatten: _flatten,
    Frames: _frames,
    Gelu: _gelu,
    GlobalAvgPool: _global_pool,
    LeakyRelu: _leaky,
    Linear: _linear,
    LocalResponseNorm: _response_norm,
    MaxPool: _max_pool,
    PadChannels: _pad_channels,
    Relu: plain("Relu"),
    Relu6: _relu6,
    ScaleChannels: _scale,
    Sigmoid: plain("Sigmoid"),
    Silu: _silu,
    Tanh: plain("Tanh"),
    Upsample: _upsample,
}
