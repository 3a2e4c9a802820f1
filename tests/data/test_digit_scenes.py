"""Scenes of digits: their boxes, maps and digits against each other, and the same bits for a seed."""

import itertools

import numpy as np
import pytest

from cnncli.data.assemble import LoadOptions
from cnncli.data.digit_scenes import make_scenes
from cnncli.data.image_facts import ImageOptions
from cnncli.data.known_datasets import load_scenes
from cnncli.data.load import load_dataset
from cnncli.data.loader import Loader
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
    numbers = np.arange(count) if isinstance(count, int) else np.array(count)
    return make_scenes(numbers, side, seed=seed, digits=digits, labels=labels, grounds=[GROUND])


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
    assert scenes([5, 2]).images.tobytes() == one.images[[5, 2]].tobytes()


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


@pytest.mark.parametrize("task", ["segment", "detect", "localize"])
def test_every_epoch_trains_on_scenes_of_its_own(task):
    """Of any place in any order the same, and what is to be learned belongs to what is seen."""
    options = ImageOptions(size=(32, 32))
    dataset = load_dataset("digit-scenes", LoadOptions(image_options=options, task=task))
    assert any("every epoch trains on new scenes" in note for note in dataset.notes)
    assert dataset.val.renewed is None
    assert dataset.test.renewed is None
    seen = [kept(next(Loader(dataset.train, 8).epoch(number))) for number in range(3)]
    assert len(set(seen)) == 3
    of_second = [kept(each) for each in itertools.islice(Loader(dataset.train, 8).epoch(1), 3)]
    assert of_second[0] == seen[1]
    resumed = next(Loader(dataset.train, 8).epoch(1, first=2))
    assert kept(resumed) == of_second[2]
    images, targets = dataset.train.renewed(1, np.array([17]))
    np.testing.assert_allclose(resumed.x[1], images[0] / 255, rtol=1e-6)
    assert targets.identities.tolist() == resumed.targets.identities[1:2].tolist()


def kept(batch):
    """All of a batch that a step is given, as bytes."""
    return batch.x.tobytes(), batch.targets.identities.tobytes(), batch.indices.tobytes()


@pytest.mark.parametrize("size", [(64, 32), (16, 16), (512, 512)])
def test_sizes_that_scenes_cannot_have(size):
    with pytest.raises(CnncliError, match="expected squares of 32 to 256"):
        load_scenes(LoadOptions(image_options=ImageOptions(size=size)))
