"""Objects as targets: carried by splits and batches that do not look inside."""

import numpy as np
import pytest

from cnncli.data.loader import Loader
from cnncli.data.masks import Masks, runs_of_dense
from cnncli.data.model import Arrays
from cnncli.data.objects import Objects
from cnncli.errors import CnncliError


@pytest.fixture
def objects(rng):
    """0, 2, 1 and 3 objects in four images of 6x5 pixels, with masks."""
    first = np.array([0, 0, 2, 3, 6])
    masks = rng.random((6, 5, 6)) < 0.4
    return Objects(
        first=first,
        boxes=rng.uniform(0, 3, (6, 4)),
        labels=np.array([0, 1, 1, 0, 0, 2]),
        crowd=np.array([0, 0, 0, 0, 0, 1], bool),
        areas=np.arange(6.0),
        classes=("cat", "dog", "elk"),
        masks=Masks.of([(5, 6)] * 6, [runs_of_dense(each) for each in masks]),
    ), masks


def test_batches_carry_them(objects):
    targets, masks = objects
    images = np.zeros((4, 5, 6, 1), np.uint8)
    (batch,) = Loader(Arrays(images, targets), 4, shuffle=True, seed=3).epoch(0)
    assert batch.indices.tolist() != [0, 1, 2, 3]
    start = 0
    for at, count in zip(batch.indices, np.diff(batch.targets.first), strict=True):
        here = slice(targets.first[at], targets.first[at + 1])
        there = slice(start, start + count)
        assert np.array_equal(batch.targets.boxes[there], targets.boxes[here])
        assert batch.targets.texts()[int(np.flatnonzero(batch.indices == at)[0])] == targets.texts()[at]
        for a, b in zip(range(start, start + count), range(here.start, here.stop), strict=True):
            assert np.array_equal(batch.targets.masks.dense(a), masks[b])
        start += count


def test_joined_they_are_those_of_both(objects):
    targets, masks = objects
    both = targets.take(np.array([3, 1])).joined([targets.take(np.array([2]))])
    assert both.areas.tolist() == [3, 4, 5, 0, 1, 2]
    assert both.images.tolist() == [0, 0, 0, 1, 1, 2]
    assert [both.masks.dense(at).tolist() for at in range(6)] == masks[[3, 4, 5, 0, 1, 2]].tolist()


def test_equal_ones_have_equal_identities(objects):
    targets, _ = objects
    again = targets.take(np.array([2, 2, 0, 3])).identities
    assert again[0] == again[1] == targets.identities[2]
    assert len(set(again.tolist())) == 3


def test_what_is_missing_in_training_is_said(objects):
    targets, _ = objects
    assert targets.take(np.array([3])).problems(targets) == (
        "no training image has dog, which test images have",
    )
    with pytest.raises(CnncliError, match="has no object in 1 images"):
        targets.take(np.array([0])).check_learnable("d", ())
