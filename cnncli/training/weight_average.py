"""Averaged weights: an exponential moving average that is often better than any weights it is made of."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import Network


class WeightAverage:
    """A second network that follows the first.

    Early on it follows faster, by ``min(decay, (1 + steps) / (10 + steps))``, so that it does not
    hang on to the random start. Running statistics are averaged along.

    Parameters
    ----------
    network : Network
        What is followed.
    decay : float
        Share of the average that stays at each step.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = Network(network.graph)
        self.decay = decay
        self.steps = 0
        np.copyto(self.network.weights, network.weights)
        np.copyto(self.network.state, network.state)
        self._scratch = [np.empty_like(network.weights), np.empty_like(network.state)]

    def follow(self, network: Network) -> None:
        """Take a step towards the network's numbers."""
        self.steps += 1
        share = np.float32(1 - min(self.decay, (1 + self.steps) / (10 + self.steps)))
        pairs = ((self.network.weights, network.weights), (self.network.state, network.state))
        for (held, new), scratch in zip(pairs, self._scratch, strict=True):
            np.subtract(new, held, out=scratch)
            np.multiply(scratch, share, out=scratch)
            np.add(held, scratch, out=held)

    def load(self, arrays: Mapping[str, NDArray[Any]], *, steps: int) -> None:
        """Go on from an average that was exported after so many steps."""
        self.network.load(arrays)
        self.steps = steps
