"""Feature maps of any other size, interpolated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn.graph import Shape
from cnncli.nn.layer import refuse_flattened
from cnncli.nn.layers.upsampling import Resampling
from cnncli.nn.window import Window, whole

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Resize(Resampling):
    """Rows and columns interpolated at evenly spaced places of the input.

    Attributes
    ----------
    height, width : int
        Of the output.
    row_start, row_step, column_start, column_step : float
        Output r is at row ``row_start + r * row_step`` of the input, whose first pixel has its centre at 0.
    filter : {"linear", "cubic"}
        What interpolates.
    coefficient : float
        Of the cubic filter: -0.5 or -0.75.
    antialias : bool
        The filter is as wide as a step, where that is more than a pixel.
    inside : bool
        Pixels beyond the edge do not count; otherwise they are like those at the edge.
    bounded : bool
        Places beyond the first and last pixel give 0.

    Source: Keys, Cubic convolution interpolation for digital image processing, 1981; ONNX's Resize.
    """

    height: int
    width: int
    row_start: float = 0.0
    row_step: float = 1.0
    column_start: float = 0.0
    column_step: float = 1.0
    filter: str = "linear"
    coefficient: float = -0.75
    antialias: bool = False
    inside: bool = False
    bounded: bool = False

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """As set."""
        refuse_flattened(inputs[0], "a resizing")
        if self.filter not in _SUPPORTS or min(self.height, self.width) < 1:
            raise CnncliError(
                f"a resizing to {self.height}x{self.width} is {self.filter!r}; expected 1 or more "
                f"pixels, and {' or '.join(_SUPPORTS)}",
                "Mend its settings.",
            )
        return Shape(self.height, self.width, inputs[0].channels)

    def window(self, x: Shape) -> Window:
        """Any place."""
        return whole(x.height, x.width)

    def tables(self, x: Shape) -> list[NDArray[np.float32]]:
        """Of rows and of columns."""
        places = (
            self.row_start + self.row_step * np.arange(self.height),
            self.column_start + self.column_step * np.arange(self.width),
        )
        steps = (self.row_step, self.column_step)
        return [
            self._shares(pixels, along, step)
            for pixels, along, step in zip(x[:2], places, steps, strict=True)
        ]

    def _shares(self, pixels: int, places: Values, step: float) -> NDArray[np.float32]:
        """(outputs, pixels) how much of each pixel is in each output."""
        wide = max(abs(step), 1.0) if self.antialias else 1.0
        reach = int(np.ceil(_SUPPORTS[self.filter] * wide)) + 1
        taps = np.floor(places)[:, None].astype(np.intp) + np.arange(-reach, reach + 1)
        weights = _FILTERS[self.filter]((taps - places[:, None]) / wide, self.coefficient)
        beyond = (taps < 0) | (taps >= pixels)
        if self.inside:
            weights[beyond] = 0
        if self.inside or wide > 1:
            weights /= weights.sum(axis=1, keepdims=True)
        if self.bounded:
            weights[(places < 0) | (places > pixels - 1)] = 0
        table = np.zeros((len(places), pixels))
        np.add.at(table, (np.arange(len(places))[:, None], taps.clip(0, pixels - 1)), weights)
        return table.astype(np.float32)


def _triangle(x: Values, coefficient: float) -> Values:
    del coefficient
    found: Values = np.maximum(1 - np.abs(x), 0)
    return found


def _cubic(x: Values, a: float) -> Values:
    t = np.abs(x)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


_SUPPORTS = {"linear": 1, "cubic": 2}  # pixels on each side
_FILTERS: dict[str, Callable[[Values, float], Values]] = {"linear": _triangle, "cubic": _cubic}
