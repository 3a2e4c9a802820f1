"""How well the pixels of images are labelled. Legend: N images, K classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.tasks.segmentation_scores import SegmentationScores
from cnncli.text import listed


@dataclass(frozen=True, eq=False)
class MapEvaluation:
    """Scores of a network's masks for a split.

    Attributes
    ----------
    indices : ndarray, shape (N,), intp
        Positions in the split.
    summed : SegmentationScores
        Over all images.
    losses : ndarray, shape (N,), float64
        Mean cross-entropy of each image's pixels.
    classes : tuple of str
        K names.
    """

    indices: NDArray[np.intp]
    summed: SegmentationScores
    losses: NDArray[np.float64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def left_out(self) -> list[str]:
        """Classes that are neither there nor found, which do not count in means."""
        return [self.classes[k] for k in self.summed.absent]

    def result(self) -> dict[str, Any]:
        """Images, mean intersection over union, share of right pixels, loss."""
        return {
            "images": len(self),
            "iou": self.summed.mean_iou,
            "pixel_accuracy": self.summed.pixel_accuracy,
            "loss": float(self.losses.mean()),
        }

    def scores(self) -> dict[str, Any]:
        """The same, and all classes, as JSON."""
        confusion = self.summed.confusion
        classes = [
            {
                "label": name,
                "iou": _rounded(self.summed.iou[k]),
                "precision": _rounded(self._precision[k]),
                "recall": _rounded(self.summed.accuracy[k]),
                "boundary_f1": _rounded(self.summed.boundary_f1[k]),
                "pixels": int(confusion[k].sum()),
            }
            for k, name in enumerate(self.classes)
        ]
        return {
            "iou": _rounded(self.summed.mean_iou),
            "pixel_accuracy": _rounded(self.summed.pixel_accuracy),
            "boundary_f1": _rounded(self.summed.mean_boundary_f1),
            "loss": round(float(self.losses.mean()), 6),
            "classes": classes,
            "left_out": self.left_out,
            "confusion": confusion.tolist(),
        }

    @property
    def _precision(self) -> NDArray[np.float64]:
        """(K,) share of the pixels found as a class that are of it; NaN where none is."""
        found = self.summed.confusion.sum(axis=0)
        right = np.diag(self.summed.confusion).astype(np.float64)
        return np.asarray(np.divide(right, found, out=np.full(len(found), np.nan), where=found > 0))

    def headline(self) -> str:
        """Mean intersection over union, and the share of right pixels."""
        iou, pixels = _percent(self.summed.mean_iou), _percent(self.summed.pixel_accuracy)
        return f"mean IoU {iou} ({len(self):,} images), pixels {pixels}"

    def report(self, columns: int) -> list[str]:
        """A table of the classes, and what does not count."""
        scores, width = self.summed, max(map(len, self.classes))
        lines = [
            f"loss {self.losses.mean():.4f}, boundary F1 {_percent(scores.mean_boundary_f1)}",
            f"{'':<{width}}  {'IoU':>7}  precision   recall  boundary F1",
        ]
        for k, name in enumerate(self.classes):
            if k not in scores.absent:
                numbers = scores.iou[k], self._precision[k], scores.accuracy[k], scores.boundary_f1[k]
                iou, precision, recall, edge = map(_percent, numbers)
                lines.append(f"{name:<{width}}  {iou:>7}  {precision:>9}  {recall:>7}  {edge:>11}")
        if max(map(len, lines)) > columns:
            lines[1:] = [
                f"{name}: IoU {_percent(scores.iou[k])}"
                for k, name in enumerate(self.classes)
                if k not in scores.absent
            ]
        if self.left_out:
            lines.append(f"left out, neither there nor found: {listed(self.left_out)}")
        return lines


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6)


def _percent(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.2%}"
