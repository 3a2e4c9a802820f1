"""Scenes of digits: their boxes, maps and digits against each other, and the same bits for a seed."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from cnncli.data.assemble import LoadOptions
from cnncli.data.digit_scenes import _Plan, make_scenes
from cnncli.data.image_facts import ImageOptions
from cnncli.data.known_datasets import load_scenes
from cnncli.data.load import load_dataset
from cnncli.data.loader import Loader
from cnncli.data.random_numbers import uniform
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


def painted(plan, digits, side):
    """A scene by the definition, in NumPy: its image, and which of its digits each pixel shows, or -1."""
    image = np.minimum(plan.ground * plan.tint, np.float32(255)).astype(np.float64)
    shown = np.full((side, side), -1)
    for place, digit in enumerate(plan.digits):
        corner = np.floor((digit.left, digit.top))
        x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
        across, down = x - digit.left - digit.size / 2, y - digit.top - digit.size / 2
        scale = 28 / digit.size
        row = (np.cos(digit.turn) * down - np.sin(digit.turn) * across) * scale
        column = (np.cos(digit.turn) * across + np.sin(digit.turn) * down) * scale + digit.lean * row
        # Pixel centres: the middle of a digit lies between its pixels 13 and 14.
        places = np.stack([row + 13.5, column + 13.5])
        opacity = map_coordinates(digits[digit.which] / 255, places, order=1, mode="grid-constant")
        # Painting begins at its square's corner, and ends where the largest square would.
        inside = [
            (each - start > 0) & (each - start < side // 2 + 2)
            for each, start in zip((x, y), corner, strict=True)
        ]
        opacity[~np.logical_and(*inside)] = 0
        covered = opacity >= 0.5
        mean = image[covered].mean() if covered.any() else 128
        light = (mean < 128) == digit.contrary if 70 < mean < 185 else mean < 128
        low, high = (min(255, mean + 70), 255) if light else (0, max(0, mean - 70))
        colour = low + (high - low) * np.array(digit.colour)
        image += opacity[..., None] * (colour - image)
        shown[covered] = place
    return np.rint(image), shown


@pytest.mark.parametrize("side", [32, 33, 128])
def test_scenes_against_the_definition(side):
    random = np.random.default_rng(side)
    digits = np.kron(random.integers(0, 256, (7, 7, 7)), np.ones((4, 4))).astype(np.uint8)
    labels, grounds = (
        np.array([3, 7, 0, 9, 1, 1, 2]),
        [random.integers(0, 256, (140, 150, 3)).astype(np.uint8)],
    )
    numbers = np.arange(30, 42)
    made = make_scenes(numbers, side, seed=4, digits=digits, labels=labels, grounds=grounds, threads=2)
    lots = uniform(4, numbers[:, None], np.arange(192)).tolist()
    boxes = []
    for at, lot in enumerate(lots):
        plan = _Plan(lot, side, (7, 5), grounds)
        image, shown = painted(plan, digits, side)
        assert (np.abs(made.images[at] - image) > 1).mean() < 1e-3
        classes = np.concatenate([labels[[digit.which for digit in plan.digits]] + 1, [0]])
        assert (made.maps[at] != classes[shown]).mean() < 1e-3
        boxes += [np.nonzero(shown == place)[::-1] for place in range(len(plan.digits))]
    assert len(boxes) == len(made.boxes)
    for (x, y), box in zip(boxes, made.boxes, strict=True):
        wanted = (x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1) if len(x) else (0, 0, 0, 0)
        np.testing.assert_allclose(box, wanted, atol=1)


def test_the_number_of_threads_decides_nothing():
    digits = np.stack([ring(), np.ascontiguousarray(ring().T)])
    one, two = (
        make_scenes(
            np.arange(9),
            40,
            seed=2,
            digits=digits,
            labels=np.array([3, 7]),
            grounds=[GROUND],
            threads=threads,
        )
        for threads in (1, 2)
    )
    assert one.images.tobytes() == two.images.tobytes()
    np.testing.assert_array_equal(one.maps, two.maps)
    np.testing.assert_array_equal(one.boxes, two.boxes)


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
    images, targets = dataset.train.renewed(1, np.array([17]), 1)
    np.testing.assert_allclose(resumed.x[1], images[0] / 255, rtol=1e-6)
    assert targets.identities.tolist() == resumed.targets.identities[1:2].tolist()


def kept(batch):
    """All of a batch that a step is given, as bytes."""
    return batch.x.tobytes(), batch.targets.identities.tobytes(), batch.indices.tobytes()


@pytest.mark.parametrize("size", [(64, 32), (16, 16), (512, 512)])
def test_sizes_that_scenes_cannot_have(size):
    with pytest.raises(CnncliError, match="expected squares of 32 to 256"):
        load_scenes(LoadOptions(image_options=ImageOptions(size=size)))
