"""Kinds of layers of which networks from elsewhere are made; ours use those of `cnncli.nn.exchange`."""

from cnncli.nn.layer import Layer
from cnncli.nn.layers.arithmetic import (
    Absolute,
    Affine,
    Clamp,
    Constant,
    Divide,
    Elu,
    ErrorFunction,
    Exponential,
    HardSigmoid,
    Logarithm,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Softplus,
    SquareRoot,
    Subtract,
)
from cnncli.nn.layers.resize import Resize
from cnncli.nn.layers.views import Take, View

LAYERS: dict[str, type[Layer]] = {
    "absolute": Absolute,
    "affine": Affine,
    "clamp": Clamp,
    "constant": Constant,
    "divide": Divide,
    "elu": Elu,
    "errorfunction": ErrorFunction,
    "exponential": Exponential,
    "hardsigmoid": HardSigmoid,
    "logarithm": Logarithm,
    "maximum": Maximum,
    "minimum": Minimum,
    "multiply": Multiply,
    "power": Power,
    "resize": Resize,
    "softplus": Softplus,
    "squareroot": SquareRoot,
    "subtract": Subtract,
    "take": Take,
    "view": View,
}
