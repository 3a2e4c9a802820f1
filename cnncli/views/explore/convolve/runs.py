"""What a page of explored convolutions is given: pictures with their runs, and how they were filtered."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA, LUMINANCE
from cnncli.filters.color import SRGB, Curve
from cnncli.filters.model import Filter
from cnncli.filters.options import Options
from cnncli.views.explore.frame import packed

Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture on the page.

    Attributes
    ----------
    name, path : str
        What it is called, and what a command calls it.
    samples : ndarray, shape (H, W, C)
        What the filter reads, C being 1 or 3, in the units of the image.
    full : float
        White.
    made : ndarray, shape (H', W', C'), uint8
        The pixels that the command makes of it.
    start : (x, y)
        The pixel of the feature map that is shown first.
    picture : ndarray, shape (H, W) or (H, W, 3), uint8, or None
        How it looks; None: as its samples.
    curve : Curve
        Its tone curve.
    is_linear : bool
        Its samples are linear light already.
    has_opacity : bool
        The command weighs pixels by opacity, which the page does not.
    reduced_from : (width, height) or None
        The size of the file, where that is too large for a page.
    """

    name: str
    path: str
    samples: NDArray[Any]
    full: float
    made: NDArray[np.uint8]
    start: Place
    picture: NDArray[np.uint8] | None = None
    curve: Curve = SRGB
    is_linear: bool = False
    has_opacity: bool = False
    reduced_from: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Choice:
    """How the pictures were filtered.

    Attributes
    ----------
    filters : tuple of Filter
        As given; the last one is explored.
    options : Options
        As given, in the units of the first picture.
    """

    filters: tuple[Filter, ...]
    options: Options


def shown_data(shown: Shown, *, with_pixels: bool) -> dict[str, Any]:
    """A picture as scripts have it; ``with_pixels``: also what the command makes of it."""
    bytes_or_floats = shown.samples if shown.samples.dtype == np.uint8 else shown.samples.astype(np.float32)
    picture = None if shown.picture is None else np.atleast_3d(shown.picture)
    height, width, channels = shown.samples.shape
    return {
        "name": shown.name,
        "path": shown.path,
        "width": width,
        "height": height,
        "channels": channels,
        "full": shown.full,
        "samples": packed(bytes_or_floats),
        "picture": None if picture is None else packed(picture),
        "made": packed(shown.made) if with_pixels else None,
        "madeChannels": shown.made.shape[2],
        "start": list(shown.start),
        "curve": curve_data(shown.curve),
        "isLinear": shown.is_linear,
        "opacity": shown.has_opacity,
        "reducedFrom": None if shown.reduced_from is None else list(shown.reduced_from),
    }


def plain_data() -> dict[str, Any]:
    """What a picture is that says nothing else about itself."""
    return {"curve": curve_data(SRGB), "luma": list(LUMA), "luminance": list(LUMINANCE), "isLinear": False}


def curve_data(curve: Curve) -> dict[str, Any]:
    """A tone curve as scripts have it."""
    return {
        "name": curve.name,
        "cut": curve.cut,
        "slope": curve.slope,
        "offset": curve.offset,
        "gamma": curve.gamma,
    }


def settings_data(options: Options) -> dict[str, Any]:
    """The options of a run as scripts have them."""
    return {
        "border": options.border.mode,
        "fill": options.border.value,
        "mode": options.mode,
        "stride": list(options.stride),
        "dilation": options.dilation,
        "correlate": options.correlate,
        "normalize": options.normalize,
        "scale": options.scale,
        "bias": options.bias,
        "range": options.range,
        "gray": options.gray,
        "linear": options.linear,
        "anchor": None if options.anchor is None else list(options.anchor),
        "repeat": options.repeat,
    }


def before_data(choice: Choice) -> dict[str, Any]:
    """What the filters before the last one leave behind: names, SPECs, sign and span of their responses."""
    chain = (*choice.filters * choice.options.repeat,)[:-1]
    signed, span = False, None
    for filter in chain:
        if filter.signed is not None and not (choice.options.bias and filter.flips):
            signed, span = filter.signed, filter.span
    names = [f"{len(chain)} other filters"] if len(chain) > 3 else [filter.name for filter in chain]
    return {
        "names": names,
        "specs": [filter.spec for filter in choice.filters[:-1]],
        "signed": signed,
        "span": span,
        "gray": any(filter.gray for filter in chain),
    }
