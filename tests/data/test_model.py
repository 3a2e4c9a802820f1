import numpy as np
import pytest

from cnncli.data.class_labels import ClassLabels
from cnncli.data.model import Arrays, Skipped, statistics


def unlabelled(count):
    return ClassLabels(np.zeros(count, np.int64), ("a",))


@pytest.mark.parametrize("shape", [(3, 4, 1), (5, 2, 3)])
def test_statistics(shape):
    images = np.random.default_rng(0).integers(0, 200, (2500, *shape)).astype(np.uint8)
    mean, std = statistics(Arrays(images, unlabelled(2500)))
    values = images.reshape(-1, shape[2]) / 255
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, values.std(axis=0), rtol=1e-6)


def test_statistics_of_digits_are_the_known_ones():
    from cnncli.data.assemble import LoadOptions
    from cnncli.data.load import load_dataset

    dataset = load_dataset("mnist", LoadOptions(offline=True, val_split=0))
    mean, std = statistics(dataset.train)
    assert mean[0] == pytest.approx(0.1307, abs=0.003)
    assert std[0] == pytest.approx(0.3081, abs=0.003)


def test_a_channel_that_never_changes_has_a_deviation_of_one():
    mean, std = statistics(Arrays(np.full((3, 2, 2, 1), 255, np.uint8), unlabelled(3)))
    assert mean.tolist() == std.tolist() == [1.0]


def test_why_an_image_is_left_out_does_not_repeat_its_name():
    assert Skipped("a.png", "a.png: it has 9x9 pixels").sentence == "a.png: it has 9x9 pixels"
    assert Skipped("a.png", "a.png is not an image").sentence == "a.png is not an image"
    assert Skipped("a.png", "no such file (row 2)").sentence == "a.png: no such file (row 2)"
