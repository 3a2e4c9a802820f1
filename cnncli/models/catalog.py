"""Models by name."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from cnncli.models.alexnet import alexnet
from cnncli.models.clipcnn import BACKBONES, clipcnn
from cnncli.models.densenet import densenet
from cnncli.models.detector import SMALL, detector_on
from cnncli.models.efficientnet import SCALES, efficientnet_lite
from cnncli.models.googlenet import googlenet
from cnncli.models.grammar import parse
from cnncli.models.lenet import lenet5
from cnncli.models.localizer import localizer_on
from cnncli.models.mobilenet import mobilenet_v2
from cnncli.models.resnet import resnet, small_resnet
from cnncli.models.segmenter import segmenter_on
from cnncli.models.squeezenet import squeezenet
from cnncli.models.textcnn import textcnn
from cnncli.models.unet import unet
from cnncli.models.vgg import vgg
from cnncli.nn import Graph

Shape = tuple[int, int, int]
Value = bool | float | str

TWO_CONV = "conv32p0 relu conv64p0 relu pool fc128 relu fc"
VGG_SMALL = (
    "conv64 bn relu conv64 bn relu pool conv128 bn relu conv128 bn relu pool "
    "conv256 bn relu conv256 bn relu pool fc"
)

_LAST_SIDE = 7  # the compact network halves the feature maps until their smaller side is at most this
_MIN_POOLED = 4  # smallest side that still has room for an unpadded convolution and a pooling


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
class Range:
    """Numbers that an option of a model may have."""

    low: float
    high: float
    whole: bool = False


Limits = Range | tuple[str, ...] | None
"""Of an option of a model: numbers, words, or None for a flag."""


@dataclass(frozen=True)
class Model:
    """A named model.

    Attributes
    ----------
    about : str
        What it is, in a line.
    layers : str, callable or None
        The string of a sequential network, or what makes one from the shape of an image.
    builder : callable or None
        Makes the graph of other networks: ``builder(input_shape, classes, **options)``.
    year, paper : int, str
        Of the publication; 0 and empty for networks of our own.
    usual : (H, W, C), int
        Image and classes of the network as it was published, or is used here.
    options : dict
        By name: the numbers or words that it may have, or None for a flag.
    drops : bool
        Whether it has dropout: then ``builder`` takes a ``seed``.
    words : int
        Of a network for texts, how many different ones are usual: then ``builder`` takes ``words``.
    frames : int
        Of a network for clips, how many of each are usual: then ``builder`` takes ``frames``.
    of : str
        What it has outputs for: ``images``, ``texts``, ``pixels`` or ``clips``.
    published : str
        Whose names and shapes its arrays have, so that published weights fit: ``torchvision`` or ``timm``.
    """

    about: str
    layers: str | Callable[[Shape], str] | None = None
    builder: Callable[..., Graph] | None = None
    year: int = 0
    paper: str = ""
    usual: tuple[Shape, int] = ((28, 28, 1), 10)
    options: Mapping[str, Limits] = field(default_factory=dict)
    drops: bool = False
    words: int = 0
    frames: int = 0
    of: str = "images"
    published: str = ""

    def graph(
        self,
        input_shape: Shape,
        classes: int,
        options: Mapping[str, Value],
        *,
        seed: int,
        words: int = 0,
        frames: int = 0,
    ) -> Graph:
        """Its layers for images of a shape, texts of so many words or clips of frames, and some classes.

        Raises
        ------
        CnncliError
            If they do not fit the shape.
        """
        if self.builder is None:
            return parse(self.string(input_shape) or "", input_shape, classes, seed=seed)
        given: dict[str, Value] = dict(options)
        if self.words:
            given["words"] = words or self.words
        if self.frames:
            given["frames"] = frames or self.frames
        if self.drops:
            given["seed"] = seed
        return self.builder(input_shape, classes, **given)

    @property
    def changes(self) -> str:
        """What this form changed of the published network, and why; empty for networks of our own.

        It is the paragraph that begins with "What" in the docstring of the family.
        """
        make = getattr(self.builder, "func", self.builder)
        text = sys.modules[make.__module__].__doc__ if make else None
        paragraphs = (" ".join(each.split()) for each in (text or "").split("\n\n"))
        return next((each for each in paragraphs if each.startswith("What ")), "").replace("``", "")

    def string(self, input_shape: Shape) -> str | None:
        """Its string for images of a shape; None for networks that are not sequential."""
        return self.layers(input_shape) if callable(self.layers) else self.layers


_WIDTH = {"width": Range(0.05, 4.0)}
_IMAGENET = ((224, 224, 3), 1000)
_CIFAR = ((32, 32, 3), 10)


def _vgg(depth: int, *, norm: bool) -> Model:
    with_norm = " with batch norm" if norm else ""
    return Model(
        f"{depth} layers: 3x3 convolutions in five stages{with_norm}",
        builder=partial(vgg, depth=depth, norm=norm),
        year=2014,
        paper="Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition",
        usual=_IMAGENET,
        options=_WIDTH,
        drops=True,
        published="torchvision",
    )


def _resnet(depth: int, *, small: bool = False, squeeze: bool = False) -> Model:
    se = ", with squeeze-and-excitation" if squeeze else ""
    return Model(
        f"residual network of {depth} layers for {'small images' if small else 'photographs'}{se}",
        builder=partial(small_resnet if small else resnet, depth=depth, squeeze=squeeze),
        year=2017 if squeeze else 2015,
        paper="Hu, Shen and Sun, Squeeze-and-excitation networks"
        if squeeze
        else "He, Zhang, Ren and Sun, Deep residual learning for image recognition",
        usual=_CIFAR if small else _IMAGENET,
        options=_WIDTH,
        published="" if small else "timm" if squeeze else "torchvision",
    )


#: `-m NAME`. Spellings of other projects are read in `choice`.
MODELS: dict[str, Model] = {
    "compact": Model("small modern network with batch norm; its depth follows the image size", compact),
    "2conv": Model("two convolutions, max pooling and a hidden layer of 128", TWO_CONV),
    "vgg-small": Model(
        "VGG style: six 3x3 convolutions of 64 to 256 channels, batch norm", VGG_SMALL, usual=_CIFAR
    ),
    "lenet5": Model(
        "LeNet-5, with ReLU and max pooling",
        builder=lenet5,
        year=1998,
        paper="LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition",
    ),
    "alexnet": Model(
        "AlexNet in one tower; lrn: with the maps, response norms and groups of 2012",
        builder=alexnet,
        year=2012,
        paper="Krizhevsky, Sutskever and Hinton, ImageNet classification with deep CNNs",
        usual=_IMAGENET,
        options={"lrn": None, **_WIDTH},
        drops=True,
        published="torchvision",
    ),
    **{f"vgg{depth}": _vgg(depth, norm=False) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}-bn": _vgg(depth, norm=True) for depth in (11, 13, 16, 19)},
    "googlenet": Model(
        "inception modules; aux: with two auxiliary heads, which serve training alone",
        builder=googlenet,
        year=2014,
        paper="Szegedy et al., Going deeper with convolutions",
        usual=_IMAGENET,
        options={"aux": None, **_WIDTH},
        drops=True,
        published="torchvision",
    ),
    **{f"resnet{depth}": _resnet(depth) for depth in (18, 34, 50, 101)},
    **{f"resnet{depth}": _resnet(depth, small=True) for depth in (20, 32, 56)},
    **{f"seresnet{depth}": _resnet(depth, squeeze=True) for depth in (18, 34, 50)},
    "seresnet20": _resnet(20, small=True, squeeze=True),
    **{
        f"squeezenet{version}": Model(
            "fire modules: few maps, then 1x1 and 3x3 convolutions of them side by side",
            builder=partial(squeezenet, version=version),
            year=2016,
            paper="Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters",
            usual=_IMAGENET,
            options=_WIDTH,
            drops=True,
            published="torchvision",
        )
        for version in ("1.0", "1.1")
    },
    **{
        f"densenet{depth}": Model(
            f"{depth} layers, each of which reads the maps of all before it in its block",
            builder=partial(densenet, depth=depth),
            year=2016,
            paper="Huang, Liu, van der Maaten and Weinberger, Densely connected convolutional networks",
            usual=_IMAGENET,
            options=_WIDTH,
            published="torchvision",
        )
        for depth in (121, 169, 201)
    },
    "mobilenet-v2": Model(
        "inverted residuals with linear bottlenecks, for phones",
        builder=mobilenet_v2,
        year=2018,
        paper="Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks",
        usual=_IMAGENET,
        options=_WIDTH,
        drops=True,
        published="torchvision",
    ),
    "textcnn": Model(
        "for texts: windows of 3, 4 and 5 words; channels: vectors tuned, static or both; dim: of a vector",
        builder=textcnn,
        year=2014,
        paper="Kim, Convolutional neural networks for sentence classification",
        usual=((1, 64, 1), 2),
        options={"channels": ("tuned", "static", "both"), "dim": Range(1, 2000, whole=True)},
        drops=True,
        words=10_000,
        of="texts",
    ),
    "unet": Model(
        "for masks: down through coarser maps and up again, with skips between",
        builder=unet,
        year=2015,
        paper="Ronneberger et al., U-Net: convolutional networks for biomedical image segmentation",
        usual=((128, 128, 3), 11),
        options={**_WIDTH, "stride": Range(1, 2, whole=True), "scales": None},
        of="pixels",
    ),
    "clipcnn": Model(
        "for clips: features of each frame, then convolutions over time; backbone: what a frame goes through",
        builder=clipcnn,
        usual=((8 * 32, 32, 1), 8),
        options={"backbone": BACKBONES},
        drops=True,
        frames=8,
        of="clips",
    ),
    **{
        f"efficientnet-lite{number}": Model(
            f"inverted residuals for photographs of {scale.size}x{scale.size}",
            builder=partial(efficientnet_lite, number=number),
            year=2019,
            paper="Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks",
            usual=((scale.size, scale.size, 3), 1000),
            drops=True,
            published="timm",
        )
        for number, scale in enumerate(SCALES)
    },
}


_ON = {"on": (SMALL, *(name for name, model in MODELS.items() if model.of == "images"))}
MODELS["detector"] = Model(
    "for boxes: a pyramid and a head at two or three scales on another network",
    builder=partial(detector_on, models=MODELS),
    year=2019,
    paper="Tian et al., FCOS: fully convolutional one-stage object detection",
    usual=((128, 128, 3), 10),
    options={**_ON, "neck": Range(8, 512, whole=True), **_WIDTH},
    of="boxes",
)
MODELS["localizer"] = Model(
    "for one box: a class and a box from the last maps of another network",
    builder=partial(localizer_on, models=MODELS),
    year=2013,
    paper="Sermanet et al., OverFeat: integrated recognition, localization and detection",
    usual=((128, 128, 3), 10),
    options={**_ON, **_WIDTH},
    of="box",
)
MODELS["segmenter"] = Model(
    "for masks: maps of another network at all scales, joined from the coarsest to the finest",
    builder=partial(segmenter_on, models=MODELS),
    year=2019,
    paper="Kirillov et al., Panoptic feature pyramid networks",
    usual=((128, 128, 3), 11),
    options={**_ON, "neck": Range(8, 512, whole=True), **_WIDTH},
    of="pixels",
)
