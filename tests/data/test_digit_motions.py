"""Clips of digits: what moves where, measured in the pixels; single frames do not tell motions apart."""

import numpy as np
import pytest

from cnncli.data.assemble import LoadOptions
from cnncli.data.clips import Clips
from cnncli.data.digit_motions import FRAMES, MOTIONS, make_motions
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

SIDE = 32


def stroke():
    """A digit that is known: an upright bar whose upper half is wider."""
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 12:16] = 255
    digit[4:12, 8:20] = 255
    return digit[None]


@pytest.fixture(scope="module")
def made():
    frames, labels = make_motions(160, SIDE, seed=3, digits=stroke())
    light = frames[..., 0].astype(float)
    light -= np.median(light, axis=(2, 3), keepdims=True)
    light[light < 60] = 0
    return light, labels


def moments(light):
    """Middles (N, T, 2) as x and y, and areas (N, T)."""
    weight = light.sum(axis=(2, 3))
    x = (light.sum(axis=2) * np.arange(SIDE)).sum(axis=2) / weight
    y = (light.sum(axis=3) * np.arange(SIDE)).sum(axis=2) / weight
    return np.stack([x, y], axis=-1), (light > 0).sum(axis=(2, 3))


def angles(light):
    """(N, T) direction in which the wider half lies, in radians, as rows go down."""
    middles, _ = moments(light)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    found = np.empty(light.shape[:2])
    for clip, frame in np.ndindex(found.shape):
        picture = light[clip, frame]
        x, y = columns - middles[clip, frame, 0], rows - middles[clip, frame, 1]
        moment = np.array([[(picture * a * b).sum() for a in (x, y)] for b in (x, y)])
        along = np.linalg.eigh(moment)[1][:, -1]
        skew = (picture * (along[0] * x + along[1] * y) ** 3).sum()
        along = along * np.sign(-skew)
        found[clip, frame] = np.arctan2(along[1], along[0])
    return found


def test_what_moves_goes_where_its_name_says(made):
    light, labels = made
    middles, areas = moments(light)
    way = middles[:, -1] - middles[:, 0]
    for name, axis, sign in (("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)):
        these = labels == MOTIONS.index(name)
        assert (sign * way[these, axis] > 0.15 * SIDE).all()
        assert np.abs(way[these, 1 - axis]).max() < 2
    growth = areas[:, -1] / areas[:, 0]
    assert growth[labels == MOTIONS.index("growing")].min() > 1.3
    assert growth[labels == MOTIONS.index("shrinking")].max() < 1 / 1.3


def test_what_turns_turns_as_its_name_says(made):
    light, labels = made
    turned = np.unwrap(angles(light), axis=1)
    turned = np.rad2deg(turned[:, -1] - turned[:, 0])
    clockwise, counter = (turned[labels == MOTIONS.index(n)] for n in ("clockwise", "counterclockwise"))
    assert clockwise.min() > 60  # rows go down
    assert counter.max() < -60
    assert np.abs(turned[labels < 4]).max() < 30


def test_frames_of_a_pair_are_alike(made):
    """Middles, areas and levels of single frames do not tell left from right, or growing from shrinking."""
    frames, labels = make_motions(1600, SIDE, seed=9, digits=stroke())
    light = frames[..., 0].astype(float)
    light -= np.median(light, axis=(2, 3), keepdims=True)
    light[light < 60] = 0
    middles, areas = moments(light)
    for first in (0, 2, 4, 6):
        one, other = (labels == first + k for k in (0, 1))
        for value in (middles[..., 0], middles[..., 1], areas):
            spread = value[one].std() / np.sqrt(one.sum())
            assert abs(value[one].mean() - value[other].mean()) < 4 * spread


def test_a_seed_decides_every_clip():
    one, _ = make_motions(9, SIDE, seed=1, digits=stroke())
    again, _ = make_motions(20, SIDE, seed=1, digits=stroke())
    other, _ = make_motions(9, SIDE, seed=2, digits=stroke())
    assert one.tobytes() == again[:9].tobytes() != other.tobytes()


def test_the_data_set_has_its_own_test_clips():
    dataset = load_dataset("digit_motions", LoadOptions(image_options=ImageOptions(size=(16, 16))))
    assert isinstance(dataset.train, Clips)
    assert (dataset.shape, dataset.noun, dataset.targets.task) == ((16, 16, 1), "clips", "video")
    assert set(dataset.train.counts.tolist()) == {FRAMES}
    assert np.bincount(dataset.test.targets.numbers).tolist() == [100] * 8
    assert not set(dataset.train.digests.tolist()) & set(dataset.test.digests.tolist())


def test_other_sides_than_can_be_made_are_refused():
    with pytest.raises(CnncliError, match="digit-motions of 12x12 pixels; expected squares of 16 to 128"):
        load_dataset("digit-motions", LoadOptions(image_options=ImageOptions(size=(12, 12))))
