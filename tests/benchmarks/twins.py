"""The same network in PyTorch and in ONNX: layer by layer from our graph, with our weights.

Our weights have PyTorch's names and layouts, so they are loaded as they are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import (
    INPUT,
    AdaptiveAvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dropout,
    Graph,
    Linear,
    MaxPool,
    Network,
    Node,
    PadChannels,
    Upsample,
)
from cnncli.nn.graph import MAIN
from cnncli.nn.window import pair

from . import peers

_COUNTER = "num_batches_tracked"  # of PyTorch's batch norms; without influence


def torch_twin(network: Network) -> Any:
    """A ``torch.nn.Module`` that computes what our network does; None where PyTorch is missing."""
    torch = peers.torch()
    if torch is None:
        return None
    twin = torch_module(network.graph)
    arrays = {name: torch.from_numpy(np.array(array)) for name, array in network.export().items()}
    missing, unexpected = twin.load_state_dict(arrays, strict=False)
    left = [name for name in missing if not name.endswith(_COUNTER)] + list(unexpected)
    if left:
        raise RuntimeError(f"the weights of the twins differ in {left}")
    return twin


def torch_module(graph: Graph) -> Any:
    """A ``torch.nn.Module`` of the same layers, with PyTorch's own initial weights."""
    torch = peers.torch()
    nodes = tuple(graph.nodes.values())

    class Twin(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.steps = [(_placed(torch, self, node), node.inputs, node.name) for node in nodes]

        def forward(self, images: Any) -> Any:
            return self.by_role(images)[MAIN]

        def by_role(self, images: Any) -> dict[str, Any]:
            values = {INPUT: images}
            for module, inputs, name in self.steps:
                values[name] = module(*(values[each] for each in inputs))
            return {role: values[name] for role, name in graph.outputs.items()}

    return Twin()


def _placed(torch: Any, module: Any, node: Node) -> Any:
    """A layer's module, put where its name says: ``layer1.0.conv1`` lies in ``0`` of ``layer1``."""
    *scopes, name = node.name.split(".")
    for scope in scopes:
        if not hasattr(module, scope):
            module.add_module(scope, torch.nn.Module())
        module = getattr(module, scope)
    made = _module(torch, node)
    module.add_module(name, made)
    return made


def _module(torch: Any, node: Node) -> Any:
    nn = torch.nn
    layer, x = node.layer, node.input_shapes[0]
    match layer:
        case Conv():
            return _conv(nn, x, layer)
        case Linear():
            return _linear(nn, x.size, layer)
        case BatchNorm():
            return nn.BatchNorm2d(x.channels, eps=layer.epsilon, momentum=layer.momentum)
        case MaxPool():
            return nn.MaxPool2d(layer.size, layer.stride, layer.padding, ceil_mode=layer.ceil)
        case AdaptiveAvgPool():
            return nn.AdaptiveAvgPool2d(layer.size)
        case ConvTranspose():
            sizes = (pair(each) for each in (layer.kernel, layer.stride, layer.padding))
            return nn.ConvTranspose2d(x.channels, layer.out_channels, *sizes, bias=layer.bias)
        case Upsample():
            return nn.Upsample(scale_factor=pair(layer.factor), mode=layer.mode)
        case PadChannels():
            return nn.ZeroPad3d((0, 0, 0, 0, layer.before, layer.after))
        case Dropout():
            return nn.Dropout(layer.rate)
    plain = {
        "Relu": lambda: nn.ReLU(inplace=True),
        "Relu6": lambda: nn.ReLU6(inplace=True),
        "Sigmoid": nn.Sigmoid,
        "Flatten": nn.Flatten,
        "GlobalAvgPool": lambda: nn.AdaptiveAvgPool2d(1),
        "Add": lambda: _function(nn, lambda a, b: a.add_(b)),
        "Concat": lambda: _function(nn, lambda *branches: torch.cat(branches, 1)),
        "ScaleChannels": lambda: _function(nn, lambda x, scale: x * scale),
    }
    return plain[type(layer).__name__]()


def _conv(nn: Any, x: Any, layer: Conv) -> Any:
    """A convolution; zeros that differ before and after are put around the images first, as timm does."""
    rows, columns = layer.paddings(x)

    class Padded(nn.Conv2d):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return super().forward(nn.functional.pad(x, (*columns, *rows)))

    even = rows[0] == rows[1] and columns[0] == columns[1]
    return (nn.Conv2d if even else Padded)(
        x.channels,
        layer.out_channels,
        pair(layer.kernel),
        pair(layer.stride),
        (rows[0], columns[0]) if even else 0,
        pair(layer.dilation),
        groups=layer.groups,
        bias=layer.bias,
    )


def _linear(nn: Any, inputs: int, layer: Linear) -> Any:
    """A fully connected layer, which takes the means of feature maps too."""

    class Flat(nn.Linear):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return super().forward(x.flatten(1))

    return Flat(inputs, layer.out_features, bias=layer.bias)


def _function(nn: Any, function: Callable[..., Any]) -> Any:
    class Function(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, *inputs: Any) -> Any:
            return function(*inputs)

    return Function()


def as_torch(images: NDArray[np.float32]) -> Any:
    """Images (N, H, W, C) as PyTorch has them, (N, C, H, W) contiguous."""
    torch = peers.torch()
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def onnx_twin(network: Network, roles: tuple[str, ...] = (MAIN,)) -> bytes | None:
    """The network at inference as an ONNX model for any batch; None where ``onnx`` is missing."""
    if peers.onnx() is None:
        return None
    from cnncli.onnx.model import network_model

    return network_model(network, roles, name="twin")
