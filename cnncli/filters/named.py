"""Named kernels: the module that describes each, imported on first use, and how one is found and built."""

import re
from importlib import import_module

from cnncli.errors import CnncliError
from cnncli.filters.entry import Entry, Parameter, Value, plain, read_number, see
from cnncli.filters.model import Filter

#: The module of this package that defines each named kernel, in the order in which they are listed.
MODULES: dict[str, str] = {
    "identity": "smoothing",
    "box": "smoothing",
    "gaussian": "smoothing",
    "disk": "smoothing",
    "motion": "smoothing",
    "binomial": "smoothing",
    "sharpen": "sharpening",
    "unsharp": "sharpening",
    "emboss": "sharpening",
    "outline": "sharpening",
    "sobel": "derivatives",
    "scharr": "derivatives",
    "prewitt": "derivatives",
    "roberts": "derivatives",
    "farid": "derivatives",
    "laplacian": "laplacians",
    "log": "laplacians",
    "dog": "laplacians",
    "mexican-hat": "laplacians",
    "zero-crossings": "kinds.zero_crossings",
    "kirsch": "compass",
    "robinson": "compass",
    "prewitt-compass": "compass",
    "frei-chen": "compass",
    "gabor": "gabor",
    "gabor-bank": "gabor",
    "line": "lines",
    "corner": "lines",
    "median": "kinds.median",
    "bilateral": "kinds.bilateral",
    "canny": "kinds.canny",
    "kuwahara": "kinds.kuwahara",
    "threshold": "kinds.threshold",
    **dict.fromkeys(("normalize", "equalize"), "kinds.levels"),
    "clahe": "kinds.clahe",
    **dict.fromkeys(("gamma", "invert", "gray"), "kinds.levels"),
    **dict.fromkeys(
        ("add", "subtract", "difference", "multiply", "screen", "darken", "lighten", "blend"), "kinds.pair"
    ),
    **dict.fromkeys(
        ("erode", "dilate", "open", "close", "tophat", "blackhat", "morph-gradient"), "kinds.morphology"
    ),
    "resize": "kinds.resize",
    "crop": "kinds.crop",
    **dict.fromkeys(("rotate", "flip", "flop", "transpose"), "kinds.turn"),
}

ALIASES: dict[str, str] = {
    "blur": "gaussian",
    "gauss": "gaussian",
    "gaussian-blur": "gaussian",
    "mean": "box",
    "average": "box",
    "boxblur": "box",
    "box-blur": "box",
    "uniform": "box",
    "pillbox": "disk",
    "disc": "disk",
    "motion-blur": "motion",
    "pascal": "binomial",
    "sharp": "sharpen",
    "unsharp-mask": "unsharp",
    "usm": "unsharp",
    "robert": "roberts",
    "roberts-cross": "roberts",
    "laplace": "laplacian",
    "laplacian-of-gaussian": "log",
    "difference-of-gaussians": "dog",
    "mexicanhat": "mexican-hat",
    "ricker": "mexican-hat",
    "zerocrossings": "zero-crossings",
    "zero-crossing": "zero-crossings",
    "log-zero-crossings": "zero-crossings",
    "marr-hildreth": "zero-crossings",
    "freichen": "frei-chen",
    "gaborbank": "gabor-bank",
    "simple-cells": "gabor-bank",
    "lines": "line",
    "line-detection": "line",
    "corners": "corner",
    "corner-detection": "corner",
    "binarize": "threshold",
    "autocontrast": "normalize",
    "auto-contrast": "normalize",
    "contrast-stretch": "normalize",
    "equalise": "equalize",
    "equalize-hist": "equalize",
    "histogram-equalization": "equalize",
    "adaptive-equalization": "clahe",
    "equalize-adapthist": "clahe",
    "gamma-correction": "gamma",
    "negate": "invert",
    "negative": "invert",
    "inverse": "invert",
    "grey": "gray",
    "grayscale": "gray",
    "greyscale": "gray",
    "luma": "gray",
    "desaturate": "gray",
    "erosion": "erode",
    "minimum": "erode",
    "min": "erode",
    "dilation": "dilate",
    "maximum": "dilate",
    "max": "dilate",
    "opening": "open",
    "closing": "close",
    "top-hat": "tophat",
    "white-tophat": "tophat",
    "black-hat": "blackhat",
    "black-tophat": "blackhat",
    "bottomhat": "blackhat",
    "bottom-hat": "blackhat",
    "plus": "add",
    "minus": "subtract",
    "absdiff": "difference",
    "product": "multiply",
    "darker": "darken",
    "lighter": "lighten",
    "mix": "blend",
    "morphological-gradient": "morph-gradient",
    "morphgradient": "morph-gradient",
    "scale": "resize",
    "thumbnail": "resize",
    "resample": "resize",
    "cut": "crop",
    "extract": "crop",
    "turn": "rotate",
    "mirror": "flop",
    "flip-horizontal": "flop",
    "fliplr": "flop",
    "flip-vertical": "flip",
    "flipud": "flip",
}


