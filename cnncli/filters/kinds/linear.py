"""One kernel: the cheapest of several methods that give the same result."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import ADDITION, LONE_TAP, SHARED_TAP, transforms_of
from cnncli.core.native import processor
from cnncli.core.tiling import Surface
from cnncli.filters.execute import box_rows, run_box, run_direct, run_separable, unmapped
from cnncli.filters.model import (
    TYPICAL,
    Blocks,
    Filter,
    Floats,
    Geometry,
    Patch,
    PlacedKernels,
    Plan,
    Weights,
)
from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame
    from cnncli.filters.options import Options

RESIDUAL = 1e-6  # of the sum of |weights|: maximum error of a low-rank form
MAX_RANK = 6
SVD_SIDE = 512  # above this, a decomposition costs more than the transform it could save


@record(kw_only=True, eq=False)
class Linear(Filter):
    """One kernel.

    Attributes
    ----------
    weights : ndarray, shape (kh, kw), float64
        As written: convolution flips it, correlation does not.
    """

    weights: Weights

    @property
    def kernels(self) -> tuple[Weights, ...]:
        """The kernel."""
        return (self.weights,)

    @property
    def homogeneous(self) -> bool:
        """Scaling the image scales the response."""
        return True

    def shown_weights(self) -> list[tuple[str, Weights]]:
        """The kernel."""
        return [("Weights", self.weights)]

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """The sum of the weights."""
        return float(kernels[0].sum())

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``direct``, ``separable``, ``box`` or ``fft``."""
        return plan_linear(kernels[0] if kernels else self.weights, geometry)

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """The method is the function."""
        return (plan.way,)

    def blocks(self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int) -> Blocks:
        """Tiles of running sums and of transforms."""
        kh, kw = placed.kernels[0].shape
        if plan.way == "box":
            return Blocks(box_rows((kh, kw), surface))
        if plan.way == "fft":
            from cnncli.filters.fft import fft_blocks

            return fft_blocks(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1), surface)
        return Blocks()

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Run the kernel by its plan."""
        return plan, run_linear(placed.kernels[0], plan, surface, dilation=dilation, threads=threads)

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Means weighted by opacity if no weight is negative, else responses relative to the pixel itself."""
        return frame.premultiplied(self) if self.is_blur(frame.run.options) else self.with_relative(frame)

    def with_relative(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Responses relative to the pixel itself, and unchanged opacity."""
        after = frame.unchanged_cover(self)
        (response,) = frame.relative_responses(self, self.kernels)
        return response, after

    def is_blur(self, options: "Options") -> bool:
        """Whether no weight is negative, so that colour and opacity spread."""
        from cnncli.filters.options import place_kernels

        return bool((place_kernels(self, options).kernels[0] >= 0).all())

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The sum, term by term."""
        from cnncli.filters.worked import show, weighted

        terms, value = weighted(self.weights, patch)
        return [f"{terms} = {show(value)}"], value


def plan_linear(weights: Weights, geometry: Geometry) -> Plan:
    """Choose the method for one kernel.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw), float64
        As applied to the image.
    geometry : Geometry
        Dilation, stride, size and type.

    Returns
    -------
    Plan
        ``direct``, ``separable``, ``box`` or ``fft``.
    """
    kh, kw = weights.shape
    dilation, stride, shape = geometry.dilation, geometry.stride, geometry.shape
    plans = [_plan_direct(weights, dilation, stride)]
    if kh > 1 and kw > 1 and dilation == 1 and np.all(weights == weights[0, 0]) and weights[0, 0]:
        passes = kw.bit_length() + kw.bit_count() - 2 + 4
        plans.append(Plan("box", f"{kw} x {kh} by doubling and running sums", ADDITION * passes + 2))
    extent = ((kh - 1) * dilation + 1, (kw - 1) * dilation + 1)
    from cnncli.filters.transforms import fft_cost

    # Transforms compute every row, the other methods only those that are stored.
    transform = stride[1] * fft_cost(*extent, shape[0] * stride[1], shape[1] * stride[0], 1)
    _, model, _, target = processor()
    transform *= transforms_of(target, model)[geometry.floats]
    plans.append(Plan("fft", "overlapping tiles", transform))
    best = min(plans, key=lambda plan: plan.cost)
    if min(kh, kw) == 1:
        return best
    return _plan_separable(weights, below=best.cost, keeps_zeros=geometry.floats) or best


def _plan_direct(weights: Weights, dilation: int, stride: tuple[int, int]) -> Plan:
    """Direct convolution over nonzero weights, with several rows of output at once if they share loads."""
    present = weights != 0
    taps = int(present.sum())
    cost = LONE_TAP * taps
    if dilation == 1 and stride[1] == 1 and len(weights) > 1:
        # As if there were one more row of cells: the cost of the rows at either end, which share less.
        none = np.zeros((1, weights.shape[1]), bool)
        shared = int((np.vstack([present, none]) | np.vstack([none, present])).sum())
        cost = SHARED_TAP * shared
    return Plan("direct", f"{taps} tap{'s' * (taps != 1)}", cost)


def _plan_separable(weights: Weights, *, below: float, keeps_zeros: bool) -> Plan | None:
    """A sum of few columns times rows that approximates the weights, if it costs less than ``below``.

    With ``keeps_zeros``, weights of zero stay exactly zero: a float pixel there may be so large that even a
    tiny weight would outweigh all others.
    """
    kh, kw = weights.shape

    def cost(rank: int) -> float:
        return float(rank * (LONE_TAP * (kh + 1.2 * kw) + 1) + 2)

    affordable = sum(cost(rank) < below for rank in range(1, MAX_RANK + 1))
    factors = _factors(weights, affordable, keeps_zeros=keeps_zeros)
    if factors is None:
        return None
    columns, rows = factors
    rank = len(columns)
    detail = f"rank {rank}, {rank * (kh + kw)} taps for {kh * kw}"
    return Plan("separable", detail, cost(rank), columns, rows)


def _factors(weights: Weights, most: int, *, keeps_zeros: bool) -> tuple[Weights, Weights] | None:
    """Columns (rank, kh) and rows (rank, kw) that sum to the weights, of rank up to ``most``, or None."""
    total = np.abs(weights).sum()
    if not total or not most:
        return None
    # Rank 1 first, from the row and the column of the largest weight, which is exact if the weights are.
    i, j = np.unravel_index(int(np.abs(weights).argmax()), weights.shape)
    column, row = weights[:, j] / weights[i, j], weights[i]
    product = np.outer(column, row)
    zeros = weights == 0
    if np.abs(weights - product).sum() <= RESIDUAL * total and not (keeps_zeros and product[zeros].any()):
        return column[None], row[None]
    if most < 2 or (keeps_zeros and zeros.any()) or max(weights.shape) > SVD_SIDE:
        return None
    u, s, v = np.linalg.svd(weights, full_matrices=False)
    for rank in range(2, min(most, len(s)) + 1):
        columns, rows = (u[:, :rank] * s[:rank]).T, v[:rank]
        if np.abs(weights - columns.T @ rows).sum() <= RESIDUAL * total:
            return columns, rows
    return None


def run_linear(weights: Weights, plan: Plan, surface: Surface, *, dilation: int = 1, threads: int) -> int:
    """Run one kernel, as applied to the image, by a plan; returns the number of clipped samples."""
    match plan.way:
        case "box":
            return run_box(weights.shape, float(weights[0, 0]), surface, threads=threads)
        case "separable" if plan.columns is not None and plan.rows is not None:
            return run_separable(plan.columns, plan.rows, surface, dilation=dilation, threads=threads)
        case "fft":
            from cnncli.filters.fft import run_fft

            return run_fft(dilated(weights, dilation), surface, threads=threads)
        case _:
            return run_direct(weights, surface, dilation=dilation, threads=threads)


def beside_unfiltered(
    placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The kernel's response, and the pixels under its anchor, both unmapped: for what compares them."""
    (weights,), (x, y) = placed.kernels, placed.anchor
    center = np.zeros(weights.shape)
    center[y, x] = 1
    response, unfiltered = unmapped(surface), unmapped(surface)
    run_linear(weights, plan, response, dilation=dilation, threads=threads)
    run_direct(center, unfiltered, dilation=dilation, threads=threads)
    return response.out, unfiltered.out


def dilated(weights: Weights, dilation: int) -> Weights:
    """Weights with zeros between them."""
    if dilation == 1:
        return weights
    kh, kw = weights.shape
    spread = np.zeros(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1))
    spread[::dilation, ::dilation] = weights
    return spread
