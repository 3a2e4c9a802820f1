"""Non-maximum suppression: of boxes that overlap, the one with the highest score stays."""

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.object_jobs import SUPPRESS

_SLACK = 1e-4  # of the threshold: float32 errs by less
_ROWS = 5
_IN_STRIP = 128  # boxes of the largest group for each strip, about …
_MOST_STRIPS = 64  # … with at most so many
_NEAR = 1e-6  # of all edges' range: how near a strip's border counts as beyond it; float64 errs by less


def suppressed(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    classes: NDArray[np.integer] | None = None,
    *,
    threshold: float = 0.5,
    threads: int = 1,
) -> NDArray[np.intp]:
    """Choose the boxes that stay.

    Parameters
    ----------
    boxes : ndarray, shape (N, 4)
        x0, y0, x1, y1 in any unit, with x0 <= x1 and y0 <= y1.
    scores : ndarray, shape (N,)
        Of equal scores the earlier box comes first.
    classes : ndarray, shape (N,), or None
        Only boxes of one class compete; None: all do.
    threshold : float
        Intersection over union, 0 to 1, above which the box with the lower score goes.
    threads : int
        Classes are spread over them.

    Returns
    -------
    ndarray, shape (n,), intp
        Positions of the boxes that stay, the highest score first. 10,000 boxes take 1 to 10 ms.

    Raises
    ------
    ValueError
        Where a number is not finite, a box inverted, or the threshold not within 0 to 1.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    scores = np.asarray(scores)
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("a box or a score is not finite; expected finite numbers")
    if (boxes[:, :2] > boxes[:, 2:]).any():
        raise ValueError("a box is inverted; expected x0 <= x1 and y0 <= y1")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; expected 0 to 1")
    if not len(boxes):
        return np.empty(0, np.intp)
    order = np.argsort(-scores, kind="stable")  # of equal scores the earlier one first
    if classes is None:
        return order[_kept(boxes[order], np.array([0, len(order)]), threshold, threads)]
    groups = np.asarray(classes)[order]
    grouped = np.argsort(groups, kind="stable")
    first = np.flatnonzero(np.diff(groups[grouped])) + 1
    stays = np.empty(len(order), np.bool_)
    stays[grouped] = _kept(
        boxes[order[grouped]], np.concatenate([[0], first, [len(order)]]), threshold, threads
    )
    return order[stays]


def _kept(
    boxes: NDArray[np.float64], first: NDArray[np.int64], threshold: float, threads: int
) -> NDArray[np.bool_]:
    """(N,) whether a box stays, of boxes that are sorted by group and score."""
    lanes = native.processor()[3].lanes
    edges = np.empty((_ROWS, len(boxes)), np.float32)
    edges[:4] = boxes.T
    edges[:2] = np.nextafter(edges[:2], np.float32(-np.inf))  # float32 must not find less in common …
    edges[2:4] = np.nextafter(edges[2:4], np.float32(np.inf))
    edges[4] = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept = np.zeros(len(boxes), np.uint8)
    strips = int(np.clip(np.diff(first).max() // _IN_STRIP, 1, _MOST_STRIPS))
    spans = _spans(boxes, threshold, strips)
    starts = _starts(spans[:, 0], first, strips, lanes)
    longest = int(starts[:, -1].max()) + lanes
    longest += longest % 2  # the numbers behind the rows are aligned
    job = np.zeros(1, SUPPRESS)
    job["edges"], job["pitch"], job["boxes"] = edges.ctypes.data, edges.strides[0], boxes.ctypes.data
    job["first"], job["kept"], job["longest"] = first.ctypes.data, kept.ctypes.data, longest
    job["strips"], job["spans"], job["starts"] = strips, spans.ctypes.data, starts.ctypes.data
    job["threshold"], job["slack"] = threshold, threshold * (1 - _SLACK)  # … nor more that is not
    scratch = 4 * _ROWS * longest + 8 * longest + 8 * strips
    native.run("suppress", job, len(first) - 1, threads=threads, scratch_bytes=scratch)
    return kept.astype(bool)


def _spans(boxes: NDArray[np.float64], threshold: float, strips: int) -> NDArray[np.int64]:
    """(N, 3) of each box the strip of its left edge, and the first and last of boxes that may overlap it.

    Where two share more than a part t of what both cover, they share more than t of the width of either, so
    that the narrower has at least t of the other's width w: one that begins before a box does so by less than
    w (1 - t) / t, one that begins after it by less than w (1 - t).
    """
    left, width = boxes[:, 0], boxes[:, 2] - boxes[:, 0]
    low, high = float(left.min()), float(boxes[:, 2].max())
    reach = width * (1 - threshold)
    margin = _NEAR * (high - low)
    before = np.minimum(reach / max(threshold, 1e-9), high - low)
    edges = np.stack([left, left - before - margin, left + reach + margin], axis=1)
    scale = strips / (high - low) if high > low else 0.0
    return np.clip((edges - low) * scale, 0, strips - 1).astype(np.int64)


def _starts(strip: NDArray[np.int64], first: NDArray[np.int64], strips: int, lanes: int) -> NDArray[np.int64]:
    """(G, strips + 1) of each group where the places of its strips begin, in whole vectors."""
    groups = len(first) - 1
    group = np.repeat(np.arange(groups), np.diff(first))
    counts = np.bincount(group * strips + strip, minlength=groups * strips).reshape(groups, strips)
    starts = np.zeros((groups, strips + 1), np.int64)
    np.cumsum(-(-counts // lanes) * lanes, axis=1, out=starts[:, 1:])
    return starts
