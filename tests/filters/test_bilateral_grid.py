"""Large bilateral windows by a grid, against the definition in float64."""

import numpy as np
import pytest
from surfaces import random_image, surface_over

from cnncli.filters import bilateral_grid as grid
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.kinds.bilateral import Bilateral, run_bilateral
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

SIZE, SIGMA, COLOR = 47, 15.0, 0.15
FILTER = Bilateral(name="bilateral", spec="bilateral", size=SIZE, sigma=SIGMA, sigma_color=COLOR)
PADS = {"reflect101": "reflect", "wrap": "wrap", "constant": "constant"}
MEAN = 0.03  # of sigma_color


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Grids also where they would not pay, as for images that a plain loop can do."""
    monkeypatch.setattr(grid, "GRID_GAIN", 0.0)


def pictures(rng, channels):
    """Noise, steps with noise on them, and few specks on a plain ground; full scale is 1."""
    steps = np.repeat(np.repeat(rng.integers(0, 5, (4, 5, channels)) / 5, 15, axis=0), 12, axis=1)
    yield rng.random((50, 60, channels))
    yield steps[:50] + 0.15 * rng.random((50, 60, channels))
    yield np.where(rng.random((50, 60, 1)) < 0.01, rng.random((50, 60, channels)), 0.3)


def exact(image, border="reflect101", fill=0.0):
    """By definition, one place of the window after the other."""
    r = SIZE // 2
    how = {"constant_values": fill} if border == "constant" else {}
    padded = np.pad(image.astype(float), ((r, r), (r, r), (0, 0)), mode=PADS[border], **how)
    height, width, _ = image.shape
    sums, total = np.zeros(image.shape), np.zeros((height, width, 1))
    for y in range(SIZE):
        for x in range(SIZE):
            there = padded[y : y + height, x : x + width]
            square = ((there - image) ** 2).sum(axis=2, keepdims=True)
            near = ((y - r) ** 2 + (x - r) ** 2) / (2 * SIGMA**2)
            weight = np.exp(-near - square / (2 * COLOR**2))
            sums += weight * there
            total += weight
    return sums / total


def assert_near(got, want):
    """Within the stated bound everywhere, and much closer on average."""
    error = np.abs(got - want) / COLOR
    assert error.max() <= grid.ACCURACY
    assert error.mean() <= MEAN


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("border", PADS)
def test_a_grid_is_near_the_definition(rng, channels, border):
    for picture in pictures(rng, channels):
        image = picture.astype(np.float32)
        surface = surface_over(image, (SIZE, SIZE), border=border, fill=0.6, full_scale=1.0)
        assert grid.grid_for(FILTER, surface) is not None
        run_bilateral(FILTER, surface, threads=2)
        assert_near(surface.out, exact(image, border, 0.6))


@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_and_bytes(monkeypatch, rng, channels):
    monkeypatch.setattr(grid, "_TILES", (19,))
    image = (255 * next(pictures(rng, channels))).astype(np.uint8)
    want = exact(image / 255)
    answers = []
    for threads in (1, 3):
        surface = surface_over(image, (SIZE, SIZE))
        run_bilateral(FILTER, surface, threads=threads)
        answers.append(surface.out)
        assert_near(surface.out / 255, want)
    assert np.array_equal(*answers)
    surface = surface_over(image, (SIZE, SIZE), out=np.uint8)
    assert run_bilateral(FILTER, surface, threads=2) == 0
    assert_near(surface.out / 255, want)


def test_what_a_grid_is_not_for(rng):
    for value in (np.nan, np.inf, 1e20):
        image = random_image(rng, (30, 30, 1))
        image[3, 4] = value
        surface = surface_over(image, (SIZE, SIZE), full_scale=1.0)
        assert grid.grid_for(FILTER, surface) is None
    four = surface_over(random_image(rng, (30, 30, 4)), (SIZE, SIZE), full_scale=1.0)
    assert grid.grid_for(FILTER, four) is None
    small = parse_spec("bilateral")
    assert grid.grid_for(small, surface_over(random_image(rng, (30, 30, 1)), (13, 13))) is None


def test_flat_areas_stay_flat_and_the_plan_says_grid(rng):
    depth = Depth(np.dtype(np.float32), 1.0)
    frame = np.full((60, 50, 3), 0.37, np.float32)
    filter = parse_spec("bilateral:sigma=20")
    result = apply_filters(frame, [filter], Options(), alpha=False, source=depth, target=depth, threads=2)
    assert np.array_equal(result.pixels, frame)
    assert "grid" in result.plans[0].detail
    assert str(result.plans[0]).startswith("bilateral (81 x 81")
