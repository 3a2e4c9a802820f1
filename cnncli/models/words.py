"""Layers in a few words, as the figures of papers write them: ``7x7 conv, /2``."""

import re

from cnncli.nn import AdaptiveAvgPool, AvgPool, Conv, Dropout, Linear, MaxPool, Node
from cnncli.nn.layers.text import ConvOverTime

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
    stride, dilation = (
        str(pair[0]) if pair[0] == pair[1] else "x".join(map(str, pair))
        for pair in ((rows.stride, columns.stride), (rows.dilation, columns.dilation))
    )
    text = f"{rows.size}x{columns.size} {what}"
    text += f", /{stride}" if stride != "1" else ""
    return text + (f", dilation {dilation}" if dilation != "1" else "")
