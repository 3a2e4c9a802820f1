"""FFT convolution against float64, for every surface: types, borders, channels, strides, odd shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from surfaces import BORDERS, DTYPES, filtered, random_image, surface_over

from cnncli.core.tiling import Surface
from cnncli.filters.fft import run_fft
from cnncli.filters.transforms import _sizes, _tile_size, fft_cost

TOLERANCE = 1e-6  # of sum |kernel| times the largest input


PADS = {
    "replicate": "edge",
    "reflect": "symmetric",
    "reflect101": "reflect",
    "wrap": "wrap",
    "constant": "constant",
}


def expected(image, weights, border="reflect101", fill=0.0):
    """The answer in float64 by NumPy's padding and SciPy's sums, one channel after another."""
    kh, kw = weights.shape
    margins = [(kh // 2, kh - 1 - kh // 2), (kw // 2, kw - 1 - kw // 2), (0, 0)]
    constant = {"constant_values": fill} if border == "constant" else {}
    padded = np.pad(image.astype(float), margins, mode=PADS[border], **constant)
    planes = [signal.correlate(padded[..., c], weights, mode="valid") for c in range(image.shape[2])]
    return np.stack(planes, axis=-1)


def assert_close(got, want, weights, image):
    bound = TOLERANCE * np.abs(weights).sum() * max(float(np.abs(image.astype(float)).max()), 1e-30)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= bound


# Values


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (7, 8), (9, 17), (33, 64), (65, 50), (150, 201)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (1, 40), (40, 1), (16, 15), (31, 33)])
def test_every_shape(shape, kernel):
    rng = np.random.default_rng(shape[0] + 7 * kernel[1])
    image, weights = random_image(rng, (*shape, 1)), rng.normal(size=kernel)
    out, _ = filtered("fft", image, weights, border="reflect")
    assert_close(out, expected(image, weights, "reflect"), weights, image)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_type_and_number_of_channels(dtype, channels):
    rng = np.random.default_rng(channels)
    image, weights = random_image(rng, (70, 90, channels), dtype), rng.normal(size=(12, 21))
    out, _ = filtered("fft", image, weights, threads=2)
    assert_close(out, expected(image, weights), weights, image)


@pytest.mark.parametrize("border", BORDERS)
def test_every_border_with_a_kernel_larger_than_the_image(border):
    rng = np.random.default_rng(5)
    image, weights = random_image(rng, (11, 14, 3)), rng.normal(size=(45, 39))
    out, _ = filtered("fft", image, weights, border=border, fill=0.7)
    assert_close(out, expected(image, weights, border, 0.7), weights, image)


@pytest.mark.parametrize("mode", ["valid", "full"])
def test_modes(mode):
    rng = np.random.default_rng(6)
    image, weights = random_image(rng, (60, 75, 1)), rng.normal(size=(20, 31))
    out, _ = filtered("fft", image, weights, mode=mode, border="constant")
    want = signal.correlate2d(image[..., 0].astype(float), weights, mode=mode)[..., None]
    assert_close(out, want, weights, image)


@pytest.mark.parametrize("stride", [(2, 1), (1, 3), (3, 2), (40, 50), (100, 100)])
@pytest.mark.parametrize("channels", [1, 3])
def test_strides(stride, channels):
    rng = np.random.default_rng(8)
    image, weights = random_image(rng, (83, 97, channels)), rng.normal(size=(9, 14))
    out, _ = filtered("fft", image, weights, stride=stride)
    assert_close(out, expected(image, weights)[:: stride[1], :: stride[0]], weights, image)


def test_luma_and_rows_with_a_pitch():
    rng = np.random.default_rng(9)
    image = random_image(rng, (50, 140, 3), np.uint16)[:, 20:121]
    weights, luma = rng.normal(size=(15, 15)), (0.299, 0.587, 0.114)
    out, _ = filtered("fft", image, weights, luma=luma)
    gray = (image.astype(float) @ luma)[..., None]
    assert_close(out, expected(gray, weights), weights, gray)


@settings(max_examples=40)
@given(data=st.data())
def test_random_surfaces(data):
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = (draw(st.integers(1, 90)), draw(st.integers(1, 90)), draw(st.integers(1, 4)))
    kernel = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    anchor = draw(st.integers(0, kernel[1] - 1)), draw(st.integers(0, kernel[0] - 1))
    border, dtype = draw(st.sampled_from(BORDERS)), draw(st.sampled_from(DTYPES))
    stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    image, weights = random_image(rng, shape, dtype), rng.normal(size=kernel)
    options = {"anchor": anchor, "border": border, "stride": stride, "fill": 0.25}
    out, _ = filtered("fft", image, weights, threads=2, **options)
    want, _ = filtered("direct", image, weights, **options)
    assert_close(out, want, weights, image)


# Output


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_mapping_rounds_clamps_and_counts(dtype):
    rng = np.random.default_rng(10)
    image, weights = random_image(rng, (80, 130, 3), dtype), rng.normal(size=(13, 13)) / 10
    surface = surface_over(image, (13, 13), out=dtype, absolute=True, scale=0.9, bias=-20.0)
    clipped = run_fft(weights, surface, threads=2)
    exact = np.abs(expected(image, weights)) * 0.9 - 20
    top = np.iinfo(dtype).max
    assert np.abs(surface.out - np.clip(exact, 0, top)).max() <= 0.5 + TOLERANCE * 50 * top
    sure = int(((exact < -0.6) | (exact > top + 0.6)).sum())
    assert sure <= clipped <= int(((exact < -0.4) | (exact > top + 0.4)).sum())
    assert sure > 100


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_flat_stays_flat_and_derivatives_answer_nothing(dtype, channels):
    white = np.iinfo(dtype).max
    image = np.full((150, 190, channels), white, dtype)
    blur = np.random.default_rng(11).random((31, 31))
    blur /= blur.sum()
    for out in (dtype, np.float32):
        result, clipped = filtered("fft", image, blur, out=out)
        assert np.all(result == white)
        assert clipped == 0
    slope = np.random.default_rng(12).normal(size=(25, 25))
    slope -= slope[::-1]
    result, _ = filtered("fft", image, slope)
    assert np.abs(result).max() <= 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_flat_parts_stay_flat_beside_noise(dtype):
    """White as far as the kernel reaches is white, though the rest of its tile is not."""
    white = np.iinfo(dtype).max
    image = random_image(np.random.default_rng(13), (200, 300, 1), dtype)
    image[:, 100:] = white
    image[:, 250:] = 0
    blur = np.random.default_rng(14).random((31, 31))
    result, _ = filtered("fft", image, blur / blur.sum(), out=dtype)
    assert np.all(result[:, 115:235] == white)
    assert np.all(result[:, 265:-15] == 0)


def test_a_value_that_is_not_finite_spreads_as_far_as_the_kernel():
    rng = np.random.default_rng(15)
    image = random_image(rng, (120, 160, 3))
    image[50, 60, 1], image[90, 100, 2] = np.nan, np.inf
    weights = np.random.default_rng(16).random((9, 11))
    result, _ = filtered("fft", image, weights, threads=2)
    spoilt = np.zeros(image.shape, bool)
    spoilt[46:55, 55:66, 1] = spoilt[86:95, 95:106, 2] = True
    assert np.array_equal(~np.isfinite(result), spoilt)
    want, _ = filtered("direct", image, weights)
    assert np.array_equal(result[spoilt], want[spoilt], equal_nan=True)
    assert_close(result[~spoilt], want[~spoilt], weights, random_image(rng, (5, 5)))


# Properties


def test_an_impulse_gives_the_kernel_turned_round():
    image = np.zeros((101, 120, 1), np.float32)
    image[50, 60] = 1
    weights = np.random.default_rng(17).normal(size=(31, 23))
    out, _ = filtered("fft", image, weights)
    assert np.abs(out[35:66, 49:72, 0] - weights[::-1, ::-1]).max() < 1e-6
    out[35:66, 49:72] = 0
    assert np.abs(out).max() < 1e-6


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_same_bits_for_any_number_of_threads(channels):
    rng = np.random.default_rng(18)
    image, weights = random_image(rng, (300, 410, channels), np.uint8), rng.normal(size=(19, 19))
    first, _ = filtered("fft", image, weights, threads=1)
    for threads in (2, 3, 8):
        again, _ = filtered("fft", image, weights, threads=threads)
        assert np.array_equal(first.view(np.uint32), again.view(np.uint32))


def test_nothing_is_written_beside_the_output():
    rng = np.random.default_rng(19)
    image, weights = random_image(rng, (90, 75, 3), np.uint8), np.full((15, 15), 1 / 225)
    room = np.full((92, 79, 3), 77, np.uint8)
    inside = surface_over(image, (15, 15))
    surface = Surface(src=image, out=room[1:-1, 2:-2], xmap=inside.xmap, ymap=inside.ymap)
    run_fft(weights, surface, threads=2)
    room[1:-1, 2:-2] = 77
    assert np.all(room == 77)


# Plan


@pytest.mark.parametrize("extent", [1, 2, 15, 16, 17, 63, 64, 500, 1000, 1023, 1024, 3000])
@pytest.mark.parametrize("length", [1, 10, 640, 4096])
def test_sizes_hold_the_kernel(extent, length):
    sizes = _sizes(extent, length)
    assert sizes
    for size in sizes:
        assert size >= 16
        assert size > extent - 1
        assert size.bit_count() == 1
        assert size <= max(1024, 4 * extent)


def test_cost_grows_with_the_kernel_and_crosses_direct_convolution():
    costs = [fft_cost(size, size, 2731, 4096, 1) for size in (7, 15, 31, 63, 127, 255)]
    assert costs == sorted(costs)
    assert fft_cost(5, 5, 2731, 4096, 1) > 25
    assert fft_cost(15, 15, 2731, 4096, 1) < 225
    assert fft_cost(63, 63, 2731, 4096, 3) < 63 * 63 / 10


def test_tiles_follow_a_thin_kernel():
    rows, columns = _tile_size((1, 301), (2731, 4096), 1)
    assert rows <= 64
    assert columns >= 512
