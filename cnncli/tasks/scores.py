"""Scores of predictions with probabilities, as scikit-learn computes them.

Legend: N images, K classes; M bins. Shares (N, K) are probabilities, labels (N,) the true classes.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cnncli.tasks.class_evaluation import ClassScores

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

TOP = 5  # predictions among which the true class is to be
BINS = 15  # of calibration, as Guo et al. have them


class Means(NamedTuple):
    """Means over classes."""

    precision: float
    recall: float
    f1: float


def percent(share: float) -> str:
    """A share of 0 to 1 as it is read: ``98.80%``."""
    return f"{share:.2%}"


def accuracy_text(right: int, count: int) -> str:
    """The accuracy of ``count`` predictions of which so many are right: ``98.80% (988 of 1,000)``."""
    return f"{percent(right / count)} ({right:,} of {count:,})"


def top_accuracy(outputs: NDArray[np.floating], labels: Labels, *, top: int = TOP) -> float | None:
    """Share of images whose true class is among the ``top`` likeliest; None for no more classes than that.

    Of equal outputs the lower class number counts as likelier, as in every prediction; scikit-learn's
    ``top_k_accuracy_score`` takes the higher.
    """
    if outputs.shape[1] <= top:
        return None
    own = np.take_along_axis(outputs, labels[:, None], axis=1)
    before = np.arange(outputs.shape[1]) < labels[:, None]
    ahead = (outputs > own) | ((outputs == own) & before)
    return float(np.mean(ahead.sum(axis=1) < top))


def log_loss(shares: Floats, labels: Labels) -> float:
    """Mean of -log of the label's probability, which counts as 2.2e-16 at least: finite, always.

    Source: scikit-learn's ``log_loss``, which clips to float64's epsilon.
    """
    own = shares[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(own, np.finfo(np.float64).eps, None)).mean())


def area_under_curve(outputs: NDArray[np.floating], labels: Labels) -> float | None:
    """Of two classes: the chance that an image of the second has the greater output for it.

    Images are ordered by the difference of the outputs, which is not rounded to 1 where the probability
    is; equal ones count half. None for other numbers of classes, and where one class has no image.

    Source: scikit-learn's ``roc_auc_score``; Mann and Whitney's U.
    """
    if outputs.shape[1] != 2:
        return None
    second = labels == 1
    ones, zeros = int(second.sum()), int((~second).sum())
    if not ones or not zeros:
        return None
    values = outputs[:, 1].astype(np.float64) - outputs[:, 0]
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse.ravel()]
    return float((ranks[second].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def means(scores: "list[ClassScores]") -> tuple[Means, Means]:
    """Macro and weighted means of precision, recall and F1.

    Macro: over the classes that are true or predicted somewhere, all alike. Weighted: by the images of each.
    What is undefined counts as 0 in both, as in ``precision_recall_fscore_support`` with ``zero_division=0``.
    """
    occurring = [each for each in scores if each.f1 is not None]
    total = sum(each.support for each in occurring)

    def mean(name: str, *, weighted: bool) -> float:
        values = [getattr(each, name) or 0.0 for each in occurring]
        if weighted:
            return sum(v * each.support for v, each in zip(values, occurring, strict=True)) / max(1, total)
        return sum(values) / max(1, len(occurring))

    macro, weighted = (
        Means(*(mean(name, weighted=kind) for name in Means._fields)) for kind in (False, True)
    )
    return macro, weighted


class Calibration(NamedTuple):
    """Confidence and accuracy of predictions, by bins of their probability.

    Attributes
    ----------
    edges : ndarray, shape (M + 1,)
        Of the bins, 0 to 1: a bin holds what lies above its lower edge, up to its upper one.
    counts : ndarray, shape (M,), int
        Predictions in each.
    confidence, accuracy : ndarray, shape (M,)
        Their mean probability, and the share of them that is right; 0 where a bin is empty.
    """

    edges: Floats
    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Expected calibration error (ECE), 0 to 1: mean distance of accuracy and confidence."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((gaps * self.counts).sum() / max(1, self.counts.sum()))


def calibration(shares: Floats, labels: Labels, *, bins: int = BINS) -> Calibration:
    """Calibration of the likeliest classes, in bins of one width.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017, equation 3.
    """
    sure = shares.max(axis=1)
    right = shares.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    some = np.maximum(1, counts)
    confidence = np.bincount(place, weights=sure, minlength=bins) / some
    accuracy = np.bincount(place, weights=right, minlength=bins) / some
    return Calibration(edges, counts.astype(np.int64), confidence, accuracy)
