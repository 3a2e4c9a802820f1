"""Models by name, and what a checkpoint needs to build one again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cnncli.checked import Fields, MalformedError
from cnncli.errors import CnncliError, OptionError
from cnncli.models.grammar import check_words, looks_like_layers, parse
from cnncli.models.residual import resnet18, resnet20
from cnncli.nn import Graph
from cnncli.nn.exchange import as_dict, from_dict

Shape = tuple[int, int, int]

# LeCun et al. 1998 differ in four things: the 16 maps of C3 see chosen subsets of the 6 maps of S2 (here
# all of them: "dense"); tanh (here ReLU); poolings are means with a trained scale and bias (here the
# largest value); the outputs are distances to drawn digits (here a softmax). 28x28 digits get a border of 2.
LENET5 = "conv6-5 relu pool conv16-5p0 relu pool fc120 relu fc84 relu fc"
TWO_CONV = "conv32p0 relu conv64p0 relu pool fc128 relu fc"
VGG_SMALL = (
    "conv64 bn relu conv64 bn relu pool conv128 bn relu conv128 bn relu pool "
    "conv256 bn relu conv256 bn relu pool fc"
)

_STAGE = 7  # the compact network halves pictures until their smaller side is at most this
_SMALLEST = 4  # side that an unpadded convolution and a pooling still fit into
_LARGE = 128  # auto takes a residual network above this side


def compact(shape: Shape) -> str:
    """The modern small network, as deep as the picture asks: about 70,000 parameters for 28x28x1.

    A 5x5 convolution finds strokes and edges; each stage then doubles the channels and halves the
    picture, with batch norm throughout. A last pooling leaves at least 2x2 places of digits: on the
    5,000 shipped ones that is worth half a percent against the mean over all places.
    """
    side = min(shape[:2])
    words, channels = ["conv16-5 bn relu"], 16
    while side > _STAGE:
        channels = min(2 * channels, 128)
        side //= 2
        last = "p0" if side <= _STAGE else ""
        words.append(f"pool conv{channels} bn relu conv{channels}{last} bn relu")
    end = "pool dropout0.2 fc" if side >= _SMALLEST else "gap dropout0.2 fc"
    return " ".join([*words, end])


@dataclass(frozen=True)
class Model:
    """A named model: its string or builder, and a line about it."""

    about: str
    layers: str | Callable[[Shape], str] | None = None
    graph: Callable[[Shape, int], Graph] | None = None


MODELS: dict[str, Model] = {
    "compact": Model("a small modern network with batch norm, as deep as the picture asks", compact),
    "lenet5": Model("LeNet-5, the layout of 1998 with ReLU, largest-value pooling and a dense C3", LENET5),
    "2conv": Model(
        "two convolutions, a pooling and a hidden layer of 128: the first network of many", TWO_CONV
    ),
    "vgg-small": Model("six 3x3 convolutions of 64 to 256 channels with batch norm", VGG_SMALL),
    "resnet20": Model(
        "the residual network of 20 layers for small pictures (He et al. 2015)", graph=resnet20
    ),
    "resnet18": Model("the residual network of 18 layers for photographs (He et al. 2015)", graph=resnet18),
}


@dataclass(frozen=True)
class Architecture:
    """All that it takes to build a network again.

    Attributes
    ----------
    name : str
        One of `MODELS`, or ``custom`` for a string.
    layers : str or None
        The string of a sequential network, so that a later change of a named model does no harm.
    input_shape : (H, W, C)
        Of one picture.
    classes : int
        Outputs.
    layout : dict or None
        The graph, as `cnncli.nn.exchange` writes it. Checkpoints of the first release have none: there,
        today's program builds it from ``name`` and ``layers``.
    """

    name: str
    layers: str | None
    input_shape: Shape
    classes: int
    layout: dict[str, Any] | None = None

    def graph(self, *, seed: int = 0) -> Graph:
        """The network's layers.

        Parameters
        ----------
        seed : int
            Of dropout, where there is no layout.

        Raises
        ------
        OptionError
            Where they do not fit the input shape.
        MalformedError
            Where the layout is damaged, or is that of another input or number of classes.
        """
        if self.layout is None:
            return self._built(seed)
        graph = from_dict(Fields(self.layout, "layout"))
        if graph.input_shape[:3] != self.input_shape or graph.output_shape[:3] != (1, 1, self.classes):
            raise MalformedError("its layers have another input or output than preprocessing and classes")
        return graph

    def _built(self, seed: int) -> Graph:
        if self.layers is not None:
            return parse(self.layers, self.input_shape, self.classes, seed=seed)
        builder = MODELS[self.name].graph if self.name in MODELS else None
        if builder is None:
            raise _unknown(self.name)
        try:
            return builder(self.input_shape, self.classes)
        except CnncliError as fault:
            height, width, channels = self.input_shape
            raise OptionError(
                f"{self.name} does not fit pictures of {height}x{width}x{channels}: {fault.message}",
                fault.hint,
            ) from fault


def architecture(text: str, input_shape: Shape, classes: int, *, seed: int = 0) -> Architecture:
    """Understand what follows ``-m``, and build it.

    Parameters
    ----------
    text : str
        A name, ``auto`` (by the picture's size), or a string of layers.
    input_shape : (H, W, C)
        Of one picture.
    classes : int
        Outputs.
    seed : int
        Of dropout; weights have a seed of their own, in `Network`.

    Raises
    ------
    OptionError
        For an unknown name, or layers that do not fit the input shape.
    """
    model = _named(text, input_shape, classes)
    return replace(model, layout=as_dict(model.graph(seed=seed)))


def _named(text: str, input_shape: Shape, classes: int) -> Architecture:
    name = text.strip().lower()
    if name == "auto":
        name = "compact" if max(input_shape[:2]) <= _LARGE else "resnet18"
    if name in MODELS:
        layers = MODELS[name].layers
        return Architecture(name, layers(input_shape) if callable(layers) else layers, input_shape, classes)
    if looks_like_layers(text) or not name:
        return Architecture("custom", " ".join(text.split()), input_shape, classes)
    raise _unknown(text)


def check_model(text: str) -> None:
    """Refuse what is no model of any pictures, before they are looked at.

    Parameters
    ----------
    text : str
        As for `architecture`.

    Raises
    ------
    OptionError
        For an unknown name, or words that are no layers.
    """
    wanted = _named(text, (1, 1, 1), 1)
    if wanted.name == "custom":
        check_words(text)


def build(text: str, input_shape: Shape, classes: int, *, seed: int = 0) -> Graph:
    """Build a network from a name or a string of layers.

    Parameters
    ----------
    text : str
        As for `architecture`.
    input_shape : (H, W, C)
        Of one picture.
    classes : int
        Outputs.
    seed : int
        Of dropout; weights have a seed of their own, in `Network`.

    Returns
    -------
    Graph
        Its last layer is called ``head``.
    """
    return _named(text, input_shape, classes).graph(seed=seed)


def _unknown(text: str) -> OptionError:
    from cnncli.models.elsewhere import nearest_word
    from cnncli.nearest import did_you_mean

    known = ["auto", *MODELS]
    return OptionError(
        f"--model: there is no model {text!r}; expected one of {', '.join(known)}, or layers",
        did_you_mean(text, known) or nearest_word(text) or 'Write layers as in -m "conv32 relu pool fc".',
    )
