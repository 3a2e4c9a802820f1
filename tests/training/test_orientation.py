"""Whether images have an up and a down: photographs of things do, textures do not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import mahalanobis

from cnncli.data.class_labels import ClassLabels
from cnncli.data.model import Arrays
from cnncli.training.orientation import common_share, is_upright, told_apart

COUNT, SIDE = 120, 32
CLASSES = np.arange(COUNT) % 3
RAMP = np.linspace(-1, 1, SIDE)[:, None]  # from the top to the bottom


def split(pixels, classes=CLASSES):
    """Gray images, of values about -1 to 1."""
    images = np.clip(128 + 40 * np.asarray(pixels), 0, 255).astype(np.uint8)
    labels = ClassLabels(np.asarray(classes), tuple(map(str, np.unique(classes))))
    return Arrays(np.ascontiguousarray(images[..., None]), labels)


@pytest.fixture
def textures(rng):
    """Noise, blurred as the class says."""
    noise = rng.standard_normal((COUNT, SIDE, SIDE))
    blurred = np.stack([gaussian_filter(each, 0.5 + k) for each, k in zip(noise, CLASSES, strict=True)])
    return blurred / blurred.std(axis=(1, 2), keepdims=True)


@pytest.fixture
def stripes(rng):
    """Stripes down the image of three widths, beginning anywhere."""
    phase = rng.uniform(0, 2 * np.pi, (COUNT, 1, 1))
    waves = np.sin(np.arange(SIDE) * 2 / (1 + CLASSES[:, None, None]) + phase)
    return np.repeat(waves, SIDE, axis=1) + 0.1 * rng.standard_normal((COUNT, SIDE, SIDE))


def test_textures_have_no_up_and_no_down(textures, stripes):
    assert not is_upright(split(textures))
    assert not is_upright(split(stripes))  # their widths tell them apart, turned or not
    colours = split(textures)
    assert not is_upright(Arrays(np.repeat(colours.images, 3, axis=3), colours.targets))


@pytest.mark.parametrize("turns", range(4))
def test_light_from_one_side_is_an_up_and_a_down(textures, turns):
    assert is_upright(split(textures + np.rot90(0.5 * RAMP, turns)))
    assert not is_upright(split(textures + np.rot90(0.05 * RAMP, turns)))


def test_classes_may_be_each_others_mirror_images(textures):
    """As arrows up and down, which together have no direction; likewise things that lie and that stand."""
    sign = np.where(CLASSES == 0, 1, -1)[:, None, None] * np.where(CLASSES == 2, 0, 1)[:, None, None]
    assert is_upright(split(textures + 0.8 * sign * RAMP))
    bar = np.exp(-((4 * RAMP) ** 2)) * np.ones(SIDE)
    assert is_upright(split(textures + np.where(sign > 0, bar, bar.T)))


def test_classes_may_differ_in_direction_alone(stripes):
    """Stripes down and stripes across are two classes, which turning would mix."""
    across = np.where(CLASSES[:, None, None] == 1, np.rot90(stripes, 1, (1, 2)), stripes)
    assert not is_upright(split(across))
    one_width = stripes[CLASSES == 1].repeat(3, axis=0)
    turned = np.where(CLASSES[:, None, None] == 1, np.rot90(one_width, 1, (1, 2)), one_width)
    assert is_upright(split(turned, np.where(CLASSES == 1, 1, 0)))


def test_bars_that_lie_and_bars_that_stand_are_two_classes(textures, rng):
    """Wherever they are, so that means of many of them are flat."""
    bars = np.zeros((COUNT, SIDE, SIDE))
    for bar, first in zip(bars, rng.integers(0, SIDE - 4, COUNT), strict=True):
        bar[first : first + 4] = 2
    bars[CLASSES == 1] = np.rot90(bars[CLASSES == 1], 1, (1, 2))
    bars[CLASSES == 2] = 0
    assert is_upright(split(0.5 * textures[CLASSES == 0].repeat(3, axis=0) + bars))


def test_it_takes_square_images_enough_and_classes(textures):
    assert is_upright(split(textures[:99], CLASSES[:99]))
    assert not is_upright(split(textures[:100], CLASSES[:100]))
    assert is_upright(split(textures[:, :30]))
    assert is_upright(split(textures[:, ::3, ::3]))


def test_many_images_are_looked_at_in_parts(textures, monkeypatch):
    """Of 1,200 images 1,000, of which the first third alone is without a direction."""
    many = np.concatenate([textures] * 10)
    many[400:] += 0.6 * RAMP
    assert is_upright(split(many, np.tile(CLASSES, 10)))
    assert not is_upright(split(many[:400], np.tile(CLASSES, 10)[:400]))


def test_the_common_share_is_a_mean_of_products_of_pairs(rng):
    groups = np.array([0, 0, 0, 1, 1, 2])
    changes = rng.standard_normal((6, 5)) + 1
    common = 0.0
    for group in range(3):
        own = changes[groups == group]
        products = [own[i] @ own[j] for i in range(len(own)) for j in range(len(own)) if i != j]
        common += len(own) * np.mean(products) if products else 0.0
    assert common_share(changes, groups) == pytest.approx(common / (changes**2).sum())
    assert common_share(np.ones((9, 4)), np.zeros(9, int)) == pytest.approx(1)
    assert common_share(np.zeros((9, 4)), np.zeros(9, int)) == 0


def test_images_do_not_count_in_the_mean_they_are_compared_with(rng):
    groups = np.repeat([0, 1, 2], (12, 20, 9))
    features = 100 * (rng.standard_normal((41, 4)) * [1, 5, 0.2, 1] + groups[:, None] * [1, 1, 0.1, 0])
    inner = features - np.stack([features[groups == g].mean(axis=0) for g in groups])
    inverse = np.linalg.inv(inner.T @ inner / 41)
    right = np.zeros(41)
    for i, (row, own) in enumerate(zip(features, groups, strict=True)):
        others = [(groups == group) & ((np.arange(41) != i) | (group != own)) for group in range(3)]
        right[i] = (
            np.argmin([mahalanobis(row, features[each].mean(axis=0), inverse) for each in others]) == own
        )
    np.testing.assert_allclose(told_apart(features, groups), [right[groups == g].mean() for g in range(3)])
