"""Run the detectors of binary edge maps: Canny's, and zero-crossings of a Laplacian.

Both give full scale on an edge and 0 elsewhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.execute import NOISE, rows_read, set_factors
from cnncli.filters.linear import run_linear
from cnncli.filters.model import Canny, ZeroCrossings
from cnncli.filters.plan import plan_linear
from cnncli.filters.smoothing import gaussian_size, gaussian_taps
from cnncli.records import replace

LEVELS = 255.0  # an image of any depth is scaled to 0 to 255 …
STEPS = 4096  # … in steps of a fraction that float32 holds exactly, up to 2^24 steps in all
SOBEL_STEP = 4.0  # response of the Sobel pair to a step of 1
_HALO = 2  # pixels around the output for its gradient and its neighbours' gradients
_BLOCK_BYTES = 1 << 20


def canny_reach(filter: Canny) -> int:
    """Pixels to each side of an output pixel that decide whether it is a ridge."""
    return gaussian_size(filter.sigma) // 2 + _HALO


def run_canny(filter: Canny, surface: Surface, *, threads: int) -> int:
    """Find Canny's edges.

    A source of any type is scaled to 0 to 255 in steps of 1/4096, so that the same image in 8 bits, 16 bits
    or float has exactly the same edges. Then: a Gaussian cut off at four sigmas; the Sobel pair;
    non-maximum suppression of its magnitude, interpolated along the gradient; and hysteresis: of the
    ridges from ``low`` up, those connected (to any of 8 neighbours) to one from ``high`` up.

    Pixels at the border follow the same rule as any other; pixels beyond it come from the border mode.
    Edges are traced within the output.

    Parameters
    ----------
    filter : Canny
        Sigma and thresholds.
    surface : Surface
        Maps that reach `canny_reach` pixels beyond the output to each side.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.

    Source
    ------
    J. Canny: A Computational Approach to Edge Detection, 1986: sections VI (ridges), VIII (hysteresis).
    """
    height, width, channels = _dense_shape(surface, (2 * canny_reach(filter) + 1,) * 2)
    # A margin without edges around the map, so that hysteresis needs no checks at the border.
    ridges = np.zeros(-(-(height + 2) * (width + 2) * channels // 8) * 8, np.uint8)
    edges = ridges[: (height + 2) * (width + 2) * channels].reshape(height + 2, width + 2, channels)
    inner = edges[1:-1, 1:-1]
    _find_ridges(filter, replace(_to_levels(surface), out=inner), threads)
    _trace_edges(ridges, edges)
    edge_surface = replace(
        surface,
        src=inner,
        xmap=np.arange(width, dtype=np.intp),
        ymap=np.arange(height, dtype=np.intp),
        luma=None,
        scale=surface.scale * surface.full_scale,
    )
    job = lay_out(jobs.MARKS, edge_surface, extent=(1, 1))
    job.record["level"] = jobs.STRONG_RIDGE
    size = HEADER_BYTES + 4 * job.pitch
    return _clipped(native.run("marks", job.record, job.count, threads=threads, scratch_bytes=size))


def run_zero_crossings(filter: ZeroCrossings, surface: Surface, *, threads: int) -> int:
    """Find the zero-crossings of a response.

    A pixel is an edge where its response and that of the neighbour to the right or below have opposite
    signs and differ by more than ``threshold`` of full scale; or where its own response is 0, and the
    neighbours left and right, or above and below, have opposite signs and differ by as much. Responses
    within float32's rounding noise count as 0, so flat areas have no edges at any threshold. Pixels in the
    last column or row have no neighbour on that side.

    Parameters
    ----------
    filter : ZeroCrossings
        Weights, which are symmetric, and threshold.
    surface : Surface
        Maps as for the convolution with the weights.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.

    Source
    ------
    D. Marr, E. Hildreth: Theory of Edge Detection, 1980.
    """
    dense = _dense(surface, tuple(reversed(filter.weights.shape)))
    plan = plan_linear(filter.weights, dilation=1, stride=(1, 1), shape=dense.out.shape[:2])
    run_linear(filter.weights, plan, dense, threads=threads)
    height, width, _ = dense.out.shape
    changes = replace(
        surface, src=dense.out, xmap=_with_margin(width), ymap=_with_margin(height), fill=0.0, luma=None
    )
    job = lay_out(jobs.SIGN_CHANGES, changes, extent=(3, 3))
    job.record["floor"] = NOISE * np.abs(filter.weights).sum() * surface.full_scale
    job.record["least"] = filter.threshold * surface.full_scale
    job.record["full"] = surface.full_scale
    size = HEADER_BYTES + 4 * (job.loaded_rows + 3 + surface.stride[1]) * job.pitch
    scratches = native.run("sign_changes", job.record, job.count, threads=threads, scratch_bytes=size)
    return _clipped(scratches)


def _dense(surface: Surface, extent: tuple[int, ...]) -> Surface:
    """The same surface with a float32 output without stride or range mapping."""
    out = aligned_empty(_dense_shape(surface, extent), np.float32)
    return replace(surface, out=out, stride=(1, 1), absolute=False, scale=1.0, bias=0.0)


def _dense_shape(surface: Surface, extent: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of an output without stride."""
    x, y = extent
    return surface.ymap.size - y + 1, surface.xmap.size - x + 1, surface.channels


