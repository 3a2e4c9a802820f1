"""Combine the responses of several kernels that are arrays, like `core/loops/responses.py`."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.execute import NOISE
from cnncli.filters.model import Bank, Gradient, Weights

Floats = NDArray[np.float32]


def combine_responses(
    filter: Gradient | Bank, kernels: Sequence[Weights], responses: Iterable[Floats], full_scale: float
) -> Floats:
    """The combined response of a gradient pair or a filter bank.

    Parameters
    ----------
    filter : Gradient or Bank
        The filter.
    kernels : sequence of ndarray
        As applied to the image.
    responses : iterable of ndarray, float32, all of one shape
        One for each kernel; they may be overwritten.
    full_scale : float
        The value of white in the source.

    Returns
    -------
    ndarray, float32
    """
    floor = np.float32(NOISE * max(float(np.abs(weights).sum()) for weights in kernels) * full_scale)
    if isinstance(filter, Gradient):
        dx, dy = responses
        if filter.answer == "magnitude":
            return np.hypot(dx, dy)
        large = np.maximum(np.abs(dx), np.abs(dy)) > floor
        return np.where(large, np.arctan2(dy, dx), np.float32(0))
    return _combine_bank(filter, responses, floor)


def _combine_bank(filter: Bank, responses: Iterable[Floats], floor: np.float32) -> Floats:
    """The strongest response, its direction, or the norm of all responses."""
    best = angle = np.zeros(0, np.float32)
    for number, response in enumerate(responses):
        if number == 0:
            best = np.full(response.shape, floor if filter.answer == "direction" else 0, np.float32)
            angle = np.zeros(response.shape, np.float32)
        if filter.answer == "energy":
            np.hypot(best, response, out=best)
            continue
        strength = np.abs(response) if filter.rectified or filter.answer == "abs" else response
        if filter.answer == "direction":
            angle[strength > best] = filter.angles[number]
        np.maximum(best, strength, out=best)
    return angle if filter.answer == "direction" else best
