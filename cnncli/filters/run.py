"""Run one filter over a surface by the cheapest plan."""

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.filters.model import Filter, Geometry, Plan
from cnncli.filters.options import Options, place_kernels


def footprint(filter: Filter, options: Options) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size (x, y) of the filter's window in pixels, and the position of the output pixel in it."""
    placed = place_kernels(filter, options)
    if not placed.kernels:
        reach = filter.reach
        return (2 * reach + 1, 2 * reach + 1), (reach, reach)
    kh, kw = placed.kernels[0].shape
    step = options.dilation
    return ((kw - 1) * step + 1, (kh - 1) * step + 1), (placed.anchor[0] * step, placed.anchor[1] * step)


def run_filter(filter: Filter, surface: Surface, options: Options, *, threads: int) -> tuple[Plan, int]:
    """Run one filter over a surface by the cheapest plan.

    Returns
    -------
    plan : Plan
        The plan that was used.
    clipped : int
        Samples that the output's type clipped.
    """
    placed = place_kernels(filter, options)
    floats = surface.src.dtype == np.float32
    geometry = Geometry(options.dilation, options.stride, surface.out.shape[:2], floats)
    plan = filter.plan(geometry, placed.kernels)

    def run(surface: Surface) -> tuple[Plan, int]:
        return filter.run(placed, plan, surface, dilation=options.dilation, threads=threads)

    used, clipped = run(surface)
    if surface.out.dtype != np.float32:
        return used, clipped
    if clipped and filter.homogeneous:  # floats are not clipped: something is not finite
        from cnncli.filters.overflow import recompute_overflow

        recompute_overflow(run, placed.kernels, surface)
    return used, 0
