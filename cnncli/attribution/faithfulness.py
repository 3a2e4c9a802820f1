"""How faithful heatmaps of an image are to its network, beside maps that know nothing of either.

Legend: H x W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.imputation import NOISE
from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import Attribution, Floats, How, Plans
from cnncli.attribution.pointing import hits
from cnncli.attribution.removal import Ranks, Removal, Remover, ranks_of

CENTRE, RANDOM = "centre", "random"
SPREAD = 0.25  # standard deviation of the Gaussian in the centre, in sides of the image
_MAP, _IMPUTED = 0, 1  # what is drawn by lot for an image


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What was measured of one image.

    Attributes
    ----------
    target : int
        The class that the network predicts, for which the heatmaps are.
    probability, base_probability : float
        Its probability for the image, and for the blurred one.
    removals : dict of str to Removal
        By method; `CENTRE` and `RANDOM` come last.
    pointing : dict of str to list of bool
        By method: of each class with boxes whether its heatmap points at one of them.
    """

    target: int
    probability: float
    base_probability: float
    removals: dict[str, Removal]
    pointing: dict[str, list[bool]]

    def figures(self, name: str) -> dict[str, float]:
        """Those of a method: as of `Removal`, and ``pointing``, the share of hits, NaN without boxes."""
        hit = self.pointing[name]
        return {**self.removals[name].figures, "pointing": float(np.mean(hit)) if hit else float("nan")}


def relevance_of(name: str, found: Attribution) -> NDArray[np.floating]:
    """(H, W) by which a method orders pixels: its signed heatmap, or of gradients the magnitude.

    A gradient's sign says which way a pixel would have to change, not how much it matters: the largest
    magnitude over channels counts, as in Simonyan et al., 2014.
    """
    return np.abs(found.values).max(axis=-1) if METHODS[name].of_gradients else found.heatmap


def faithfulness(
    plans: Plans,
    x: Floats,
    names: Sequence[str],
    how: How,
    *,
    std: Sequence[float],
    boxes: Mapping[int, NDArray[np.floating]],
    done: Callable[[], None] = lambda: None,
) -> Faithfulness:
    """Measure methods on one image.

    Parameters
    ----------
    plans : Plans
        Of a network with an output for each class.
    x : ndarray, shape (H, W, C), float32
        The image as the network takes it.
    names : sequence of str
        Of `METHODS`.
    how : How
        As for the methods; its seed is also that of the random map, of ties and of imputed noise.
    std : sequence of float
        Units of ``x`` are so much of white, one for each channel.
    boxes : mapping of int to ndarray, shape (M, 4)
        By class x, y, width and height of its objects, in pixels of ``x``.
    done : callable
        Called after each method.

    Raises
    ------
    CnncliError
        As the methods do.
    """
    target = int(plans.outputs(x[None])[0].argmax())
    height, width = x.shape[:2]
    random = np.random.default_rng((how.seed, _MAP))
    ties = random.permutation(height * width)
    chance = {CENTRE: centre(height, width), RANDOM: random.random((height, width))}
    remover = Remover(plans, x, target, noise=NOISE / np.asarray(std), seed=(how.seed, _IMPUTED))

    def ranks(name: str, label: int) -> Ranks:
        if name in chance:
            return ranks_of(chance[name], ties)
        return ranks_of(relevance_of(name, METHODS[name].attribute(plans, x, label, how)), ties)

    removals, pointing = {}, {}
    for name in (*names, CENTRE, RANDOM):
        order = ranks(name, target)
        removals[name] = remover.by(order)
        pointing[name] = [
            hits(order if label == target else ranks(name, label), boxes[label]) for label in boxes
        ]
        done()
    return Faithfulness(target, remover.probability, remover.base_probability, removals, pointing)


def centre(height: int, width: int) -> NDArray[np.float64]:
    """(H, W) a Gaussian in the middle, a quarter of each side wide: where photographers put what matters."""
    rows, columns = (
        np.exp(-0.5 * (((np.arange(size) + 0.5) / size - 0.5) / SPREAD) ** 2) for size in (height, width)
    )
    return rows[:, None] * columns
