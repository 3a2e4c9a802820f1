"""Initial weights."""

from __future__ import annotations

import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.nn.layer import Parameter

Scheme = Literal["he", "glorot"]


def initial_values(
    parameter: Parameter, *, name: str, seed: int, scheme: Scheme = "he"
) -> NDArray[np.float32]:
    """Initial values of a parameter.

    Parameters
    ----------
    parameter : Parameter
        The parameter to initialise.
    name : str
        Its full name: values depend only on the seed and this name, not on other layers.
    seed : int
        Seed of the whole network.
    scheme : {"he", "glorot"}
        For weights: normal with variance 2 / fan_in (He et al. 2015), or uniform with variance
        2 / (fan_in + fan_out) (Glorot and Bengio 2010).

    Returns
    -------
    ndarray, shape ``parameter.shape``, float32
    """
    if parameter.initial in ("zeros", "ones"):
        return np.full(parameter.shape, 1 if parameter.initial == "ones" else 0, np.float32)
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))
    if parameter.initial == "own":
        return parameter.first_values(random)
    if scheme == "he":
        values = random.standard_normal(parameter.shape, np.float32)
        return values * np.float32((2 / parameter.fan_in) ** 0.5)
    limit = (6 / (parameter.fan_in + parameter.fan_out)) ** 0.5
    return random.uniform(-limit, limit, parameter.shape).astype(np.float32)