def entry_of(name: str) -> Entry:
    """The entry of a named kernel, a key of `MODULES`."""
    entries: dict[str, Entry] = import_module(f"cnncli.filters.{MODULES[name]}").ENTRIES
    return entries[name]


def find_entry(name: str) -> Entry | None:
    """Find a named kernel, ignoring case, ``-`` and ``_``; None if there is none."""
    folded = plain(name)
    known = ALIASES.get(folded, folded)
    return entry_of(known) if known in MODULES else None


def build_named(entry: Entry, text: str) -> Filter:
    """Build a named kernel from the part of its SPEC after the colon.

    Parameters
    ----------
    entry : Entry
        The kernel.
    text : str
        ``size=5,sigma=1.2``; values without a name come first, in the order of the entry's parameters.

    Returns
    -------
    Filter

    Raises
    ------
    CnncliError
        If a parameter is unknown, given twice, empty or out of range.
    """
    return entry.make(values_of(entry, text))


def values_of(entry: Entry, text: str) -> dict[str, Value]:
    """The parameters of a SPEC, as keyword arguments of the entry's ``build``."""
    if entry.operand:
        return _values_and_operand(entry, text)
    values: dict[str, Value] = {}
    hint = see(entry.name)
    named = False
    parts = re.split("[:,]", text) if entry.forms or entry.colons else text.split(",")
    order = entry.order(parts[0])
    for index, part in enumerate(parts):
        word, equals, value = part.partition("=")
        if not part.strip() or (equals and not (word.strip() and value.strip())):
            raise CnncliError(f"{entry.name}: parameter {index + 1} is {part!r}; expected name=value", hint)
        if equals:
            named = True
            parameter = entry.parameter(word)
        elif named or index >= len(order):
            raise CnncliError(f"{entry.name}: {part.strip()!r} has no name; expected name=value", hint)
        else:
            parameter, value = entry.parameter(order[index]), part
        key = parameter.name.replace("-", "_")
        if key in values:
            raise CnncliError(f"{entry.name}: {parameter.name} is given twice in {text.strip()!r}", hint)
        values[key] = parameter.read(value.strip(), entry.name)
    return values


_NAMED_VALUE = re.compile(r"\s*([A-Za-z][A-Za-z_-]*)\s*=\s*")
_FIRST_VALUE = re.compile(r"\s*([^,:=]*?)\s*([,:]|$)")


def _values_and_operand(entry: Entry, text: str) -> dict[str, Value]:
    """The values of a SPEC whose rest is a file's name, in which any character may stand."""
    values: dict[str, Value] = {}
    first, rest = entry.parameters[0], text.strip()
    if not rest:
        raise CnncliError(f"{entry.name}: nothing stands behind the colon; expected a file", see(entry.name))
    while rest:
        named = _NAMED_VALUE.match(rest)
        parameter = None if named is None else _known(entry, named[1])
        begins = rest if named is None or parameter is None else rest[named.end() :]
        if parameter is not None and parameter.name == entry.operand:
            value, rest = begins, ""
        else:
            found = _FIRST_VALUE.match(begins)
            is_number = found is not None and read_number(found[1].removesuffix("%")) is not None
            if parameter is None and is_number and first.name not in values:
                parameter = first
            if parameter is None or found is None:
                parameter, value, rest = entry.parameter(entry.operand), rest, ""
            else:
                value, rest = found[1], begins[found.end() :]
        if parameter.name in values:
            raise CnncliError(f"{entry.name}: {parameter.name} is given twice in {text!r}", see(entry.name))
        values[parameter.name] = parameter.read(value.strip(), entry.name)
    return values


def _known(entry: Entry, word: str) -> Parameter | None:
    """A parameter by its name, if a word is one."""
    names = [each for each in entry.parameters if plain(word) in (each.name, *each.aliases)]
    return names[0] if names else None
