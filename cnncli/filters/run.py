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
    """Size (x, y) of the filter's window in pixels, and the position of the output pixel in it."""
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
    placed_kernels = place_kernels(filter, options)
    kh, kw = placed_kernels.kernels[0].shape
    step = options.dilation
    return ((kw - 1) * step + 1, (kh - 1) * step + 1), (
        placed_kernels.anchor[0] * step,
        placed_kernels.anchor[1] * step,
    )


def run_filter(filter: Filter, surface: Surface, options: Options, *, threads: int) -> tuple[Plan, int]:
    """Run one filter over a surface by the cheapest plan.

    Returns
    -------
    plan : Plan
        The plan that was used.
    clipped : int
        Samples that the output's type clipped.
    """
    shape = surface.out.shape[:2]
    placed_kernels = place_kernels(filter, options)
    plan = plan_filter(
        _with_placed_kernel(filter, placed_kernels),
        dilation=options.dilation,
        stride=options.stride,
        shape=shape,
        floats=surface.src.dtype == np.float32,
    )

    if isinstance(filter, Bilateral):
        return _run_bilateral(filter, plan, surface, threads=threads)

    def run(surface: Surface) -> int:
        return _run_by_plan(filter, placed_kernels, plan, surface, dilation=options.dilation, threads=threads)

    clipped = run(surface)
    if surface.out.dtype == np.float32:
        if clipped and _is_homogeneous(filter):  # floats are not clipped: something is not finite
            from cnncli.filters.overflow import recompute_overflow

            recompute_overflow(run, placed_kernels.kernels, surface)
        clipped = 0
    return plan, clipped


def _run_by_plan(
    filter: Filter,
    placed_kernels: PlacedKernels,
    plan: Plan,
    surface: Surface,
    *,
    dilation: int,
    threads: int,
) -> int:
    """Run a filter; the number of clipped samples, or for floats, above 0 if any is not finite."""
    match filter:
        case Unsharp():
            return _run_unsharp(filter, placed_kernels, plan, surface, dilation=dilation, threads=threads)
        case Linear():
            return run_linear(placed_kernels.kernels[0], plan, surface, dilation=dilation, threads=threads)
        case Gradient() if filter.answer == "magnitude":
            return run_responses(
                placed_kernels.kernels, surface, combine="energy", dilation=dilation, threads=threads
            )
        case Gradient():
            return run_responses(
                placed_kernels.kernels, surface, combine="angle", dilation=dilation, threads=threads
            )
        case Bank():
            return _run_bank(filter, placed_kernels, plan, surface, dilation=dilation, threads=threads)
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
    filter: Unsharp,
    placed_kernels: PlacedKernels,
    plan: Plan,
    surface: Surface,
    *,
    dilation: int,
    threads: int,
) -> int:
    """The kernel's response, or the pixel itself where they differ too little."""
    (weights,), (x, y) = placed_kernels.kernels, placed_kernels.anchor
    center = np.zeros(weights.shape)
    center[y, x] = 1
    sharp, unchanged = (
        replace(
            surface, out=aligned_empty(surface.out.shape, np.float32), absolute=False, scale=1.0, bias=0.0
        )
        for _ in range(2)
    )
    run_linear(weights, plan, sharp, dilation=dilation, threads=threads)
    run_direct(center, unchanged, dilation=dilation, threads=threads)
    answer = beyond_threshold(filter, sharp.out, unchanged.out, surface.full_scale)
    mapping = Mapping(absolute=surface.absolute, scale=surface.scale, bias=surface.bias)
    pixels, clipped = to_pixels(answer, mapping, surface.out.dtype)
    surface.out[:] = pixels
    return clipped + (pixels.dtype == np.float32 and not np.isfinite(pixels).all())


def beyond_threshold(
    filter: Unsharp, sharp: NDArray[Any], unchanged: NDArray[Any], full_scale: float
) -> NDArray[np.float32]:
    """Sharpened pixels where they differ enough from the unchanged ones."""
    small = np.abs(sharp - unchanged) < np.float32(filter.min_change * full_scale)
    return np.where(small, unchanged, sharp).astype(np.float32, copy=False)


def _run_bilateral(filter: Bilateral, plan: Plan, surface: Surface, *, threads: int) -> tuple[Plan, int]:
    """The bilateral filter, whose plan depends on the pixels."""
    from cnncli.filters.ranked import run_fast_bilateral

    clipped, by_grid = run_fast_bilateral(filter, surface, threads=threads)
    if by_grid:
        plan = replace(plan, detail=f"{plan.detail}, by a bilateral grid")
    return plan, clipped if surface.out.dtype != np.float32 else 0


def _is_homogeneous(filter: Filter) -> bool:
    """Whether scaling the image scales the response."""
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


def _with_placed_kernel(filter: Filter, placed_kernels: PlacedKernels) -> Filter:
    """A linear filter with its kernel as applied to the image, which the plan factors."""
    return replace(filter, weights=placed_kernels.kernels[0]) if isinstance(filter, Linear) else filter


def _run_bank(
    filter: Bank, placed_kernels: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
) -> int:
    """A bank in one pass over the pixels, or kernel by kernel if transforms are cheaper."""
    rectified = filter.rectified or filter.answer == "abs"
    combine = {"max": "max", "abs": "max", "energy": "energy", "direction": "direction"}[filter.answer]
    if plan.way == "bank":
        return run_responses(
            placed_kernels.kernels,
            surface,
            combine=combine,
            dilation=dilation,
            threads=threads,
            rectified=rectified,
            angles=filter.angles,
        )
    from cnncli.filters.combine import combine_responses
    from cnncli.filters.fft import run_fft

    response = replace(
        surface, out=aligned_empty(surface.out.shape, np.float32), absolute=False, scale=1.0, bias=0.0
    )

    def responses() -> Iterator[NDArray[np.float32]]:
        for weights in placed_kernels.kernels:
            run_fft(dilated(weights, dilation), response, threads=threads)
            yield np.asarray(response.out, np.float32)

    answer = combine_responses(filter, placed_kernels.kernels, responses(), surface.full_scale)
    mapping = Mapping(absolute=surface.absolute, scale=surface.scale, bias=surface.bias)
    pixels, clipped = to_pixels(answer, mapping, surface.out.dtype)
    surface.out[:] = pixels
    return clipped + (pixels.dtype == np.float32 and not np.isfinite(pixels).all())
