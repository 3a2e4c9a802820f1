"""Models by name, and what a checkpoint stores to rebuild one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cnncli.checked import Fields, MalformedError
from cnncli.errors import CnncliError, OptionError
from cnncli.models.efficientnet import SCALES, efficientnet_lite
from cnncli.models.grammar import check_words, looks_like_layers, parse
from cnncli.models.residual import resnet18, resnet20
from cnncli.nn import Graph
from cnncli.nn.exchange import as_dict, from_dict

Shape = tuple[int, int, int]

# LeCun et al. 1998 differ in four ways: each of the 16 maps of C3 is connected to a subset of the 6 maps of
# S2 (here to all of them: "dense"); tanh (here ReLU); average pooling with a learned scale and bias (here max
# pooling); the outputs are distances to drawn digits (here a softmax). 28x28 digits are padded by 2.
LENET5 = "conv6-5 relu pool conv16-5p0 relu pool fc120 relu fc84 relu fc"
TWO_CONV = "conv32p0 relu conv64p0 relu pool fc128 relu fc"
VGG_SMALL = (
    "conv64 bn relu conv64 bn relu pool conv128 bn relu conv128 bn relu pool "
    "conv256 bn relu conv256 bn relu pool fc"
)

_LAST_SIDE = 7  # the compact network halves the feature maps until their smaller side is at most this
_MIN_POOLED = 4  # smallest side that still has room for an unpadded convolution and a pooling
_LARGE = 128  # auto chooses a residual network above this side


def compact(shape: Shape) -> str:
    """A small modern network whose depth follows the image size: about 70,000 parameters for 28x28x1.

    A 5x5 convolution detects strokes and edges; each stage then doubles the channels and halves the
    resolution, with batch norm throughout. A last max pooling leaves feature maps of at least 2x2: on the
    5,000 digits that are included this gains half a percent of accuracy over global average pooling.
    """
    side = min(shape[:2])
    words, channels = ["conv16-5 bn relu"], 16
    while side > _LAST_SIDE:
        channels = min(2 * channels, 128)
        side //= 2
        last = "p0" if side <= _LAST_SIDE else ""
        words.append(f"pool conv{channels} bn relu conv{channels}{last} bn relu")
    end = "pool dropout0.2 fc" if side >= _MIN_POOLED else "gap dropout0.2 fc"
    return " ".join([*words, end])


@dataclass(frozen=True)
class Model:
    """A named model: its string or builder, and a one-line description."""

    about: str
    layers: str | Callable[[Shape], str] | None = None
    graph: Callable[[Shape, int], Graph] | None = None


MODELS: dict[str, Model] = {
    "compact": Model("small modern network with batch norm; its depth follows the image size", compact),
    "lenet5": Model("LeNet-5 (LeCun et al. 1998), with ReLU and max pooling", LENET5),
    "2conv": Model("two convolutions, max pooling and a hidden layer of 128", TWO_CONV),
    "vgg-small": Model("VGG style: six 3x3 convolutions of 64 to 256 channels, batch norm", VGG_SMALL),
    "resnet20": Model("residual network of 20 layers for small images (He et al. 2015)", graph=resnet20),
    "resnet18": Model("residual network of 18 layers for photographs (He et al. 2015)", graph=resnet18),
    **{
        f"efficientnet-lite{number}": Model(
            f"inverted residuals for photographs of {scale.size}x{scale.size} (Tan and Le 2019, Google 2020)",
            graph=partial(efficientnet_lite, number=number),
        )
        for number, scale in enumerate(SCALES)
    },
}


@dataclass(frozen=True)
class Architecture:
    """Everything needed to rebuild a network.

    Attributes
    ----------
    name : str
        One of `MODELS`, or ``custom`` for a string.
    layers : str or None
        The string of a sequential network, so that later changes to a named model do not affect it.
    input_shape : (H, W, C)
        Of one image.
    classes : int
        Number of outputs.
    layout : dict or None
        The graph, as written by `cnncli.nn.exchange`. Checkpoints of the first release have none: for
        them it is built from ``name`` and ``layers``.
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
            Seed of dropout, if there is no layout.

        Raises
        ------
        OptionError
            If they do not fit the input shape.
        MalformedError
            If the layout is damaged, or belongs to another input shape or number of classes.
        """
        if self.layout is None:
            return self._built(seed)
        graph = from_dict(Fields(self.layout, "layout"))
        if graph.input_shape[:3] != self.input_shape or graph.output_shape[:3] != (1, 1, self.classes):
            raise MalformedError("input or output of its layers does not match its preprocessing and classes")
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
                f"{self.name} does not fit images of {height}x{width}x{channels}: {fault.message}",
                fault.hint,
            ) from fault


def architecture(text: str, input_shape: Shape, classes: int, *, seed: int = 0) -> Architecture:
    """Read the value of ``-m``, and build the network.

    Parameters
    ----------
    text : str
        A name, ``auto`` (by the image's size), or a string of layers.
    input_shape : (H, W, C)
        Of one image.
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
    """Refuse a model that is invalid for images of any size, before the images are read.

    Parameters
    ----------
    text : str
        As for `architecture`.

    Raises
    ------
    OptionError
        For an unknown name, or words that are not layers.
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
        Of one image.
    classes : int
        Outputs.
    seed : int
        Of dropout; weights have a seed of their own, in `Network`.

    Returns
    -------
    Graph
        Its last layer is named ``head``.
    """
    return _named(text, input_shape, classes).graph(seed=seed)


def _unknown(text: str) -> OptionError:
    from cnncli.models.aliases import suggest_word
    from cnncli.nearest import did_you_mean

    known = ["auto", *MODELS]
    return OptionError(
        f"--model: there is no model {text!r}; expected one of {', '.join(known)}, or layers",
        did_you_mean(text, known) or suggest_word(text) or 'Write layers as in -m "conv32 relu pool fc".',
    )
