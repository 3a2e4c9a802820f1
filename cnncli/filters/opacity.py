"""Filters of images with opacity: one rule per kind, so that colours of transparent pixels have no effect.

=============================  ==========================================================  ================
kind                           colours                                                     opacity
=============================  ==========================================================  ================
no negative weight (blurs)     means weighted by opacity                                   filtered too
negative weights (sharpening,  a neighbour is blended with the pixel under the anchor      unchanged
derivatives, pairs and banks)  by its opacity, relative to the window's largest
one cell, under the anchor     as without opacity                                          unchanged
median                         median weighted by opacity: always an existing value        its own median
bilateral                      means weighted by opacity, distance and difference          unchanged
erosion, dilation and both     extremes of what is visible                                 filtered too
their differences (top hats)   the same                                                    unchanged
two pictures                   as without opacity                                          unchanged [1]_
levels, CLAHE                  curves of colours that can be seen                          unchanged
geometry                       means weighted by opacity, if pixels are mixed              moves along
all others (Canny)             transparent pixels take the colours around them             unchanged
=============================  ==========================================================  ================

.. [1] But none where the second picture has missing data.

The colour of a transparent result is 0. A constant border is opaque. Where opacity is a mask of data that are
there (`Options.masked`), it stays unchanged under all kinds, but that a kernel that sees no data gives none.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnncli.core.tiling import Surface
from cnncli.filters.color import Floats, premultiplied, unmultiplied
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter, Weights
from cnncli.filters.options import place_kernels
from cnncli.records import record, replace

_VISIBLE = 1e-6  # opacity below this counts as 0


class FilterRunner(Protocol):
    """Runs one filter over a whole frame; implemented in `cnncli.filters.apply`."""

    options: Any
    threads: int
    fill: float

    @property
    def white(self) -> float:
        """Full scale of the colours."""

    def run_one(
        self, filter: Filter, color: NDArray[Any], luma: None, *, last: bool, white: float | None = None
    ) -> tuple[NDArray[Any], int]:
        """One filter on all channels."""

    def unfiltered(self, filter: Filter, pixels: Floats, *, last: bool, white: float | None = None) -> Floats:
        """The unfiltered pixels at the output positions of the filter."""

    def surface(self, filter: Filter, color: NDArray[Any], luma: None, *, last: bool) -> Surface:
        """The frame with its border, and memory for the filter's response."""


@record(eq=False)
class CoveredFrame:
    """Colours with opacity, and what the kinds of filter can have done with them.

    Attributes
    ----------
    run : FilterRunner
        Runs filters over the frame.
    color : ndarray, shape (H, W, C), float32
        Not premultiplied.
    cover : ndarray, shape (H, W, 1), float32
        Opacity from 0 to 1.
    last : bool
        Whether the filter is the last of the chain, to which the region of interest applies.
    """

    run: FilterRunner
    color: Floats
    cover: Floats
    last: bool

    def filtered(self, filter: Filter) -> tuple[Floats, Floats]:
        """Colours and opacity of a filter's result."""
        if _is_one_cell(filter, self.run.options):
            response, _ = self.run.run_one(filter, self.color, None, last=self.last)
            return np.asarray(response, np.float32), self.unchanged_cover(filter)
        color = np.where(self.cover > 0, self.color, np.float32(0))
        response, after = filter.with_opacity(replace(self, color=color))
        if self.run.options.masked:
            after = np.where(after > np.float32(_VISIBLE), self.unchanged_cover(filter), np.float32(0))
        return np.where(after > np.float32(_VISIBLE), response, np.float32(0)), after

    def premultiplied(self, filter: Filter) -> tuple[Floats, Floats]:
        """Means weighted by opacity, which is filtered too."""
        after = self.filtered_cover(filter)
        weighted, _ = self.run.run_one(filter, premultiplied(self.color, self.cover), None, last=self.last)
        return unmultiplied(np.asarray(weighted, np.float32), after), after

    def filled(self, filter: Filter) -> tuple[Floats, Floats]:
        """Transparent pixels take the colours around them; opacity is unchanged."""
        after = self.unchanged_cover(filter)
        filled = _fill_transparent(self.color, np.sign(self.cover))
        response, _ = self.run.run_one(filter, filled, None, last=self.last)
        return np.asarray(response, np.float32), after

    def filtered_cover(self, filter: Filter) -> Floats:
        """Opacity, filtered as the colours are."""
        response, _ = self.run.run_one(filter, self.cover, None, last=self.last, white=1.0)
        return np.asarray(response, np.float32)

    def unchanged_cover(self, filter: Filter) -> Floats:
        """Opacity at the output positions; a constant border is opaque."""
        return self.run.unfiltered(filter, self.cover, last=self.last, white=1.0)

    def relative_responses(self, filter: Filter, kernels: Sequence[Weights]) -> list[Floats]:
        """Responses to which a neighbour contributes by its opacity, one for each kernel.

        They are sums over v c + (1 - v) m: m is the pixel under the anchor, v the opacity over the window's
        largest. That is m L(1) + (L(a c) - m L(a)) / largest.
        """
        run, last = self.run, self.last
        center = run.unfiltered(filter, self.color, last=last)
        product = premultiplied(self.color, self.cover)
        largest = _largest(run, filter, self.cover, last=last)
        responses = []
        for weights in kernels:
            kernel = filter if isinstance(filter, Linear) else as_linear(filter, weights)
            (placed_kernels,) = place_kernels(kernel, run.options).kernels
            seen, _ = run.run_one(kernel, product, None, last=last)
            covered, _ = run.run_one(kernel, self.cover, None, last=last, white=1.0)
            change = np.asarray(seen, np.float32) - center * np.asarray(covered, np.float32)
            change = np.divide(change, largest, out=np.zeros_like(change), where=largest > 0)
            responses.append(center * np.float32(placed_kernels.sum()) + change)
        return responses

    def interleaved(self, filter: Filter, *, opaque: float = 1.0) -> Surface:
        """Colours followed by opacity, with any constant border filled in; ``opaque`` is its opacity."""
        pixels = np.concatenate([self.color, self.cover], axis=2, dtype=np.float32)
        surface = self.run.surface(filter, pixels, None, last=self.last)
        if min(surface.xmap.min(), surface.ymap.min()) >= 0:
            return surface
        whole = np.ascontiguousarray(pixels[surface.ymap][:, surface.xmap])
        outside = (surface.ymap < 0)[:, None] | (surface.xmap < 0)
        whole[outside] = [*[self.run.fill] * self.color.shape[2], opaque]
        height, width, _ = whole.shape
        return replace(surface, src=whole, xmap=np.arange(width), ymap=np.arange(height))


