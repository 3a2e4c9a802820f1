"""Pairs and banks whose responses are arrays: the plain loop here is the oracle."""

import math

import numpy as np
import pytest

from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.spec import parse_spec


def expected(filter, values, noise):
    """The answer at one pixel; below ``noise`` a response has no direction."""
    if isinstance(filter, Gradient):
        dx, dy = values
        if filter.output == "magnitude":
            return math.sqrt(dx**2 + dy**2)
        return math.atan2(dy, dx) if max(abs(dx), abs(dy)) > noise else 0.0
    if filter.output == "energy":
        return math.sqrt(sum(value**2 for value in values))
    strengths = [abs(value) if filter.rectified or filter.output == "abs" else value for value in values]
    strongest = max(strengths)
    if filter.output == "direction":
        return filter.angles[strengths.index(strongest)] if strongest > noise else 0.0
    return max(strongest, 0.0)


@pytest.mark.parametrize("full_scale", [1.0, 255.0])
@pytest.mark.parametrize("spec", [
    "sobel", "sobel:output=direction", "kirsch", "kirsch:output=direction", "line", "line:output=direction",
    "line:polarity=bright", "line:polarity=dark,output=direction", "frei-chen", "gabor-bank",
    "gabor-bank:output=direction",
])  # fmt: skip
def test_answers_of_arrays_are_those_of_a_plain_loop(spec, full_scale):
    filter = parse_spec(spec)
    kernels = filter.kernels
    noise = 1e-6 * max(np.abs(weights).sum() for weights in kernels) * full_scale
    rng = np.random.default_rng(0)
    # Of each size, from far below the noise to far above, but none that rounding could take across.
    sizes = noise * np.array([1e-3, 0.1, 0.5, 0.9, 1.1, 2, 1e3, 1e6])
    signs = rng.choice([-1.0, 1.0], (len(kernels), 40, 8))
    responses = (signs * sizes * rng.uniform(0.96, 1, (len(kernels), 40, 8))).astype(np.float32)
    found = filter.combine(kernels, list(responses.copy()), full_scale)
    wanted = [[expected(filter, responses[:, y, x].tolist(), noise) for x in range(8)] for y in range(40)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=0)
    if isinstance(filter, Bank) and filter.output == "direction":
        assert len(np.unique(found[:, 4:])) >= min(4, len(kernels) - 1)
