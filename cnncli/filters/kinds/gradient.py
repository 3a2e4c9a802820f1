"""A pair of derivative kernels, and the magnitude or the direction of their responses."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from cnncli.core.choices import SHARED_TAP
from cnncli.core.tiling import Surface
from cnncli.filters.execute import noise_floor, run_responses
from cnncli.filters.model import (
    TYPICAL,
    Combined,
    Floats,
    Geometry,
    Patch,
    PlacedKernels,
    Plan,
    Weights,
)
from cnncli.records import record


@record(kw_only=True, eq=False)
class Gradient(Combined):
    """A pair of derivative kernels and the combination of their responses dx and dy.

    ``magnitude`` is hypot(dx, dy), ``direction`` is atan2(dy, dx) in radians.
    Weights are as written for convolution, both of one shape (kh, kw).
    """

    dx: Weights
    dy: Weights
    output: Literal["magnitude", "direction"] = "magnitude"

    @property
    def kernels(self) -> tuple[Weights, ...]:
        """The pair."""
        return self.dx, self.dy

    @property
    def is_angle(self) -> bool:
        """Whether it gives the direction of the gradient."""
        return self.output == "direction"

    def shown_weights(self) -> list[tuple[str, Weights]]:
        """The pair."""
        return [("dx", self.dx), ("dy", self.dy)]

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``gradient``: one pass."""
        taps = int(((self.dx != 0) | (self.dy != 0)).sum())
        return Plan("gradient", f"dx, dy and {self.output} in one pass, {taps} taps", SHARED_TAP * 2 * taps)

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """One for all pairs."""
        return ("responses",)

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Both kernels in one pass."""
        combine = "energy" if self.output == "magnitude" else "angle"
        return plan, run_responses(
            placed.kernels, surface, combine=combine, dilation=dilation, threads=threads
        )

    def combine(self, kernels: Sequence[Weights], responses: Iterable[Floats], white: float) -> Floats:
        """dx and dy to a magnitude or a direction."""
        dx, dy = responses
        if self.output == "magnitude":
            return np.hypot(dx, dy)
        large = np.maximum(np.abs(dx), np.abs(dy)) > noise_floor(kernels, white)
        return np.where(large, np.arctan2(dy, dx), np.float32(0))

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """Both sums, and what becomes of them."""
        from cnncli.filters.worked import show, weighted

        (across, dx), (down, dy) = weighted(self.dx, patch), weighted(self.dy, patch)
        lines = [f"dx = {across} = {show(dx)}", f"dy = {down} = {show(dy)}"]
        pair = f"{show(dx)}, {show(dy)}"
        if self.output == "magnitude":
            value = math.hypot(dx, dy)
            return [*lines, f"magnitude = hypot({pair}) = {show(value)}"], value
        value = math.atan2(dy, dx)
        return [*lines, f"direction = atan2({show(dy)}, {show(dx)}) = {show(value)}"], value
