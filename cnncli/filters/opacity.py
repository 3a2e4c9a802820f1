"""What opacity does to filters: one rule for each class, so that no colour that is not seen gets through.

=============================  ==========================================================  ================
class                          colours                                                     opacity
=============================  ==========================================================  ================
no negative weight (blurs)     means weighed by opacity                                    filtered as well
negative weights (sharpening,  a neighbour counts by its opacity over the window's         stays
derivatives, pairs and banks)  largest, for the rest as the pixel under the anchor
one cell, under the anchor     as without opacity                                          stays
median                         median weighed by opacity: always a value that is there     its own median
bilateral                      means weighed by opacity, distance and difference           stays
Canny, zero-crossings          pixels without opacity take the colours around them         stays
=============================  ==========================================================  ================

Where a pixel has no opacity left its colour is 0. A constant border is opaque.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnncli.core.tiling import Surface
from cnncli.filters.color import Floats, premultiplied, unmultiplied
from cnncli.filters.combine import combined
from cnncli.filters.execute import whole_kernels
from cnncli.filters.model import (
    Bank,
    Bilateral,
    Canny,
    Filter,
    Gradient,
    Linear,
    Median,
    Unsharp,
    Weights,
    ZeroCrossings,
)
from cnncli.filters.options import place_kernels
from cnncli.filters.ranked import run_bilateral, run_weighted_median
from cnncli.filters.run import beyond_threshold
from cnncli.records import replace

_STEPS = 65536  # of opacity, where it is a weight of a median
_SEEN = 1e-6  # of opacity: less is none


class FilterRunner(Protocol):
    """What runs one filter over a whole frame: `cnncli.filters.apply`."""

    options: Any
    threads: int
    fill: float

    @property
    def white(self) -> float:
        """Full scale of the colours."""

    def one(
        self, filter: Filter, color: NDArray[Any], luma: None, *, last: bool, white: float | None = None
    ) -> tuple[NDArray[Any], int]:
        """One filter on all channels."""

    def moved(self, filter: Filter, pixels: Floats, *, last: bool, white: float | None = None) -> Floats:
        """Pixels as they were, at the places that the filter's result has."""

    def surface(self, filter: Filter, color: NDArray[Any], luma: None, *, last: bool) -> Surface:
        """The frame seen through the border, and room for the filter's answer."""


def filter_covered(
    run: FilterRunner, filter: Filter, color: Floats, cover: Floats, *, last: bool
) -> tuple[Floats, Floats]:
    """Filter colours of which not all are opaque.

    Parameters
    ----------
    run : FilterRunner
        Runs filters over the frame.
    filter : Filter
        Any.
    color : ndarray, shape (H, W, C), float32
        Not multiplied by opacity.
    cover : ndarray, shape (H, W, 1), float32
        Opacity from 0 to 1.
    last : bool
        Whether it is the last filter, of which only a region may be wanted.

    Returns
    -------
    color, cover
        Of the result.
    """
    if _is_one_cell(filter, run.options):
        answer, _ = run.one(filter, color, None, last=last)
        return np.asarray(answer, np.float32), run.moved(filter, cover, last=last, white=1.0)
    color = np.where(cover > 0, color, np.float32(0))
    if isinstance(filter, Median):
        cover_after, _ = run.one(filter, cover, None, last=last, white=1.0)
        answer = _weighted_median(run, filter, color, cover, last=last)
    elif is_blur(filter, run.options):
        cover_after, _ = run.one(filter, cover, None, last=last, white=1.0)
        weighted, _ = run.one(filter, premultiplied(color, cover), None, last=last)
        answer = unmultiplied(np.asarray(weighted, np.float32), np.asarray(cover_after, np.float32))
    else:
        cover_after = run.moved(filter, cover, last=last, white=1.0)
        answer = _beside_hidden(run, filter, color, cover, last=last)
    after = np.asarray(cover_after, np.float32)
    return np.where(after > np.float32(_SEEN), answer, np.float32(0)), after


def is_blur(filter: Filter, options: Any) -> bool:
    """Whether a kernel has no negative weight, so that colour and opacity spread."""
    return isinstance(filter, Linear) and bool((place_kernels(filter, options).kernels[0] >= 0).all())


def _is_one_cell(filter: Filter, options: Any) -> bool:
    """Whether a kernel has no weight but under its anchor."""
    if not isinstance(filter, Linear):
        return False
    laid = place_kernels(filter, options)
    (weights,), (x, y) = laid.kernels, laid.anchor
    return bool(np.count_nonzero(weights) == np.count_nonzero(weights[y, x]))


def _beside_hidden(run: FilterRunner, filter: Filter, color: Floats, cover: Floats, *, last: bool) -> Floats:
    """Filters that leave opacity as it is."""
    match filter:
        case Bilateral():
            surface = _interleaved(run, filter, color, cover, last=last)
            run_bilateral(filter, surface, threads=run.threads, covered=True)
            return np.asarray(surface.out[..., :-1], np.float32)
        case Canny() | ZeroCrossings():
            answer, _ = run.one(filter, _filled(color, np.sign(cover)), None, last=last)
            return np.asarray(answer, np.float32)
        case Linear(weights=weights):
            plain = replace(filter, least=0.0) if isinstance(filter, Unsharp) else filter
            (answer,) = _responses(run, plain, (weights,), color, cover, last=last)
            if isinstance(filter, Unsharp):
                still = run.moved(filter, color, last=last)
                return beyond_threshold(filter, answer, still, run.white)
            return answer
        case Gradient():
            pair = (filter.dx, filter.dy)
            responses = _responses(run, filter, pair, color, cover, last=last)
            return combined(filter, pair, responses, run.white)
        case Bank():
            bank = whole_kernels(filter.bank) if filter.answer == "direction" else filter.bank
            responses = _responses(run, filter, bank, color, cover, last=last)
            return combined(filter, bank, responses, run.white)
    raise TypeError(f"no rule for {type(filter).__name__}")


