"""Every way to run a linear filter, against scipy and a plain loop in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loop import correlate
from scipy import ndimage
from surfaces import BORDERS, DTYPES, SCIPY_MODES, filtered, random_image, run_way, spread_out, surface_over

from cnncli.core import jobs, tiling
from cnncli.core.heap import aligned_empty
from cnncli.core.native import processor
from cnncli.core.tiling import SLIDING_TILES, lay_out
from cnncli.filters.execute import run_direct, run_responses

WAYS = ["direct", "separable", "box", "fft"]
EXACT = ["direct", "separable", "box", "responses"]  # NaN and inf stay where they are
LANES = processor()[3].lanes
# Of the sum of |weight| times the largest sample: float32 rounding of sums of up to some hundred terms.
BOUND = 5e-7
LUMA = (0.299, 0.587, 0.114)


def kernel(rng, shape, way):
    """Weights that the way can run: all equal for a box."""
    return np.full(shape, 1 / np.prod(shape)) if way == "box" else rng.normal(size=shape)


def scipys(image, weights, border="reflect101", fill=0.0):
    """Correlation of each channel in float64."""
    planes = [
        ndimage.correlate(image[:, :, c].astype(float), weights, mode=SCIPY_MODES[border], cval=fill)
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=2)


def assert_close(out, expected, weights, image, bound=BOUND):
    scale = np.abs(weights).sum() * max(1.0, float(np.abs(image.astype(float)).max()))
    assert out.shape == expected.shape
    assert np.abs(out - expected).max(initial=0) <= bound * scale  # False where anything is NaN


# Values

WIDTHS = [1, 3, LANES - 1, LANES, LANES + 1, 3 * LANES + 2, 319, 320, 321, 959, 960, 961]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("width", WIDTHS)
def test_widths_around_vectors_and_tiles(rng, way, width):
    image = random_image(rng, (5, width, 1), np.uint8)
    weights = kernel(rng, (3, 3), way)
    assert_close(filtered(way, image, weights)[0], scipys(image, weights), weights, image)


@pytest.mark.parametrize("way", ["direct", "separable"])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("width", [95, 96, 97, 335, 1055, 1056])
def test_floats_are_read_in_place_with_the_same_bits(rng, way, width, channels):
    image = random_image(rng, (71, width, channels))
    weights = kernel(rng, (3, 4), way)
    answer = filtered(way, image, weights)[0]
    upside_down = np.ascontiguousarray(image[::-1])[::-1]  # no address grows from row to row: copied
    assert answer.tobytes() == filtered(way, upside_down, weights)[0].tobytes()
    assert_close(answer, scipys(image, weights), weights, image)


@pytest.mark.parametrize("way", [*WAYS, "responses"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("width", [5, 96, 97, 336, 1056])
@pytest.mark.parametrize("apart", [0, 4])  # floats from a cache line to the first pixel
def test_what_goes_past_the_caches_has_the_same_bits(rng, monkeypatch, way, width, channels, apart):
    image = random_image(rng, (9, width, channels))
    weights = kernel(rng, (3, 4), way)
    answer = filtered(way, image, weights)[0]
    surface = surface_over(image, weights.shape)
    room = aligned_empty((answer.size + apart,), np.float32)
    room[:] = -1
    object.__setattr__(surface, "out", room[apart:].reshape(answer.shape))
    monkeypatch.setattr(tiling, "STREAMED_BYTES", 0)
    run_way(way, weights, surface)
    assert surface.out.tobytes() == answer.tobytes()
    assert (room[:apart] == -1).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("height", [1, 2, 3, 31, 32, 33, 34, 65, 66])
@pytest.mark.parametrize("kernel_height", [1, 2, 5])
def test_heights_around_pairs_and_tiles(rng, way, height, kernel_height):
    image = random_image(rng, (height, 11, 3), np.uint16)
    weights = kernel(rng, (kernel_height, 2), way)
    assert_close(filtered(way, image, weights)[0], scipys(image, weights), weights, image)


@pytest.mark.parametrize("kernel_shape", [(3, 3), (9, 1), (15, 5), (21, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_rows_move_up_in_tiles_taller_than_scratch(rng, kernel_shape, stride, dilation):
    image = random_image(rng, (4000, 9, 2), np.uint8)
    weights = kernel(rng, kernel_shape, "separable")
    extent = [(side - 1) * dilation + 1 for side in kernel_shape]
    surface = surface_over(image, kernel_shape, dilation=dilation, stride=stride)
    job = lay_out(jobs.SEPARABLE, surface, extent=(extent[1], extent[0]), slides=SLIDING_TILES)
    assert job.loaded_rows < (job.record["tile_height"][0] - 1) * stride[1] + extent[0]
    run_way("separable", weights, surface, dilation=dilation)
    expected = scipys(image, spread_out(weights, dilation))[:: stride[1], :: stride[0]]
    assert_close(surface.out, expected, weights, image)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (4, 6), (1, 9), (9, 1), (23, 31)])
def test_borders_also_of_kernels_larger_than_the_image(rng, way, border, shape):
    weights = kernel(rng, shape, way)
    for size in ((6, 8, 2), (1, 1, 1), (3, 40, 4)):
        image = random_image(rng, size)
        out, _ = filtered(way, image, weights, border=border, fill=0.3)
        assert_close(out, scipys(image, weights, border, 0.3), weights, image)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_types_and_channels_across_tiles(rng, way, dtype, channels):
    image = random_image(rng, (70, 1000, channels), dtype)
    weights = kernel(rng, (5, 7), way)
    out, clipped = filtered(way, image, weights)
    assert clipped == 0
    assert_close(out, scipys(image, weights), weights, image)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["same", "valid", "full"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (3, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_modes_strides_and_dilations(rng, way, mode, stride, dilation):
    if way == "box" and dilation > 1:
        return  # a box with holes is no box: the plan does not make it one
    image = random_image(rng, (17, 19, 2))
    weights = kernel(rng, (3, 4), way)
    how = {"mode": mode, "stride": stride, "dilation": dilation, "border": "wrap", "anchor": (0, 2)}
    assert_close(filtered(way, image, weights, **how)[0], correlate(image, weights, **how), weights, image)


@pytest.mark.parametrize("way", WAYS)
def test_luma_is_weighed_while_it_is_read(rng, way):
    for dtype in DTYPES:
        image = random_image(rng, (9, 45, 3), dtype)
        weights = kernel(rng, (3, 3), way)
        out, _ = filtered(way, image, weights, luma=LUMA, border="constant", fill=0.7)
        gray = (image.astype(float) @ LUMA)[:, :, None]
        assert_close(out, scipys(gray, weights, "constant", 0.7), weights, image)


@pytest.mark.parametrize("fill", [0, 37, 37.5])
@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize(
    "shape",
    [(2, 3), (16, 16), (1, 257), (258, 1), (40, 40), (64, 3), (3, 70), (17, 17), (31, 31), (1, 258),
     (257, 12), (257, 13), (258, 12), (128, 24)],
)  # fmt: skip
def test_boxes_of_bytes_are_exact(rng, shape, fill, white):
    """In 16 bits, in 16 bits that are widened, in 32 bits: white has the largest sums."""
    image = random_image(rng, (301, 340, 3), np.uint8)
    image[: 301 if white else 0] = 255
    surface = surface_over(image, shape, border="constant", fill=fill, out=np.float32)
    run_way("box", np.ones(shape), surface)
    kh, kw = shape
    padded = np.pad(
        image.astype(np.float64),
        [(kh // 2, kh - 1 - kh // 2), (kw // 2, kw - 1 - kw // 2), (0, 0)],
        constant_values=fill,
    )
    sums = np.pad(padded.cumsum(0).cumsum(1), [(1, 0), (1, 0), (0, 0)])
    exact = sums[kh:, kw:] - sums[:-kh, kw:] - sums[kh:, :-kw] + sums[:-kh, :-kw]
    assert np.array_equal(surface.out, exact)


WHOLE_KERNELS = {
    "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "sobel": [[1 / 8, 0, -1 / 8], [1 / 4, 0, -1 / 4], [1 / 8, 0, -1 / 8]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "largest": [[64, 0, -64]],
    "one": [[1]],
    "none": [[0, 0, 0]],
}


@pytest.mark.parametrize("out", DTYPES)
@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), 1), ((2, 3), 1), ((1, 1), 2)])
@pytest.mark.parametrize("name", WHOLE_KERNELS)
def test_whole_weights_of_bytes_are_exact(rng, name, stride, dilation, out):
    weights = np.array(WHOLE_KERNELS[name])
    for shape, border in (((70, 331, 3), "reflect101"), ((9, 1000, 1), "constant"), ((5, 7, 2), "wrap")):
        image = random_image(rng, shape, np.uint8)
        how = {"border": border, "stride": stride, "dilation": dilation}
        exact = scipys(image, spread_out(weights, dilation), border)[:: stride[1], :: stride[0]]
        for absolute, scale, bias in ((False, 1, 0), (True, 1, 3), (False, 8, 100), (False, 1, -7.5)):
            surface = surface_over(
                image, weights.shape, out=out, fill=0.0, absolute=absolute, scale=scale, bias=bias, **how
            )
            clipped = run_way("direct", weights, surface, dilation=dilation)
            wanted = (np.abs(exact) if absolute else exact) * scale + bias
            if out == np.float32:
                assert np.array_equal(surface.out, wanted)
                continue
            top = np.iinfo(out).max
            assert np.array_equal(surface.out, np.rint(np.clip(wanted, 0, top)))
            assert clipped == np.count_nonzero((wanted < -0.5) | (wanted > top + 0.5))


@pytest.mark.parametrize("way", WAYS)
def test_rows_may_have_any_pitch(rng, way):
    whole = random_image(rng, (30, 50, 3), np.uint8)
    weights = kernel(rng, (3, 3), way)
    for image in (whole[:, 4:40], whole[::2], whole[::-1], whole[5:6], whole[::-3, 1:]):
        assert_close(filtered(way, image, weights)[0], scipys(image, weights), weights, image)


@st.composite
def cases(draw):
    """An image, a kernel and how to apply it."""
    number = st.integers(1, 6)
    kh, kw = draw(number), draw(number)
    dilation = draw(st.integers(1, 3))
    way = draw(st.sampled_from(WAYS))
    size = st.one_of(st.integers(1, 12), st.sampled_from([LANES - 1, LANES, LANES + 1, 2 * LANES + 3]))
    how = {
        "border": draw(st.sampled_from(BORDERS)),
        "mode": draw(st.sampled_from(["same", "valid", "full"])),
        "stride": (draw(st.integers(1, 4)), draw(st.integers(1, 4))),
        "dilation": 1 if way == "box" else dilation,
        "anchor": (draw(st.integers(0, kw - 1)), draw(st.integers(0, kh - 1))),
        "fill": draw(st.sampled_from([0.0, 0.5, 1.0])),
    }
    shape = (draw(size), draw(size), draw(st.integers(1, 4)))
    dtype = draw(st.sampled_from(DTYPES))
    flipped = draw(st.booleans())
    return way, shape, dtype, (kh, kw), how, flipped, draw(st.integers(0, 2**32 - 1))


@settings(max_examples=150)
@given(cases())
def test_anything_is_the_plain_loop(case):
    way, shape, dtype, kernel_shape, how, flipped, seed = case
    rng = np.random.default_rng(seed)
    image = random_image(rng, shape, dtype)
    image = image[::-1] if flipped else image
    weights = kernel(rng, kernel_shape, way)
    reach = [(k - 1) * how["dilation"] + 1 for k in kernel_shape]
    if how["mode"] == "valid" and (reach[0] > shape[0] or reach[1] > shape[1]):
        how["mode"] = "full"
    assert_close(filtered(way, image, weights, **how)[0], correlate(image, weights, **how), weights, image)


def test_the_two_oracles_agree(rng):
    image = random_image(rng, (5, 6, 2))
    for border in BORDERS:
        weights = rng.normal(size=(4, 7))
        expected = scipys(image, weights, border, 0.4)
        np.testing.assert_allclose(correlate(image, weights, border=border, fill=0.4), expected, atol=1e-12)


# Properties


@pytest.mark.parametrize("way", WAYS)
def test_an_impulse_answers_with_the_flipped_kernel(rng, way):
    image = np.zeros((11, 13, 1), np.float32)
    image[5, 6] = 1
    weights = kernel(rng, (5, 7), way)
    out, _ = filtered(way, image, weights, border="constant")
    np.testing.assert_allclose(out[3:8, 3:10, 0], weights[::-1, ::-1], atol=1e-6)
    out[3:8, 3:10] = 0
    assert np.abs(out).max() < 1e-6


@pytest.mark.parametrize("way", WAYS)
def test_linearity(rng, way):
    one, two = random_image(rng, (40, 50, 1)), random_image(rng, (40, 50, 1))
    weights = kernel(rng, (4, 5), way)
    both, _ = filtered(way, 2 * one - 3 * two, weights)
    apart = 2 * filtered(way, one, weights)[0].astype(float) - 3 * filtered(way, two, weights)[0]
    assert_close(both, apart, weights, 3 * two, bound=2e-6)


@pytest.mark.parametrize("way", WAYS)
def test_the_flipped_kernel_is_the_adjoint(rng, way):
    x, y = random_image(rng, (33, 47, 1)), random_image(rng, (33, 47, 1))
    weights = kernel(rng, (5, 4), way)
    there, _ = filtered(way, x, weights, border="constant", anchor=(1, 3))
    back, _ = filtered(way, y, weights[::-1, ::-1].copy(), border="constant", anchor=(2, 1))
    assert (there.astype(float) * y).sum() == pytest.approx((x.astype(float) * back).sum(), rel=1e-6)


@pytest.mark.parametrize("shape", [(3, 3), (2, 7), (15, 15), (33, 21)])
def test_all_ways_agree(rng, shape):
    image = random_image(rng, (80, 90, 3), np.uint8)
    weights = np.full(shape, 1 / np.prod(shape))
    expected = scipys(image, weights)
    for way in WAYS:
        assert_close(filtered(way, image, weights)[0], expected, weights, image, bound=2e-6)


@pytest.mark.parametrize("way", [*WAYS, "responses"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_bits_do_not_depend_on_the_threads(rng, way, channels):
    image = random_image(rng, (150, 700, channels))
    weights = kernel(rng, (5, 5), way)
    first = filtered(way, image, weights, out=np.uint16, scale=9999)
    for threads in (2, 3, 7):
        out, clipped = filtered(way, image, weights, out=np.uint16, scale=9999, threads=threads)
        np.testing.assert_array_equal(out, first[0])
        assert clipped == first[1]


@pytest.mark.parametrize("way", EXACT)
def test_the_bits_do_not_depend_on_the_place(rng, way):
    image = random_image(rng, (45, 101, 3), np.uint8)
    weights = kernel(rng, (3, 3), way)
    how = {"mode": "valid", "luma": LUMA, "scale": 0.7, "bias": 0.3}
    whole, _ = filtered(way, image, weights, **how)
    for x, y in ((1, 0), (5, 3), (17, 32), (90, 40)):
        part, _ = filtered(way, image[y:, x:], weights, **how)
        if way == "box":  # running sums start with the tile
            np.testing.assert_allclose(part, whole[y:, x:], rtol=5e-7)
        else:
            np.testing.assert_array_equal(part, whole[y:, x:])


def test_rows_in_pairs_answer_as_single_rows_do(rng):
    image = random_image(rng, (37, 61, 2))
    weights = rng.normal(size=(5, 3))
    pairs, _ = filtered("direct", image, weights)
    singles, _ = filtered("direct", image, weights, stride=(1, 2))
    np.testing.assert_array_equal(pairs[::2], singles)


@pytest.mark.parametrize("way", EXACT)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (8, 4)])
def test_what_is_not_finite_stays_within_its_windows(rng, way, value, shape):
    image = random_image(rng, (67, 80, 1))
    clean, _ = filtered(way, image, weights := np.abs(kernel(rng, shape, way)) + 0.1)
    for y, x in ((0, 0), (31, 40), (32, 41), (33, 79), (66, 8)):
        image[y, x] = value
    out, _ = filtered(way, image, weights)
    touched = ~np.isfinite(scipys(image, weights))
    np.testing.assert_array_equal(out[~touched], clean[~touched])
    if way != "responses":  # the largest of the responses leaves out those that are no number
        assert not np.isfinite(out[touched]).any()


GAPS = {
    "cross": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "diagonal": [[1, 0, 0], [0, 0, 0], [0, 0, 2]],
    "ring": [[1, 2, 1], [2, 0, 2], [1, 2, 1]],
    "column": [[1], [0], [0], [3]],
}


@pytest.mark.parametrize("name", GAPS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("height", range(24, 31))
def test_a_cell_without_weight_reads_nothing(rng, name, value, height):
    """Not even for another row, whichever rows share their loads."""
    weights = np.array(GAPS[name], float)
    image = random_image(rng, (height, 23, 1))
    clean, _ = filtered("direct", image, weights)
    image[rng.random(image.shape) < 0.05] = value
    out, _ = filtered("direct", image, weights)
    touched = scipys(~np.isfinite(image), (weights != 0).astype(float)) > 0.5
    np.testing.assert_array_equal(np.isfinite(out), ~touched)
    np.testing.assert_array_equal(out[~touched], clean[~touched])


def test_scratch_that_was_never_filled_does_not_count(rng):
    """The last row of a tile of odd height shares its loop with a row that is not there."""
    image = random_image(rng, (33, 2000, 1))
    image[:, :960] = np.nan
    out, _ = filtered("direct", image, rng.normal(size=(3, 3)))
    assert np.isfinite(out[:, 961:]).all()


# Storing


@pytest.mark.parametrize("way", [*WAYS, "responses"])
@pytest.mark.parametrize("out", [np.uint8, np.uint16])
@pytest.mark.parametrize("width", [1, LANES - 1, LANES, 4 * LANES, 4 * LANES + 3, 333])
def test_integers_are_rounded_and_clipped_and_the_clipped_are_counted(rng, way, out, width):
    image = random_image(rng, (7, width, 1))
    high = np.iinfo(out).max
    weights = kernel(rng, (3, 3), way)
    how = {"scale": 1.9 * high, "bias": -0.4 * high}
    found, clipped = filtered(way, image, weights, out=out, **how)
    response = scipys(image, weights)
    exact = (np.maximum(response, 0) if way == "responses" else response) * how["scale"] + how["bias"]
    slack = 2e-6 * how["scale"] * np.abs(weights).sum()
    assert found.dtype == out
    assert np.abs(found - np.clip(exact, 0, high)).max() <= 0.5 + slack
    surely = (exact < -0.5 - slack) | (exact > high + 0.5 + slack)
    perhaps = (exact < -0.5 + slack) | (exact > high + 0.5 - slack)
    assert surely.sum() <= clipped <= perhaps.sum()


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_halves_are_rounded_to_even_and_the_count_is_exact(stride):
    values = np.array(
        [-1.0, -0.75, -0.5, -0.25, 0, 0.5, 1.5, 2.5, 127.5, 254.5, 255, 255.5, 255.75, 9e9, -9e9]
    )
    image = np.repeat(np.tile(values, 9), stride[0]).astype(np.float32)[None, :, None]
    out, clipped = filtered("direct", image, np.ones((1, 1)), out=np.uint8, stride=stride)
    expected = np.clip(np.rint(values), 0, 255)
    assert out[0, :, 0].tolist() == np.tile(expected, 9).tolist()
    assert clipped == 9 * 5  # -1, -0.75, 255.75, 9e9, -9e9


@pytest.mark.parametrize("stride", [(1, 1), (3, 1)])
def test_what_is_not_finite_becomes_black_or_white(stride):
    image = np.tile(np.repeat(np.array([np.nan, np.inf, -np.inf, 7], np.float32), stride[0]), 9)[
        None, :, None
    ]
    out, clipped = filtered("direct", image, np.ones((1, 1)), out=np.uint16, stride=stride)
    assert out[0, :, 0].tolist() == [0, 65535, 0, 7] * 9
    assert clipped == 2 * 9


@pytest.mark.parametrize("out", DTYPES)
def test_absolute_comes_before_scale_and_bias(rng, out):
    image = random_image(rng, (6, 70, 1)) - np.float32(0.5)
    found, _ = filtered("direct", image, np.ones((1, 1)), out=out, absolute=True, scale=-30, bias=20)
    expected = np.abs(image.astype(float)) * -30 + 20
    assert np.abs(found - expected).max() <= (1e-5 if out == np.float32 else 0.5001)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_identity_keeps_every_value(dtype):
    image = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(-1, 64, 1)
    out, clipped = filtered("direct", image, np.ones((1, 1)), out=dtype)
    np.testing.assert_array_equal(out, image)
    assert clipped == 0


# Several kernels


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("combine", ["energy", "max", "direction", "angle"])
@pytest.mark.parametrize("rectified", [False, True])
def test_responses_are_combined(rng, count, combine, rectified):
    if combine == "angle":
        count = 2
    bank = list(rng.normal(size=(count, 3, 5)))
    image = random_image(rng, (9, 401, 1), np.uint8)
    surface = surface_over(image, (3, 5))
    angles = [0.1 * k - 1 for k in range(count)]
    run_responses(bank, surface, combine=combine, dilation=1, threads=2, rectified=rectified, angles=angles)
    answers = np.stack([scipys(image, weights) for weights in bank])
    rated = np.abs(answers) if rectified else answers
    scale = 255 * max(np.abs(weights).sum() for weights in bank)
    if combine == "direction":
        best = rated.max(axis=0)
        expected = np.where(best > 0, np.take(angles, rated.argmax(axis=0)), 0)
        runner_up = np.sort(rated, axis=0)[-2] if count > 1 else np.full_like(best, -np.inf)
        clear = (best - np.maximum(runner_up, 0) > 1e-5 * scale) | (best < -1e-5 * scale)
        assert clear.mean() > 0.95
        np.testing.assert_allclose(surface.out[clear], expected[clear], atol=1e-6)
        return
    expected = {
        "energy": np.sqrt((answers**2).sum(axis=0)),
        "max": np.maximum(rated.max(axis=0), 0),
        "angle": np.arctan2(answers[-1], answers[0]),
    }[combine]
    if combine == "angle":
        away = np.hypot(answers[0], answers[1]) > 1
        turn = np.abs(surface.out - expected)[away]
        assert np.minimum(turn, 2 * np.pi - turn).max() < 1e-4
    else:
        assert np.abs(surface.out - expected).max() < BOUND * scale


def test_angles_of_all_directions():
    """Within 1e-6 of atan2, zero where there is nothing, and exact along the axes."""
    turns = np.concatenate([np.linspace(-np.pi, np.pi, 4001)[1:], [np.pi / 2, -np.pi / 2, 0, np.pi / 4]])
    image = np.zeros((1, 2 * len(turns), 1), np.float32)
    image[0, ::2, 0], image[0, 1::2, 0] = np.cos(turns), np.sin(turns)
    surface = surface_over(image, (1, 2), mode="valid", stride=(2, 1), full_scale=1.0)
    pair = [np.array([[1.0, 0]]), np.array([[0, 1.0]])]
    run_responses(pair, surface, combine="angle", dilation=1, threads=1)
    expected = np.arctan2(image[0, 1::2, 0].astype(float), image[0, ::2, 0].astype(float))
    turn = np.abs(surface.out[0, :, 0] - expected)
    assert np.minimum(turn, 2 * np.pi - turn).max() < 1e-6
    run_responses(
        pair, surface_flat := surface_over(0 * image, (1, 2)), combine="angle", dilation=1, threads=1
    )
    assert not surface_flat.out.any()


# Odd kernels


def test_a_kernel_of_zeros_answers_zero(rng):
    image = random_image(rng, (5, 40, 1))
    for way in ("direct", "responses"):
        assert not filtered(way, image, np.zeros((3, 2)))[0].any()


def test_a_dilated_kernel_is_one_with_zeros_between(rng):
    image = random_image(rng, (21, 33, 1))
    weights = rng.normal(size=(3, 2))
    surface = surface_over(image, (7, 4), anchor=(3, 3))
    run_direct(spread_out(weights, 3), surface, dilation=1, threads=1)
    out, _ = filtered("direct", image, weights, dilation=3)
    assert_close(out, surface.out, weights, image)


@pytest.mark.parametrize("shape", [(401, 3), (3, 701), (1, 2001), (1001, 1)])
def test_kernels_taller_and_wider_than_tiles(rng, shape):
    image = random_image(rng, (30, 40, 1))
    weights = rng.normal(size=shape)
    for way in ("direct", "fft") if min(shape) > 1 else ("direct",):
        out, _ = filtered(way, image, weights, border="wrap")
        assert_close(out, scipys(image, weights, "wrap"), weights, image, bound=5e-6)
    box = np.full(shape, 1 / np.prod(shape))
    out, _ = filtered("box", image, box, border="wrap")
    assert_close(out, scipys(image, box, "wrap"), box, image, bound=5e-6)
