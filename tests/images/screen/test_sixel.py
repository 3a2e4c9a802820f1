"""Sixel, decoded by a reader of its own and by the programs that there are."""

import io
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from cnncli.images.screen.sixel import encode_sixel
from tests.images.screen.decoders import pixels_of_sixel

SHAPES = [(1, 1), (5, 1), (6, 3), (7, 4), (12, 17), (13, 255), (40, 31)]


def percents(pixels):
    """What is left of colours where they are whole percents."""
    return np.floor(np.rint(pixels / 2.55) * 2.55 + 0.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_few_colors_come_back(shape, rng):
    colors = rng.integers(0, 256, (90, 3))
    pixels = colors[rng.integers(0, 90, shape)].astype(np.uint8)
    assert np.abs(pixels_of_sixel(encode_sixel(pixels)) - percents(pixels)).max() <= 1


def test_one_color_is_short():
    data = encode_sixel(np.full((12, 500, 3), 255, np.uint8))
    assert data == b'\x1bP0;1;0q"1;1;500;12#0;2;100;100;100#0!500~-#0!500~\x1b\\'


def test_many_colors_are_dithered(smooth):
    pixels = smooth(60, 90)
    found = pixels_of_sixel(encode_sixel(pixels))
    assert found.min() >= 0
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 256
    means = [each.reshape(6, 10, 9, 10, 3).mean(axis=(1, 3)) for each in (found, pixels)]
    assert np.abs(means[0] - means[1]).max() < 6


@pytest.mark.parametrize("program", ["sixel2png", "magick"])
def test_other_programs_read_it(program, rng):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    pixels = (rng.integers(0, 6, (31, 44, 3)) * 51).astype(np.uint8)
    words = [program, "sixel:-", "png:-"] if program == "magick" else [program]
    done = subprocess.run(words, input=encode_sixel(pixels), capture_output=True, check=True)
    found = np.asarray(Image.open(io.BytesIO(done.stdout)).convert("RGB")).astype(int)
    assert np.abs(found - percents(pixels)).max() <= 1
