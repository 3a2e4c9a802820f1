"""Edges where a Laplacian of Gaussian changes sign."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.entry import Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.execute import NOISE, clipped_in, dense
from cnncli.filters.kinds.linear import plan_linear, run_linear
from cnncli.filters.laplacians import SIGMA, log_weights
from cnncli.filters.model import TYPICAL, Filter, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.filters.smoothing import SIZE, gaussian_size
from cnncli.records import record, replace


@record(kw_only=True, eq=False)
class ZeroCrossings(Filter):
    """Where the Laplacian of Gaussian changes sign by more than ``threshold`` (fraction of full scale)."""

    weights: Weights
    threshold: float

    stages = 2
    from_whole = True
    edge_map = True

    @property
    def reach(self) -> int:
        """Half the kernel."""
        return len(self.weights) // 2

    def shown_weights(self) -> list[tuple[str, Weights]]:
        """The kernel, which is no option's to change."""
        return [("Weights", self.weights)]

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """The kernel's, and a pass over its response."""
        inner = plan_linear(self.weights, Geometry(shape=geometry.shape))
        return replace(inner, detail=f"{inner.detail}, then sign changes")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """The kernel's, and one over its response."""
        return (plan.way, "sign_changes")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Find the edges."""
        return plan, run_zero_crossings(self, surface, threads=threads)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The sum here and that to the left; the value is their difference."""
        from cnncli.filters.worked import show, weighted

        left, here = (weighted(self.weights, patch, shift=shift)[1] for shift in (-1, 0))
        return [
            f"log at the pixel to the left: {show(left)}, at the middle: {show(here)}",
            f"the sign changes, the jump is {show(here)} - {show(left)} = {show(here - left)}",
        ], here - left


def zero_crossings(*, sigma: float = 2.0, threshold: float = 0.02, size: int | None = None) -> Filter:
    """Make the detector of edges where the Laplacian of a Gaussian changes sign."""
    size = gaussian_size(sigma) if size is None else size
    return ZeroCrossings(
        name="zero-crossings",
        spec=spec_of("zero-crossings", sigma=sigma, threshold=threshold, size=size),
        signed=False,
        gray=True,
        weights=freeze(log_weights(sigma, size)),
        threshold=threshold,
    )


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
    smoothed = dense(surface, tuple(reversed(filter.weights.shape)))
    plan = plan_linear(filter.weights, Geometry(shape=smoothed.out.shape[:2]))
    run_linear(filter.weights, plan, smoothed, threads=threads)
    height, width, _ = smoothed.out.shape
    changes = replace(
        surface, src=smoothed.out, xmap=_with_margin(width), ymap=_with_margin(height), fill=0.0, luma=None
    )
    job = lay_out(jobs.SIGN_CHANGES, changes, extent=(3, 3))
    job.record["floor"] = NOISE * np.abs(filter.weights).sum() * surface.full_scale
    job.record["least"] = filter.threshold * surface.full_scale
    job.record["full"] = surface.full_scale
    size = HEADER_BYTES + 4 * (job.loaded_rows + 3 + surface.stride[1]) * job.pitch
    scratches = native.run("sign_changes", job.record, job.count, threads=threads, scratch_bytes=size)
    return clipped_in(scratches)


def _with_margin(count: int) -> NDArray[np.intp]:
    """An index map of all positions, with a filled one on either side."""
    positions = np.full(count + 2, -1, np.intp)
    positions[1:-1] = np.arange(count)
    return positions


ZERO_CROSSINGS = Entry(
    name="zero-crossings",
    family="second derivatives",
    summary="edges one pixel wide where the Laplacian of a Gaussian changes sign",
    parameters=(
        SIGMA,
        Parameter(
            name="threshold",
            meaning="minimum change of log across an edge, as a fraction of full scale",
            default="0.02",
            low=0,
            high=1,
        ),
        SIZE,
    ),
    build=zero_crossings,
    source="D. Marr, E. Hildreth: Theory of Edge Detection, 1980, section 2",
    example=Example(
        spec="zero-crossings:sigma=1,threshold=0.02,size=3",
        patch=((0, 0, 1, 1),) * 3,
        expected=-0.247683,
        note="log falls from 0.123841 on the dark side to -0.123841 on the bright side: the sign changes "
        "and the change is above the threshold, an edge",
    ),
)

ENTRIES = {"zero-crossings": ZERO_CROSSINGS}
