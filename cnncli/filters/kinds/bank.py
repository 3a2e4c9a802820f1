"""Several kernels, and the strongest of their responses, its direction, or their norm."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from cnncli.core.choices import SHARED_TAP
from cnncli.core.tiling import Surface
from cnncli.filters.execute import (
    integer_kernels,
    noise_floor,
    run_responses,
    store_responses,
    unmapped,
)
from cnncli.filters.model import (
    TYPICAL,
    Blocks,
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
class Bank(Combined):
    """Several kernels and the strongest response.

    Attributes
    ----------
    bank : tuple of ndarray, each (kh, kw)
        As written for convolution, all of one shape.
    angles : tuple of float
        The direction of each kernel, in radians from -pi to pi.
    output : str
        ``max``: the largest response; ``abs``: the largest magnitude; ``energy``: for frei-chen,
        the norm of the responses; ``direction``: the angle of the strongest kernel
        (by ``max`` if ``rectified`` is False, by magnitude if it is True).
    rectified : bool
        Whether the strongest response is chosen by magnitude, regardless of sign.
    """

    bank: tuple[Weights, ...]
    angles: tuple[float, ...]
    output: Literal["max", "abs", "energy", "direction"] = "max"
    rectified: bool = False

    @property
    def kernels(self) -> tuple[Weights, ...]:
        """The bank."""
        return self.bank

    @property
    def is_angle(self) -> bool:
        """Whether it gives the direction of the strongest kernel."""
        return self.output == "direction"

    def shown_weights(self) -> list[tuple[str, Weights]]:
        """The masks, numbered or by their directions in degrees."""
        from cnncli.filters.worked import show

        if self.output == "energy":
            return [(f"Mask {number}", weights) for number, weights in enumerate(self.bank, 1)]
        pairs = zip(self.angles, self.bank, strict=True)
        return [(f"{show(float(np.degrees(angle)))}°", weights) for angle, weights in pairs]

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``bank``: one pass over the pixels; or ``bank-fft``: a transform for each kernel."""
        from cnncli.filters.transforms import fft_cost

        count, dilation = len(self.bank), geometry.dilation
        taps = int(np.any(np.stack(self.bank) != 0, axis=0).sum())
        kh, kw = self.bank[0].shape
        one_pass = SHARED_TAP * taps * 2 * -(-count // 2)
        cost = fft_cost((kh - 1) * dilation + 1, (kw - 1) * dilation + 1, *geometry.shape, 1)
        transforms = count * (cost + 3)
        if transforms < one_pass:
            return Plan("bank-fft", f"{count} kernels, a transform each", transforms)
        return Plan("bank", f"{count} kernels in one pass, {taps} taps", one_pass)

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """One for all banks, or the transform."""
        return ("fft",) if plan.way == "bank-fft" else ("responses",)

    def blocks(self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int) -> Blocks:
        """Tiles of transforms."""
        if plan.way != "bank-fft":
            return Blocks()
        from cnncli.filters.fft import fft_blocks

        kh, kw = placed.kernels[0].shape
        return fft_blocks(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1), surface)

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """All kernels in one pass, or one by one."""
        if plan.way == "bank-fft":
            return plan, self._run_transforms(placed.kernels, surface, dilation=dilation, threads=threads)
        combine = "max" if self.output == "abs" else self.output
        return plan, run_responses(
            placed.kernels,
            surface,
            combine=combine,
            dilation=dilation,
            threads=threads,
            rectified=self.rectified or self.output == "abs",
            angles=self.angles,
        )

    def _run_transforms(
        self, kernels: Sequence[Weights], surface: Surface, *, dilation: int, threads: int
    ) -> int:
        from cnncli.filters.fft import run_fft
        from cnncli.filters.kinds.linear import dilated

        response = unmapped(surface)

        def responses() -> Iterator[Floats]:
            for weights in kernels:
                run_fft(dilated(weights, dilation), response, threads=threads)
                yield np.asarray(response.out, np.float32)

        return store_responses(self.combine(kernels, responses(), surface.full_scale), surface)

    def relative_kernels(self) -> tuple[Weights, ...]:
        """In integers for directions, so that equal responses are equal."""
        return tuple(integer_kernels(self.bank)) if self.output == "direction" else self.bank

    def combine(self, kernels: Sequence[Weights], responses: Iterable[Floats], white: float) -> Floats:
        """The strongest response, its direction, or the norm of all."""
        floor = noise_floor(kernels, white)
        best = angle = np.zeros(0, np.float32)
        for number, response in enumerate(responses):
            if number == 0:
                best = np.full(response.shape, floor if self.output == "direction" else 0, np.float32)
                angle = np.zeros(response.shape, np.float32)
            if self.output == "energy":
                np.hypot(best, response, out=best)
                continue
            strength = np.abs(response) if self.rectified or self.output == "abs" else response
            if self.output == "direction":
                angle[strength > best] = self.angles[number]
            np.maximum(best, strength, out=best)
        return angle if self.output == "direction" else best

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The responses of all masks, and the sum of the strongest."""
        from cnncli.filters.worked import show, weighted

        spelled = [weighted(weights, patch) for weights in self.bank]
        values = [value for _, value in spelled]
        lines = [f"responses of the masks: {' '.join(show(value) for value in values)}"]
        if self.output == "energy":
            norm = math.sqrt(sum(value * value for value in values))
            return [*lines, f"square root of the sum of squares = {show(norm)}"], norm
        strength = [abs(value) if self.rectified else value for value in values]
        best = strength.index(max(strength))
        angle = self.angles[best]
        lines.append(
            f"strongest, for {show(math.degrees(angle))}°: {spelled[best][0]} = {show(values[best])}"
        )
        return lines, angle if self.output == "direction" else strength[best]
