"""Pictures of letters, parsed as a terminal does."""

import numpy as np
import pytest

from cnncli.images.screen.letters import dots, half_blocks, nearest_of_256, signs
from tests.images.screen.decoders import colors_of_256, pixels_of_blocks


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (3, 5), (8, 13)])
def test_half_blocks_hold_each_pixel(shape, rng):
    pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    pixels[:, : shape[1] // 2] = pixels[:1, :1]  # of a colour that goes on
    found = pixels_of_blocks("\n".join(half_blocks(pixels, colors=1 << 24)))
    assert np.array_equal(found[: shape[0]], pixels)
    assert (found[shape[0] :] == -1).all()


def test_colors_that_go_on_are_said_once():
    assert half_blocks(np.full((2, 4, 3), 9, np.uint8), colors=1 << 24) == [
        "\x1b[38;2;9;9;9;48;2;9;9;9m▀▀▀▀\x1b[0m"
    ]


def test_256_colors_are_the_nearest(rng):
    pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    pixels[:20] = pixels[:20, :, :1]  # gray
    table = colors_of_256()[16:]
    distances = ((pixels[:, :, None].astype(int) - table) ** 2).sum(axis=-1)
    least = np.take_along_axis(distances, nearest_of_256(pixels)[..., None] - 16, axis=2)[..., 0]
    assert (least <= distances.min(axis=2) + 200).all()  # the nearest of gray is sought by the mean
    assert np.mean(least == distances.min(axis=2)) > 0.95
    found = pixels_of_blocks("\n".join(half_blocks(pixels, colors=256)))
    assert np.array_equal(found, table[nearest_of_256(pixels) - 16])


def test_its_own_colors_come_back():
    table = colors_of_256()[16:]
    found = nearest_of_256(table[None].astype(np.uint8))[0]
    assert np.array_equal(table[found - 16], table)


@pytest.mark.parametrize("shape", [(1, 1), (4, 2), (6, 3), (40, 60)])
def test_dots_are_as_many_as_it_is_light(shape):
    height, width = shape
    pixels = np.repeat(np.rint(np.linspace(0, 255, width))[None, :, None], height, axis=0)
    lines = dots(np.repeat(pixels, 3, axis=2).astype(np.uint8))
    codes = np.array([[ord(letter) - 0x2800 for letter in line] for line in lines])
    assert codes.shape == (-(-height // 4), -(-width // 2))
    raised = np.zeros((len(codes) * 4, codes.shape[1] * 2), bool)
    for bit, (row, column) in enumerate([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]):
        raised[row::4, column::2] = codes >> bit & 1
    assert not raised[height:].any()
    assert not raised[:, width:].any()
    if shape == (40, 60):
        shares = raised[:, :].reshape(40, 6, 10).mean(axis=(0, 2))
        assert np.abs(shares - (np.arange(6) + 0.5) / 6).max() < 0.05


def test_signs_are_denser_where_it_is_light():
    pixels = np.repeat(np.arange(0, 256, 28, dtype=np.uint8)[None, :, None], 3, axis=0).repeat(3, axis=2)
    assert signs(pixels) == [" .:-=+*#%@"] * 2
