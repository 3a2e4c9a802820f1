"""Names of kernels in other programs, and what to write here instead."""

import re

from cnncli.errors import CnncliError
from cnncli.filters.entry import RENAMED, plain
from cnncli.filters.named import ALIASES, MODULES, build_named, find_entry
from cnncli.nearest import did_you_mean, meant

_MAX_LENGTH = 80  # characters of a SPEC to examine
_SIGNS = " =:(_-"
_LIST = "List all names with: cnncli kernels"
#: Names in ImageMagick, OpenCV, Pillow, GIMP and scikit-image (normalised, without hyphens), and the value
#: of ``-k`` that does the same here.
_ALIASES = {
    **dict.fromkeys(("none", "copy", "noop", "original"), "identity"),
    **dict.fromkeys(("autolevel", "stretch", "rescale", "rescaleintensity"), "normalize"),
    **dict.fromkeys(("equalizehist",), "equalize"),
    **dict.fromkeys(("createclahe", "equalizeadapthist", "localhistogram"), "clahe"),
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
    **dict.fromkeys(("oilpaint", "oilpainting", "oilify", "paint"), "kuwahara"),
    **dict.fromkeys(("lensblur", "bokeh"), "disk"),
    **dict.fromkeys(("sharpness", "edgeenhance", "detail", "enhance", "highpass"), "sharpen"),
    **dict.fromkeys(("morphologyex", "morphology", "morph"), "open:disk:3, erode, dilate or close"),
    **dict.fromkeys(("minfilter", "greyerosion", "binaryerosion"), "erode"),
    **dict.fromkeys(("maxfilter", "greydilation", "binarydilation"), "dilate"),
    **dict.fromkeys(("greyopening", "binaryopening"), "open"),
    **dict.fromkeys(("greyclosing", "binaryclosing"), "close"),
    **dict.fromkeys(("harris", "cornerharris"), "corner"),
    **dict.fromkeys(("composite", "overlay", "addweighted", "alphablend", "over"), "blend:0.5:other.png"),
    **dict.fromkeys(("diff", "compare"), "difference:other.png"),
    **dict.fromkeys(("otsu", "thresholdotsu"), "threshold:otsu"),
    **dict.fromkeys(("adaptivethreshold", "thresholdlocal"), "threshold:adaptive"),
    **dict.fromkeys(("downsample", "half", "shrink", "reduce", "downscale"), "resize:50%"),
    **dict.fromkeys(("enlarge", "upsample", "upscale", "double", "zoom"), "resize:200%"),
    **dict.fromkeys(("rotate90", "rot90"), "rotate:90"),
    **dict.fromkeys(("rotate180", "rot180"), "rotate:180"),
    **dict.fromkeys(("rotate270", "rot270"), "rotate:270"),
    **dict.fromkeys(("brighten", "brightness"), "identity --bias 10%"),
    **dict.fromkeys(("contrast",), "identity --scale 1.3 --bias -15%"),
}


def suggest_spec(text: str) -> str:
    """Suggest what may have been meant by a text that is not a SPEC.

    Parameters
    ----------
    text : str
        The value of ``-k``.

    Returns
    -------
    str
        A hint; empty if nothing is similar.
    """
    spec = corrected_spec(text)
    if spec:
        return meant(f"-k {spec}", _LIST)
    word = plain(re.split(r"[:=(]", text, maxsplit=1)[0])
    known = _ALIASES.get(word.replace("-", ""))
    if known:
        return meant(f"-k {known}", _LIST)
    near = did_you_mean(word, (*MODULES, *ALIASES), form="-k {}", instead=ALIASES)
    return f"{near} {_LIST}" if near else ""


def corrected_spec(text: str) -> str:
    """The SPEC that was probably meant by one with wrong punctuation.

    Parameters
    ----------
    text : str
        ``gaussian=2``, ``gaussian(2)``, ``gaussian 2``, ``gaussian2``, ``sobel-x``, ``box:5x5``.

    Returns
    -------
    str
        ``gaussian:2`` and so on; empty if no valid one is found.
    """
    for end in range(min(len(text), _MAX_LENGTH) - 1, 2, -1):
        name = text[:end].rstrip(_SIGNS)
        entry = find_entry(_ALIASES.get(plain(name).replace("-", ""), name))
        if entry is None or entry.operand:  # whose rest may be any text
            continue
        rest = re.sub(r"\s*[,;\s]\s*", ",", text[end:].strip(_SIGNS + ")"))
        # 5x5 and OpenCV's (5, 5) are a single size here, ImageMagick's 0x2 is a sigma.
        tries = [
            rest,
            re.sub(r"^([a-z]+)[:,]", r"\1=", rest),
            rest.replace(":", ","),
            re.sub(r"[^=,\s]+(?==)", lambda name: RENAMED.get(plain(name[0]), name[0]), rest),
            re.sub(r"\b(?:0|(\d+))x(?=(\d+))(?(1)(?=\1))", "", rest),
        ]
        for each in dict.fromkeys(tries):
            try:
                build_named(entry, each)
            except CnncliError:
                continue
            return f"{entry.name}:{each}"
    return ""
