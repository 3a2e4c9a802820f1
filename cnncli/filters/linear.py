"""Run one kernel according to its plan."""

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.filters.execute import run_box, run_direct, run_separable
from cnncli.filters.model import Weights
from cnncli.filters.plan import Plan


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


def dilated(weights: Weights, dilation: int) -> Weights:
    """Weights with zeros between them."""
    if dilation == 1:
        return weights
    kh, kw = weights.shape
    spread = np.zeros(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1))
    spread[::dilation, ::dilation] = weights
    return spread
