"""How pictures are prepared for weights from elsewhere: as for those that are published, or as one says."""

import math
from dataclasses import dataclass, replace

from cnncli.errors import OptionError
from cnncli.models.catalog import MODELS
from cnncli.tasks.preprocessing import LARGEST_SIDE, SMALLEST_STD, Preprocessing

Floats = tuple[float, ...]

# Means and deviations of the photographs of ImageNet, and those with which values go from -1 to 1.
IMAGENET: tuple[Floats, Floats] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES: tuple[Floats, Floats] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CROP_PCT = 0.875  # of timm where nothing else is said
#: Where options about pictures are said for weights that ``train`` starts from, as it has none of them.
FOR_INIT = "for --init to cnncli weights, which writes a checkpoint"


@dataclass(frozen=True)
class Published:
    """What the authors of published weights did to pictures.

    Attributes
    ----------
    source : str
        Whose way it is, for people.
    crop : int
        Pixels a side of the middle that is cut out.
    mean, std : tuple of float
        Of each channel, in units of full scale; empty where nobody says.
    crop_pct : float
        timm's ``crop_pct``: the short side becomes ``floor(crop / crop_pct)``.
    short : int or None
        The short side itself where it is stated, as by torchvision; in proportion for another crop.
    interpolation : str
        Of `cnncli.images.resize.INTERPOLATIONS`.
    """

    source: str
    crop: int
    mean: Floats = ()
    std: Floats = ()
    crop_pct: float = 1.0
    short: int | None = None
    interpolation: str = "bilinear"

    def short_side(self, crop: int) -> int:
        """Length of the short side before so many pixels are cut out."""
        return math.floor(crop / self.crop_pct) if self.short is None else crop * self.short // self.crop


@dataclass(frozen=True)
class Choices:
    """What ``--mean``, ``--std``, ``--resize``, ``--crop`` and ``--interpolation`` say; None: not given.

    ``crop`` is the side of a square, ``size`` (H, W) of any rectangle.
    """

    mean: Floats | None = None
    std: Floats | None = None
    resize: int | None = None
    crop: int | None = None
    interpolation: str | None = None
    size: tuple[int, int] | None = None


_TORCHVISION = Published("torchvision", 224, *IMAGENET, short=256)
_V2 = replace(_TORCHVISION, source="torchvision (IMAGENET1K_V2)", short=232)
#: Files of torchvision's second recipe, by the digits that are part of their names.
_V2_FILES = ("11ad3fa6", "cd907fc2", "7ebf99e0")  # resnet50, resnet101, mobilenet_v2
_TIMM = Published("timm", 224, *IMAGENET, crop_pct=CROP_PCT, interpolation="bicubic")
_LITE = replace(_TIMM, mean=HALVES[0], std=HALVES[1])
_OF = {"torchvision": _TORCHVISION, "timm": _TIMM}
#: By the name of a model without its options, where it is not as others of its package.
_APART = {
    # Its published weights come from TensorFlow: with them transform_input is on, which takes the mean and
    # deviation of ImageNet back and puts these in their place.
    "googlenet": replace(_TORCHVISION, source="torchvision (transform_input)", mean=HALVES[0], std=HALVES[1]),
    "efficientnet-lite0": _LITE,
    "efficientnet-lite1": replace(_LITE, crop=240, crop_pct=0.882),
    "efficientnet-lite2": replace(_LITE, crop=260, crop_pct=0.89),
    "efficientnet-lite3": replace(_LITE, crop=300, crop_pct=0.904, interpolation="bilinear"),
    "efficientnet-lite4": replace(_LITE, crop=380, crop_pct=0.92, interpolation="bilinear"),
}


def published(model: str, file: str, channels: int) -> Published:
    """What is known of pictures for a model whose weights do not say it.

    Parameters
    ----------
    model : str
        Its name, perhaps with options, or a string of layers.
    file : str
        Name of the file of weights, which tells the kinds of weights of one network apart.
    channels : int
        Of its pictures: means and deviations are published for colour.
    """
    name = model.partition(":")[0]
    usual, package = (MODELS[name].usual[0][0], MODELS[name].published) if name in MODELS else (0, "")
    found = _APART.get(name) or _OF.get(package) or Published("", usual)
    if found is _TORCHVISION and any(digits in file for digits in _V2_FILES):
        found = _V2
    return found if channels == len(found.mean) else replace(found, mean=(), std=())


def preprocessing(known: Published, choices: Choices, channels: int, model: str) -> Preprocessing:
    """What a network is to get: what is known, and what was said instead.

    Raises
    ------
    OptionError
        Where nobody says what is needed, or values do not fit together.
    """
    mean, std, crop = choices.mean or known.mean, choices.std or known.std, choices.crop or known.crop
    needed = {"--crop": crop, "--mean": mean, "--std": std}
    if lacking := " and ".join(name for name, value in needed.items() if not value):
        raise OptionError(
            f"how pictures of {channels} channels are prepared for weights of {model} is not known; "
            f"expected {lacking}",
            f"Give {lacking} as in training, in units of full scale: --mean 0.5 --std 0.25 ({FOR_INIT}).",
        )
    short = choices.resize or known.short_side(crop)
    if not crop <= short <= LARGEST_SIDE:
        raise OptionError(
            f"the short side is resized to {short}; expected {crop}, which are cut out, to {LARGEST_SIDE}",
            f"Give --resize {crop} or more, or another --crop.",
        )
    return Preprocessing(
        (crop, crop),
        channels,
        each_channel("--mean", mean, channels, 0),
        each_channel("--std", std, channels, SMALLEST_STD),
        resize=short,
        interpolation=choices.interpolation or known.interpolation,
    )


def each_channel(option: str, values: Floats, channels: int, low: float) -> Floats:
    """One value for each channel, within bounds.

    Raises
    ------
    OptionError
        Where there are others than one, or one for each, or one is out of bounds.
    """
    if len(values) not in (1, channels):
        raise OptionError(
            f"{option} has {len(values)} values; expected one for all channels, or {channels}, one for each",
            f"Give {option} as in training.",
        )
    if wrong := [value for value in values if not low <= value <= 1]:
        raise OptionError(
            f"{option} is {wrong[0]:g}; expected {low:g} to 1, in units of full scale",
            "Divide it by 255 if it is in units of bytes.",
        )
    return values * channels if len(values) == 1 else values


def sentence(found: Preprocessing) -> str:
    """How pictures are prepared, in words."""
    mean, std = (
        ", ".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))
        for values in (found.mean, found.std)
    )
    height, width = found.size
    resized = f"short side to {found.resize} ({found.interpolation}), middle {width}x{height}"
    if found.resize is None:
        how = {"crop": "cut", "pad": "padded", "stretch": "stretched"}[found.fit]
        resized = f"resized and {how} to {width}x{height}"
    return f"{resized}, mean {mean}, deviation {std}"
