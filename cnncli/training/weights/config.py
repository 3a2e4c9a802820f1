"""``config.json`` beside weights, as timm writes it: their network, and how pictures are prepared for it."""

from dataclasses import dataclass
from pathlib import Path

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.images.resize import INTERPOLATIONS
from cnncli.tasks.preprocessing import LARGEST_SIDE, SMALLEST_STD
from cnncli.training.weights.classes import Classes, classes_of
from cnncli.training.weights.pixels import CROP_PCT, IMAGENET, Published

_MODELS = {
    **{name: name for name in ("alexnet", "googlenet")},
    **{f"resnet{depth}": f"resnet{depth}" for depth in (18, 34, 50, 101)},
    **{f"seresnet{depth}": f"seresnet{depth}" for depth in (18, 34, 50)},
    **{
        f"vgg{depth}{norm}": f"vgg{depth}{norm.replace('_', '-')}"
        for depth in (11, 13, 16, 19)
        for norm in ("", "_bn")
    },
    **{f"tf_efficientnet_lite{number}": f"efficientnet-lite{number}" for number in range(5)},
}
#: Networks that are not ours, though their names and some or all of their arrays say so.
_LOOKALIKES = {
    **{
        f"efficientnet_lite{number}": f"pads evenly; expected tf_efficientnet_lite{number}, which pads as "
        "TensorFlow does"
        for number in range(5)
    },
    **{
        f"legacy_seresnet{depth}": f"strides and pools elsewhere than seresnet{depth}, which was expected"
        for depth in (18, 34, 50)
    },
}
_HARMLESS = {"num_classes", "in_chans", "drop_rate", "drop_path_rate", "global_pool"}  # of timm's model_args
_MOST_CLASSES = 1_000_000
_USUAL = (3, 224, 224)  # timm's input_size where nothing else is said


@dataclass(frozen=True)
class Config:
    """What a ``config.json`` says.

    Attributes
    ----------
    model : str
        Our name of its network.
    classes : tuple of str or None
        Their names, where it has them.
    count : int or None
        Number of classes, where it has it.
    pictures : Published
        How they are prepared.
    """

    model: str
    classes: Classes | None
    count: int | None
    pictures: Published


def read_config(path: Path) -> Config:
    """Read a ``config.json``.

    Raises
    ------
    CnncliError
        Where it cannot be read, or asks for what is not here.
    """
    try:
        fields = Fields(parse_json(path.read_bytes()))
        known = fields.fields("pretrained_cfg") if "pretrained_cfg" in fields else fields
        return Config(
            _model(fields),
            _classes(fields, known),
            fields.whole("num_classes", 1, _MOST_CLASSES) if "num_classes" in fields else None,
            _pictures(known),
        )
    except OSError as error:
        raise reading_fault(error, path) from error
    except MalformedError as error:
        raise CnncliError(
            f"{shown(path)} is no description of weights as timm writes it: {error}",
            "Give the .safetensors itself and say what it is: --weights FILE -m NAME.",
        ) from error


def _model(fields: Fields) -> str:
    """Our name of the network; one with other layers than ours is refused."""
    name = fields.text("architecture").partition(".")[0]  # resnet50.a1_in1k
    if name in _LOOKALIKES:
        raise MalformedError(f"architecture is {name}, which {_LOOKALIKES[name]}")
    if name not in _MODELS:
        raise MalformedError(f"architecture is {name!r}; expected one of {', '.join(_MODELS)}")
    arguments = fields.fields("model_args") if "model_args" in fields else Fields({})
    if unknown := sorted(arguments.raw().keys() - _HARMLESS):
        raise MalformedError(f"model_args changes {', '.join(unknown)} of {name}; expected its usual layers")
    for each in (fields, arguments):
        if "global_pool" in each and (pool := each.text("global_pool")) not in ("avg", ""):
            raise MalformedError(f"global_pool is {pool!r}; expected 'avg'")
    return _MODELS[name]


def _classes(fields: Fields, known: Fields) -> Classes | None:
    """``label_names``, or their descriptions where names are codes that have some."""
    holder = next((each for each in (fields, known) if "label_names" in each), None)
    if holder is None:
        return None
    names = classes_of(holder.raw()["label_names"])
    described = holder.record("label_descriptions") if "label_descriptions" in holder else {}
    return tuple(str(described.get(name, name)) for name in names)


def _pictures(known: Fields) -> Published:
    """How pictures are prepared; what is not said is as timm's defaults have it."""
    channels, height, width = _USUAL
    if "input_size" in known:
        channels, height, width = known.wholes("input_size", 3, 1, LARGEST_SIDE)
    if height != width:
        raise MalformedError(f"input_size is {height} x {width}; expected a square")
    if "crop_mode" in known and (mode := known.text("crop_mode")) != "center":
        raise MalformedError(f"crop_mode is {mode!r}; expected 'center'")
    interpolation = known.text("interpolation") if "interpolation" in known else "bicubic"
    if interpolation not in INTERPOLATIONS:
        raise MalformedError(f"interpolation is {interpolation!r}; expected {', '.join(INTERPOLATIONS)}")
    usual = IMAGENET if channels == 3 else ((), ())
    mean = known.numbers("mean", channels, 0, 1) if "mean" in known else usual[0]
    std = known.numbers("std", channels, SMALLEST_STD, 1) if "std" in known else usual[1]
    share = known.number("crop_pct", 0.01, 1) if "crop_pct" in known else CROP_PCT
    return Published("config.json", height, mean, std, crop_pct=share, interpolation=interpolation)
