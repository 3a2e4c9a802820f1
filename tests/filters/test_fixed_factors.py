"""Separable blurs of bytes in 16-bit integers: the bytes of float32 sums, and of NumPy's in float64."""

import numpy as np
import pytest
from surfaces import BORDERS, random_image, surface_over

from cnncli.core.native import processor
from cnncli.core.tiling import Surface
from cnncli.filters import execute, fixed_factors, fixed_point
from cnncli.filters.fixed_factors import factored_error
from cnncli.filters.fixed_factors import fixed_factors as factors_of
from cnncli.filters.fixed_point import SHARE_BITS

LANES = processor()[3].lanes
GROUP = 4 * LANES
WIDTHS = [1, 3, LANES, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP + 2, 319, 320, 321, 961, 1300]


def bell(size, sigma=None):
    """Samples of a Gaussian, of sum 1."""
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(x**2) / 2 / (sigma or size / 5) ** 2)
    return weights / weights.sum()


def in_float64(surface, column, row):
    """The sums, scaled and biased, of the picture with its border."""
    column, row = (each.astype(np.float32).astype(float) for each in (column, row))
    padded = np.full((surface.ymap.size, surface.xmap.size, surface.src.shape[2]), float(surface.fill))
    inside = np.ix_(surface.ymap >= 0, surface.xmap >= 0)
    padded[inside] = surface.src[np.ix_(surface.ymap[surface.ymap >= 0], surface.xmap[surface.xmap >= 0])]
    down = sum(weight * padded[y : y + surface.out.shape[0]] for y, weight in enumerate(column))
    along = sum(weight * down[:, x : x + surface.out.shape[1]] for x, weight in enumerate(row))
    return along * float(np.float32(surface.scale)) + float(np.float32(surface.bias))


def assert_same(image, column, row, *, threads=1, **how):
    """That integers do, with the bytes of `separable`, and NumPy's where its sums are not close to a half."""
    shape = len(column), len(row)
    surface = surface_over(image, shape, out=np.uint8, **how)
    assert fixed_factors.run_fixed_factors(column, row, surface, threads=threads)
    floats = surface_over(image, shape, **how)
    assert execute.run_separable(column[None], row[None], floats, dilation=1, threads=1) == 0
    np.testing.assert_array_equal(surface.out, np.rint(np.clip(floats.out, 0, 255)).astype(np.uint8))
    exact = in_float64(surface, column, row)
    clear = np.abs(exact % 1 - 0.5) > 1e-3
    np.testing.assert_array_equal(surface.out[clear], np.rint(exact[clear]).astype(np.uint8))


@pytest.fixture(autouse=True)
def _all_sums_may_be_open(monkeypatch):
    """Also of weights and pictures that floats would be faster for."""
    monkeypatch.setattr(fixed_factors, "OPEN_BY_FACTORS", 1.0)
    monkeypatch.setattr(fixed_point, "OPEN_SHARE", 1.0)
    fixed_factors._fixed_factors.cache_clear()
    yield
    fixed_factors._fixed_factors.cache_clear()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("channels", [1, 3])
def test_widths_around_groups_blocks_and_tiles(rng, width, channels):
    assert_same(random_image(rng, (9, width, channels), np.uint8), bell(5), bell(7))


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 47, 48, 49, 135])
@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (5, 3), (6, 5), (7, 8), (13, 13), (4, 31)])
def test_heights_around_pairs_of_rows(rng, height, shape):
    assert_same(random_image(rng, (height, 37, 2), np.uint8), bell(shape[0]), bell(shape[1]))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape", [(3, 3), (9, 4), (2, 15), (21, 31)])
def test_borders_also_of_kernels_larger_than_the_image(rng, border, shape):
    for size in ((6, 8, 2), (1, 1, 1), (3, 40, 4), (70, 1333, 3)):
        image = random_image(rng, size, np.uint8)
        assert_same(image, bell(shape[0]), bell(shape[1]), border=border, fill=200.0)


