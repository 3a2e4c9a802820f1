"""Large images in overlapping tiles: where they lie, and one box for what several of them show.

Legend: T tiles of H x W pixels, D detections. Boxes are x0, y0, x1, y1.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.suppression import suppressed
from cnncli.tasks.detected import OVERLAP, Found

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_AT_ONCE = 64  # boxes whose overlaps with others are looked at together
_NEAR = 2.0  # pixels from the edge of a tile within which a box ends there, and may go on beyond
_DOUBTFUL = 1 / 12  # of a tile's side: a box that ends so near its edge may be of a part as well
_SAME = 0.5  # of a box that ends at a seam which another box of its class covers: they are one thing
_JOINED = 0.3  # overlap, within the two tiles' common part, of boxes that end at a seam and are one thing


def tiles_of(height: int, width: int, tile: tuple[int, int]) -> list[tuple[int, int]]:
    """Top and left of tiles that cover an image; next ones share half of themselves, so that what is at most
    half as large as a tile lies whole within one.
    """
    rows, columns = (_starts(size, side) for size, side in zip((height, width), tile, strict=True))
    return [(row, column) for row in rows for column in columns]


def _starts(size: int, side: int) -> list[int]:
    """Where tiles of a side begin along an axis, evenly spaced, the last so that it ends with the image."""
    count = 1 if size <= side else 1 + -(-(size - side) // max(1, side // 2))
    return [round(at) for at in np.linspace(0, max(0, size - side), count)]


def joined(
    parts: Sequence[Found], places: Sequence[tuple[int, int]], size: tuple[int, int], tile: tuple[int, int]
) -> Found:
    """What the tiles of an image show, each thing once.

    A box that ends at an edge of its tile where the image goes on is a part of something. Where another tile
    shows it whole, that counts; else the parts become one box. A box that ends near such an edge may be a
    part, for networks see ends where things are cut off: it goes where a larger one, which does not, covers
    it.

    Parameters
    ----------
    parts : sequence of Found
        Of each tile, of one image.
    places : sequence of (int, int)
        Top and left of each tile.
    size, tile : (H, W)
        Of the image and of a tile.
    """
    boxes = [
        part.boxes + np.array([left, top] * 2, np.float32)
        for part, (top, left) in zip(parts, places, strict=True)
    ]
    room = [_room(part.boxes, place, size, tile) for part, place in zip(parts, places, strict=True)]
    limits = np.array([size[1], size[0]] * 2, np.float32)
    every = Found(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.clip(np.concatenate(boxes), 0, limits),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.points for part in parts]),
    )
    there = np.asarray((every.boxes[:, :2] < every.boxes[:, 2:]).all(axis=1))
    every, left = every.at(there), np.concatenate(room)[there]
    is_cut, is_clear = left <= _NEAR, left > max(_NEAR, _DOUBTFUL * max(tile))
    whole, doubtful = _suppressed(every.at(is_clear)), every.at(~is_cut & ~is_clear)
    doubtful = doubtful.at(~_covered(doubtful, whole, larger=True))
    whole = _suppressed(Found.joined([whole, doubtful]))
    rest = every.at(is_cut)
    rest = rest.at(~_covered(rest, whole))
    merged = _suppressed(_merged(rest))
    every = Found.joined([whole, merged])
    return every.at(np.argsort(-every.scores, kind="stable"))


def _room(boxes: Floats, place: tuple[int, int], size: tuple[int, int], tile: tuple[int, int]) -> Floats:
    """Pixels from boxes of a tile to the nearest of its edges beyond which the image goes on."""
    (top, left), (height, width), (high, wide) = place, size, tile
    beyond = [left > 0, top > 0, left + wide < width, top + high < height]
    room = np.concatenate([boxes[:, :2], np.array([wide, high], np.float32) - boxes[:, 2:]], axis=1)
    return np.asarray(np.where(beyond, room, np.inf).min(axis=1), np.float32)


def _suppressed(found: Found) -> Found:
    return found.at(suppressed(found.boxes, found.scores, found.labels, threshold=OVERLAP))


def _common(one: Floats, other: Floats) -> Floats:
    """(A, B) pixels that boxes have in common."""
    low, high = (
        np.maximum(one[:, None, :2], other[None, :, :2]),
        np.minimum(one[:, None, 2:], other[None, :, 2:]),
    )
    return np.asarray(np.maximum(high - low, 0).prod(axis=2), np.float32)


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), np.float32)


def _blocks(one: Found, other: Found) -> Iterator[tuple[Ints, Ints]]:
    """Positions of some of the one, and of all others of their classes that they may overlap.

    One after the other they hold little, however many boxes an image has.
    """
    order = np.lexsort((one.boxes[:, 1], one.labels))
    for at in range(0, len(order), _AT_ONCE):
        here = order[at : at + _AT_ONCE]
        labels, boxes = one.labels[here], one.boxes[here]
        alike = (other.labels >= labels.min()) & (other.labels <= labels.max())
        beside = (other.boxes[:, 1] < boxes[:, 3].max()) & (other.boxes[:, 3] > boxes[:, 1].min())
        yield here, np.flatnonzero(alike & beside)


def _covered(parts: Found, whole: Found, *, larger: bool = False) -> NDArray[np.bool_]:
    """Whether a part lies mostly within a whole thing of its class, which may have to be larger than it."""
    covered = np.zeros(len(parts.labels), np.bool_)
    for here, there in _blocks(parts, whole):
        share = _common(parts.boxes[here], whole.boxes[there])
        share /= np.maximum(_areas(parts.boxes[here])[:, None], 1e-6)
        same = parts.labels[here][:, None] == whole.labels[there]
        if larger:
            same &= _areas(whole.boxes[there]) > _areas(parts.boxes[here])[:, None]
        covered[here] = ((share > _SAME) & same).any(axis=1)
    return covered


def _merged(parts: Found) -> Found:
    """Parts of one class that overlap become the box around them, as sure as the surest."""
    one, other = _linked(parts)
    group = np.arange(len(parts.labels))
    while True:  # the least number goes to all that are linked
        least = group.copy()
        np.minimum.at(least, one, group[other])
        np.minimum.at(least, other, group[one])
        least = least[least]
        if (least == group).all():
            break
        group = least
    order = np.argsort(group, kind="stable")
    firsts, starts = np.unique(group[order], return_index=True)
    if not len(firsts):
        return parts
    low = np.minimum.reduceat(parts.boxes[order, :2], starts)
    high = np.maximum.reduceat(parts.boxes[order, 2:], starts)
    return Found(
        parts.images[firsts],
        parts.labels[firsts],
        np.concatenate([low, high], axis=1),
        np.maximum.reduceat(parts.scores[order], starts),
        parts.points[firsts],
    )


def _linked(parts: Found) -> tuple[Ints, Ints]:
    """Pairs of parts of one class that overlap, each once."""
    areas = _areas(parts.boxes)
    pairs = [np.empty((2, 0), np.int64)]
    for here, there in _blocks(parts, parts):
        smaller = np.minimum(areas[here][:, None], areas[there])
        same = parts.labels[here][:, None] == parts.labels[there]
        linked = (_common(parts.boxes[here], parts.boxes[there]) > _JOINED * smaller) & same
        linked &= here[:, None] < there
        rows, columns = np.nonzero(linked)
        pairs.append(np.stack([here[rows], there[columns]]))
    one, other = np.concatenate(pairs, axis=1)
    return one, other
