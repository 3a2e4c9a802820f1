"""The way back through a network: what each kind of layer makes of a gradient, by the chain rule.

The terms are those of training. ``output`` is that of the layer itself, ``input`` what it reads: the output
of the layer before it, with which the way goes on.
"""

import re
from collections.abc import Sequence

from cnncli.nn import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Frames,
    Gelu,
    Graph,
    Layer,
    LeakyRelu,
    Linear,
    LocalResponseNorm,
    MaxPool,
    PadChannels,
    Relu,
    Relu6,
    ScaleChannels,
    Sigmoid,
    Silu,
    Tanh,
    Upsample,
)
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
from cnncli.nn.layers.combine import Flatten
from cnncli.nn.layers.pooling import GlobalAvgPool
from cnncli.nn.layers.resize import Resize
from cnncli.nn.layers.text import BoundedLinear, ConvOverTime, Embedding
from cnncli.nn.layers.views import Take, View
from cnncli.views.architecture.cards import Card

BACK = "#b3261e"  # colour of all that goes back
_FULLY = (
    "dLoss/dw = dLoss/doutput · input",
    "dLoss/dinput = dLoss/doutput · w, summed over outputs",
)
_EVENLY = ("dLoss/dinput = dLoss/doutput shared evenly over the window",)
_SMOOTH = ("dLoss/dinput = dLoss/doutput · slope of the curve at the input",)
_MOVED = ("dLoss/dinput = sum of dLoss/doutput where each value was read",)
_SHARED = ("dLoss/dinput = dLoss/doutput where this input was chosen, half of it where both are equal",)
TERMS: dict[type[Layer], tuple[str, ...]] = {
    **dict.fromkeys((Absolute, Clamp, Elu, ErrorFunction, Exponential, HardSigmoid), _SMOOTH),
    **dict.fromkeys((Logarithm, Power, Softplus, SquareRoot), _SMOOTH),
    **dict.fromkeys((Take, View), _MOVED),
    **dict.fromkeys((Maximum, Minimum), _SHARED),
    Affine: ("dLoss/dinput = dLoss/doutput · scale",),
    Constant: ("nothing goes back: its values are fixed",),
    Divide: ("dLoss/dinput = dLoss/doutput / divisor", "dLoss/ddivisor = -dLoss/doutput · output / divisor"),
    Multiply: ("dLoss/dinput = dLoss/doutput · the other input",),
    Resize: ("dLoss/dinput = sum of dLoss/doutput where the pixel went, by its shares",),
    Subtract: ("dLoss/dinput = dLoss/doutput, its negative for the second input",),
    Conv: (
        "dLoss/dw = sum over x,y of dLoss/doutput(x,y) · doutput(x,y)/dw",
        "dLoss/dinput = flipped kernel slid over dLoss/doutput",
    ),
    ConvTranspose: (
        "dLoss/dw = sum over x,y of input(x,y) · dLoss/doutput under the kernel",
        "dLoss/dinput = kernel slid over dLoss/doutput, in steps",
    ),
    Linear: _FULLY,
    BoundedLinear: _FULLY,
    Relu: ("dLoss/dinput = dLoss/doutput where output > 0, else 0",),
    Relu6: ("dLoss/dinput = dLoss/doutput where 0 < output < 6, else 0",),
    LeakyRelu: ("dLoss/dinput = dLoss/doutput where input > 0, else slope · dLoss/doutput",),
    Sigmoid: ("dLoss/dinput = dLoss/doutput · output · (1 - output)",),
    Tanh: ("dLoss/dinput = dLoss/doutput · (1 - output²)",),
    Silu: _SMOOTH,
    Gelu: _SMOOTH,
    MaxPool: ("dLoss/dinput = dLoss/doutput where the window's maximum was, else 0",),
    AvgPool: _EVENLY,
    AdaptiveAvgPool: _EVENLY,
    GlobalAvgPool: ("dLoss/dinput = dLoss/doutput shared evenly over all pixels",),
    Upsample: ("dLoss/dinput = sum of dLoss/doutput where the pixel went",),
    BatchNorm: (
        "dLoss/dscale = sum of dLoss/doutput · normalised input",
        "dLoss/dinput = scale/deviation · dLoss/doutput, less its mean and its part along the input",
    ),
    LocalResponseNorm: ("dLoss/dinput = dLoss/doutput / norm, less a part for each neighbour",),
    Dropout: ("dLoss/dinput = dLoss/doutput where kept, else 0",),
    Add: ("dLoss/dinput = dLoss/doutput, the same for each input",),
    Concat: ("dLoss/dinput = its own channels of dLoss/doutput",),
    ScaleChannels: (
        "dLoss/dinput = dLoss/doutput · scale",
        "dLoss/dscale = sum over x,y of dLoss/doutput(x,y) · input(x,y)",
    ),
    Frames: ("dLoss/dinput = dLoss/doutput of each frame, in its place",),
    Clip: ("dLoss/dinput = dLoss/doutput, to each frame its own",),
    PadChannels: ("dLoss/dinput = dLoss/doutput without the added channels",),
    ConvOverTime: (
        "dLoss/dw = dLoss/doutput · words at the maximum",
        "dLoss/dinput = dLoss/doutput · w at the maximum, else 0",
    ),
    Embedding: ("dLoss/drow of a word = sum of dLoss/doutput where it stands",),
}
"""What stands at each kind of layer, by its class."""
LOSS_TERM = "dLoss/doutput = probabilities - true class"
_MOST_CARDS, _MOST_TERMS = 9, 3  # of a network, and of a card, if terms are to stand at the cards
_SIZES = re.compile(r"^\d+x\d+ |,.*| [\d.]+$")  # of windows, strides and rates in the words for a layer


def terms_of(graph: Graph, card: Card) -> dict[str, tuple[str, ...]]:
    """The terms of the layers on a card, in the order of the way back, by name; none of a block."""
    if card.block is not None:
        return {}
    return {name: TERMS[type(graph.nodes[name].layer)] for name in reversed(_worded(graph, card))}


def stand_at_cards(graph: Graph, shown: Sequence[Card]) -> bool:
    """Whether terms stand at the layers: in a network with many or folded layers they have a panel."""
    if len(shown) > _MOST_CARDS or any(card.block for card in shown):
        return False
    return all(sum(map(len, terms_of(graph, card).values())) <= _MOST_TERMS for card in shown)


def lines_of(graph: Graph, card: Card) -> list[str]:
    """The terms at a card; of what follows its first layer after its name."""
    words = dict(zip(_worded(graph, card), (part.words for part in card.parts), strict=True))
    lines = []
    for name, terms in terms_of(graph, card).items():
        first = name == card.name
        lines += [term if first else f"{words[name]}: {term}" for term in terms]
    return lines


def _worded(graph: Graph, card: Card) -> list[str]:
    """Names of the layers that have parts on a card: all but flattens."""
    return [name for name in card.names if not isinstance(graph.nodes[name].layer, Flatten)]


def kinds_of(graph: Graph, cards: Sequence[Card]) -> dict[tuple[str, ...], tuple[str, str]]:
    """Of the layers on cards, by their terms: a kind of layer that has these, and its family."""
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    for card in cards:
        if card.block is None:
            for name, part in zip(_worded(graph, card), card.parts, strict=True):
                found.setdefault(
                    TERMS[type(graph.nodes[name].layer)], (_SIZES.sub("", part.words), part.family)
                )
    return found
