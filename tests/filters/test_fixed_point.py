"""Sums of bytes in 16-bit integers: the bytes of float32 sums, and how many are in doubt."""

import numpy as np
import pytest
from surfaces import BORDERS, filtered, four_bytes, random_image, run_way, surface_over

from cnncli.core.choices import OPEN_BY_WEIGHTS
from cnncli.core.native import processor
from cnncli.core.tiling import Surface
from cnncli.filters import execute
from cnncli.filters.fixed_point import SHARE_BITS, fixed_point, float_error

LANES, ROWS = processor()[3].lanes, processor()[3].tap_rows
CHUNK = processor()[3].tap_chunk(ROWS)


def blur(rng, shape):
    """Weights of sum 1, of which a few are negative: no integers."""
    weights = rng.uniform(-0.2, 1.0, shape)
    return weights / weights.sum()


def by_floats(image, weights, *, scale=1.0, bias=0.0, **how):
    """Bytes and number of the clipped, by float32 sums that are not rounded: those of an output of floats."""
    values, _ = filtered("direct", image, weights, scale=scale, bias=bias, **how)
    clipped = np.count_nonzero((values < -0.5) | (values > 255.5))
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8), clipped


def by_integers(monkeypatch, image, weights, *, threads=1, **how):
    """The same in bytes, where sums in integers must do, and the number of sums that were in doubt."""
    counts = []
    run = execute.native.run

    def watched(name, *rest, **options):
        assert name == "direct_pairs"
        scratches = run(name, *rest, **options)
        counts.append(sum(int(scratch[8:16].view(np.int64)[0]) for scratch in scratches))
        return scratches

    with monkeypatch.context() as patched:
        patched.setattr(execute.native, "run", watched)
        surface = surface_over(image, weights.shape, out=np.uint8, **how)
        clipped = run_way("direct", weights, surface, threads=threads)
    return surface.out, clipped, counts[0]


def assert_same(monkeypatch, image, weights, **how):
    out, clipped, doubtful = by_integers(monkeypatch, image, weights, **how)
    how.pop("threads", None)
    wanted, wanted_clipped = by_floats(image, weights, **how)
    np.testing.assert_array_equal(out, wanted)
    assert clipped == wanted_clipped
    return doubtful


WIDTHS = [1, 3, LANES - 1, LANES, LANES + 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + LANES + 2, 961]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("channels", [1, 3])
def test_widths_around_vectors_chunks_and_tiles(rng, monkeypatch, width, channels):
    image = random_image(rng, (9, width, channels), np.uint8)
    assert_same(monkeypatch, image, blur(rng, (3, 3)))


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 47, 48, 49, 50, 51, 135])
@pytest.mark.parametrize("shape", [(1, 4), (2, 2), (3, 3), (4, 1), (5, 3), (6, 5), (7, 7), (11, 9)])
def test_heights_around_pairs_and_tiles(rng, monkeypatch, height, shape):
    image = random_image(rng, (height, 31, 2), np.uint8)
    assert_same(monkeypatch, image, blur(rng, shape))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape", [(3, 3), (7, 5), (4, 6), (1, 9), (9, 1)])
def test_borders_also_of_kernels_larger_than_the_image(rng, monkeypatch, border, shape):
    for size in ((6, 8, 2), (1, 1, 1), (3, 40, 4), (70, 333, 3)):
        image = random_image(rng, size, np.uint8)
        assert_same(monkeypatch, image, blur(rng, shape), border=border, fill=200.0)


