"""The network that ``-m`` asks for.

A model is given as its name, or as its name and options, ``NAME:option=value,flag``, in the notation of
kernels: ``googlenet:aux``, ``vgg16:width=0.25``.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from cnncli.errors import CnncliError, OptionError
from cnncli.models.architecture import Architecture
from cnncli.models.catalog import MODELS, Limits, Model, Range, Shape, Value
from cnncli.models.grammar import check_words, looks_like_layers, parse, suggestion
from cnncli.nn import Graph
from cnncli.nn.exchange import as_dict

_SIGNS = re.compile(r"[\s_.-]")
_SPELLINGS = {_SIGNS.sub("", name): name for name in MODELS}  # vgg16_bn, ResNet-18, squeezenet1_1
#: By what there are outputs for.
_DATA = {
    "images": "images",
    "texts": "texts",
    "pixels": "masks",
    "clips": "clips",
    "boxes": "boxes",
    "box": "boxes, one in each image",
}
_USUAL = {
    "texts": "textcnn",
    "pixels": "unet:width=0.25,scales",
    "clips": "clipcnn",
    "boxes": "detector:neck=64,width=1.5",
    "box": "localizer",
}
_FINE, _HALVED = 96, 32  # least pixels of the shorter side, and what sides divide by, for a pyramid for masks
_LARGE = 128  # auto chooses a residual network above this side
_SIDES = (*range(4, 64, 4), *range(64, 257, 32))  # tried where images are too small for a model


def architecture(
    text: str,
    input_shape: Shape,
    classes: int,
    *,
    seed: int = 0,
    words: int = 0,
    frames: int = 0,
    of: str = "images",
) -> Architecture:
    """Read the value of ``-m``, and build the network.

    Parameters
    ----------
    text : str
        A name, with options if it has any, ``auto`` (by the image's size), or a string of layers.
    input_shape : (H, W, C)
        Of one image, or (1, T, 1) of a text.
    classes : int
        Outputs.
    seed : int
        Of dropout; weights have a seed of their own, in `Network`.
    words : int
        How many different ones texts have; 0 for images.
    frames : int
        How many of a clip are read at once; 0 for images.
    of : str
        What it has outputs for, as `Model.of` has it.

    Raises
    ------
    OptionError
        For an unknown name or option, layers that do not fit the input shape, or a network for other data.
    """
    name, options = _read(text, input_shape, of=of)
    _check_data(name, text, of)
    layers = " ".join(text.split()) if name == "custom" else MODELS[name].string(input_shape)
    sizes = {"words": words, "frames": frames}
    graph = _built(name, options, text, input_shape, classes, seed=seed, sizes=sizes)
    return Architecture(_spelled(name, options), layers, input_shape, classes, as_dict(graph))


def _check_data(name: str, text: str, of: str) -> None:
    """Refuse a network whose outputs are not what the data ask for."""
    own = MODELS[name].of if name in MODELS else "images"
    if own == of:
        return
    first = next(each for each, model in MODELS.items() if model.of == of)
    given, wanted = _DATA[of], _DATA[own]
    raise OptionError(
        f"--model: {text} is for {wanted}, but the data are {given}; expected a network for {given}",
        f"Use -m {first}, or leave -m out.",
    )


def build(text: str, input_shape: Shape, classes: int, *, seed: int = 0) -> Graph:
    """Build a network from a name or a string of layers; parameters and errors as of `architecture`."""
    name, options = _read(text, input_shape)
    return _built(name, options, text, input_shape, classes, seed=seed)


def _built(
    name: str,
    options: Mapping[str, Value],
    text: str,
    input_shape: Shape,
    classes: int,
    *,
    seed: int,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> Graph:
    """The graph of what `_read` found in a text."""
    if name == "custom":
        return parse(" ".join(text.split()), input_shape, classes, seed=seed)
    model = MODELS[name]
    try:
        return model.graph(input_shape, classes, options, seed=seed, **sizes)
    except OptionError:
        raise
    except CnncliError as fault:
        raise _unfit(name, input_shape, fault, model=model, options=options) from fault


def model_named(text: str) -> Model:
    """What the catalog says of the network that a text names; of layers it says nothing.

    Raises
    ------
    OptionError
        For an unknown name or option.
    """
    name, _ = _read(text, Model.usual[0])
    return MODELS.get(name, Model(""))


def check_model(text: str) -> None:
    """Refuse a model that is invalid for images of any size, before the images are read.

    Parameters
    ----------
    text : str
        As for `architecture`.

    Raises
    ------
    OptionError
        For an unknown name or option, or words that are not layers.
    """
    if _read(text, (1, 1, 1))[0] == "custom":
        check_words(text)


def _read(text: str, input_shape: Shape, *, of: str = "images") -> tuple[str, dict[str, Value]]:
    """The name of a model, ``custom`` for a string, and its options."""
    written, colon, rest = text.strip().lower().partition(":")
    name = _SPELLINGS.get(_SIGNS.sub("", written), written)
    if name == "auto" and not colon:
        small = max(input_shape[:2]) <= _LARGE
        usual = _USUAL.get(of) or ("compact" if small else "resnet18")
        sides = input_shape[:2]
        if of == "pixels" and min(sides) >= _FINE and not any(side % _HALVED for side in sides):
            usual = "segmenter:width=1.5"
        name, colon, rest = usual.partition(":")
    if name in MODELS:
        return name, _options(name, rest) if colon else {}
    if not colon and (looks_like_layers(text) or not name):
        return "custom", {}
    raise _unknown(written if colon else text)


def _options(name: str, text: str) -> dict[str, Value]:
    """Options as in ``aux,width=0.5``, of those that the model has."""
    known = MODELS[name].options
    found: dict[str, Value] = {}
    for part in text.split(","):
        key, equals, value = (each.strip() for each in part.partition("="))
        if key not in known:
            having = ", ".join(known) or "none"
            raise OptionError(
                f"--model: {name} has no option {key!r}; expected one of its options: {having}",
                f"Write it as in -m {name}:{_example(known)}." if known else f"Say -m {name} alone.",
            )
        limits = known[key]
        found[key] = True if limits is None else _value(name, key, value, limits)
        if limits is None and equals:
            raise OptionError(
                f"--model: {key} of {name} is {value!r}; expected {key} alone, which turns it on",
                f"Say -m {name}:{key}, or leave it out.",
            )
    return found


def _value(name: str, key: str, text: str, limits: Range | tuple[str, ...]) -> Value:
    if isinstance(limits, Range):
        return _number(name, key, text, limits)
    if text not in limits:
        raise OptionError(
            f"--model: {key} of {name} is {text!r}; expected {', '.join(limits)}",
            f"Say, for example, -m {name}:{key}={limits[0]}.",
        )
    return text


def _number(name: str, key: str, text: str, limits: Range) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not limits.low <= number <= limits.high or (limits.whole and number != round(number)):
        kind = "a whole number" if limits.whole else "a number"
        raise OptionError(
            f"--model: {key} of {name} is {text!r}; expected {kind} from {limits.low:g} to {limits.high:g}",
            f"Say, for example, -m {name}:{_example({key: limits})}.",
        )
    return round(number) if limits.whole else number


def _example(options: Mapping[str, Limits]) -> str:
    name, limits = next(iter(options.items()))
    if limits is None:
        return name
    if isinstance(limits, Range):
        return f"{name}={round(limits.high) // 10 if limits.whole else 0.5}"
    return f"{name}={limits[0]}"


def _spelled(name: str, options: Mapping[str, Value]) -> str:
    """A name with its options, as in ``googlenet:aux,width=0.5``."""
    words = [
        key if value is True else f"{key}={value if isinstance(value, str) else format(value, 'g')}"
        for key, value in options.items()
    ]
    return f"{name}:{','.join(words)}" if words else name


def _unfit(
    name: str, input_shape: Shape, fault: CnncliError, *, model: Model, options: Mapping[str, Value]
) -> OptionError:
    """Images that a model is too large for: which layer ran out, and which size would do."""
    height, width, channels = input_shape
    side = _smallest_side(model, channels, options)
    enough = (
        f"Use images of {side} pixels a side or more, as --size {side} makes them." if side else fault.hint
    )
    return OptionError(f"{name} does not fit images of {height}x{width}x{channels}: {fault.message}", enough)


def _smallest_side(model: Model, channels: int, options: Mapping[str, Value]) -> int | None:
    """A side of square images that a model fits, of some that are tried."""
    side: int
    for side in _SIDES:
        try:
            model.graph((side, side, channels), 2, options, seed=0)
        except CnncliError:
            continue
        return side
    return None


def _unknown(text: str) -> OptionError:
    from cnncli.nearest import did_you_mean

    known = ["auto", *MODELS]
    return OptionError(
        f"--model: there is no model {text!r}; expected one of {', '.join(known)}, or layers",
        did_you_mean(text, known) or suggestion(text) or 'Write layers as in -m "conv32 relu pool fc".',
    )
