"""What becomes of a class's probability where pixels are revealed or removed in the order of a heatmap.

Legend: N pixels of an image, B images, P shares of `SHARES`.

Sources: Petsiuk, Das and Saenko, RISE: randomized input sampling for explanation of black-box models, 2018,
section 4.3 (insertion and deletion); Rong et al., A consistent and efficient evaluation strategy for
attribution methods, 2022 (ROAD).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.imputation import imputed
from cnncli.attribution.model import Floats, Plans, blurred

Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]
Ranks = NDArray[np.intp]
STEPS = 32  # in which all pixels are revealed, or taken away
_AT_ONCE = 1 << 23  # values of imputed images that are kept: 32 MB
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)  # of pixels that are removed, as in the authors' experiments


@dataclass(frozen=True, eq=False)
class Removal:
    """How the class of an image fares by the order of one map.

    Attributes
    ----------
    insertion, deletion : ndarray, shape (STEPS + 1,)
        Its probability while pixels are revealed over the blurred image, from none to all, and while they
        are taken away to it, the most relevant first.
    most, least : ndarray, shape (P,)
        Its probability where shares of the pixels are removed and imputed, the most relevant first, and the
        least relevant first.
    most_kept, least_kept : ndarray, shape (P,), bool
        Whether it is still the most probable class there.
    """

    insertion: Doubles
    deletion: Doubles
    most: Doubles
    least: Doubles
    most_kept: Bools
    least_kept: Bools

    @property
    def figures(self) -> dict[str, float]:
        """``insertion`` (0 to 1, higher is better), ``deletion`` (lower), ``road`` (-1 to 1, higher).

        ROAD's is the mean over the shares of how much more probable the class is where the least relevant
        pixels are removed than where the most relevant are.
        """
        return {
            "insertion": area(self.insertion),
            "deletion": area(self.deletion),
            "road": float((self.least - self.most).mean()),
        }


def area(curve: Doubles) -> float:
    """The area under a curve over 0 to 1, by the trapezoidal rule."""
    return float((curve.sum() - (curve[0] + curve[-1]) / 2) / (len(curve) - 1))


def ranks_of(relevance: NDArray[np.floating], ties: NDArray[np.intp]) -> Ranks:
    """The place of each pixel (H, W) in the order of relevance, 0 for the most relevant.

    Parameters
    ----------
    relevance : ndarray, shape (H, W)
        Of a map.
    ties : ndarray, shape (N,), intp
        Numbers of the pixels: of equally relevant ones that with the lower number comes first. Drawn by lot,
        lest a map of one value begin at the top.
    """
    order = np.lexsort((ties, -relevance.ravel()))
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    return ranks.reshape(relevance.shape)


class Remover:
    """An image whose pixels are revealed and removed.

    Parameters
    ----------
    plans : Plans
        Of a network with an output for each class.
    x : ndarray, shape (H, W, C), float32
        The image as the network takes it.
    target : int
        The class whose probability is looked at.
    noise : ndarray, shape (C,)
        Standard deviation of the noise of imputed values, as of `imputed`.
    seed : tuple of int
        Of that noise, which is the same for all maps.
    """

    def __init__(
        self,
        plans: Plans,
        x: Floats,
        target: int,
        *,
        noise: NDArray[np.floating],
        seed: tuple[int, ...],
    ) -> None:
        self.plans, self.x, self.target = plans, x, target
        self._noise, self._seed = noise, seed
        self._base = blurred(x)
        (self.base_probability, self.probability), _ = self._answers(iter([np.stack([self._base, x])]))

    def by(self, ranks: Ranks) -> Removal:
        """Reveal and remove pixels in an order from `ranks_of`."""
        curves, _ = self._answers(self._blends(ranks))
        rising, falling = curves.reshape(2, STEPS - 1)
        shares, kept = (part.reshape(2, len(SHARES)) for part in self._answers(self._imputations(ranks)))
        none, every = self.base_probability, self.probability
        return Removal(np.array([none, *rising, every]), np.array([every, *falling, none]), *shares, *kept)

    def _answers(self, pieces: Iterator[Floats]) -> tuple[Doubles, Bools]:
        """(B,) the probability of the class in images, and whether no other one is more probable."""
        outputs = np.concatenate([self.plans.outputs(piece) for piece in pieces]).astype(np.float64)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers[:, self.target] / powers.sum(axis=1), outputs.argmax(axis=1) == self.target

    def _blends(self, ranks: Ranks) -> Iterator[Floats]:
        """Images between the blurred one and the image, for insertion and then for deletion, in batches."""
        x, base, batch = self.x, self._base, self.plans.batch
        counts = np.rint(np.arange(1, STEPS) * ranks.size / STEPS)
        steps = [(count, x, base) for count in counts] + [(count, base, x) for count in counts]
        for lo in range(0, len(steps), batch):
            some = steps[lo : lo + batch]
            yield np.stack([np.where((ranks < count)[..., None], new, old) for count, new, old in some])

    def _imputations(self, ranks: Ranks) -> Iterator[Floats]:
        """The image without shares of its pixels: the most relevant first, then the least; in batches."""
        counts = [int(share * ranks.size) for share in SHARES]
        most = [ranks < count for count in counts]
        least = [ranks >= ranks.size - count for count in counts]
        gone = np.stack([*most, *least])
        random, threads = np.random.default_rng(self._seed), self.plans.threads or 1
        size = max(1, _AT_ONCE // self.x.size)
        for lo in range(0, len(gone), size):
            yield imputed(self.x, gone[lo : lo + size], noise=self._noise, random=random, threads=threads)
