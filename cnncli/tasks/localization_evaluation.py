"""How well the one thing of each image is named and found. Legend: N images, K classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOUND = 0.5
_CLASS = 24  # characters of a class's name


@dataclass(frozen=True, eq=False)
class LocalizationEvaluation:
    """Classes and boxes of a network for a split.

    Attributes
    ----------
    indices : ndarray, shape (N,), intp
        Positions in the split.
    labels : ndarray, shape (N,), int64
        True classes.
    values : ndarray, shape (N, K), float64
        Of the classes, before the softmax.
    overlaps : ndarray, shape (N,), float64
        Intersection over union of the boxes and the true ones.
    losses : ndarray, shape (N,), float64
        Of each image.
    classes : tuple of str
        K names.
    """

    indices: NDArray[np.intp]
    labels: NDArray[np.int64]
    values: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    losses: NDArray[np.float64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether the likeliest class is the true one."""
        return np.asarray(self.values.argmax(axis=1) == self.labels)

    def result(self) -> dict[str, Any]:
        """Images, mean overlap, accuracy, share of boxes above 0.5, loss."""
        return {
            "images": len(self),
            **self._of(np.ones(len(self), np.bool_)),
            "loss": float(self.losses.mean()),
        }

    def _of(self, which: NDArray[np.bool_]) -> dict[str, float]:
        return {
            "iou": float(self.overlaps[which].mean()),
            "accuracy": float(self.right[which].mean()),
            "iou_above_half": float((self.overlaps[which] > _FOUND).mean()),
        }

    def scores(self) -> dict[str, Any]:
        """The same, and of each class, as JSON; and the share that is both named and found."""
        both = self.right & (self.overlaps > _FOUND)
        return {
            **{name: round(value, 6) for name, value in self.result().items() if name != "images"},
            "right_and_above_half": round(float(both.mean()), 6),
            "classes": [
                {
                    "label": name,
                    "images": int(here.sum()),
                    **{key: round(value, 6) for key, value in self._of(here).items()},
                }
                for name, here in self._by_class()
            ],
        }

    def _by_class(self) -> list[tuple[str, NDArray[np.bool_]]]:
        """Classes that images have, and which ones."""
        found = [(name, np.asarray(self.labels == k)) for k, name in enumerate(self.classes)]
        return [(name, here) for name, here in found if here.any()]

    def headline(self) -> str:
        """Mean overlap and accuracy."""
        return sentence(self.result())

    def report(self, columns: int) -> list[str]:
        """A row for each class."""
        from cnncli.files.faults import shown
        from cnncli.table import table_lines

        rows = [["class", "images", "IoU", "above 0.5", "accuracy"]]
        for name, here in self._by_class():
            of = self._of(here)
            cells = [f"{of[key]:.2%}" for key in ("iou", "iou_above_half", "accuracy")]
            rows.append([shown(name)[:_CLASS], f"{here.sum():,}", *cells])
        both = self.right & (self.overlaps > _FOUND)
        first = f"loss {self.losses.mean():.4f}, rightly named and above 0.5: {both.mean():.2%}"
        return [first, *table_lines(rows, columns=columns, by_worth=(0, 2, 4, 3, 1), right=(1, 2, 3, 4))]


def sentence(result: Mapping[str, Any]) -> str:
    """Mean overlap and accuracy in words."""
    found = f"mean IoU {result['iou']:.2%}, {result['iou_above_half']:.2%} above 0.5"
    return f"{found}, accuracy {result['accuracy']:.2%} ({result['images']:,} images)"