@pytest.mark.parametrize("mode", ["same", "valid", "full"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
def test_modes_channels_and_threads(rng, monkeypatch, mode, channels):
    image = random_image(rng, (150, 700, channels), np.uint8)
    weights = blur(rng, (5, 4))
    how = {"mode": mode, "border": "wrap", "anchor": (0, 3)}
    for threads in (1, 3):
        assert assert_same(monkeypatch, image, weights, threads=threads, **how) > 0


@pytest.mark.parametrize(("scale", "bias"), [(1.3, 0.25), (0.4, -30), (-1, 255), (1.6, -90)])
def test_scale_and_bias_and_the_clipped(rng, monkeypatch, scale, bias):
    image = random_image(rng, (67, 3 * CHUNK + 5, 3), np.uint8)
    image[20:40, 10:200] = 0
    image[5:30, 150:300] = 255
    weights = blur(rng, (3, 5))
    assert_same(monkeypatch, image, weights, scale=scale, bias=bias)
    assert by_floats(image, weights, scale=scale, bias=bias)[1] > 0 or scale == 1.3


def test_rows_may_have_any_pitch(rng, monkeypatch):
    whole = random_image(rng, (30, 50, 3), np.uint8)
    for image in (whole[:, 4:40], whole[::2], whole[::-1], whole[5:6], whole[::-3, 1:]):
        assert_same(monkeypatch, image, blur(rng, (3, 3)))


@pytest.mark.parametrize("width", [1, 5, CHUNK // 4, CHUNK, 963])
def test_four_bytes_a_pixel_are_filtered_where_they_lie(rng, monkeypatch, width):
    image = random_image(rng, (37, width, 3), np.uint8)
    weights = blur(rng, (5, 3)) * 1.2
    raw = np.zeros((37, width, 4), np.uint8)
    source = four_bytes(image)
    source[..., 3] = rng.integers(0, 256, source.shape[:2])
    surface = surface_over(source[..., :3], weights.shape)
    object.__setattr__(surface, "out", raw[..., :3])
    clipped = run_way("direct", weights, surface)
    wanted, wanted_clipped = by_floats(image, weights)
    np.testing.assert_array_equal(raw[..., :3], wanted)
    assert clipped == wanted_clipped
    assert (raw[..., 3] == 255).all()


# Doubt


def test_sums_on_a_half_are_taken_again(rng, monkeypatch):
    """0.1 times 5 or 15 or 25 … is a half: float32 decides by its rounding, tap by tap."""
    image = (10 * rng.integers(0, 24, (40, 3 * CHUNK, 1)) + 5).astype(np.uint8)
    image = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    monkeypatch.setattr("cnncli.filters.fixed_point.OPEN_SHARE", 1)
    weights = np.full((1, 11), 0.1)
    doubtful = assert_same(monkeypatch, image, weights)
    assert doubtful > image.size // 10


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 3), (4, 5), (7, 9)])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_all_sums_may_be_in_doubt(rng, monkeypatch, shape, channels):
    """Each is summed again then: in vectors of samples whose last is not full, of all rows and chunks."""
    for name, value in (("OPEN_SHARE", 1), ("OPEN_BY_WEIGHTS", np.inf), ("ROUNDINGS", 2**23)):
        monkeypatch.setattr(f"cnncli.filters.fixed_point.{name}", value)
    monkeypatch.setattr("cnncli.filters.fixed_point.on_a_half", lambda gain, bias, error: False)
    weights = blur(rng, shape) * 1.2
    for size in ((1, 1, channels), (9, 5 * LANES + 1, channels), (11, 963, channels)):
        image = random_image(rng, size, np.uint8)
        assert assert_same(monkeypatch, image, weights, bias=-9.3) == image.size
    single = weights.astype(np.float32).astype(float)
    exact = np.concatenate([filtered64(image[..., c : c + 1], single) for c in range(channels)], axis=2) - 9.3
    inside = tuple(slice(size // 2, end - size // 2) for size, end in zip(shape, image.shape, strict=False))
    out, exact = by_integers(monkeypatch, image, weights, bias=-9.3)[0][inside], exact[inside]
    sure = np.abs(exact % 1 - 0.5) > 1e-3
    assert (out == np.rint(np.clip(exact, 0, 255)))[sure].all()
    assert sure.mean() > 0.7


def test_a_picture_that_is_in_doubt_nearly_everywhere_is_left_to_floats(rng):
    image = np.full((300, 500, 1), 105, np.uint8)
    weights = blur(rng, (3, 3)) * 1.1
    surface = surface_over(image, (3, 3), out=np.uint8)
    fixed = fixed_point(weights, surface)
    assert execute._run_direct_pairs(fixed, weights, surface, threads=1) is None
    out, clipped = filtered("direct", image, weights, out=np.uint8)
    np.testing.assert_array_equal(out, by_floats(image, weights)[0])
    assert clipped == 0


@pytest.mark.parametrize("shape", [(3, 3), (5, 5), (7, 7), (11, 11)])
@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (0.7, 3.1)])
def test_the_error_is_less_than_the_doubt(rng, shape, scale, bias):
    """Exact sums, in float64, of windows that are the worst for the weights as they are rounded."""
    weights = blur(rng, shape)
    fixed = fixed_point(weights, Surface(**_fields(), scale=scale, bias=bias))
    exact = weights.astype(np.float32).astype(np.float64) * float(np.float32(scale))
    lacking = exact * 2.0**fixed.shift - fixed.weights
    for low, high in ((0, 255), (255, 255), (0, 1), (100, 101), (20, 90)):
        error = fixed.error + ((high - low) * fixed.spread >> SHARE_BITS)
        start = fixed.start + ((high + low) * fixed.lean >> SHARE_BITS)
        for window in (np.where(lacking > 0, high, low), np.where(lacking < 0, high, low)):
            value = (exact * window).sum() + float(np.float32(bias))
            found = (fixed.weights.astype(int) * window).sum() + start
            assert abs((value + 0.5) * 2.0**fixed.shift - found) < error
    assert fixed.doubt <= OPEN_BY_WEIGHTS


@pytest.mark.parametrize("shape", [(3, 3), (7, 7), (11, 11)])
def test_float32_is_as_close_as_it_is_said_to_be(rng, shape):
    image = random_image(rng, (60, 400, 1), np.uint8)
    for weights in (blur(rng, shape), rng.normal(size=shape) / 9):
        values, _ = filtered("direct", image, weights, scale=0.9, bias=7)
        single = weights.astype(np.float32).astype(float)
        exact = filtered64(image, single) * float(np.float32(0.9)) + 7
        near = (exact > -1) & (exact < 256)
        assert np.abs(values - exact)[near].max() <= float_error(weights, 0.9, 7)


def filtered64(image, weights):
    """Correlation in float64."""
    kh, kw = weights.shape
    padded = np.pad(image[..., 0].astype(float), [(kh // 2, kh // 2), (kw // 2, kw // 2)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw))
    return np.einsum("yxij,ij->yx", windows, weights)[..., None]


@pytest.mark.parametrize(
    ("weights", "scale", "bias", "why"),
    [
        (np.full((3, 3), 40.123), 1.0, 0.0, "too many in doubt"),
        (np.full((3, 3), 0.1), 1.0, 0.0, "white is on a half"),
        (np.array([[0.3, -0.3]]), 1.0, 127.5, "black is on a half"),
        (np.full((2, 2), 1e30), 1.0, 0.0, "too large"),
        (np.full((2, 2), 0.3), np.inf, 0.0, "no number"),
        (np.full((2, 2), 0.3), 1.0, 1e20, "no byte"),
        (np.zeros((2, 2)), 1.0, 0.0, "nothing"),
    ],
)
def test_what_floats_do_as_well_is_left_to_them(weights, scale, bias, why):
    assert fixed_point(weights, Surface(**_fields(), scale=scale, bias=bias)) is None, why


def _fields():
    image = np.zeros((4, 4, 1), np.uint8)
    line = np.arange(4)
    return {"src": image, "out": image.copy(), "xmap": line, "ymap": line}
