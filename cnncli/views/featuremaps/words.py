"""Layers in words; sizes are height × width."""

from cnncli.nn import AdaptiveAvgPool, AvgPool, Conv, Linear, MaxPool, Node, Shape

_KINDS = {
    "BatchNorm": "batch norm",
    "LocalResponseNorm": "local response norm",
    "Relu": "ReLU: max(0, x)",
    "Relu6": "ReLU6: min(6, max(0, x))",
    "LeakyRelu": "leaky ReLU",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "SiLU",
    "Gelu": "GELU",
    "GlobalAvgPool": "global average pooling",
    "Add": "addition of two branches",
    "Concat": "concatenation of branches",
    "PadChannels": "channels of zeros appended",
    "ScaleChannels": "each map multiplied by a factor",
    "ConvTranspose": "transposed convolution",
    "Upsample": "upsampling",
    "Dropout": "dropout: inactive outside training",
    "Flatten": "flattened to a vector",
}


def kind_of(node: Node) -> str:
    """What a layer does, in a few words."""
    layer = node.layer
    if isinstance(layer, Linear):
        return "fully connected"
    if isinstance(layer, Conv):
        return _convolution(layer)
    if isinstance(layer, MaxPool | AvgPool):
        what = "max" if isinstance(layer, MaxPool) else "average"
        return f"{what} pooling {_times(layer.size)}"
    if isinstance(layer, AdaptiveAvgPool):
        return f"average pooling to {_times(layer.size)}"
    return _KINDS.get(type(layer).__name__, type(layer).__name__.lower())


def _convolution(layer: Conv) -> str:
    words = [f"convolution {_times(layer.kernel)}"]
    for name, value, usual in (
        ("stride", layer.stride, 1),
        ("dilation", layer.dilation, 1),
        ("groups", layer.groups, 1),
    ):
        if value not in (usual, (usual, usual)):
            words.append(f"{name} {value if isinstance(value, int) else _times(value)}")
    return ", ".join(words)


def shape_words(shape: Shape) -> str:
    """``64 maps of 14 × 20``, height first, or ``10 values``."""
    if shape.height == shape.width == 1:
        return f"{shape.channels:,} value{'s' if shape.channels != 1 else ''}"
    maps = f"{shape.channels:,} map{'s' if shape.channels != 1 else ''}"
    return f"{maps} of {shape.height} × {shape.width}"


def _times(value: int | tuple[int, int]) -> str:
    height, width = (value, value) if isinstance(value, int) else value
    return f"{height} × {width}"