def _with_margin(count: int) -> NDArray[np.intp]:
    """An index map of all positions, with a filled one on either side."""
    positions = np.full(count + 2, -1, np.intp)
    positions[1:-1] = np.arange(count)
    return positions


def _to_levels(surface: Surface) -> Surface:
    """The source scaled to 0 to 255, and rounded to the same steps for all types."""
    factor = LEVELS * STEPS / surface.full_scale
    fill = float(np.rint(surface.fill * factor) / STEPS)
    if surface.src.dtype == np.uint8 and surface.full_scale == LEVELS:
        return replace(surface, fill=fill)
    levels = aligned_empty(surface.src.shape, np.float32)
    rows = max(1, _BLOCK_BYTES // (4 * levels[0].size))
    for top in range(0, len(levels), rows):
        block = levels[top : top + rows]
        np.multiply(surface.src[top : top + rows], np.float32(factor), out=block, casting="unsafe")
        np.rint(block, out=block)
        block *= np.float32(1 / STEPS)
    return replace(surface, src=levels, fill=fill)


def _find_ridges(filter: Canny, view: Surface, threads: int) -> None:
    """Write 1 on weak ridges, 2 on strong ones, 0 elsewhere."""
    size = gaussian_size(filter.sigma)
    taps = gaussian_taps(filter.sigma, size)[None]
    view = replace(view, stride=(1, 1), absolute=False, scale=1.0, bias=0.0)
    job = lay_out(jobs.RIDGES, view, extent=(size + 2 * _HALO,) * 2, slides=True)
    set_factors(job, taps, taps)
    for name, threshold in (("low", filter.low), ("high", filter.high)):
        # The loop compares with >; with the next smaller number that is >= the threshold.
        job.record[name] = np.nextafter(np.float32(threshold * SOBEL_STEP * LEVELS), np.float32(-1))
    rows = 2 + 4 * jobs.RIDGES_RING + rows_read(job)
    size = HEADER_BYTES + 4 * rows * job.pitch
    native.run("ridges", job.record, job.count, threads=threads, scratch_bytes=size)


def _trace_edges(ridges: NDArray[np.uint8], edges: NDArray[np.uint8]) -> None:
    """Hysteresis: mark the ridges that are connected to a strong one."""
    stack = np.empty(ridges.size, np.intp)  # no page of it is touched before the stack grows there
    job = np.zeros(1, jobs.HYSTERESIS)
    job["map"], job["words"] = ridges.ctypes.data, ridges.size // 8
    job["pitch"], job["step"] = edges.strides[0], edges.strides[1]
    job["stack"] = stack.ctypes.data
    native.run("hysteresis", job, 1, threads=1)


def _clipped(scratches: list[NDArray[Any]]) -> int:
    return sum(int(scratch[:8].view(np.int64)[0]) for scratch in scratches)
