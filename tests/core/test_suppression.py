"""Non-maximum suppression, beside a plain loop in float64."""

import numpy as np
import pytest

from cnncli.core import native
from cnncli.core.suppression import suppressed

LANES = native.processor()[3].lanes


def plain(boxes, scores, classes, threshold):
    """Positions that stay, by the definition: every box against every surer one that stays."""
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        for j in kept:
            low, high = np.maximum(boxes[i, :2], boxes[j, :2]), np.minimum(boxes[i, 2:], boxes[j, 2:])
            common = np.prod(np.maximum(high - low, 0.0))
            both = np.prod(boxes[i, 2:] - boxes[i, :2]) + np.prod(boxes[j, 2:] - boxes[j, :2]) - common
            if classes[i] == classes[j] and both > 0 and common / both > threshold:
                break
        else:
            kept.append(i)
    return kept


def random_boxes(rng, count, side, size, whole=False):
    corners, sizes = rng.uniform(-side, side, (count, 2)), rng.uniform(0, size, (count, 2))
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    return np.round(boxes) if whole else boxes


@pytest.mark.parametrize("count", [1, LANES - 1, LANES, LANES + 1, 3 * LANES + 2])
@pytest.mark.parametrize("threshold", [0.0, 0.5])
@pytest.mark.parametrize("whole", [False, True], ids=["fractions", "ties"])
def test_it_is_the_plain_loop(rng, count, threshold, whole):
    """Whole boxes share many overlaps, of exactly the threshold too, and rounded scores are often equal."""
    boxes = random_boxes(rng, count, 12, 16, whole)
    scores = rng.random(count).round(1 if whole else 9)
    classes = rng.integers(-1, 2, count)
    for threads in (1, 2):
        kept = suppressed(boxes, scores, classes, threshold=threshold, threads=threads)
        assert kept.tolist() == plain(boxes, scores, classes, threshold)
    assert suppressed(boxes, scores, threshold=threshold).tolist() == plain(
        boxes, scores, np.zeros(count), threshold
    )


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", [4, 40, 400])
def test_many_boxes_of_all_widths(rng, threshold, size):
    """In strips by their left edges: one that is wide may begin far from a box that it overlaps."""
    boxes = random_boxes(rng, 1000, 100, size) * np.array([1, 0.2, 1, 0.2])
    scores = rng.random(1000)
    low, high = (
        np.maximum(boxes[:, None, :2], boxes[None, :, :2]),
        np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]),
    )
    common = np.maximum(high - low, 0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    above = common / (areas[:, None] + areas - common) > threshold
    kept = []
    for i in np.argsort(-scores):
        if not above[i, kept].any():
            kept.append(int(i))
    assert suppressed(boxes, scores, threshold=threshold).tolist() == kept


def test_small_boxes_far_from_the_origin(rng):
    """float32 cannot tell their edges apart there; the decision is made in float64."""
    boxes = random_boxes(rng, 60, 2, 2) + 1e7
    scores = rng.random(60)
    assert suppressed(boxes, scores).tolist() == plain(boxes, scores, np.zeros(60), 0.5)


def test_an_overlap_of_the_threshold_stays_and_one_above_goes():
    boxes = np.array([[0, 0, 3, 1], [1, 0, 4, 1], [0, 0, 3, 1.0]])  # 2 of 4, and the same again
    assert suppressed(boxes, np.array([0.9, 0.8, 0.9]), threshold=0.5).tolist() == [0, 1]
    assert suppressed(boxes, np.array([0.9, 0.8, 0.9]), threshold=0.4999999999).tolist() == [0]


def test_none_stays_of_none():
    assert suppressed(np.empty((0, 4)), np.empty(0)).tolist() == []


@pytest.mark.parametrize(
    ("boxes", "threshold", "match"),
    [
        ([[0, 0, np.nan, 1]], 0.5, "not finite"),
        ([[2, 0, 1, 1]], 0.5, "inverted"),
        ([[0, 0, 1, 1]], 1.5, "threshold is 1.5"),
    ],
)
def test_what_it_refuses(boxes, threshold, match):
    with pytest.raises(ValueError, match=match):
        suppressed(np.array(boxes, float), np.ones(1), threshold=threshold)
