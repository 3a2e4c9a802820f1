"""What an explained convolution is made of: a real run, and one pixel of it in numbers.

Legend: (x, y) is a pixel of the feature map unless said otherwise; taps are weights as they are
applied to the image, row by row; grays and responses are in the units of the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import floor, log10
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.color import SRGB, Curve
from cnncli.filters.model import Filter

Numbers = NDArray[np.float64]
Place = tuple[int, int]

_LARGEST_DIVISOR = 4096
_PAD_MODES = {"replicate": "edge", "reflect": "symmetric", "reflect101": "reflect", "wrap": "wrap"}


@dataclass(frozen=True, eq=False)
class Explanation:
    """A filter's real run on a real image.

    Attributes
    ----------
    image : ndarray, shape (H, W) or (H, W, 3), uint8
        All that the filter reads, for display.
    gray : ndarray, shape (H, W), float32
        The channel that is filtered, in image units (0 to ``full``).
    response : ndarray, shape (H', W'), float32
        The filter's raw response, before it is mapped to a pixel.
    shown : ndarray, shape (H', W'), uint8
        What is written out.
    filter : Filter
        What was run.
    taps : ndarray, shape (kh, kw) or (n, kh, kw), float64
        Weights as applied to the image, already flipped for a convolution; a stack for
        several kernels; empty for filters without kernels.
    anchor : (x, y)
        The cell of ``taps`` that lies on the output pixel.
    title : str
        Such as ``sobel on coins.png``.
    rule : str
        How a response becomes a pixel, such as ``clip to 0..255``.
    gain, offset : float or None, float
        Where that rule is pixel = gain * response + offset, rounded and clipped; None: it is not.
    rectified : bool
        The sign of gain * response + offset is dropped.
    linear_light : bool
        ``gray`` and the response are linear light; the response is coded by
        ``curve`` before gain and offset.
    colors : ndarray, shape (H, W, 3), float32, or None
        All channels that the filter reads where it filters each of them, of which ``gray`` is the green one.
    has_opacity : bool
        The image has an opacity channel, by which the run may weight pixels; the page does not.
    origin : (x, y)
        The pixel of ``gray`` under the anchor for output pixel (0, 0); the anchor in ``valid`` mode.
    stride, dilation : (x, y)
        Steps between output pixels, and between taps, in pixels of ``gray``.
    border, border_value : str, float
        What ``gray`` is continued with beyond its edges.
    full : float
        The image's full scale.
    before : tuple of str
        Names of the filters that have run before this one, in their order.
    source : ndarray, shape (h, w) or (h, w, 3), uint8, or None
        The image that the first of them read, for display; None where there are none.
    """

    image: NDArray[np.uint8]
    gray: NDArray[np.float32]
    response: NDArray[np.float32]
    shown: NDArray[np.uint8]
    filter: Filter
    taps: Numbers
    anchor: Place
    title: str
    rule: str
    gain: float | None = None
    offset: float = 0.0
    rectified: bool = False
    linear_light: bool = False
    curve: Curve = SRGB
    colors: NDArray[np.float32] | None = None
    has_opacity: bool = False
    origin: Place = (0, 0)
    stride: Place = (1, 1)
    dilation: Place = (1, 1)
    border: str = "reflect101"
    border_value: float = 0.0
    full: float = 255.0
    before: tuple[str, ...] = ()
    source: NDArray[np.uint8] | None = None

    @property
    def stack(self) -> Numbers:
        """The taps that count, (n, kh, kw); n = 0 for filters without weights."""
        if self.taps.size:
            return self.taps.reshape((-1, *self.taps.shape[-2:])).astype(np.float64)
        written = [weights[::-1, ::-1] for _, weights in self.filter.shown_weights()]
        return np.stack(written).astype(np.float64) if written else np.zeros((0, 1, 1))

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of the patch that makes one pixel, in taps."""
        if not len(self.stack):
            side = 2 * self.filter.shown_reach + 1
            return side, side
        return self.stack.shape[1], self.stack.shape[2]

    @property
    def written(self) -> Numbers:
        """The kernels as the user or the catalogue writes them, (n, kh, kw), in the order of ``stack``."""
        written = [weights for _, weights in self.filter.shown_weights()]
        return np.stack(written).astype(np.float64) if written else self.stack

    @property
    def pivot(self) -> Place:
        """The cell of the window (x, y) that lies on the output pixel."""
        h, w = self.window
        return self.anchor if len(self.stack) and self.taps.size else (w // 2, h // 2)

    def corner(self, place: Place) -> Place:
        """Return the pixel of ``gray`` under the window's first cell, (x, y), perhaps outside."""
        x, y = (self.origin[i] + place[i] * self.stride[i] - self.pivot[i] * self.dilation[i] for i in (0, 1))
        return x, y

    def center(self, place: Place) -> Place:
        """Return the pixel of ``gray`` under the anchor, (x, y)."""
        return self.origin[0] + place[0] * self.stride[0], self.origin[1] + place[1] * self.stride[1]


@dataclass(frozen=True, eq=False)
class Grid:
    """Numbers in cells.

    Attributes
    ----------
    values : ndarray, shape (h, w), float64
    look : str
        ``gray``: cells in their gray level; ``signed``: blue below zero, orange above.
    reach : float
        The value that is white, or the magnitude that is deepest blue or orange.
    decimals : int
        How many the numbers are shown with.
    caption : str
        A few words below.
    marked : (x, y) or None
        The cell to outline.
    faint : ndarray, shape (h, w), bool, or None
        Cells that lie outside the image.
    size : int
        Font size of the numbers; 0: as large as fits.
    trim : bool
        Zeros at the end of decimals are left out: the numbers are exact.
    """

    values: Numbers
    look: Literal["gray", "signed"]
    reach: float
    decimals: int
    caption: str
    marked: Place | None = None
    faint: NDArray[np.bool_] | None = None
    size: int = 0
    trim: bool = False

    @property
    def texts(self) -> list[list[str]]:
        """The numbers as they are written, row by row."""
        rows = [[number(float(v), self.decimals) for v in row] for row in self.values]
        return [[trimmed(s) for s in row] for row in rows] if self.trim else rows

    @property
    def printed(self) -> Numbers:
        """The values as a reader sees them, rounded to ``decimals``."""
        return as_printed(self.values, self.decimals)


@dataclass(frozen=True, eq=False)
class Branch:
    """One kernel's way from the patch to a number: (sign, grid) pairs, then lines of text."""

    steps: tuple[tuple[str, Grid], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Working:
    """One output pixel, worked out.

    Attributes
    ----------
    place : (x, y)
        The pixel of the feature map.
    patch : Grid
        The image's pixels under the window.
    branches : tuple of Branch
        What each kernel makes of them.
    bars : tuple of (label, value, wins)
        The responses of a bank's kernels.
    lines : tuple of str
        How the branches become the pixel.
    value : float
        The response as recomputed here from the patch, unrounded.
    pixel : int
        What was written out, 0 to 255.
    """

    place: Place
    patch: Grid
    branches: tuple[Branch, ...]
    lines: tuple[str, ...]
    value: float
    pixel: int
    bars: tuple[tuple[str, float, bool], ...] = field(default=())


def decimals_of(values: NDArray[np.floating] | Sequence[float]) -> int:
    """Return how many decimals show ``values`` well: none for whole numbers, else about three digits.

    Two decimals at most (three for a single value) are enough where they are exact.
    """
    v = np.abs(np.asarray(values, dtype=np.float64))
    v = v[np.isfinite(v)]
    if v.size == 0 or np.all(np.abs(v - np.round(v)) < 1e-6):
        return 0
    for decimals in (1, 2, 3) if v.size == 1 else (1, 2):
        if np.all(np.abs(v - np.round(v, decimals)) < 1e-9):
            return decimals
    return int(np.clip(2 - floor(log10(v.max())), 1, 6))


def number(value: float, decimals: int) -> str:
    """Return ``value`` as shown, with a true minus sign; zero is ``0``."""
    if value == 0:
        return "0"
    s = f"{value:.{decimals}f}"
    return s.replace("-", "−") if float(s) else s.replace("-", "")


def trimmed(s: str) -> str:
    """Return a number's text without zeros at the end of its decimals."""
    return s.rstrip("0").rstrip(".") if "." in s else s


def as_printed(values: NDArray[np.floating] | float, decimals: int) -> Numbers:
    """Return values as `number` writes them, in float64 and of the same shape."""
    v = np.asarray(values, dtype=np.float64)
    return np.array([float(f"{x:.{decimals}f}") for x in v.ravel().tolist()]).reshape(v.shape)


def whole_weights(taps: Numbers) -> tuple[Numbers, int]:
    """Return weights as whole numbers and the divisor that makes taps of them.

    Taps of at most one decimal, and those that have no small divisor, come back as they are.

    Parameters
    ----------
    taps : ndarray, float64
        Any shape.

    Returns
    -------
    ndarray, int
        ``weights / divisor == taps``.
    """
    if np.all(np.abs(10 * taps - np.round(10 * taps)) < 1e-9):
        return taps, 1
    divisors = np.arange(1, _LARGEST_DIVISOR + 1)
    for value in np.unique(np.abs(taps[taps != 0]))[::-1].tolist():  # the largest rule most divisors out
        scaled = value * divisors
        divisors = divisors[(np.abs(scaled - np.round(scaled)) < 1e-9 * divisors) & (scaled < 9999.5)]
        if not divisors.size:
            return taps, 1
    divisor = int(divisors[0])
    return np.round(taps * divisor), divisor


def patch_at(e: Explanation, place: Place) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the pixels under the window, (kh, kw) float64, and which of them the border supplied."""
    h, w = e.window
    x, y = e.corner(place)
    rows = y + np.arange(h) * e.dilation[1]
    columns = x + np.arange(w) * e.dilation[0]
    return pixels_at(e, rows, columns)


def channels_at(e: Explanation, place: Place) -> list[Numbers]:
    """Return the pixels under the window, (kh, kw) float64, of each channel that is filtered."""
    if e.colors is None:
        return [patch_at(e, place)[0]]
    planes = np.moveaxis(e.colors, 2, 0)
    return [patch_at(replace(e, gray=plane), place)[0] for plane in planes]


def pixels_at(
    e: Explanation, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the pixels of ``gray`` at rows x columns, and which of them the border supplied."""
    H, W = e.gray.shape
    out_y, out_x = (rows < 0) | (rows >= H), (columns < 0) | (columns >= W)
    outside = out_y[:, None] | out_x[None, :]
    values = e.gray[np.ix_(_reach(rows, H, e.border), _reach(columns, W, e.border))].astype(np.float64)
    if e.border not in _PAD_MODES:
        values[outside] = e.border_value
    return values, outside


def _reach(index: NDArray[np.intp], n: int, border: str) -> NDArray[np.intp]:
    """Return the pixel inside 0..n-1 that the border mode puts at each index."""
    before, after = max(0, -int(index.min())), max(0, int(index.max()) - n + 1)
    inside = np.arange(n)
    mode = _PAD_MODES.get(border, "edge")
    padded = np.pad(inside, (before, after), mode=mode)  # type: ignore[call-overload]
    return np.asarray(padded[index + before], dtype=np.intp)
