"""Sanity checks: whether heatmaps change where what a network has learned is taken away.

Source: Adebayo et al., Sanity checks for saliency maps, 2018, section 3.1, cascading randomisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.model import Floats, Plans
from cnncli.nn import Network

Result = TypeVar("Result")
_APART = 1 << 40  # from the seeds that users train with: initial values from those are near the learned ones


class Similarity(NamedTuple):
    """How far two heatmaps put pixels in the same order, -1 to 1; None where one of them is constant.

    Attributes
    ----------
    signed, absolute : float or None
        Spearman's rank correlation of the values, and of their magnitudes.
    """

    signed: float | None
    absolute: float | None


def cascade(
    network: Network,
    groups: Sequence[Sequence[str]],
    ask: Callable[[Plans], Result],
    *,
    seed: int = 0,
    threads: int | None = None,
) -> list[Result]:
    """What is found with learned weights, and with more and more of the layers as before any training.

    Parameters
    ----------
    network : Network
        Stays as it is.
    groups : sequence of sequences of str
        Names of layers, in the order in which they lose what they have learned: weights are drawn anew,
        norms are those of untrained layers.
    ask : callable
        Of the plans of a network; such as the heatmaps of a method.
    seed : int
        Of the weights: what a layer gets depends on its name and on this alone.
    threads : int or None
        None: all cores.

    Returns
    -------
    list
        What was found first, and after each group.
    """
    copy = Network(network.graph, scheme=None)
    arrays = network.export()
    fresh = Network(network.graph, seed=_APART + seed).export()
    copy.load(arrays)
    plans = Plans(copy, threads=threads)
    found = [ask(plans)]
    for layers in groups:
        arrays |= {name: array for name, array in fresh.items() if name.rpartition(".")[0] in layers}
        copy.load(arrays)
        plans.refresh()
        found.append(ask(plans))
    return found


def similarity(heatmap: Floats, other: Floats) -> Similarity:
    """Rank correlations of two heatmaps of one shape."""
    return Similarity(_spearman(heatmap, other), _spearman(np.abs(heatmap), np.abs(other)))


def _spearman(a: Floats, b: Floats) -> float | None:
    """Pearson's correlation of the ranks."""
    one, two = (ranks - ranks.mean() for ranks in (_ranks(a), _ranks(b)))
    length = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / length if length else None


def _ranks(values: Floats) -> NDArray[np.float64]:
    """Places in the order of size; equal values share their mean place."""
    _, which, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(middles[which.ravel()], np.float64)
