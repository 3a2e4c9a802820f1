"""What lies outside a kernel's window changes nothing in its answer: every way, spikes of any size.

The oracle is SciPy's sum of products in float64; the bound is relative to the window of each pixel.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal
from surfaces import random_image, surface_over

from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.fft import run_fft
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec
from cnncli.filters.transforms import run_tiles

RAW = Depth(np.dtype(np.float32), 1.0, raw=True)
FILLS = [1e7, 1e10, 1e15, 1e20, -1e34, 9.96921e36, -3.4e38]
BOUND, DARK_BOUND = 1e-4, 1e-3  # the latter beside much larger values, where exactly 0 remains 0


def applied(image, spec, **options):
    """The answer to an array (H, W), in its own units, by the plan that is chosen."""
    filter = parse_spec(spec) if isinstance(spec, str) else spec
    result = apply_filters(
        image[..., None], [filter], Options(**options), alpha=False, source=RAW, target=RAW, threads=2
    )
    return result.pixels[..., 0], result.plans[0].way


def matrix(weights):
    return Linear(name="custom", spec="custom", weights=np.asarray(weights, float), flips=True)


def exact(image, weights):
    """The convolution in float64 and, of each window, the largest magnitude that has a weight."""
    kh, kw = weights.shape
    placed_kernels = weights[::-1, ::-1]
    margins = [(kh - 1 - kh // 2, kh // 2), (kw - 1 - kw // 2, kw // 2)]
    padded = np.pad(image.astype(float), margins, mode="reflect")
    answer = signal.correlate(padded, placed_kernels, mode="valid", method="direct")
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(padded), weights.shape)
    return answer, np.where(placed_kernels != 0, windows, 0).max(axis=(2, 3))


def assert_within_windows(got, image, weights):
    answer, largest = exact(image, weights)
    bound = np.where(largest < np.abs(image).max() / 32, DARK_BOUND, BOUND) * np.abs(weights).sum() * largest
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = ~((np.abs(got - answer) <= bound) | (got == answer.astype(np.float32)))
    assert not wrong.any(), (np.argwhere(wrong)[:3], got[wrong][:3], answer[wrong][:3])


# Transforms


@settings(max_examples=40)
@given(data=st.data())
def test_every_answer_of_a_transform_is_exact_beside_its_own_window(data):
    draw = data.draw
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = draw(st.integers(30, 110)), draw(st.integers(30, 110))
    weights = rng.normal(size=(draw(st.integers(1, 20)), draw(st.integers(1, 20))))
    weights[rng.random(weights.shape) < draw(st.sampled_from([0, 0.4]))] = 0
    image = rng.random(shape, dtype=np.float32) * np.float32(10.0 ** draw(st.integers(-30, 10)))
    image[rng.random(shape) < draw(st.sampled_from([0, 0.5, 0.97]))] = 0
    for _ in range(draw(st.integers(0, 4))):
        image[rng.integers(shape[0]), rng.integers(shape[1])] = 10.0 ** draw(st.integers(-38, 37))
    kh, kw = weights.shape
    surface = surface_over(image[..., None], (kh, kw), anchor=(kw - 1 - kw // 2, kh - 1 - kh // 2))
    run_fft(weights[::-1, ::-1], surface, threads=2)
    assert_within_windows(surface.out[..., 0], image, weights)


def test_black_areas_of_a_picture_stay_black_without_a_second_pass(rng):
    """Levels of 255, as they come from files: nothing is left out, and no rounding lights up the dark."""
    image = (rng.integers(0, 256, (140, 150)) / np.float32(255)).astype(np.float32)
    image[20:70, 30:100] = 0
    image[25, 90], image[100:, :40] = 1 / 255, 1 / 255  # nearly black too
    weights = rng.normal(size=(15, 15))
    surface = surface_over(image[..., None], (15, 15), anchor=(7, 7))
    assert run_tiles(weights[::-1, ::-1], surface, threads=2, checks=True)[1] == []
    assert_within_windows(surface.out[..., 0], image, weights)
    _, largest = exact(image, weights)
    assert (largest == 0).sum() > 1000
    assert not surface.out[..., 0][largest == 0].any()


@pytest.mark.parametrize("taps", ["few", "many"])
def test_bands_and_direct_sums_mend_the_same_tiles(monkeypatch, rng, taps):
    """Steps of 1e-30 to 1e30 across an image, with what is not finite in between."""
    monkeypatch.setattr("cnncli.filters.fft.DIRECT_TAPS", {"few": 1e9, "many": 0.0}[taps])
    image = (rng.random((90, 130)) * 10.0 ** np.repeat(np.arange(-30, 35, 5), 10)).astype(np.float32)
    image[30:40] = 0
    image[70, 20], image[10, 90], image[12, 92] = np.nan, np.inf, -np.inf
    weights = rng.normal(size=(9, 11))
    weights[4, 3:8] = 0
    surface = surface_over(image[..., None], weights.shape, stride=(2, 3))
    run_fft(weights, surface, threads=2)
    with np.errstate(invalid="ignore"):
        padded = np.pad(image.astype(float), [(4, 4), (5, 5)], mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape)
        products = np.where(weights != 0, windows * weights, 0)
        answer = products.sum(axis=(2, 3))[::3, ::2]
    got = surface.out[..., 0]
    assert np.array_equal(np.isnan(got), np.isnan(answer))
    assert np.array_equal(np.isposinf(got), np.isposinf(answer))
    assert np.array_equal(np.isneginf(got), np.isneginf(answer))
    largest = np.where(weights != 0, np.abs(windows), 0).max(axis=(2, 3))[::3, ::2]
    finite = np.isfinite(answer)
    bound = BOUND * np.abs(weights).sum() * largest[finite]
    assert (np.abs(got[finite] - answer[finite]) <= bound).all()


def test_the_same_bits_for_any_number_of_threads_beside_a_spike(rng):
    image = random_image(rng, (300, 280, 3))
    image[40, 40, 1], image[200:, 200:] = 1e20, 0
    weights = rng.normal(size=(31, 29))
    answers = []
    for threads in (1, 2, 5):
        surface = surface_over(image, weights.shape)
        run_fft(weights, surface, threads=threads)
        answers.append(surface.out.tobytes())
    assert len(set(answers)) == 1


def test_integers_beside_dark_windows_are_exact(rng):
    """Bytes and words as floats: black stays 0, and 1 is 1 beside 65535."""
    for dtype in (np.uint8, np.uint16):
        image = random_image(rng, (120, 200, 1), dtype)
        image[:, 60:120], image[:, 120:] = 0, 1
        weights = rng.random((15, 15))
        surface = surface_over(image, weights.shape)
        run_fft(weights, surface, threads=2)
        assert not surface.out[:, 67:113].any()
        assert np.abs(surface.out[:, 127:] / weights.sum() - 1).max() <= BOUND


# Every plan


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(
    "spec",
    ["box:9", "gaussian:sigma=1.5", "gaussian:sigma=6", "disk:radius=9", "unsharp:sigma=2", "log:sigma=2",
     "gabor:sigma=4,theta=30", "motion:length=15,angle=20", "emboss"],
)  # fmt: skip
def test_a_fill_value_is_seen_in_its_windows_only(rng, spec, fill):
    image = rng.random((80, 90)).astype(np.float32)
    image[40, 40] = image[3, 80] = fill
    got, _ = applied(image, spec)
    assert_within_windows(got, image, parse_spec(spec).weights)


def test_a_low_rank_that_has_no_weight_on_a_spike_is_not_taken(rng):
    weights = np.ones((21, 21))
    weights[3:18, 3:18] = 0
    weights[10] += 0.5
    weights[10, 10] = 0
    image = rng.random((70, 70)).astype(np.float32)
    image[35, 35] = 1e20
    got, way = applied(image, matrix(weights))
    assert_within_windows(got, image, weights)
    assert way != "separable"


@pytest.mark.parametrize("answer", ["magnitude", "x"])
@pytest.mark.parametrize("fill", FILLS)
def test_gradients_beside_a_fill_value(rng, answer, fill):
    """A magnitude squares: of 1e20 that is no float32."""
    image = rng.random((40, 50)).astype(np.float32)
    image[20, 20] = fill
    got, _ = applied(image, f"sobel:output={answer}")
    pair = [
        ndimage.sobel(image.astype(float), axis=axis, mode="mirror") / 4 for axis in (1, 0)
    ]  # a step of 1 answers with 1
    want = np.hypot(*pair) if answer == "magnitude" else pair[0]
    largest = ndimage.maximum_filter(np.abs(image.astype(float)), 3, mode="mirror")
    assert (np.abs(got - want) <= BOUND * 2 * largest).all()


@pytest.mark.parametrize("spec", ["kirsch", "frei-chen", "gabor-bank", "prewitt-compass"])
def test_banks_beside_a_fill_value(rng, spec):
    image = rng.random((60, 60)).astype(np.float32)
    spiked = image.copy()
    spiked[20, 20] = 1e20
    plain, got = applied(image, spec)[0], applied(spiked, spec)[0]
    reach = max(parse_spec(spec).bank[0].shape) // 2
    near = np.zeros(image.shape, bool)
    near[max(0, 20 - reach) : 21 + reach, max(0, 20 - reach) : 21 + reach] = True
    np.testing.assert_allclose(got[~near], plain[~near], atol=1e-4)
    assert np.isfinite(got).all()
    assert got[near].max() > 1e18


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("size", [3, 7, 15])
def test_medians_and_bilateral_means_beside_a_fill_value(rng, size, fill):
    image = rng.random((40, 50)).astype(np.float32)
    image[20, 20] = fill
    got, _ = applied(image, f"median:size={size}")
    assert np.array_equal(got, ndimage.median_filter(image, size, mode="mirror"))
    got, _ = applied(image, f"bilateral:sigma=2,size={size}")
    empty = image.copy()
    empty[20, 20] = np.nan
    aside = np.isfinite(image) & (image != np.float32(fill))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(empty.astype(float), size // 2, mode="reflect"), (size, size)
    )
    away = np.arange(size) - size // 2
    near = -(away[:, None] ** 2 + away**2) / (2 * 2.0**2)
    # White is 1 here. What differs by so much weighs nothing.
    weights = np.exp(near - (windows - empty[..., None, None]) ** 2 / (2 * 0.1**2))
    want = np.nansum(weights * windows, axis=(2, 3))[aside] / np.nansum(weights, axis=(2, 3))[aside]
    assert np.abs(got[aside] - want).max() <= 1e-4
    assert got[20, 20] == np.float32(fill)


# Sums that overflow on the way to an answer that does not


@pytest.mark.parametrize("value", [9.96921e36, -3.4028234663852886e38, 3.4028234663852886e38])
@pytest.mark.parametrize(
    "spec", ["box:size=3", "box:size=31", "gaussian:sigma=1", "gaussian:sigma=8", "disk:radius=9", "sharpen"]
)
def test_a_plain_of_the_largest_numbers_keeps_them(value, spec):
    image = np.full((60, 70), value, np.float32)
    got, _ = applied(image, spec)
    np.testing.assert_allclose(got, image, rtol=1e-5)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_what_overflows_is_infinite_and_what_is_no_number_stays_none(stride):
    image = np.ones((30, 31), np.float32)
    image[9, 10], image[21, 20] = 3e38, np.nan
    image[21, 10] = -3e38
    got, _ = applied(image, matrix([[1, 2, 1]]), stride=stride)
    with np.errstate(over="ignore"):
        padded = np.pad(image.astype(float), [(0, 0), (1, 1)], mode="reflect")
        want = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]).astype(np.float32)
    np.testing.assert_allclose(got, want[:: stride[1], :: stride[0]], rtol=1e-6)
    assert np.isnan(got).any()
