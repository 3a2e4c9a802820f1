"""Scores of segmentations, beside plain sets of pixels and SciPy's distances."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from cnncli.tasks.segmentation_scores import boundary_f1, counts_of, scores_of, widened

IMAGES, CLASSES = 3, 5


@pytest.fixture
def masks(rng):
    """Images of blocks of classes 0 to 3 with some pixels ignored, and predictions that err; 4 is absent."""
    truth = rng.integers(0, 4, (IMAGES, 6, 8)).repeat(5, 1).repeat(5, 2)
    predicted = np.roll(truth, (1, 2), (1, 2))
    predicted[:, :4, :7] = 2
    truth[rng.random(truth.shape) < 0.1] = 255
    return truth.astype(np.uint8), predicted.astype(np.uint8)


def added(truth, predicted, classes=CLASSES):
    return scores_of(sum(counts_of(*pair, classes) for pair in zip(truth, predicted, strict=True)), classes)


def test_union_is_over_the_whole_set(masks):
    truth, predicted = masks
    scores = added(truth, predicted)
    counts = truth != 255
    expected = []
    for k in range(4):
        one, other = (truth == k) & counts, (predicted == k) & counts
        expected.append((one & other).sum() / (one | other).sum())
        assert scores.accuracy[k] == pytest.approx((one & other).sum() / one.sum())
    assert scores.iou[:4].tolist() == pytest.approx(expected)
    assert scores.mean_iou == pytest.approx(np.mean(expected))
    assert scores.pixel_accuracy == pytest.approx((truth == predicted)[counts].mean())
    assert scores.absent == (4,)
    assert np.isnan([scores.iou[4], scores.accuracy[4], scores.boundary_f1[4]]).all()


def test_the_confusion_matrix_is_sklearns(masks):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, predicted = masks
    counts = truth != 255
    expected = metrics.confusion_matrix(truth[counts], predicted[counts], labels=range(CLASSES))
    assert np.array_equal(added(truth, predicted).confusion, expected)
    assert added(truth, predicted).mean_iou == pytest.approx(
        metrics.jaccard_score(truth[counts], predicted[counts], average="macro")
    )


def plain_boundary_f1(truth, predicted, radius):
    """By distances to the nearest boundary pixel."""
    one, other = (region & ~binary_erosion(region) for region in (truth, predicted))
    precision = (distance_transform_edt(~one)[other] <= radius).mean()
    recall = (distance_transform_edt(~other)[one] <= radius).mean()
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("radius", [1, 2, 5, 60])
def test_boundaries_are_near_as_distances_say(rng, radius):
    blocks = rng.random((2, 5, 6)).repeat(8, 1).repeat(8, 2) < 0.5
    truth, predicted = blocks[0], np.roll(blocks[0], 3, 1) | (blocks[1] & blocks[0])
    assert boundary_f1(truth, predicted, radius) == pytest.approx(plain_boundary_f1(truth, predicted, radius))
    near = distance_transform_edt(~predicted) <= radius
    assert np.array_equal(widened(predicted, radius), near)


def test_one_boundary_alone_is_wrong_and_none_is_right():
    nothing, something = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert (boundary_f1(nothing, nothing, 1), boundary_f1(something, nothing, 1)) == (1, 0)


def test_boundary_f1_is_a_mean_over_the_images_with_the_class(masks):
    truth, predicted = masks
    there = (truth == 3).any((1, 2)) | (predicted == 3).any((1, 2))
    expected = [
        plain_boundary_f1(t == 3, (p == 3) & (t != 255), 1)
        for t, p in zip(truth[there], predicted[there], strict=True)
    ]
    assert added(truth, predicted).boundary_f1[3] == pytest.approx(np.mean(expected))


def test_what_it_refuses():
    with pytest.raises(ValueError, match="shapes"):
        counts_of(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
    with pytest.raises(ValueError, match="class 2; expected 0 to 1"):
        counts_of(np.zeros((2, 2), int), np.full((2, 2), 2), 2)
    nothing = scores_of(np.zeros(2 * 2 + 2 * 2), 2)
    assert (nothing.mean_iou, nothing.absent) == (None, (0, 1))
