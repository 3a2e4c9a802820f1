"""Kernels as other programs call them: what to write here instead."""

import re

from cnncli.errors import CnncliError
from cnncli.filters.entry import plain
from cnncli.filters.named import ALIASES, FAMILIES
from cnncli.nearest import did_you_mean, meant

_LONGEST = 80  # of a SPEC that is looked at
_SIGNS = " =:(_-"
_LIST = "List all names with: cnncli kernels"
_MORPHOLOGY = (
    "erode",
    "dilate",
    "erosion",
    "dilation",
    "open",
    "close",
    "tophat",
    "morphology",
    "min",
    "max",
)
#: Names in ImageMagick, OpenCV, Pillow, GIMP and scikit-image (folded, without hyphens), and what does the
#: same here, as it follows ``-k``.
_ALIASES = {
    **dict.fromkeys(("gray", "grey", "grayscale", "greyscale", "luma", "desaturate"), "identity --gray"),
    **dict.fromkeys(("none", "copy", "noop", "original"), "identity"),
    **dict.fromkeys(("negate", "invert", "inverse", "negative"), "identity --scale -1 --bias 100%"),
    **dict.fromkeys(("autocontrast", "autolevel", "stretch", "contraststretch"), "identity --range stretch"),
    **dict.fromkeys(
        ("edge", "edges", "edgedetect", "edgedetection", "findedges", "gradient", "magnitude"), "sobel"
    ),
    **dict.fromkeys(("contour", "edgeoutline", "ridge"), "outline"),
    **dict.fromkeys(("sobelx", "horizontalgradient", "dx"), "sobel:x"),
    **dict.fromkeys(("sobely", "verticalgradient", "dy"), "sobel:y"),
    **dict.fromkeys(("gaussianfilter", "smooth", "smoothing", "soften", "lowpass"), "gaussian"),
    **dict.fromkeys(("meanfilter", "boxfilter", "averageblur", "avgpool"), "box"),
    **dict.fromkeys(("medianblur", "medianfilter", "despeckle", "denoise"), "median"),
    **dict.fromkeys(("bilateralfilter", "surfaceblur", "edgepreserving"), "bilateral"),
    **dict.fromkeys(("lensblur", "bokeh"), "disk"),
    **dict.fromkeys(("sharpness", "edgeenhance", "detail", "enhance", "highpass"), "sharpen"),
    **dict.fromkeys(("harris", "cornerharris"), "corner"),
    **dict.fromkeys(
        ("threshold", "binarize", "otsu"), "zero-crossings or -k canny, which give black and white"
    ),
    **dict.fromkeys(
        ("resize", "thumbnail", "downsample", "half"), "box:size=3 --stride 2, for half the size"
    ),
    **dict.fromkeys(("brighten", "brightness"), "identity --bias 10%"),
    **dict.fromkeys(("contrast",), "identity --scale 1.3 --bias -15%"),
}


#: Names of parameters elsewhere.
_PARAMETERS = {
    **dict.fromkeys(("std", "stddev", "sd", "standard-deviation", "sigmax", "sigma-x"), "sigma"),
    **dict.fromkeys(("ksize", "kernel-size", "radius", "window", "width", "diameter", "d", "k"), "size"),
    **dict.fromkeys(("threshold1", "lower", "minval", "low-threshold"), "low"),
    **dict.fromkeys(("threshold2", "upper", "maxval", "high-threshold"), "high"),
    **dict.fromkeys(("orientation", "theta", "rotation", "degrees"), "angle"),
    **dict.fromkeys(("axis", "dir"), "direction"),
    **dict.fromkeys(("percent", "strength", "gain"), "amount"),
}


def nearest_spec(text: str) -> str:
    """What may have been meant by words that are no SPEC.

    Parameters
    ----------
    text : str
        As written after ``-k``.

    Returns
    -------
    str
        A hint; empty where nothing is near.
    """
    spec = respelled(text)
    if spec:
        return meant(f"-k {spec}", _LIST)
    word = plain(re.split(r"[:=(]", text, maxsplit=1)[0])
    if word in _MORPHOLOGY:
        return f"Use another program for erosion and dilation; cnncli has the median. {_LIST}"
    known = _ALIASES.get(word.replace("-", ""))
    if known:
        return meant(f"-k {known}", _LIST)
    near = did_you_mean(word, (*FAMILIES, *ALIASES), form="-k {}", instead=ALIASES)
    return f"{near} {_LIST}" if near else ""


def nearest_parameter(word: str, names: list[str]) -> str:
    """What a parameter of another program may be called here, as ``sigma=…``; empty if nothing is near."""
    known = _PARAMETERS.get(word)
    return meant(f"{known}=…") if known in names else did_you_mean(word, names, form="{}=…")


def respelled(text: str) -> str:
    """The SPEC that was meant by one whose signs are wrong.

    Parameters
    ----------
    text : str
        ``gaussian=2``, ``gaussian(2)``, ``gaussian 2``, ``gaussian2``, ``sobel-x``, ``box:5x5``.

    Returns
    -------
    str
        ``gaussian:2`` and so on; empty where there is none that is right.
    """
    from cnncli.filters.spec import build_named, find_entry

    for end in range(min(len(text), _LONGEST) - 1, 2, -1):
        name = text[:end].rstrip(_SIGNS)
        entry = find_entry(_ALIASES.get(plain(name).replace("-", ""), name))
        if entry is None:
            continue
        rest = re.sub(r"\s*[,;\s]\s*", ",", text[end:].strip(_SIGNS + ")"))
        # 5x5 and OpenCV's (5, 5) are one size here, ImageMagick's 0x2 a sigma.
        tries = [
            rest,
            re.sub(r"^([a-z]+)[:,]", r"\1=", rest),
            rest.replace(":", ","),
            re.sub(r"\b(?:0|(\d+))x(?=(\d+))(?(1)(?=\1))", "", rest),
        ]
        for each in dict.fromkeys(tries):
            try:
                build_named(entry, each)
            except CnncliError:
                continue
            return f"{entry.name}:{each}"
    return ""
