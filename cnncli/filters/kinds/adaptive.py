"""A threshold that follows the mean of the pixels around."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.execute import clipped_in, reads_bytes, unmapped
from cnncli.filters.kinds.linear import Linear, run_linear
from cnncli.filters.model import TYPICAL, Floats, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame


@record(kw_only=True, eq=False)
class Adaptive(Linear):
    """White where a pixel is above the mean of a window, less an offset as a share of white; else black."""

    offset: float

    explained = "White where the pixel is above the mean of the window less the offset, black elsewhere."

    @property
    def homogeneous(self) -> bool:
        """The offset does not scale with the image."""
        return False

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """Flat areas become black or white."""
        return 0.0

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """The mean's."""
        plan = super().plan(geometry, kernels)
        return replace(plan, detail=f"{plan.detail}, then a comparison")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Compare each pixel, times the cells of the window, with the sum.

        Below 2^24, as of bytes, both are exact. Above, and of floats, they are rounded: pixels of a flat area
        of 16 bits may lie above their mean.
        """
        (weights,), (x, y) = placed.kernels, placed.anchor
        cell = float(weights[0, 0])
        in_cells = plan if plan.rows is None else replace(plan, rows=plan.rows / cell)
        sums = replace(
            unmapped(surface), out=aligned_empty(surface.out.shape, _type_of_sums(weights, surface))
        )
        run_linear(weights / cell, in_cells, sums, dilation=dilation, threads=threads)
        offset = self.offset * surface.full_scale / cell
        middle = _under(surface, (x * dilation, y * dilation))
        return plan, _run_above(middle, sums.out, 1 / cell, offset, threads=threads)

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Transparent pixels take the colours around them; opacity stays."""
        return frame.filled(self)

    @property
    def fills_gaps(self) -> bool:
        """They do, from as far as need be."""
        return True

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The mean and the comparison."""
        from cnncli.filters.worked import show, window

        values = [value for _, _, value in window(patch, len(self.weights))]
        here, mean = float(patch[len(patch) // 2][len(patch[0]) // 2]), sum(values) / len(values)
        level = mean - self.offset * white
        result = white if here > level else 0.0
        return [
            f"as the mean of {len(values)} pixels is {show(mean)}, less the offset: {show(level)}",
            f"as {show(here)} is {'above' if result else 'not above'} {show(level)}: {show(result)}",
        ], result


def _type_of_sums(weights: Weights, surface: Surface) -> type[np.generic]:
    """Of bytes 16 bits, if all sums fit: half as much to write and to read."""
    return np.uint16 if reads_bytes(surface) and 255 * weights.size < 1 << 16 else np.float32


def _under(surface: Surface, at: tuple[int, int]) -> Surface:
    """The surface of the pixels that lie under a cell of the window, in padded columns and rows."""
    height, width, _ = surface.out.shape
    maps = [
        places[first : first + (count - 1) * step + 1 : step]
        for places, first, count, step in zip(
            (surface.xmap, surface.ymap), at, (width, height), surface.stride, strict=True
        )
    ]
    return replace(
        surface, xmap=np.ascontiguousarray(maps[0]), ymap=np.ascontiguousarray(maps[1]), stride=(1, 1)
    )


def _run_above(surface: Surface, levels: NDArray[Any], factor: float, offset: float, *, threads: int) -> int:
    """White where pixels times a factor are above levels less an offset, else black.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    job = lay_out(jobs.ABOVE, surface, extent=(1, 1))
    job.point("levels", levels)
    job.record["levels_type"], job.record["levels_pitch"] = (
        jobs.ELEMENT_TYPES[levels.dtype],
        levels.strides[0],
    )
    job.record["factor"], job.record["offset"], job.record["white"] = factor, offset, surface.full_scale
    count = job.cut_into_rows()
    size = HEADER_BYTES + 8 * job.pitch
    return clipped_in(native.run("above", job.record, count, threads=threads, scratch_bytes=size))
