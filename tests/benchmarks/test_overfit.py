"""Narrow forms of deep networks learn a few photographs by heart: gradients reach all of their layers."""

import numpy as np
import pytest
from PIL import Image

from .overfit import COUNT, overfitted, squares


@pytest.fixture
def folder(tmp_path):
    """Two pictures of noise, of which any part differs from any other."""
    for name in ("a.png", "b.png"):
        noise = np.random.default_rng(ord(name[0])).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(noise).resize((256, 192), Image.Resampling.BICUBIC).save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "side", "steps"),
    [
        ("resnet18:width=0.125", 64, 30),
        ("vgg16-bn:width=0.125", 32, 60),
        ("googlenet:aux,width=0.25", 64, 40),
        ("seresnet18:width=0.125", 64, 30),
    ],
)
def test_sixteen_photographs(name, side, steps, folder):
    outcome = overfitted(name, squares(folder, side), steps=steps, rate=1e-3, threads=None)
    assert outcome.still == []
    assert (outcome.right, outcome.loss < 0.3) == (COUNT, True)


def test_squares_differ(folder):
    photographs = squares(folder, 32)
    assert photographs.shape == (COUNT, 32, 32, 3)
    assert len(np.unique(photographs.reshape(COUNT, -1), axis=0)) == COUNT
