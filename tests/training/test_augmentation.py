"""Augmentation as it is asked for, or as the training images suggest, with the reason."""

import numpy as np
import pytest

from cnncli.data.augment import parse_augment
from cnncli.data.class_labels import ClassLabels
from cnncli.data.model import Arrays, Dataset, level_counts
from cnncli.training.augmentation import settled_augment


def dataset(images, known=""):
    labels = ClassLabels(np.arange(len(images)) % 2, ("a", "b"))
    split = Arrays(np.ascontiguousarray(images), labels)
    return Dataset(name="d", train=split, val=split, test=split, provenance="", known=known)


def settled(text, images, known=""):
    given = dataset(images, known)
    return settled_augment(text, given, level_counts(given.train))


@pytest.fixture
def noise(rng):
    return rng.integers(0, 256, (120, 16, 16, 1)).astype(np.uint8)


def test_auto_says_what_it_takes_images_for(noise):
    top = noise.copy()
    top[:, :8] //= 2
    ground = top.copy()
    ground[:, :, :5] = 255
    for images, channels, word, reason, turned in [
        (noise, 1, "textures", "without an up and a down: mirrored and turned", True),
        (noise, 3, "textures", "without an up and a down: mirrored and turned", True),
        (top, 1, "upright", "with an up and a down: mirrored", False),
        (ground, 1, "drawings", "drawings on a plain ground, which are not to be mirrored", False),
        (ground, 3, "upright", "with an up and a down: mirrored", False),
    ]:
        colours = np.repeat(images, channels, axis=3)
        text, (note,) = settled("auto", colours)
        assert text == parse_augment("auto", shape=colours.shape[1:], kind=word).text
        assert ("rot90" in text.split(","), "flip" in text.split(",")) == (turned, word != "drawings")
        assert note.startswith("augment auto: ")
        assert reason in note


def test_known_data_have_their_own(noise):
    assert settled("AUTO ", noise, "fashion-mnist") == (
        "shift=1,flip,border=black",
        ("augment auto: as is usual with fashion-mnist",),
    )


def test_what_is_asked_for_needs_no_reason(noise):
    assert settled("none", noise) == ("none", ())
    assert settled(" Flip , shift=2", noise) == ("shift=2,flip", ())
