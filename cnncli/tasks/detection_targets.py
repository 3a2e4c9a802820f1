"""Which points of a detector's maps are to find which box, and where its sides are.

Legend: n images, M objects in all, H rows and W columns of points. A point is the middle of a square of
``stride`` pixels. Boxes are x0, y0, x1, y1 in pixels of the network's input, in which pixel (0, 0) reaches
from 0 to 1.

Source: Tian et al., FCOS, 2019, section 3: things of some size belong to one scale, and where two claim a
point, it is the smaller's.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.data.warp import moved_points

if TYPE_CHECKING:
    from cnncli.data.loader import Batch
    from cnncli.data.objects import Objects

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
UNIT = 4.0  # strides in which sides are measured, so that outputs are about 1
_NEAR = 1.5  # strides from the middle of a thing within which points find it
_LARGEST = 6.0  # strides that the longer side of things of a scale has at most; the coarsest has the rest
_LEFT = 0.3  # of its area within the image, from which a thing is still to be found
_LEAST = 2.0  # pixels of a side of a thing that is to be found


def placed(batch: "Batch", objects: "Objects") -> "Objects":
    """Objects of a batch where augmentation moved them, of which only what is within the image is left.

    A box that was turned or sheared is the smallest upright one around its corners. What is nearly all cut
    off becomes a crowd: it is neither to be found, nor wrong to be found.
    """
    height, width = batch.x.shape[1:3]
    boxes = corners_of(objects.boxes)
    if batch.moves is not None:
        points = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] - np.float32(0.5)  # pixel (0, 0) is in its middle
        points = moved_points(points, batch.moves[objects.images]) + np.float32(0.5)
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    inside = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    sides, left = _sides(boxes), _sides(inside)
    cut = (left.min(axis=1, initial=np.inf) < _LEAST) | (left.prod(axis=1) < _LEFT * sides.prod(axis=1))
    return replace(
        objects,
        boxes=np.concatenate([inside[:, :2], left], axis=1).astype(np.float64),
        areas=left.prod(axis=1).astype(np.float64),
        crowd=objects.crowd | cut,
        masks=None,
    )


def corners_of(boxes: NDArray[np.floating]) -> Floats:
    """x0, y0, x1, y1 of boxes given as x, y, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32)


def _sides(boxes: Floats) -> Floats:
    return boxes[:, 2:] - boxes[:, :2]


def targets_of(
    batch: "Batch", objects: "Objects", maps: Mapping[int, tuple[int, int]]
) -> dict[int, tuple[Floats, Floats]]:
    """For each stride, targets of classes (n, H, W, K + 1) and of boxes (n, H, W, 5); the last is the weight.

    Parameters
    ----------
    batch : Batch
        Whose `moves` say where nothing is known of what the images show.
    objects : Objects
        Its objects, as of `placed`. Nothing is learned where a crowd is.
    maps : mapping of int to (H, W)
        Sizes of the maps by stride, the finest first.
    """
    boxes = corners_of(objects.boxes)
    scales = scale_of(boxes, tuple(maps))
    result = {}
    for stride, size in maps.items():
        chosen = np.flatnonzero(~objects.crowd & (scales == stride))
        larger_first = chosen[np.argsort(-_sides(boxes[chosen]).prod(axis=1), kind="stable")]
        result[stride] = _of_scale(batch, objects, larger_first, stride, size)
    return result


def scale_of(boxes: Floats, strides: tuple[int, ...]) -> Ints:
    """(M,) the stride of the scale that is to find each box: the finest for which it is not too large."""
    longer = _sides(boxes).max(axis=1, initial=0)
    limits = [_LARGEST * stride for stride in strides[:-1]]
    return np.asarray(np.array(strides)[np.searchsorted(limits, longer)], np.int64)


def points_of(height: int, width: int, stride: int) -> tuple[Floats, Floats]:
    """x (W,) and y (H,) of the points of maps."""
    x, y = (stride * (np.arange(count, dtype=np.float32) + np.float32(0.5)) for count in (width, height))
    return x, y


def _of_scale(
    batch: "Batch", objects: "Objects", chosen: NDArray[np.intp], stride: int, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Targets of one scale, at which only the chosen objects are to be found, smaller ones before larger."""
    (height, width), (x, y) = size, points_of(*size, stride)
    classes = np.zeros((len(batch), height, width, len(objects.classes) + 1), np.float32)
    sides = np.zeros((len(batch), height, width, 5), np.float32)
    classes[..., -1] = _known(batch, x, y)
    boxes, images = corners_of(objects.boxes), objects.images
    for crowd in np.flatnonzero(objects.crowd):
        x0, y0, x1, y1 = boxes[crowd]
        classes[images[crowd], ((y >= y0) & (y <= y1))[:, None] & ((x >= x0) & (x <= x1)), -1] = 0
    own = boxes[chosen]
    near = _near(own[:, 1::2], y, stride)[:, :, None] & _near(own[:, ::2], x, stride)[:, None]
    which, row, column = np.nonzero(near)  # where two claim a point, the later and smaller one gets it
    image, own = images[chosen][which], own[which]
    owner = np.full((len(batch), height, width), -1)
    owner[image, row, column] = which
    kept = owner[image, row, column] == which
    which, row, column, image, own = (each[kept] for each in (which, row, column, image, own))
    classes[image, row, column, objects.labels[chosen][which]] = 1
    classes[image, row, column, -1] = 1
    at = np.stack([x[column], y[row]], axis=1)
    sides[image, row, column, :4] = np.concatenate([at - own[:, :2], own[:, 2:] - at], axis=1)
    sides[image, row, column, :4] /= np.float32(UNIT * stride)
    sides[image, row, column, 4] = 1
    return classes, sides


def _near(ends: Floats, points: Floats, stride: int) -> NDArray[np.bool_]:
    """(M, points) whether points are near the middle of a box, and within it, along one axis.

    The nearest point always is, however thin the box.
    """
    middle = ends.mean(axis=1, keepdims=True)
    within = (points >= ends[:, :1]) & (points <= ends[:, 1:])
    near = within & (np.abs(points - middle) < _NEAR * stride)
    nearest = np.clip(middle[:, 0] / stride, 0, len(points) - 1).astype(np.intp)
    near[np.arange(len(ends)), nearest] = True
    return np.asarray(near)


def _known(batch: "Batch", x: Floats, y: Floats) -> Floats | np.float32:
    """(n, H, W) 0 where a point shows what lies beyond the image as it was read, else 1."""
    if batch.moves is None:
        return np.float32(1)
    height, width = batch.x.shape[1:3]
    at = np.stack(np.broadcast_arrays(x[None] - 0.5, y[:, None] - 0.5, 1.0)).astype(np.float32)
    source_x, source_y = np.einsum("nij,jhw->inhw", batch.moves, at)
    inside = (source_x > -0.5) & (source_x < width - 0.5) & (source_y > -0.5) & (source_y < height - 0.5)
    return np.asarray(inside, np.float32)
