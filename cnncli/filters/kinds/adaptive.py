"""A threshold that follows the mean of the pixels around."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.tiling import Surface
from cnncli.filters.execute import store_responses
from cnncli.filters.kinds.linear import Linear, beside_unfiltered
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
        """Compare each pixel with the mean around it."""
        mean, here = beside_unfiltered(placed, plan, surface, dilation=dilation, threads=threads)
        return plan, store_responses(self.compared(here, mean, surface.full_scale), surface)

    def compared(self, here: NDArray[Any], mean: NDArray[Any], white: float) -> Floats:
        """White or black."""
        above = here > mean - np.float32(self.offset * white)
        return np.where(above, np.float32(white), np.float32(0))

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
