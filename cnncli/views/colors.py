"""Numbers as colours that every kind of colour sight tells apart: one scale from 0 up, one around 0."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colors = NDArray[np.uint8]

# Nine points of viridis (van der Walt and Smith, 2015, CC0): lightness rises evenly from dark to bright.
RISING = np.array(
    [
        (68, 1, 84),
        (71, 45, 123),
        (59, 82, 139),
        (44, 114, 142),
        (33, 145, 140),
        (40, 174, 128),
        (94, 201, 98),
        (173, 220, 48),
        (253, 231, 37),
    ],
    np.float64,
)
# Blue below zero, white at it, orange above: as in explained convolutions.
_BELOW, _ZERO, _ABOVE = (31, 89, 166), (255, 255, 255), (217, 108, 13)
AROUND = np.array(
    [(12, 44, 92), _BELOW, (142, 182, 224), _ZERO, (250, 190, 120), _ABOVE, (120, 52, 0)], np.float64
)
# Okabe and Ito's colours, which colour-blind people tell apart, without black.
_OF_CLASSES = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (204, 121, 167),
        (213, 94, 0),
        (0, 114, 178),
    ],
    np.float64,
)
_LIGHTER, _DARKER = 0.55, 0.6  # of the way to white; times the colour: for classes beyond these
_OUTLIERS = 0.998  # share of the values that the scale spans; what is beyond gets its end


@dataclass(frozen=True)
class ColorScale:
    """What a colour means.

    Attributes
    ----------
    low, high : float
        Values at the ends; ``low`` is ``-high`` for signed values, and 0 for others.
    clipped : bool
        Some values are beyond an end.
    """

    low: float
    high: float
    clipped: bool = False

    @property
    def signed(self) -> bool:
        """There are values below 0."""
        return self.low < 0

    def colors(self, values: NDArray[np.floating]) -> Colors:
        """Colours of values of any shape, uint8, with an axis of 3 added."""
        span = self.high - self.low
        share = (np.asarray(values, np.float64) - self.low) / (span or 1.0)
        return _along(AROUND if self.signed else RISING, np.clip(np.nan_to_num(share), 0, 1))

    def ramp(self, steps: int = 96) -> Colors:
        """The scale from left to right, (1, steps, 3)."""
        return self.colors(np.linspace(self.low, self.high, steps)[None])

    def labels(self) -> tuple[str, ...]:
        """What stands under the ramp's left end, middle and right end; without a middle from 0 up."""
        more = "≥ " if self.clipped else ""
        if not self.signed:
            return "0", more + short(self.high)
        return ("≤ " if self.clipped else "") + short(self.low), "0", more + short(self.high)


def scale_of(values: NDArray[np.floating]) -> ColorScale:
    """The scale that shows values best: from 0 up, or around 0 where some are below it."""
    flat = np.nan_to_num(np.asarray(values, np.float64)).ravel()
    if not flat.size:
        return ColorScale(0.0, 1.0)
    sizes = np.abs(flat)
    largest = float(sizes.max())
    index = min(flat.size - 1, round(_OUTLIERS * (flat.size - 1)))
    reach = float(np.partition(sizes, index)[index])
    if reach < 0.5 * largest or largest == 0:  # almost all is 0: the few others are what there is to see
        reach = largest or 1.0
    reach = float(f"{reach:.3g}")
    return ColorScale(-reach if float(flat.min()) < 0 else 0.0, reach, clipped=largest > reach * 1.005)


def scale_around(values: NDArray[np.floating]) -> ColorScale:
    """A scale around 0, also where no value is below it."""
    scale = scale_of(values)
    return ColorScale(-scale.high, scale.high, scale.clipped)


def short(value: float) -> str:
    """A number with three digits, 0 with one, and a real minus sign."""
    text = f"{value:#.3g}".removesuffix(".") if value else "0"
    if "e" in text:
        text = f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return text.replace("-", "−")


def class_color(number: int) -> tuple[int, int, int]:
    """The colour of a class of things, from 0: seven, then lighter ones, then darker ones, and so on."""
    turn, place = divmod(number, len(_OF_CLASSES))
    color = _OF_CLASSES[place]
    if turn % 3 == 1:
        color = color + _LIGHTER * (255 - color)
    elif turn % 3 == 2:
        color = _DARKER * color
    red, green, blue = (round(float(each)) for each in color)
    return red, green, blue


def mask_palette() -> Colors:
    """(256, 3) colours of the numbers of a mask: black for class 0, white for 255, which is no class."""
    things = [class_color(number) for number in range(254)]
    return np.array([(0, 0, 0), *things, (255, 255, 255)], np.uint8)


def as_rgb(pixels: NDArray[np.uint8]) -> Colors:
    """A picture (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return np.ascontiguousarray(np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3)))


def _along(stops: NDArray[np.float64], share: NDArray[np.float64]) -> Colors:
    """Colours between evenly spaced stops."""
    at = share * (len(stops) - 1)
    below = np.minimum(at.astype(np.intp), len(stops) - 2)
    part = (at - below)[..., None]
    return np.asarray(np.rint(stops[below] * (1 - part) + stops[below + 1] * part), np.uint8)
