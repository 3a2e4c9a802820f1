"""Choose how a filter is computed: the cheapest of several methods with the same result.

Costs are in vector multiply-adds per vector of output samples, as measured on AVX2 cores; they only have
to rank the methods.
"""

import math
from typing import Literal

import numpy as np

from cnncli.core.native import processor
from cnncli.filters.model import (
    Bank,
    Bilateral,
    Canny,
    Filter,
    Gradient,
    Linear,
    Median,
    Unsharp,
    Weights,
    ZeroCrossings,
)
from cnncli.records import record, replace

Way = Literal[
    "direct", "separable", "box", "fft", "gradient", "bank", "bank-fft", "median", "bilateral", "canny"
]

RESIDUAL = 1e-6  # of the sum of |weights|: maximum error of a low-rank form
MAX_RANK = 6
SVD_SIDE = 512  # above this, a decomposition costs more than the transform it could save
TYPICAL_SIZE = (1080, 1920)  # for plans described without an image

# A tap of a single sum is a load and a multiply-add, and unaligned loads that cross a cache line count
# twice; with several sums per load (rows one_pass, pairs of kernels) the multiply-adds are the limit.
LONE_TAP = 1.35
SHARED_TAP = 1.05
# Cost factor of transforms, for integers and for floats, which are limited by memory: by the number of rows
# that the target sums at once. More rows make direct convolution cheaper, not transforms.
TRANSFORMS = {2: (1.0, 1.0), 4: (1.25, 1.6)}
ADDITION = 1.5  # load, load, add, store


@record(eq=False)
class Plan:
    """A method of computing a filter.

    Attributes
    ----------
    way : str
        One of `Way`.
    detail : str
        A short description.
    cost : float
        In vector multiply-adds per vector of output samples; infinite if unknown.
    columns, rows : ndarray or None
        For ``separable``: factors of shapes (rank, kh) and (rank, kw), as applied to the image.
    """

    way: Way
    detail: str
    cost: float = math.inf
    columns: Weights | None = None
    rows: Weights | None = None

    def __str__(self) -> str:
        """As reported by ``--json`` and ``cnncli kernels``."""
        return f"{self.way} ({self.detail})" if self.detail else self.way


def plan_linear(
    weights: Weights,
    *,
    dilation: int,
    stride: tuple[int, int],
    shape: tuple[int, ...],
    floats: bool = False,
) -> Plan:
    """Choose the method for one kernel.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw), float64
        As applied to the image.
    dilation : int
        Pixels from one cell to the next.
    stride : (x, y)
        Steps between output pixels.
    shape : (height, width)
        Of the output.
    floats : bool
        Whether the source's samples are floats.

    Returns
    -------
    Plan
        ``direct``, ``separable``, ``box`` or ``fft``.
    """
    kh, kw = weights.shape
    plans = [_plan_direct(weights, dilation, stride)]
    if kh > 1 and kw > 1 and dilation == 1 and np.all(weights == weights[0, 0]) and weights[0, 0]:
        passes = kw.bit_length() + kw.bit_count() - 2 + 4
        plans.append(Plan("box", f"{kw} x {kh} by doubling and running sums", ADDITION * passes + 2))
    extent = ((kh - 1) * dilation + 1, (kw - 1) * dilation + 1)
    from cnncli.filters.transforms import fft_cost

    # Transforms compute every row, the other methods only those that are stored.
    transform = stride[1] * fft_cost(*extent, shape[0] * stride[1], shape[1] * stride[0], 1)
    transform *= TRANSFORMS[processor()[3].tap_rows][floats]
    plans.append(Plan("fft", "overlapping tiles", transform))
    best = min(plans, key=lambda plan: plan.cost)
    if min(kh, kw) == 1:
        return best
    return _plan_separable(weights, below=best.cost, keeps_zeros=floats) or best


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


def plan_filter(
    filter: Filter,
    *,
    dilation: int = 1,
    stride: tuple[int, int] = (1, 1),
    shape: tuple[int, int] = TYPICAL_SIZE,
    floats: bool = False,
) -> Plan:
    """Choose the method for any filter; parameters as in `plan_linear`."""
    match filter:
        case Linear(weights=weights):
            plan = plan_linear(weights, dilation=dilation, stride=stride, shape=shape, floats=floats)
            if isinstance(filter, Unsharp):
                return replace(plan, detail=f"{plan.detail}, then a threshold")
            return plan
        case Gradient():
            taps = int(((filter.dx != 0) | (filter.dy != 0)).sum())
            return Plan(
                "gradient", f"dx, dy and {filter.answer} in one pass, {taps} taps", SHARED_TAP * 2 * taps
            )
        case Bank():
            return _plan_bank(filter, dilation, shape)
        case Median(size=size):
            return Plan("median", f"{size} x {size}")
        case Bilateral(size=size):
            return Plan("bilateral", f"{size} x {size}")
        case Canny():
            return Plan("canny", "gaussian, gradient, thinning, hysteresis")
        case ZeroCrossings(weights=weights):
            inner = plan_linear(weights, dilation=1, stride=(1, 1), shape=shape)
            return replace(inner, detail=f"{inner.detail}, then sign changes")
    raise TypeError(f"no plan for {type(filter).__name__}")


def _plan_bank(filter: Bank, dilation: int, shape: tuple[int, ...]) -> Plan:
    """One pass over the pixels, or one transform per kernel."""
    from cnncli.filters.transforms import fft_cost

    count = len(filter.bank)
    taps = int(np.any(np.stack(filter.bank) != 0, axis=0).sum())
    kh, kw = filter.bank[0].shape
    one_pass = SHARED_TAP * taps * 2 * -(-count // 2)
    transforms = count * (
        fft_cost((kh - 1) * dilation + 1, (kw - 1) * dilation + 1, shape[0], shape[1], 1) + 3
    )
    if transforms < one_pass:
        return Plan("bank-fft", f"{count} kernels, a transform each", transforms)
    return Plan("bank", f"{count} kernels in one pass, {taps} taps", one_pass)


def loops_of(filter: Filter, plan: Plan) -> tuple[str, ...]:
    """The native functions that a plan runs, if known in advance."""
    match filter:
        case Canny():
            return ("ridges", "hysteresis", "marks")
        case ZeroCrossings():
            return (plan.way, "sign_changes")
        case Gradient():
            return ("responses",)
        case Bank():
            return ("fft",) if plan.way == "bank-fft" else ("responses",)
        case Linear() | Bilateral():
            return (plan.way,)
    return ()


def describe_plan(filter: Filter) -> str:
    """The plan of a filter for an image of typical size, in words."""
    return str(plan_filter(filter))