def _responses(
    run: FilterRunner, filter: Filter, kernels: Sequence[Weights], color: Floats, cover: Floats, *, last: bool
) -> list[Floats]:
    """Sums over v c + (1 - v) m, where m is the pixel under the anchor, v opacity over the window's largest.

    That is m L(1) + (L(a c) - m L(a)) / largest.
    """
    middle = run.moved(filter, color, last=last)
    product = premultiplied(color, cover)
    largest = _largest(run, filter, cover, last=last)
    found = []
    for weights in kernels:
        kernel = filter if isinstance(filter, Linear) else _kernel(filter, weights)
        (laid,) = place_kernels(kernel, run.options).kernels
        seen, _ = run.one(kernel, product, None, last=last)
        covered, _ = run.one(kernel, cover, None, last=last, white=1.0)
        change = np.asarray(seen, np.float32) - middle * np.asarray(covered, np.float32)
        change = np.divide(change, largest, out=np.zeros_like(change), where=largest > 0)
        found.append(middle * np.float32(laid.sum()) + change)
    return found


def _largest(run: FilterRunner, filter: Filter, cover: Floats, *, last: bool) -> Floats:
    """The largest opacity under a kernel's cells."""
    surface = run.surface(filter, cover, None, last=last)
    whole = cover[surface.ymap][:, surface.xmap]
    whole[(surface.ymap < 0)[:, None] | (surface.xmap < 0)] = 1
    step = run.options.dilation
    for axis, extent in enumerate(place_kernels(filter, run.options).kernels[0].shape):
        whole = _running_maximum(whole, extent, step, axis)
    across, down = surface.stride
    return np.asarray(whole[::down, ::across], np.float32)


def _running_maximum(values: Floats, cells: int, step: int, axis: int) -> Floats:
    """The largest of so many values, ``step`` apart, from each one on."""
    values = np.moveaxis(values, axis, 0)
    length, done = len(values) - (cells - 1) * step, 1
    while done < cells:
        more = min(done, cells - done)
        end = len(values) - more * step
        values = np.maximum(values[:end], values[more * step :])
        done += more
    return np.moveaxis(values[:length], 0, axis)


def _kernel(filter: Filter, weights: Weights) -> Linear:
    """One of a filter's kernels."""
    return Linear(name=filter.name, spec=filter.spec, weights=weights)


def _weighted_median(
    run: FilterRunner, filter: Median, color: Floats, cover: Floats, *, last: bool
) -> Floats:
    """Medians of colours weighed by opacity, in whole steps that 8 and 16 bits have as well."""
    weights = np.ceil(np.clip(cover, 0, 1) * np.float32(_STEPS - 1) - np.float32(0.01))
    surface = _interleaved(run, filter, color, np.maximum(weights, 0), last=last, opaque=_STEPS - 1)
    run_weighted_median(filter, surface, threads=run.threads)
    return np.asarray(surface.out[..., :-1], np.float32)


def _interleaved(
    run: FilterRunner, filter: Filter, color: Floats, cover: Floats, *, last: bool, opaque: float = 1.0
) -> Surface:
    """Colours and, behind them, opacity, with any constant border laid around them."""
    pixels = np.concatenate([color, cover], axis=2, dtype=np.float32)
    surface = run.surface(filter, pixels, None, last=last)
    if min(surface.xmap.min(), surface.ymap.min()) >= 0:
        return surface
    whole = np.ascontiguousarray(pixels[surface.ymap][:, surface.xmap])
    outside = (surface.ymap < 0)[:, None] | (surface.xmap < 0)
    whole[outside] = [*[run.fill] * color.shape[2], opaque]
    height, width, _ = whole.shape
    return replace(surface, src=whole, xmap=np.arange(width), ymap=np.arange(height))


def _filled(color: Floats, cover: Floats) -> Floats:
    """Colours, and where they have no opacity, means of those around them.

    Means are taken over squares of twice the side until they hold some opacity.

    Source: S. J. Gortler et al.: The Lumigraph, 1996, section 3.4.2 (pull-push).
    """
    if min(color.shape[:2]) == 0:
        return color
    height, width, _ = color.shape
    near = np.clip(cover, 0, 1)
    if max(height, width) == 1 or bool((near >= 1).all()):
        return color
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    sums = np.pad(color * near, odd)
    weights = np.pad(near, odd)
    sums, weights = (
        each.reshape(each.shape[0] // 2, 2, each.shape[1] // 2, 2, -1).sum(axis=(1, 3))
        for each in (sums, weights)
    )
    means = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
    far = _filled(means, np.minimum(weights, 1))
    wide = far.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.asarray(color * near + wide * (1 - near), np.float32)
