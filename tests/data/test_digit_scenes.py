"""Scenes of digits: their boxes, maps and digits against each other, and the same bits for a seed."""

import numpy as np
import pytest

from cnncli.data.assemble import LoadOptions
from cnncli.data.digit_scenes import make_scenes
from cnncli.data.image_facts import ImageOptions
from cnncli.data.known_datasets import load_scenes
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

GROUND = np.full((80, 90, 3), 100, np.uint8)


def ring():
    """A digit that is known: a square frame."""
    digit = np.zeros((28, 28), np.uint8)
    digit[5:23, 9:19] = 255
    digit[8:20, 12:16] = 0
    return digit


def scenes(count=40, side=64, seed=5, digits=None):
    digits = np.stack([ring(), np.ascontiguousarray(ring().T)]) if digits is None else digits
    labels = np.array([3, 7])[: len(digits)]
    return make_scenes(count, side, seed=seed, digits=digits, labels=labels, grounds=[GROUND])


def test_boxes_are_around_what_maps_show():
    made = scenes()
    assert (np.diff(made.scene) >= 0).all()
    counts = np.bincount(made.scene, minlength=40)
    assert counts.min() == 1
    assert counts.max() == 5
    for number in np.flatnonzero(counts == 1):
        (digit,) = np.flatnonzero(made.scene == number)
        shown = made.maps[number] == made.digits[digit] + 1
        rows, columns = np.nonzero(shown)
        x, y, width, height = made.boxes[digit]
        assert (columns.min(), rows.min()) == (x, y)
        assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (width, height)
        assert (made.maps[number][~shown] == 0).all()


def test_pixels_of_digits_differ_from_the_ground_and_others_do_not():
    made = scenes()
    ground = made.images.astype(int) - np.median(made.images, axis=(1, 2))[:, None, None]
    covered = made.maps > 0
    assert np.abs(ground).max(axis=-1)[covered].min() > 30
    far = ~covered
    for step in (-2, -1, 1, 2):  # edges are mixed
        far &= ~np.roll(covered, step, 1) & ~np.roll(covered, step, 2)
    assert np.abs(ground)[far].mean() < 1


def test_a_seed_decides_every_scene():
    one, again, more = scenes(6), scenes(6), scenes(9)
    assert one.images.tobytes() == again.images.tobytes() == more.images[:6].tobytes()
    np.testing.assert_array_equal(one.boxes, more.boxes[more.scene < 6])
    assert scenes(6, seed=6).images.tobytes() != one.images.tobytes()


def test_an_upright_digit_lies_where_its_square_says():
    """Against the plain definition: the share of each pixel's digit, by linear interpolation."""
    made = scenes(60, side=64)
    sizes = made.boxes[:, 2:].max(axis=1)
    assert sizes.min() > 0.2 * 64 * 10 / 28
    assert sizes.max() < 0.5 * 64 * np.hypot(18, 10) / 28 + 3


def test_the_known_data_set():
    dataset = load_dataset("digit-scenes", LoadOptions(image_options=ImageOptions(size=(32, 32))))
    assert dataset.shape == (32, 32, 3)
    assert len(dataset.train) + len(dataset.val) == 2000
    assert len(dataset.test) == 500
    assert dataset.targets.task == "segmentation"
    assert dataset.targets.classes == ("background", *"0123456789")
    assert set(np.unique(dataset.test.targets.maps)) == set(range(11))


@pytest.mark.parametrize("size", [(64, 32), (16, 16), (512, 512)])
def test_sizes_that_scenes_cannot_have(size):
    with pytest.raises(CnncliError, match="expected squares of 32 to 256"):
        load_scenes(LoadOptions(image_options=ImageOptions(size=size)))
