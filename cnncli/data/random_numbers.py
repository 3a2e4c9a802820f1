"""Counter-based random numbers: each depends only on a seed and counters, never on earlier numbers.

A counter is hashed with the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", 2014). The bits do not depend on NumPy's version, so that a run can be resumed
and a split repeated anywhere.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_UNIT = 2.0**-53


def hashed(seed: int, *counters: ArrayLike) -> NDArray[np.uint64]:
    """64 random bits for a seed and counters.

    Parameters
    ----------
    seed : int
        Any integer; its low 64 bits are used.
    *counters : array-like of int
        Broadcast against each other: an epoch, image indices, the number of a draw.

    Returns
    -------
    ndarray of uint64
        Of the shape that the counters broadcast to.
    """
    state = _finalised(np.asarray(seed & 0xFFFFFFFFFFFFFFFF, np.uint64))
    for counter in counters:
        state = extended(state, counter)
    return state


def extended(state: NDArray[np.uint64], counter: ArrayLike) -> NDArray[np.uint64]:
    """The result of ``hashed`` with one more counter."""
    with np.errstate(over="ignore"):  # scalars warn where arrays wrap around silently
        return _finalised(state ^ (np.asarray(counter).astype(np.uint64) * _STEP + _FIRST))


def as_unit(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Random bits as numbers from 0 up to, not including, 1."""
    return (bits >> np.uint64(11)).astype(np.float64) * _UNIT


def uniform(seed: int, *counters: ArrayLike) -> NDArray[np.float64]:
    """Numbers from 0 up to, not including, 1, for a seed and counters as ``hashed`` takes them."""
    return as_unit(hashed(seed, *counters))


def shuffled(count: int, seed: int, *counters: int) -> NDArray[np.intp]:
    """The numbers 0 to count - 1 in an order that depends on the seed and counters alone."""
    return np.argsort(hashed(seed, *counters, np.arange(count)), kind="stable").astype(np.intp)


def _finalised(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        state = state + _STEP
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        return np.asarray(state ^ (state >> np.uint64(31)))
