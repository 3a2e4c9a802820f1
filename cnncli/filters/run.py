"""Run one filter over a surface by the cheapest plan."""

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.errors import CnncliError
from cnncli.filters.borders import Axis, BorderMode
from cnncli.filters.model import Blocks, Filter, Geometry, Move, Plan
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


def border_of(filter: Filter, options: Options) -> tuple[BorderMode, bool]:
    """How pixels beyond the edge are filled for a filter, and whether they do not count at all.

    A mirrored border shows a window about its middle nothing that it does not hold. With ``--mode full``,
    windows may lie outside.
    """
    mode = options.border.mode
    leaves_out = filter.leaves_out and mode in ("reflect", "reflect101") and options.mode != "full"
    return ("constant" if leaves_out else mode), leaves_out


def axis_of(filter: Filter, options: Options, axis: int, size: int) -> tuple[Axis, int]:
    """The filter along an axis (0: x, 1: y) of a picture, and the size of its whole result.

    Raises
    ------
    CnncliError
        Where ``--mode valid`` leaves nothing.
    """
    extent, anchor = footprint(filter, options)
    line = Axis(size, extent[axis], anchor[axis])
    dense = line.positions(options.mode)[1]
    if dense < 1:
        raise CnncliError(
            f"--mode valid: the kernel of {filter.name} has a {('width', 'height')[axis]} of {extent[axis]} "
            f"pixels, the image {size}; expected a kernel that lies inside the image",
            "Use --mode same, or a smaller kernel.",
        )
    return line, -(-dense // options.stride[axis])


def result_shape(filter: Filter, options: Options, shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the whole result of a picture of (height, width).

    Raises
    ------
    CnncliError
        Where ``--mode valid`` leaves nothing, or the filter does not fit such a picture.
    """
    if isinstance(filter, Move):
        return filter.result_shape(shape)
    return axis_of(filter, options, 1, shape[0])[1], axis_of(filter, options, 0, shape[1])[1]


def window_of(roi: tuple[int, int, int, int], axis: int, whole: int) -> tuple[int, int]:
    """The part of an axis that a region covers."""
    first, count = roi[axis], roi[axis + 2]
    if first < 0 or count < 1 or first + count > whole:
        side = ("width", "height")[axis]
        raise CnncliError(
            f"--roi is {','.join(map(str, roi))}; expected X,Y,W,H inside the result, "
            f"whose {side} is {whole}",
            "Give a region of at least one pixel that lies inside.",
        )
    return first, count


def blocks_of(filter: Filter, surface: Surface, options: Options) -> Blocks:
    """The rows of a whole result that `run_filter` computes together."""
    placed = place_kernels(filter, options)
    floats = surface.src.dtype == np.float32
    geometry = Geometry(options.dilation, options.stride, surface.out.shape[:2], floats)
    plan = filter.plan(geometry, placed.kernels)
    return filter.blocks(placed, plan, surface, dilation=options.dilation)


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
    shape = (surface.whole_rows, surface.out.shape[1])
    plan = filter.plan(Geometry(options.dilation, options.stride, shape, floats), placed.kernels)

    def run(surface: Surface) -> tuple[Plan, int]:
        return filter.run(placed, plan, surface, dilation=options.dilation, threads=threads)

    used, clipped = run(surface)
    if surface.out.dtype != np.float32:
        return used, clipped
    if clipped and filter.homogeneous:  # floats are not clipped: something is not finite
        from cnncli.filters.overflow import recompute_overflow

        recompute_overflow(run, placed.kernels, surface)
    return used, 0