@pytest.mark.parametrize("mode", ["same", "valid", "full"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
def test_modes_channels_and_threads(rng, mode, channels):
    image = random_image(rng, (150, 700, channels), np.uint8)
    for threads in (1, 3):
        assert_same(image, bell(5), bell(4), threads=threads, mode=mode, border="wrap", anchor=(0, 3))


@pytest.mark.parametrize("size", [(400, 2100, 1), (300, 1100, 3)])
def test_many_tiles_read_where_they_lie(rng, size):
    for taps in (7, 13):
        assert_same(random_image(rng, size, np.uint8), bell(taps), bell(taps), threads=2)


def test_rows_may_have_any_pitch(rng):
    whole = random_image(rng, (60, 300, 3), np.uint8)
    for image in (whole[:, 4:240], whole[::2], whole[::-1], whole[5:6], whole[::-3, 1:]):
        assert_same(image, bell(7), bell(7))


@pytest.mark.parametrize(("width", "taps"), [(200, 189), (12, 7)])
def test_as_many_sums_are_open_as_errors_say(rng, monkeypatch, width, taps):
    """Where the range of bytes is seen under few sums only, in the middle of a wide window or at its ends."""
    image = np.zeros((6000, width, 1), np.uint8)
    image[:, width * 3 // 8 : width * 5 // 8] = rng.integers(0, 256, (6000, width // 4, 1))
    column, row = bell(2), bell(taps, 80 if taps > 7 else 1)
    counts = []
    run = fixed_factors.native.run

    def watched(*given, **options):
        scratches = run(*given, **options)
        counts.append(sum(int(scratch[8:16].view(np.int64)[0]) for scratch in scratches))
        return scratches

    monkeypatch.setattr(fixed_factors.native, "run", watched)
    surface = surface_over(image, (2, taps), out=np.uint8, mode="valid")
    assert fixed_factors.run_fixed_factors(column, row, surface, threads=1)
    wanted = factors_of(column, row, surface).doubt * surface.out.size
    assert 0.8 * wanted < counts[0] < 1.2 * wanted


def test_what_is_cut_off_is_carried_down(rng):
    """Of lines that are all alike what is cut off would add up; weights of 16 bits leave no other error."""
    image = np.tile(rng.integers(0, 256, (1, 3000, 1)).astype(np.uint8), (64, 1, 1))
    column, row = np.full(32, 1 / 32), np.array([99, 901, 2096, 901, 99]) / 4096
    for bias in np.linspace(-0.3, 0.3, 7):
        assert_same(image, column, row, bias=float(bias))


@pytest.mark.parametrize("level", [0, 1, 127, 128, 254, 255])
def test_flat_areas_stay_flat(level):
    image = np.full((40, 400, 1), level, np.uint8)
    surface = surface_over(image, (7, 7), out=np.uint8)
    assert fixed_factors.run_fixed_factors(bell(7), bell(7), surface, threads=1)
    assert (surface.out == level).all()


@pytest.mark.parametrize("sizes", [(3, 3), (7, 7), (13, 13), (31, 31), (4, 9)])
def test_black_white_and_stripes(sizes):
    """Sums as far from those of the middle as they can be."""
    y, x = np.mgrid[:60, :400]
    for on in (x % 2, y % 2, (x + y) % 2, x // 5 % 2, y // 7 % 2, (x > 200) * (y > 30)):
        assert_same((on * 255).astype(np.uint8)[..., None], bell(sizes[0]), bell(sizes[1]))


def test_halves_are_rounded_as_floats_are(rng):
    """Weights of a power of two: a sixteenth of all sums is a byte and a half."""
    thirds = np.array([0.25, 0.5, 0.25])
    assert_same(random_image(rng, (50, 400, 1), np.uint8), thirds, thirds)


@pytest.mark.parametrize(("scale", "bias"), [(0.9, 0.3), (1.0, -0.2), (0.4, 0.0)])
def test_scale_and_bias(rng, scale, bias):
    assert_same(random_image(rng, (67, 333, 3), np.uint8), bell(5), bell(7), scale=scale, bias=bias)


@pytest.mark.parametrize("sizes", [(3, 3), (7, 7), (13, 13), (4, 31)])
@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (0.7, 0.3)])
def test_the_error_is_less_than_the_doubt(rng, sizes, scale, bias):
    """Of integers, with what rows carry, in windows that are the worst for weights as they are rounded."""
    column, row = bell(sizes[0]), bell(sizes[1])
    fixed = factors_of(column, row, Surface(**_fields(), scale=scale, bias=bias))
    exact = np.outer(*(each.astype(np.float32).astype(float) for each in (column, row))) * float(
        np.float32(scale)
    )
    whole = np.zeros(len(row), int)
    whole[: len(fixed.row)] = fixed.row
    whole += whole[::-1]
    lacking = exact - np.outer(fixed.column.astype(int), whole) * 2.0 ** (8 - fixed.row_shift - fixed.shift)
    for low, high in ((0, 255), (255, 255), (0, 0), (100, 101), (20, 90)):
        error = fixed.error + ((high - low) * fixed.spread >> SHARE_BITS)
        start = fixed.start + ((high + low) * fixed.lean >> SHARE_BITS)
        for window in (np.where(lacking > 0, high, low), np.where(lacking < 0, high, low)):
            carried, sums = int(rng.integers(0, 2 ** (fixed.row_shift - 8))), []
            for line in window:
                carried += int((whole * line).sum()) - (128 << fixed.row_shift)
                sums.append(carried >> (fixed.row_shift - 8))
                carried &= 2 ** (fixed.row_shift - 8) - 1
            assert min(sums) >= -(2**15)
            assert max(sums) < 2**15
            found = int((fixed.column.astype(int) * sums).sum()) + start
            value = (exact * window).sum() + float(np.float32(bias)) + 0.5 - 128
            assert abs(value * 2.0**fixed.shift - found) < error
            assert found - error >= -(2**31)
            assert found + error < 2**31


def test_float32_is_as_close_as_it_is_said_to_be(rng):
    image = random_image(rng, (60, 400, 1), np.uint8)
    for size in (3, 7, 13, 31):
        floats = surface_over(image, (size, size), scale=0.9, bias=0.3)
        column, row = bell(size) * 3, bell(size) / 3
        execute.run_separable(column[None], row[None], floats, dilation=1, threads=1)
        error = np.abs(floats.out - in_float64(floats, column, row)).max()
        assert error <= factored_error(column, row, 0.9, 0.3) < 2e-3


def test_a_picture_that_is_in_doubt_nearly_everywhere_is_left_to_floats(monkeypatch):
    monkeypatch.setattr(fixed_point, "OPEN_SHARE", 1 / 64)
    halves = np.array([0.5, 0.5])
    image = np.tile(np.array([[0, 1], [1, 1]], np.uint8), (200, 200))[..., None]
    surface = surface_over(image, (2, 2), out=np.uint8, bias=-0.25)
    assert not fixed_factors.run_fixed_factors(halves, halves, surface, threads=1)
    assert execute.run_separable(halves[None], halves[None], surface, dilation=1, threads=1) == 0
    np.testing.assert_array_equal(surface.out, np.rint(in_float64(surface, halves, halves)))


@pytest.mark.parametrize(
    ("column", "row", "scale", "bias", "why"),
    [
        (bell(3), np.array([0.2, 0.3, 0.5]), 1.0, 0.0, "not symmetric"),
        (bell(3), np.array([-0.2, 1.4, -0.2]), 1.0, 0.0, "negative along"),
        (np.array([-0.2, 1.4, -0.2]), bell(3), 1.0, 0.0, "negative down"),
        (bell(3), bell(3), 1.1, 0.0, "beyond white"),
        (bell(3), bell(3), 0.5, -20.0, "below black"),
        (bell(3), bell(3), -1.0, 255.0, "negative"),
        (bell(3), bell(3), 0.5, 0.0, "white is on a half"),
        (bell(3), bell(3) * np.inf, 1.0, 0.0, "no number"),
        (bell(3), np.zeros(3), 1.0, 0.0, "nothing"),
    ],
)
def test_what_is_no_blur_or_may_be_no_byte_is_left_to_floats(column, row, scale, bias, why):
    assert factors_of(column, row, Surface(**_fields(), scale=scale, bias=bias)) is None, why


def _fields():
    image = np.zeros((4, 4, 1), np.uint8)
    line = np.arange(4)
    return {"src": image, "out": image.copy(), "xmap": line, "ymap": line}
