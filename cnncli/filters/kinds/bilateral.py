"""Means of pixels that are near and alike: exact, or for large windows by a grid."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.entry import MAX_WINDOW, Entry, Example, Parameter, spec_of
from cnncli.filters.execute import clipped_in, store_responses, unmapped
from cnncli.filters.mapping import FULL_SCALE
from cnncli.filters.model import (
    TYPICAL,
    Filter,
    Floats,
    Geometry,
    Patch,
    PlacedKernels,
    Plan,
    Weights,
    Windowed,
)
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame

_VECTOR_GROUP = 256  # bytes that the loop processes at once, at most
_MIN_EXPONENT = -50.0


@record(kw_only=True, eq=False)
class Bilateral(Windowed):
    """Gaussian in space (``sigma``, pixels) times Gaussian in value (``sigma_color``, of full scale)."""

    sigma: float
    sigma_color: float

    weighs_colors = True

    @property
    def why_whole(self) -> str:
        """A grid has an axis for the colours of the whole picture."""
        from cnncli.filters.bilateral_grid import large_window

        return "with so large a window sorts all of its colours" if large_window(self) else ""

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``bilateral``: exact, unless the pixels allow a grid."""
        return Plan("bilateral", f"{self.size} x {self.size}")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """The exact one."""
        return ("bilateral",)

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """The exact filter, or a grid, which the plan then says."""
        clipped, by_grid = run_fast_bilateral(self, surface, threads=threads)
        return replace(plan, detail=f"{plan.detail}, by a bilateral grid") if by_grid else plan, clipped

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Means weighted by opacity, distance and difference; opacity is unchanged."""
        after = frame.unchanged_cover(self)
        surface = frame.interleaved(self)
        run_bilateral(self, surface, threads=frame.run.threads, covered=True)
        return np.asarray(surface.out[..., :-1], np.float32), after

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The weighted sum, and what it is divided by."""
        from cnncli.filters.worked import show, window

        middle = patch[len(patch) // 2][len(patch[0]) // 2]
        total = scale = 0.0
        for x, y, value in window(patch, self.size):
            near = math.exp(-(x * x + y * y) / (2 * self.sigma**2))
            weight = near * math.exp(-((value - middle) ** 2) / (2 * (self.sigma_color * white) ** 2))
            total, scale = total + weight * value, scale + weight
        return [
            f"sum of weight × value = {show(total)}, sum of weights = {show(scale)}",
            f"{show(total)} / {show(scale)} = {show(total / scale)}",
        ], total / scale


def bilateral(*, sigma: float = 3.0, sigma_color: float = 0.1, size: int | None = None) -> Filter:
    """Make the edge-preserving blur; by default the window reaches two sigmas to each side."""
    size = 2 * math.ceil(2 * sigma) + 1 if size is None else size
    return Bilateral(
        name="bilateral",
        spec=spec_of("bilateral", sigma=sigma, sigma_color=sigma_color, size=size),
        size=size,
        sigma=sigma,
        sigma_color=sigma_color,
    )


def run_bilateral(filter: Bilateral, surface: Surface, *, threads: int, covered: bool = False) -> int:
    """Run the bilateral filter.

    The weight of a neighbour at distance r whose value differs by d, as a fraction of full scale, is
    exp(-r^2 / (2 sigma^2)) * exp(-d^2 / (2 sigma_color^2)). The window is the whole square. For several
    channels d is the Euclidean distance, and all channels share one weight. The relative error of a weight
    w is at most 2e-7 - 1e-7 ln w; positions whose spatial weight is below 2^-50 are left out. Large windows
    of opaque images are computed by a grid, with the errors given in `cnncli.filters.bilateral_grid`. The
    result is NaN where the window contains a value that is not finite.

    Parameters
    ----------
    filter : Bilateral
        Size, sigma and sigma_color.
    surface : Surface
        Maps as long as the window needs, the output pixel being its middle; 1 to 4 channels.
    threads : int
        Threads to use; the result does not depend on it.
    covered : bool
        Whether the last of 2 or 4 channels is opacity, 0 to 1: weights are multiplied by it, differences
        ignore it, and it is unchanged. Where all neighbours are transparent, colours are unchanged too.

    Returns
    -------
    int
        Values that the output's type clipped.

    Source
    ------
    C. Tomasi, R. Manduchi: Bilateral Filtering for Gray and Color Images, 1998, equation 5.
    """
    if not covered:
        return run_fast_bilateral(filter, surface, threads=threads)[0]
    return run_exact_bilateral(filter, surface, threads=threads, covered=True)


def run_fast_bilateral(filter: Bilateral, surface: Surface, *, threads: int) -> tuple[int, bool]:
    """`run_bilateral`, and whether a grid was used."""
    from cnncli.filters.bilateral_grid import grid_for, run_grid

    grid = grid_for(filter, surface)
    if grid is None:
        return run_exact_bilateral(filter, surface, threads=threads), False
    found = unmapped(surface)
    run_grid(filter, grid, found, threads=threads)
    results = np.asarray(found.out, np.float32)
    weak = np.isnan(results[..., 0])
    if weak.any():
        run_exact_bilateral(filter, found, threads=threads, wanted=weak)
    return store_responses(results, surface), True


def run_exact_bilateral(
    filter: Bilateral,
    surface: Surface,
    *,
    threads: int,
    covered: bool = False,
    wanted: NDArray[np.bool_] | None = None,
) -> int:
    """The exact `run_bilateral`, for windows of any size.

    If ``wanted``, (Ho, Wo), is given, only those pixels and some neighbours are computed; the output must be
    float, without strides.
    """
    size, channels = filter.size, surface.channels
    job = lay_out(jobs.BILATERAL, surface, extent=(size, size))
    row_floats = -(-job.pitch // channels // 16) * 16 + 32
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    r = size // 2
    exponents = -((x - r) ** 2 + (y - r) ** 2) * (math.log2(math.e) / (2 * filter.sigma**2))
    significant = exponents >= _MIN_EXPONENT
    falloff = -math.log2(math.e) / (2 * (filter.sigma_color * surface.full_scale) ** 2)
    job.record["tap_count"] = np.count_nonzero(significant)
    job.point("tap_offsets", (4 * (y * row_floats + x))[significant].astype(np.intp))
    job.point("tap_exponents", exponents[significant].astype(np.float32))
    job.record["covered"] = covered
    job.record["bounded"] = _is_bounded(surface, falloff, exponents[significant])
    if wanted is not None:
        job.point("wanted", np.ascontiguousarray(wanted).view(np.uint8))
    job.record["falloff"] = falloff
    job.record["center"] = 4 * (r * row_floats + r)
    job.record["loaded_rows"], job.record["row_floats"] = job.loaded_rows, row_floats
    floats = 2 * job.pitch + channels * job.loaded_rows * row_floats + 4 * _VECTOR_GROUP
    scratches = native.run(
        "bilateral", job.record, job.count, threads=threads, scratch_bytes=HEADER_BYTES + 4 * floats
    )
    return clipped_in(scratches)


def _is_bounded(surface: Surface, falloff: float, exponents: Floats) -> bool:
    """Whether no two pixels of gray integers differ so much that a weight counts as 0."""
    if surface.src.dtype == np.float32 or surface.channels > 1 or surface.luma is not None:
        return False
    high, low = max(FULL_SCALE[surface.src.dtype], surface.fill), min(0.0, surface.fill)
    return falloff * (high - low) ** 2 + float(exponents.min()) > jobs.LEAST_EXPONENT + 1


BILATERAL = Entry(
    name="bilateral",
    family="other",
    summary="blur over pixels of similar colour: preserves edges",
    parameters=(
        Parameter(
            name="sigma",
            meaning="in space, in pixels",
            default="3",
            low=0.1,
            high=60,
            aliases=("sigma-space", "sigma-spatial"),
        ),
        Parameter(
            name="sigma-color",
            meaning="in colour, as a fraction of full scale",
            default="0.1",
            low=0.001,
            high=10,
            aliases=("sigma-colour", "sigma-range", "sigma-value"),
        ),
        Parameter(
            name="size",
            meaning="columns and rows",
            default="2 sigma to each side",
            kind="odd",
            low=1,
            high=MAX_WINDOW,
            aliases=("ksize", "d"),
        ),
    ),
    build=bilateral,
    source="C. Tomasi, R. Manduchi: Bilateral Filtering for Gray and Color Images, 1998, eq. 5",
    example=Example(
        spec="bilateral:sigma=1,sigma-color=0.1,size=3",
        patch=((0.5, 0.5, 0.9), (0.5, 0.5, 0.9), (0.5, 0.5, 0.9)),
        expected=0.500051,
        note="the pixels of 0.9 have exp(-4^2 / 2) = 0.000335 times the weight: the edge is preserved",
    ),
)

ENTRIES = {"bilateral": BILATERAL}