def _is_one_cell(filter: Filter, options: Any) -> bool:
    """Whether a kernel has no nonzero weight except at its anchor."""
    if not isinstance(filter, Linear):
        return False
    placed_kernels = place_kernels(filter, options)
    (weights,), (x, y) = placed_kernels.kernels, placed_kernels.anchor
    return bool(np.count_nonzero(weights) == np.count_nonzero(weights[y, x]))


def _largest(run: FilterRunner, filter: Filter, cover: Floats, *, last: bool) -> Floats:
    """The maximum opacity under a kernel's cells."""
    surface = run.surface(filter, cover, None, last=last)
    whole = cover[surface.ymap][:, surface.xmap]
    whole[(surface.ymap < 0)[:, None] | (surface.xmap < 0)] = 1
    step = run.options.dilation
    for axis, extent in enumerate(place_kernels(filter, run.options).kernels[0].shape):
        whole = _running_maximum(whole, extent, step, axis)
    across, down = surface.stride
    height, width = surface.out.shape[:2]
    return np.asarray(whole[::down, ::across][:height, :width], np.float32)


def _running_maximum(values: Floats, cells: int, step: int, axis: int) -> Floats:
    """The maximum of ``cells`` values, ``step`` apart, starting at each value."""
    values = np.moveaxis(values, axis, 0)
    length, done = len(values) - (cells - 1) * step, 1
    while done < cells:
        more = min(done, cells - done)
        end = len(values) - more * step
        values = np.maximum(values[:end], values[more * step :])
        done += more
    return np.moveaxis(values[:length], 0, axis)


def as_linear(filter: Filter, weights: Weights) -> Linear:
    """One of a filter's kernels as a linear filter."""
    return Linear(name=filter.name, spec=filter.spec, weights=weights)


def _fill_transparent(color: Floats, cover: Floats) -> Floats:
    """Fill transparent pixels with means of the colours around them.

    Means are taken over squares of doubling side until they contain some opacity.

    Source: S. J. Gortler et al.: The Lumigraph, 1996, section 3.4.2 (pull-push).
    """
    if min(color.shape[:2]) == 0:
        return color
    height, width, _ = color.shape
    opacity = np.clip(cover, 0, 1)
    if max(height, width) == 1 or bool((opacity >= 1).all()):
        return color
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    sums = np.pad(color * opacity, odd)
    weights = np.pad(opacity, odd)
    sums, weights = (
        each.reshape(each.shape[0] // 2, 2, each.shape[1] // 2, 2, -1).sum(axis=(1, 3))
        for each in (sums, weights)
    )
    means = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
    coarse = _fill_transparent(means, np.minimum(weights, 1))
    filled = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.asarray(color * opacity + filled * (1 - opacity), np.float32)
