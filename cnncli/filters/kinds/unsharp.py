"""A sharpening kernel with a threshold: small changes are left out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.tiling import Surface
from cnncli.filters.execute import store_responses
from cnncli.filters.kinds.linear import Linear, beside_unfiltered
from cnncli.filters.model import TYPICAL, Floats, Geometry, PlacedKernels, Plan, Weights
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame


@record(kw_only=True, eq=False)
class Unsharp(Linear):
    """A sharpening kernel with a threshold.

    Attributes
    ----------
    min_change : float
        Fraction of full scale. Where the response differs from the pixel under the anchor by less, the
        pixel is unchanged.
    """

    min_change: float

    @property
    def homogeneous(self) -> bool:
        """The threshold does not scale with the image."""
        return False

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """The kernel's."""
        plan = super().plan(geometry, kernels)
        return replace(plan, detail=f"{plan.detail}, then a threshold")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """The kernel's response, or the pixel itself where they differ too little."""
        sharp, unchanged = beside_unfiltered(placed, plan, surface, dilation=dilation, threads=threads)
        response = self.beyond_threshold(sharp, unchanged, surface.full_scale)
        return plan, store_responses(response, surface)

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """As the kernel's; the threshold comes after."""
        if self.is_blur(frame.run.options):
            return super().with_opacity(frame)
        response, after = replace(self, min_change=0.0).with_relative(frame)
        unchanged = frame.run.unfiltered(self, frame.color, last=frame.last)
        return self.beyond_threshold(response, unchanged, frame.run.white), after

    def beyond_threshold(self, sharp: NDArray[Any], unchanged: NDArray[Any], white: float) -> Floats:
        """Sharpened pixels where they differ enough from the unchanged ones."""
        small = np.abs(sharp - unchanged) < np.float32(self.min_change * white)
        return np.where(small, unchanged, sharp).astype(np.float32, copy=False)
