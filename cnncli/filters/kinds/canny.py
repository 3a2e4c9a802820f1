"""Canny's edges: ridges of the gradient magnitude, traced by hysteresis."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import EDGES_BYTES
from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out, sliding_tiles
from cnncli.errors import CnncliError
from cnncli.filters.entry import Entry, Example, Parameter, spec_of, write_number
from cnncli.filters.execute import clipped_in, dense_shape, rows_read, set_factors
from cnncli.filters.model import TYPICAL, Filter, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.filters.smoothing import gaussian_size, gaussian_taps
from cnncli.records import record, replace

LEVELS = 255.0  # an image of any depth is scaled to 0 to 255 …
STEPS = 4096  # … in steps of a fraction that float32 holds exactly, up to 2^24 steps in all
SOBEL_STEP = 4.0  # response of the Sobel pair to a step of 1
_HALO = 2  # pixels around the output for its gradient and its neighbours' gradients

_SOBEL = np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / SOBEL_STEP


@record(kw_only=True, eq=False)
class Canny(Filter):
    """Canny's edge map: Gaussian ``sigma`` in pixels, hysteresis between ``low`` and ``high``.

    Thresholds of the gradient magnitude are fractions of full scale (a full-scale step before
    smoothing gives 1 with the Sobel pair), 0 to 1.
    """

    sigma: float
    low: float
    high: float

    stages = 3
    from_whole = True
    edge_map = True

    @property
    def reach(self) -> int:
        """Pixels that decide whether a pixel is a ridge."""
        return gaussian_size(self.sigma) // 2 + _HALO

    @property
    def shown_reach(self) -> int:
        """Pixels of the smoothed image whose gradients are compared."""
        return _HALO

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``canny``."""
        return Plan("canny", "gaussian, gradient, thinning, hysteresis")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """Ridges; those connected to a strong one; full scale on them."""
        return ("ridges", "hysteresis", "marks")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Find the edges."""
        return plan, run_canny(self, surface, threads=threads)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The magnitudes to the left, here and to the right; the patch is taken as smoothed already."""
        from cnncli.filters.worked import show, weighted

        left, here, right = (
            math.hypot(weighted(_SOBEL, patch, shift=shift)[1], weighted(_SOBEL.T, patch, shift=shift)[1])
            for shift in (-1, 0, 1)
        )
        high = self.high * white
        edge = here >= max(left, right) and here >= high
        return [
            f"Sobel magnitude, left, here and right: {show(left)} {show(here)} {show(right)}",
            f"{'an' if edge else 'no'} edge: largest here, and {show(here)} against high={show(high)}",
        ], white * edge


def canny(*, sigma: float = 1.4, low: float = 0.05, high: float = 0.1) -> Filter:
    """Make Canny's edge detector.

    Raises
    ------
    CnncliError
        If ``low`` is above ``high``.
    """
    if low > high:
        raise CnncliError(
            f"canny: low={write_number(low)} is above high={write_number(high)}; "
            "expected low to be at most high",
            f"Swap them: -k canny:low={write_number(high)},high={write_number(low)}",
        )
    spec = spec_of("canny", sigma=sigma, low=low, high=high)
    return Canny(name="canny", spec=spec, signed=False, gray=True, sigma=sigma, low=low, high=high)


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
        Maps that reach `Canny.reach` pixels beyond the output to each side.
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
    height, width, channels = dense_shape(surface, (2 * filter.reach + 1,) * 2)
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
    return clipped_in(native.run("marks", job.record, job.count, threads=threads, scratch_bytes=size))


def _to_levels(surface: Surface) -> Surface:
    """The source scaled to 0 to 255, and rounded to the same steps for all types."""
    factor = LEVELS * STEPS / surface.full_scale
    fill = float(np.rint(surface.fill * factor) / STEPS)
    if surface.src.dtype == np.uint8 and surface.full_scale == LEVELS:
        return replace(surface, fill=fill)
    levels = aligned_empty(surface.src.shape, np.float32)
    rows = max(1, EDGES_BYTES // (4 * levels[0].size))
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
    job = lay_out(jobs.RIDGES, view, extent=(size + 2 * _HALO,) * 2, slides=sliding_tiles(threads))
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


CANNY = Entry(
    name="canny",
    family="other",
    summary="edges one pixel wide, by non-maximum suppression and hysteresis",
    parameters=(
        Parameter(name="sigma", meaning="of the Gaussian blur, in pixels", default="1.4", low=0, high=100),
        Parameter(
            name="low",
            meaning="threshold to continue an edge; 1 is a full-scale step",
            default="0.05",
            low=0,
            high=1,
        ),
        Parameter(name="high", meaning="threshold to start an edge", default="0.1", low=0, high=1),
    ),
    build=canny,
    source="J. Canny: A Computational Approach to Edge Detection, 1986, sections VI to VIII",
    example=Example(
        spec="canny:sigma=0,low=0.05,high=0.1",
        patch=((0, 0, 0.5, 1, 1),) * 5,
        expected=1.0,
        note="the Sobel magnitude is 1 here, 0.5 on both sides: the maximum across the edge, and above high",
    ),
)

ENTRIES = {"canny": CANNY}
