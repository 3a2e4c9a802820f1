"""Layers in a few words, as the figures of papers write them: ``7x7 conv, /2``."""

import re

from cnncli.nn import AdaptiveAvgPool, AvgPool, Conv, ConvTranspose, Dropout, Linear, MaxPool, Node, Upsample
from cnncli.nn.layers.text import ConvOverTime
from cnncli.nn.window import Pair, pair

_POOLS = {MaxPool: "max pool", AvgPool: "avg pool"}


def words_of(node: Node) -> str:
    """What a layer does: of windows their size (rows x columns) and, where it is not 1, their stride."""
    layer = node.layer
    if isinstance(layer, Conv):
        depthwise = layer.groups == node.input_shapes[0].channels > 1
        groups = f", {layer.groups} groups" if layer.groups > 1 and not depthwise else ""
        return f"{_windowed(node, 'depthwise' if depthwise else 'conv')}{groups}"
    if isinstance(layer, MaxPool | AvgPool):
        return _windowed(node, _POOLS[type(layer)])
    if isinstance(layer, ConvTranspose):
        rows, columns = pair(layer.kernel)
        return f"{rows}x{columns} transposed conv, x{_both(layer.stride)}"
    if isinstance(layer, Upsample):
        return f"{layer.mode} upsampling, x{_both(layer.factor)}"
    if isinstance(layer, AdaptiveAvgPool):
        return f"avg pool to {node.shape.height}x{node.shape.width}"
    if isinstance(layer, ConvOverTime):
        return f"{layer.kernel}-word conv, max"
    if isinstance(layer, Linear):
        return "fc"
    if isinstance(layer, Dropout):
        return f"dropout {layer.rate:g}"
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(layer).__name__).lower()


def _windowed(node: Node, what: str) -> str:
    rows, columns = node.layer.window(node.input_shapes[0])
    stride, dilation = _both((rows.stride, columns.stride)), _both((rows.dilation, columns.dilation))
    text = f"{rows.size}x{columns.size} {what}"
    text += f", /{stride}" if stride != "1" else ""
    return text + (f", dilation {dilation}" if dilation != "1" else "")


def _both(value: Pair) -> str:
    """A number, or two where rows and columns differ."""
    rows, columns = pair(value)
    return str(rows) if rows == columns else f"{rows}x{columns}"
