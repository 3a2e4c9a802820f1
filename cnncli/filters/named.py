"""Names of kernels, and the module that describes and builds each, imported on first use."""

from importlib import import_module

from cnncli.filters.entry import Entry

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
}


def entry_of(name: str) -> Entry:
    """The entry of a named kernel, a key of `MODULES`."""
    entries: dict[str, Entry] = import_module(f"cnncli.filters.{MODULES[name]}").ENTRIES
    return entries[name]
