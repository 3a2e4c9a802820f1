"""Results that fit into float32 although their sums or squares do not.

A box filter sums before it divides, and a magnitude squares its terms: for values near the largest float32,
which some file formats use for missing data, these overflow. Loops report whether any stored value is not
finite; then the filter runs again with the source divided by a power of two.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.model import Weights
from cnncli.records import replace

_SAFE = 1e18  # sums up to this can be squared
_LARGEST = float(np.finfo(np.float32).max)
_ROUNDING = 1 + 1e-5  # a result may exceed the largest float32 by this through rounding


def recompute_overflow(
    run: Callable[[Surface], object], kernels: Sequence[Weights], surface: Surface
) -> None:
    """Recompute values of a float output that overflowed in an intermediate step.

    Parameters
    ----------
    run : callable
        Runs the filter over a surface. It must be homogeneous: scaling the image scales the response.
    kernels : sequence of ndarray
        The filter's kernels.
    surface : Surface
        The surface that was filtered.
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
    """Convert to float32; values that exceed its range only by rounding become its largest."""
    size = np.abs(values)
    fits = (size > _LARGEST) & (size <= _LARGEST * _ROUNDING)
    values = np.where(fits, np.copysign(_LARGEST, values), values)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
