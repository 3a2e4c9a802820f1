"""How well a detector finds the objects of a split. Legend: N images, K classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.tasks.detected import MOST, Found
from cnncli.tasks.detection_scores import DetectionScores, detection_scores

if TYPE_CHECKING:
    from cnncli.data.coco_results import Detections
    from cnncli.data.objects import Objects

_FIELDS = 6  # of a detection: x, y, width, height, score, class
_MEANS = {"map": "ap", "map50": "ap50", "map75": "ap75"}


def rows_of(found: Found, images: int) -> NDArray[np.float64]:
    """(n, 100 * 6) what is found in each image; scores of rows without a detection are -1."""
    rows = np.full((images, MOST, _FIELDS), -1.0)
    place = np.arange(len(found.images)) - np.searchsorted(found.images, found.images)
    sizes = found.boxes[:, 2:] - found.boxes[:, :2]
    columns = [found.boxes[:, :2], sizes, found.scores[:, None], found.labels[:, None]]
    rows[found.images, place] = np.concatenate(columns, axis=1)
    return rows.reshape(images, -1)


@dataclass(frozen=True, eq=False)
class DetectionEvaluation:
    """Scores of a network's detections for a split.

    Attributes
    ----------
    indices : ndarray, shape (N,), intp
        Positions in the split.
    objects : Objects
        What is to be found.
    rows : ndarray, shape (N, 600), float64
        What is found, as of `rows_of`.
    losses : ndarray, shape (N,), float64
        Of each image.
    """

    indices: NDArray[np.intp]
    objects: "Objects"
    rows: NDArray[np.float64]
    losses: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def found(self) -> "Detections":
        """All detections."""
        from cnncli.data.coco_results import Detections

        table = self.rows.reshape(len(self), MOST, _FIELDS)
        images, places = np.nonzero(table[..., 4] >= 0)
        every = table[images, places]
        return Detections(
            images=images.astype(np.int64),
            labels=every[:, 5].astype(np.int64),
            scores=every[:, 4],
            boxes=every[:, :4],
            masks=None,
        )

    @cached_property
    def by_boxes(self) -> DetectionScores:
        """COCO's scores."""
        return detection_scores(self.objects, self.found, "boxes")

    def result(self) -> dict[str, Any]:
        """Images, mean average precision over overlaps, at 0.5 and at 0.75, loss."""
        figures = self.by_boxes.figures()
        means = {name: figures[key] for name, key in _MEANS.items()}
        return {"images": len(self), **means, "loss": float(self.losses.mean())}

    def scores(self) -> dict[str, Any]:
        """COCO's twelve figures, and those of each class, as JSON."""
        classes = [
            {"label": name, "objects": int(self.by_boxes.objects[k]), **_rounded(self.by_boxes.of_class(k))}
            for k, name in enumerate(self.objects.classes)
        ]
        return {
            "objects": int((~self.objects.crowd).sum()),
            "detections": len(self.found.labels),
            "loss": round(float(self.losses.mean()), 6),
            "boxes": {**_rounded(self.by_boxes.figures()), "classes": classes},
        }

    def headline(self) -> str:
        """Mean average precision."""
        return sentence(self.result())

    def report(self, columns: int) -> list[str]:
        """COCO's figures, and a row for each class that has objects."""
        from cnncli.tasks.detection_table import table_of

        objects = int((~self.objects.crowd).sum())
        first = f"loss {self.losses.mean():.4f}, {objects:,} objects, {len(self.found.labels):,} detections"
        return [first, *table_of(self.by_boxes, self.objects.classes, by="boxes", columns=columns)]


def sentence(result: Mapping[str, Any]) -> str:
    """Mean average precision in words."""
    if result["map"] is None:
        return f"no objects to be found ({result['images']:,} images)"
    means = f"mAP {result['map']:.2%}, at IoU 0.5 {result['map50']:.2%}"
    return f"{means} ({result['images']:,} images)"


def _rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 9) for name, value in figures.items()}
