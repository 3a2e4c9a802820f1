"""Answers that float32 holds, of sums or squares that it does not.

A box adds up before it divides, and a magnitude squares: of values near the largest that there are, as some
file formats have them where nothing was measured, that is infinite. Loops tell whether anything that they
stored is not finite; then the same is done once more with the source divided by a power of two.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.model import Weights
from cnncli.records import replace

_SAFE = 1e18  # of a sum: what can be squared
_LARGEST = float(np.finfo(np.float32).max)
_ROUNDING = 1 + 1e-5  # by which an answer may overflow that fits


def mend_overflow(run: Callable[[Surface], int], kernels: Sequence[Weights], surface: Surface) -> None:
    """Put right what overflowed on the way, in an output of floats that is not finite somewhere.

    Parameters
    ----------
    run : callable
        Runs the filter over a surface. If the image is twice as bright, so is the answer.
    kernels : sequence of ndarray
        The filter's.
    surface : Surface
        As it was run.
    """
    gain = max(float(np.abs(weights).sum()) for weights in kernels)
    src = surface.src.astype(np.float32)
    peak = max(float(np.max(np.abs(src), initial=0, where=np.isfinite(src))), abs(surface.fill))
    if peak * max(gain, 1) <= _SAFE:
        return
    bad = ~np.isfinite(surface.out)
    exponent = int(np.frexp(peak * max(gain, 1))[1])
    small = replace(
        surface,
        src=np.ldexp(src, -exponent),
        out=aligned_empty(surface.out.shape, np.float32),
        fill=float(np.ldexp(surface.fill, -exponent)),
        absolute=False,
        scale=1.0,
        bias=0.0,
    )
    run(small)
    found = np.asarray(small.out, np.float32)[bad]
    response = np.ldexp(found.astype(np.float64), exponent)
    response = np.abs(response) if surface.absolute else response
    surface.out[bad] = as_float32(response * surface.scale + surface.bias)


def as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values that may be too large by rounding: infinite only where they are by more than that."""
    size = np.abs(values)
    fits = (size > _LARGEST) & (size <= _LARGEST * _ROUNDING)
    values = np.where(fits, np.copysign(_LARGEST, values), values)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
