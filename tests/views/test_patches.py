"""Patches: those that brute force finds, cut to what pixels reach."""

import numpy as np
import pytest

from cnncli.models.architecture import Architecture
from cnncli.nn import Inference, Network, Shape
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import Checkpoint
from cnncli.views.featuremaps import patches
from cnncli.views.featuremaps.model import Request, Subject
from cnncli.views.featuremaps.units import FieldMap

SHAPE = (14, 12, 1)
COUNT = 4


class Images:
    """Random images in memory."""

    skipped = 0

    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def batches(self, size):
        """So many at a time."""
        size = min(size, 3)  # several batches, the last one smaller
        for first in range(0, len(self.pixels), size):
            part = self.pixels[first : first + size]
            yield [f"image {first + at}" for at in range(len(part))], part


@pytest.fixture
def subject():
    architecture = Architecture("custom", "conv4 relu pool conv3 relu gap fc", SHAPE, 2)
    network = Network(architecture.graph(), seed=4)
    checkpoint = Checkpoint(
        network.export(),
        Classification(("a", "b")),
        Preprocessing(SHAPE[:2], 1, (0.5,), (0.25,)),
        architecture,
    )
    return Subject(checkpoint, network, 1)


def maps_of(subject, layer, pixels):
    """What a layer computes from images."""
    x = np.ascontiguousarray(subject.checkpoint.preprocessing.normalise(pixels))
    inference = Inference(subject.network, len(pixels), threads=1, keep=(layer,))
    return inference.activations(x)[layer]


@pytest.mark.parametrize("layer", ["relu1", "relu2", "globalavgpool1"])
def test_they_are_those_of_brute_force(subject, layer, rng):
    pixels = rng.integers(0, 256, (8, *SHAPE)).astype(np.uint8)
    request = Request(layers=(layer,), pictures=Images(pixels))
    found, looked_at = patches.find_patches(subject, {layer: [0, 1]}, request, count=COUNT)
    assert looked_at == 8
    values = maps_of(subject, layer, pixels)
    fields = FieldMap(subject.graph, layer)
    for unit in (0, 1):
        every = [
            (value, image, row, column)
            for (image, row, column), value in np.ndenumerate(values[..., unit])
            if value > 0
        ]
        expected = []
        for value, image, row, column in sorted(every, key=lambda each: -each[0]):
            own = [each for each in expected if each[1] == image]
            if all(overlap(fields.box(row, column), fields.box(*each[2:])) <= 0.3 for each in own):
                expected.append((value, image, row, column))
        expected = expected[:COUNT]
        assert len(expected) == COUNT or layer == "globalavgpool1"
        assert [(each.image, *each.place) for each in found[layer, unit]] == [
            (f"image {image}", row, column) for _, image, row, column in expected
        ]
        for patch, (value, image, *_) in zip(found[layer, unit], expected, strict=True):
            left, top, right, bottom = patch.box
            assert patch.value == pytest.approx(value)
            np.testing.assert_array_equal(patch.pixels, pixels[image, top:bottom, left:right])


def overlap(one, other):
    """The share of the smaller box that both have, pixel by pixel."""
    cells = [
        {(x, y) for x in range(left, right) for y in range(top, bottom)}
        for left, top, right, bottom in (one, other)
    ]
    return len(cells[0] & cells[1]) / min(map(len, cells))


@pytest.mark.parametrize("place", [(0, 0), (3, 2), (6, 5)])
def test_a_box_holds_the_pixels_that_reach_the_value(subject, place, rng):
    """Each pixel is changed in turn; the value changes only for those in the box, and for its corners."""
    layer = "conv2"
    base = rng.random((1, *SHAPE)).astype(np.float32)
    inference = Inference(subject.network, 1, threads=1, keep=(layer,))
    value = inference.activations(base)[layer][0, *place].copy()
    reached = np.zeros(SHAPE[:2], bool)
    for y, x in np.ndindex(*SHAPE[:2]):
        for by in (-40.0, 40.0):  # one of them gets through the maximum and the ReLU before it
            changed = base.copy()
            changed[0, y, x] += by
            reached[y, x] |= bool((inference.activations(changed)[layer][0, *place] != value).any())
    rows, columns = np.flatnonzero(reached.any(1)), np.flatnonzero(reached.any(0))
    left, top, right, bottom = FieldMap(subject.graph, layer).box(*place)
    assert (left, top, right, bottom) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_a_unit_that_is_never_above_0_has_none(subject, rng):
    pixels = rng.integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    arrays = subject.network.export()
    arrays["conv1.bias"][1] = -1e6
    subject.network.load(arrays)
    drawing = patches.draw(subject, Request(layers=("relu1",), pictures=Images(pixels)))
    assert [len(unit["patches"]) > 0 for unit in drawing.record["layers"][0]["units"]] == [True, False]
    assert drawing.sections[0].note == "never above 0: #1"


def test_a_veil_lies_over_what_a_unit_does_not_respond_to():
    pixels = np.full((8, 8, 1), 100, np.uint8)
    values = np.zeros((2, 2), np.float32)
    values[0, 1] = 4
    patch = patches.Patch(4.0, "a", (0, 1), (0, 0, 8, 8), pixels, values)
    seen = patches._lit(patch, Shape(8, 8, 1))
    assert np.array_equal(seen[:3, 5:], np.full((3, 3, 3), 100))
    veiled = round(100 * (1 - patches._VEIL) + 255 * patches._VEIL)
    assert np.array_equal(seen[:, :3], np.full((8, 3, 3), veiled))
    assert np.array_equal(seen[5:], np.full((3, 8, 3), veiled))
