"""Montages: every picture in its place, in sheets that stay small."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.views.montage import SIDES, Montage, grid_for


@pytest.mark.parametrize("count", [1, 2, 5, 12, 97, 300, 1000, 4000, 10_000])
def test_sheets_have_all_pictures_and_a_size_that_memory_takes(count):
    grid = grid_for(count)
    width, height = grid.size
    assert grid.side in SIDES
    assert width * height <= 48_000_000
    assert max(width, height) <= 32_000
    places = [grid.place(number) for number in range(count)]
    assert len(set(places)) == count
    assert all(left + grid.side <= width - 20 and top + grid.side <= height - 20 for left, top in places)
    if count >= 12:
        assert 0.9 < width / height < 1.8


def test_larger_where_they_are_few():
    sides = [grid_for(count).side for count in (1, 100, 500, 2000, 10_000)]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[-1]) == (208, 48)


def test_what_is_asked_for():
    grid = grid_for(10, columns=4, side=100)
    assert (grid.columns, grid.side) == (4, 100)
    assert grid_for(3, columns=50).columns == 3
    with pytest.raises(
        CnncliError, match=r"20,000 pictures of 48 pixels a side would have .*; expected 48 mega"
    ):
        grid_for(20_000)
    with pytest.raises(CnncliError, match="32,000 a side at most"):
        grid_for(1000, columns=1, side=48)


@pytest.mark.parametrize("side", [16, 48, 96, 208])
def test_pictures_are_where_they_belong(side):
    grid = grid_for(5, columns=2, side=side)
    sheet = Montage(grid, title="gaussian", subtitle="5 pictures")
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250), None, (9, 9, 9)]
    for number in (3, 0, 4, 1, 2):
        color = colors[number]
        pixels = None if color is None else np.full((300, 300, 3), color, np.uint8)
        sheet.add(number, pixels, name="a name that is too long for any picture.png" * 3, note="300 x 300")
    for number, color in enumerate(colors):
        left, top = grid.place(number)
        found = sheet.pixels[top : top + side, left : left + side]
        if color is None:
            assert found.min() < 255
            assert not (found == found[0, 0]).all()
        else:
            assert (found == color).all()
    width, height = grid.size
    assert sheet.pixels.shape == (height, width, 3)
    assert (sheet.pixels[-20:] == 255).all()
    assert (sheet.pixels[:, -10:] == 255).all()


def test_transparent_pictures_are_over_squares():
    sheet = Montage(grid_for(1, side=64), title="x", subtitle="")
    sheet.add(0, np.zeros((64, 64, 4), np.uint8), name="a")
    left, top = sheet.grid.place(0)
    found = sheet.pixels[top : top + 64, left : left + 64]
    assert set(np.unique(found)) == {0x66, 0x99}
