"""How well the pixels of images are labelled. Legend: N images, K classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.text import listed

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MapEvaluation:
    """Pixels by true and predicted class.

    Attributes
    ----------
    indices : ndarray, shape (N,), intp
        Positions in the split.
    confusions : ndarray, shape (N, K, K), int64
        Of each image: rows are true classes, columns predicted ones.
    losses : ndarray, shape (N,), float64
        Mean cross-entropy of each image's pixels.
    classes : tuple of str
        K names.
    """

    indices: NDArray[np.intp]
    confusions: Counts
    losses: NDArray[np.float64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def confusion(self) -> Counts:
        """(K, K) of all images."""
        return np.asarray(self.confusions.sum(axis=0), np.int64)

    @property
    def overlaps(self) -> NDArray[np.float64]:
        """(K,) intersection over union, each over all images; NaN of a class neither there nor found."""
        return overlaps(self.confusion)

    @property
    def iou(self) -> float:
        """Mean of the overlaps of the classes that are there or found."""
        return float(np.nanmean(self.overlaps))

    @property
    def pixel_accuracy(self) -> float:
        """Share of the pixels whose predicted class is the true one."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def left_out(self) -> list[str]:
        """Classes that are neither there nor found, which do not count in the mean."""
        return [name for name, each in zip(self.classes, self.overlaps, strict=True) if np.isnan(each)]

    def result(self) -> dict[str, Any]:
        """Images, mean overlap, share of right pixels, loss."""
        return {
            "images": len(self),
            "iou": self.iou,
            "pixel_accuracy": self.pixel_accuracy,
            "loss": float(self.losses.mean()),
        }

    def scores(self) -> dict[str, Any]:
        """The same, and all classes, as JSON."""
        confusion, of_class = self.confusion, self.overlaps
        true, found = confusion.sum(axis=1), confusion.sum(axis=0)
        classes = [
            {
                "label": name,
                "iou": None if np.isnan(of_class[k]) else round(float(of_class[k]), 6),
                "precision": round(float(confusion[k, k] / found[k]), 6) if found[k] else None,
                "recall": round(float(confusion[k, k] / true[k]), 6) if true[k] else None,
                "pixels": int(true[k]),
            }
            for k, name in enumerate(self.classes)
        ]
        return {
            "iou": round(self.iou, 6),
            "pixel_accuracy": round(self.pixel_accuracy, 6),
            "loss": round(float(self.losses.mean()), 6),
            "classes": classes,
            "left_out": self.left_out,
            "confusion": confusion.tolist(),
        }

    def headline(self) -> str:
        """Mean overlap, and the share of right pixels."""
        return f"mean IoU {self.iou:.2%} ({len(self):,} images), pixels {self.pixel_accuracy:.2%}"

    def report(self, columns: int) -> list[str]:
        """A line for each class, and what does not count."""
        width = max(map(len, self.classes))
        confusion = self.confusion
        lines = [f"loss {self.losses.mean():.4f}"]
        for k, name in enumerate(self.classes):
            if name in self.left_out:
                continue
            true, found = confusion[k].sum(), confusion[:, k].sum()
            recall = f"{confusion[k, k] / true:7.2%}" if true else "      -"
            precision = f"{confusion[k, k] / found:7.2%}" if found else "      -"
            line = f"{name:<{width}}  IoU {self.overlaps[k]:7.2%}  precision {precision}  recall {recall}"
            lines.append(line if len(line) <= columns else f"{name}  IoU {self.overlaps[k]:.2%}")
        if self.left_out:
            lines.append(f"left out, neither there nor found: {listed(self.left_out)}")
        return lines


def overlaps(confusion: Counts) -> NDArray[np.float64]:
    """(K,) intersection over union of each class, from pixels (K, K) by true and predicted class.

    NaN where a class is neither there nor found.
    """
    both = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    shares = np.full(len(both), np.nan)
    there = union > 0
    shares[there] = both[there] / union[there]
    return shares
