"""Scores of segmentations, from counts that add up image by image.

Legend: K classes; a confusion matrix (K, K) counts pixels, rows are true classes, columns predicted ones.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.data.pixel_labels import UNLABELLED

_TOLERANCE = 0.0075  # of the image's diagonal


@dataclass(frozen=True, eq=False)
class SegmentationScores:
    """Scores over a whole set of images.

    Attributes
    ----------
    confusion : ndarray, shape (K, K), int64
        Pixels.
    mean_iou : float or None
        Mean over classes that occur, of intersection over union; None of no pixels.
    pixel_accuracy : float or None
        Share of pixels whose class is right.
    iou, accuracy, boundary_f1 : ndarray, shape (K,)
        Of each class; NaN where it occurs neither in truth nor in predictions (accuracy: not in truth).
    mean_boundary_f1 : float or None
        Mean over classes that occur.
    absent : tuple of int
        Classes that occur neither in truth nor in predictions; they are in no mean.
    """

    confusion: NDArray[np.int64]
    mean_iou: float | None
    pixel_accuracy: float | None
    iou: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    boundary_f1: NDArray[np.float64]
    mean_boundary_f1: float | None
    absent: tuple[int, ...]


def counts_of(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int, *, ignored: int = UNLABELLED
) -> NDArray[np.float64]:
    """(K * K + 2 K,) counts of an image, whose sums over images `scores_of` takes.

    They are the confusion matrix row by row, the boundary F1 of each class, and whether it occurs.

    Parameters
    ----------
    truth, predicted : ndarray, shape (H, W)
        Classes 0 to K - 1; pixels of ``truth`` may be ignored.
    classes : int
        K, 1 or more.
    ignored : int
        The number of true pixels that do not count.

    Raises
    ------
    ValueError
        Where the shapes differ, or a number is no class.
    """
    if truth.shape != predicted.shape or truth.ndim != 2:
        raise ValueError(f"masks of shapes {truth.shape} and {predicted.shape}; expected the same H, W")
    counts = truth != ignored
    true, said = truth[counts].astype(np.int64), predicted[counts].astype(np.int64)
    for numbers in (true, said):
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < classes):
            wrong = numbers[(numbers < 0) | (numbers >= classes)][0]
            raise ValueError(f"a pixel is of class {wrong}; expected 0 to {classes - 1}")
    confusion = np.bincount(true * classes + said, minlength=classes**2)
    boundaries, there = np.zeros(classes), np.zeros(classes)
    radius = max(1, round(_TOLERANCE * math.hypot(*truth.shape)))
    for k in np.union1d(true, said):
        boundaries[k] = boundary_f1((truth == k) & counts, (predicted == k) & counts, radius)
        there[k] = 1
    return np.concatenate([confusion, boundaries, there])


def scores_of(sums: NDArray[np.float64], classes: int) -> SegmentationScores:
    """Scores of a set of images, from the sum of their `counts_of`."""
    confusion = sums[: classes**2].astype(np.int64).reshape(classes, classes)
    boundaries, images = sums[classes**2 :].reshape(2, classes)
    right, true, said = np.diag(confusion).astype(float), confusion.sum(axis=1), confusion.sum(axis=0)
    iou, mean_iou = overlaps(right, true, said)
    accuracy, boundary = (
        np.divide(above, below, out=np.full(classes, np.nan), where=below > 0)
        for above, below in ((right, true), (boundaries, images))
    )
    there, pixels = ~np.isnan(iou), int(true.sum())
    return SegmentationScores(
        confusion=confusion,
        mean_iou=mean_iou,
        pixel_accuracy=float(right.sum() / pixels) if pixels else None,
        iou=iou,
        accuracy=accuracy,
        boundary_f1=boundary,
        mean_boundary_f1=float(boundary[there].mean()) if pixels else None,
        absent=tuple(np.flatnonzero(~there).tolist()),
    )


def overlaps(
    right: NDArray[np.float64], true: NDArray[np.number], said: NDArray[np.number]
) -> tuple[NDArray[np.float64], float | None]:
    """Intersection over union of K classes, NaN of those in neither, and the mean of the others, if any.

    Parameters
    ----------
    right, true, said : ndarray, shape (K,)
        Pixels of each class that are rightly predicted, that are there, and that are predicted.
    """
    union = true + said - right
    iou = np.divide(right, union, out=np.full(len(right), np.nan), where=union > 0)
    return iou, float(np.nanmean(iou)) if union.any() else None


def boundary_f1(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], radius: int) -> float:
    """Harmonic mean of the shares of each boundary that lies near the other.

    Parameters
    ----------
    truth, predicted : ndarray, shape (H, W), bool
        A region; the edge of the image bounds it as well.
    radius : int
        Pixels within which boundaries are near, measured straight.

    Returns
    -------
    float
        0 to 1; 1 where neither has a boundary, 0 where one alone has.

    Source: Csurka, Larlus and Perronnin, What is a good evaluation measure for semantic segmentation?, 2013.
    """
    one, other = boundary(truth), boundary(predicted)
    if not one.any() or not other.any():
        return float(one.any() == other.any())
    precision = (other & widened(one, radius)).sum() / other.sum()
    recall = (one & widened(other, radius)).sum() / one.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def boundary(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) pixels of a region with a neighbour above, below, left or right that is not of it."""
    inside = np.pad(region, 1)
    whole = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return region & ~whole


def widened(region: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """(H, W) pixels within a distance of a region: for each row of a disk, sums along rows."""
    height, width = region.shape
    before = np.zeros((height, width + 1), np.int64)
    np.cumsum(region, axis=1, out=before[:, 1:])
    columns = np.arange(width)
    found = np.zeros_like(region)
    for down in range(-min(radius, height - 1), min(radius, height - 1) + 1):
        reach = math.isqrt(radius * radius - down * down)
        left, right = np.maximum(columns - reach, 0), np.minimum(columns + reach + 1, width)
        row = before[:, right] > before[:, left]
        here = slice(max(0, -down), height - max(0, down))
        found[here] |= row[max(0, down) : height - max(0, -down)]
    return found
