"""Run one filter of any kind over a surface."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.execute import run_direct, run_responses
from cnncli.filters.linear import dilated, run_linear
from cnncli.filters.mapping import Mapping, to_pixels
from cnncli.filters.model import (
    Bank,
    Bilateral,
    Canny,
    Filter,
    Gradient,
    Linear,
    Median,
    Unsharp,
    ZeroCrossings,
)
from cnncli.filters.options import Options, PlacedKernels, place_kernels
from cnncli.filters.plan import Plan, plan_filter
from cnncli.records import replace


def footprint(filter: Filter, options: Options) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels (x, y) under the filter, and which of them is the output pixel."""
    match filter:
        case Median(size=size) | Bilateral(size=size):
            place_kernels(filter, options)
            return (size, size), (size // 2, size // 2)
        case Canny():
            place_kernels(filter, options)
            from cnncli.filters.edgemaps import canny_reach

            reach = canny_reach(filter)
            return (2 * reach + 1, 2 * reach + 1), (reach, reach)
        case ZeroCrossings(weights=weights):
            place_kernels(filter, options)
            kh, kw = weights.shape
            return (kw, kh), (kw // 2, kh // 2)
    laid = place_kernels(filter, options)
    kh, kw = laid.kernels[0].shape
    step = options.dilation
    return ((kw - 1) * step + 1, (kh - 1) * step + 1), (laid.anchor[0] * step, laid.anchor[1] * step)


def run_filter(filter: Filter, surface: Surface, options: Options, *, threads: int) -> tuple[Plan, int]:
    """Run one filter over a surface by the cheapest plan.

    Returns
    -------
    plan : Plan
        What was done.
    clipped : int
        Samples that the output's type clipped.
    """
    shape = surface.out.shape[:2]
    laid = place_kernels(filter, options)
    plan = plan_filter(
        _as_laid(filter, laid),
        dilation=options.dilation,
        stride=options.stride,
        shape=shape,
        floats=surface.src.dtype == np.float32,
    )

    if isinstance(filter, Bilateral):
        return _run_bilateral(filter, plan, surface, threads=threads)

    def run(surface: Surface) -> int:
        return _run_by_plan(filter, laid, plan, surface, dilation=options.dilation, threads=threads)

    clipped = run(surface)
    if surface.out.dtype == np.float32:
        if clipped and _grows(filter):  # floats are not clipped: something is not finite
            from cnncli.filters.overflow import mend_overflow

            mend_overflow(run, laid.kernels, surface)
        clipped = 0
    return plan, clipped


def _run_by_plan(
    filter: Filter, laid: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
) -> int:
    """Run a filter; samples that were clipped, or of floats some number if any is not finite."""
    match filter:
        case Unsharp():
            return _run_unsharp(filter, laid, plan, surface, dilation=dilation, threads=threads)
        case Linear():
            return run_linear(laid.kernels[0], plan, surface, dilation=dilation, threads=threads)
        case Gradient() if filter.answer == "magnitude":
            return run_responses(laid.kernels, surface, combine="energy", dilation=dilation, threads=threads)
        case Gradient():
            return run_responses(laid.kernels, surface, combine="angle", dilation=dilation, threads=threads)
        case Bank():
            return _run_bank(filter, laid, plan, surface, dilation=dilation, threads=threads)
        case Median():
            from cnncli.filters.ranked import run_median

            return run_median(filter, surface, threads=threads)
        case Canny():
            from cnncli.filters.edgemaps import run_canny

            return run_canny(filter, surface, threads=threads)
        case ZeroCrossings():
            from cnncli.filters.edgemaps import run_zero_crossings

            return run_zero_crossings(filter, surface, threads=threads)
        case _:
            raise TypeError(f"no way to run {type(filter).__name__}")


def _run_unsharp(
    filter: Unsharp, laid: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
) -> int:
    """The kernel's answer, or the pixel itself where they differ too little."""
    (weights,), (x, y) = laid.kernels, laid.anchor
    middle = np.zeros(weights.shape)
    middle[y, x] = 1
    sharp, still = (
        replace(
            surface, out=aligned_empty(surface.out.shape, np.float32), absolute=False, scale=1.0, bias=0.0
        )
        for _ in range(2)
    )
    run_linear(weights, plan, sharp, dilation=dilation, threads=threads)
    run_direct(middle, still, dilation=dilation, threads=threads)
    answer = beyond_threshold(filter, sharp.out, still.out, surface.full_scale)
    mapping = Mapping(absolute=surface.absolute, scale=surface.scale, bias=surface.bias)
    pixels, clipped = to_pixels(answer, mapping, surface.out.dtype)
    surface.out[:] = pixels
    return clipped + (pixels.dtype == np.float32 and not np.isfinite(pixels).all())


def beyond_threshold(
    filter: Unsharp, sharp: NDArray[Any], still: NDArray[Any], full_scale: float
) -> NDArray[np.float32]:
    """Sharpened pixels where they differ enough from those as they are."""
    small = np.abs(sharp - still) < np.float32(filter.least * full_scale)
    return np.where(small, still, sharp).astype(np.float32, copy=False)


def _run_bilateral(filter: Bilateral, plan: Plan, surface: Surface, *, threads: int) -> tuple[Plan, int]:
    """The bilateral filter, whose plan shows only while it runs."""
    from cnncli.filters.ranked import run_fast_bilateral

    clipped, by_grid = run_fast_bilateral(filter, surface, threads=threads)
    if by_grid:
        plan = replace(plan, detail=f"{plan.detail}, by a grid of colours and places")
    return plan, clipped if surface.out.dtype != np.float32 else 0


def _grows(filter: Filter) -> bool:
    """Whether answers grow with the image."""
    match filter:
        case Unsharp():
            return False  # the threshold does not
        case Linear():
            return True
        case Gradient():
            return filter.answer != "angle"
        case Bank():
            return filter.answer != "direction"
    return False


def _as_laid(filter: Filter, laid: PlacedKernels) -> Filter:
    """A linear filter with its kernel as it lies, which is what the plan factors."""
    return replace(filter, weights=laid.kernels[0]) if isinstance(filter, Linear) else filter


def _run_bank(
    filter: Bank, laid: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
) -> int:
    """A bank in one pass over the pixels, or kernel by kernel where transforms are cheaper."""
    rectified = filter.rectified or filter.answer == "abs"
    combine = {"max": "max", "abs": "max", "energy": "energy", "direction": "direction"}[filter.answer]
    if plan.way == "bank":
        return run_responses(
            laid.kernels,
            surface,
            combine=combine,
            dilation=dilation,
            threads=threads,
            rectified=rectified,
            angles=filter.angles,
        )
    from cnncli.filters.combine import combined
    from cnncli.filters.fft import run_fft

    response = replace(
        surface, out=aligned_empty(surface.out.shape, np.float32), absolute=False, scale=1.0, bias=0.0
    )

    def responses() -> Iterator[NDArray[np.float32]]:
        for weights in laid.kernels:
            run_fft(dilated(weights, dilation), response, threads=threads)
            yield np.asarray(response.out, np.float32)

    answer = combined(filter, laid.kernels, responses(), surface.full_scale)
    mapping = Mapping(absolute=surface.absolute, scale=surface.scale, bias=surface.bias)
    pixels, clipped = to_pixels(answer, mapping, surface.out.dtype)
    surface.out[:] = pixels
    return clipped + (pixels.dtype == np.float32 and not np.isfinite(pixels).all())
