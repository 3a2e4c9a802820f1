"""What a detector's maps say: boxes with classes and scores, of those that overlap only the surest.

Legend: n images, D detections in all, K classes. Boxes are x0, y0, x1, y1 in pixels of the network's input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.core.suppression import suppressed
from cnncli.models.detector import BOXES, CLASSES
from cnncli.tasks.detection_targets import UNIT, points_of

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
LEAST = 0.05  # score below which nothing counts as found
MOST = 100  # detections of an image
OVERLAP = 0.6  # of two boxes of a class, above which the less sure one goes
_CANDIDATES = 1000  # points of a scale and an image that are looked at


@dataclass(frozen=True, eq=False)
class Found:
    """Detections, by image and the surest first.

    Attributes
    ----------
    images, labels : ndarray, shape (D,), int64
        Image and class of each.
    boxes : ndarray, shape (D, 4), float32
        Where it is.
    scores : ndarray, shape (D,), float32
        How sure, `LEAST` to 1.
    points : ndarray, shape (D,), int64
        Which point of the maps says so: row by row, those of the finest scale first.
    """

    images: Ints
    labels: Ints
    boxes: Floats
    scores: Floats
    points: Ints

    def at(self, which: NDArray[np.generic]) -> "Found":
        """Some of them, by position or as a mask."""
        return Found(*(each[which] for each in self._columns))

    @classmethod
    def joined(cls, parts: "Sequence[Found]") -> "Found":
        """Those of several."""
        return cls(*(np.concatenate(each) for each in zip(*(part._columns for part in parts), strict=True)))

    @property
    def _columns(self) -> "tuple[Ints, Ints, Floats, Floats, Ints]":
        return self.images, self.labels, self.boxes, self.scores, self.points


def strides_of(outputs: Mapping[str, object]) -> tuple[int, ...]:
    """Pixels from point to point of each scale, of outputs by role."""
    return tuple(sorted(int(role.removeprefix(CLASSES)) for role in outputs if role.startswith(CLASSES)))


def found_in(outputs: Mapping[str, Floats], *, least: float = LEAST, most: int = MOST) -> Found:
    """Read the maps of n images.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        By role, as `cnncli.models.detector` names them.
    least : float
        Lowest score.
    most : int
        Detections of an image.
    """
    strides = strides_of(outputs)
    _, height, width, classes = outputs[f"{CLASSES}{strides[0]}"].shape
    size = np.array([width, height] * 2, np.float32) * strides[0]
    every = Found.joined([_candidates(outputs, stride, least, size) for stride in strides])
    groups = every.images * classes + every.labels
    stay = every.at(suppressed(every.boxes, every.scores, groups, threshold=OVERLAP))
    return surest(stay, most)


def surest(found: Found, most: int) -> Found:
    """Those that are sure most of each image, by image."""
    ordered = found.at(np.lexsort((-found.scores, found.images)))
    starts = np.searchsorted(ordered.images, ordered.images)
    return ordered.at(np.arange(len(starts)) - starts < most)


def point_at(outputs: Mapping[str, Floats], number: int) -> tuple[str, int, int]:
    """The role of the map of classes that a point is of, its row and its column."""
    for stride in strides_of(outputs):
        _, height, width, _ = outputs[f"{CLASSES}{stride}"].shape
        if number < height * width:
            return f"{CLASSES}{stride}", *divmod(number, width)
        number -= height * width
    raise IndexError(number)


def _candidates(outputs: Mapping[str, Floats], stride: int, least: float, size: Floats) -> Found:
    """What one scale says, before suppression."""
    values, sides = outputs[f"{CLASSES}{stride}"], outputs[f"{BOXES}{stride}"]
    _, height, width, classes = values.shape
    image, row, column, label = np.nonzero(values >= np.float32(np.log(least / (1 - least))))
    logits = values[image, row, column, label]
    place = (row * width + column) * classes + label
    finer = [outputs[f"{CLASSES}{each}"].shape for each in strides_of(outputs) if each < stride]
    if len(logits) > _CANDIDATES:
        order = np.lexsort((place, -logits, image))
        starts = np.searchsorted(image[order], image[order])
        kept = np.sort(order[np.arange(len(order)) - starts < _CANDIDATES])
        image, row, column, label = (each[kept] for each in (image, row, column, label))
        logits = logits[kept]
    x, y = points_of(height, width, stride)
    at = np.stack([x[column], y[row]], axis=1)
    reach = sides[image, row, column] * np.float32(UNIT * stride)
    boxes = np.concatenate([at - reach[:, :2], at + reach[:, 2:]], axis=1)
    boxes = np.clip(boxes, 0, size)
    good = (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    points = sum(shape[1] * shape[2] for shape in finer) + row * width + column
    every = Found(image, label, boxes, scores.astype(np.float32), points.astype(np.int64))
    return every.at(good)
