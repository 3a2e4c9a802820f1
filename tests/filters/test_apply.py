"""Chains of filters over whole frames: depth, opacity, linear light, geometry, and what is refused."""

import numpy as np
import pytest
from plain_loop import correlate
from scipy import ndimage
from surfaces import BORDERS, four_bytes, random_image

from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.borders import Border
from cnncli.filters.catalog import CATALOG
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

U8, U16 = Depth(np.dtype(np.uint8), 255.0), Depth(np.dtype(np.uint16), 65535.0)
FLOAT, RAW = Depth(np.dtype(np.float32), 1.0), Depth(np.dtype(np.float32), 1.0, raw=True)
DEPTHS = {np.dtype(np.uint8): U8, np.dtype(np.uint16): U16, np.dtype(np.float32): FLOAT}
SMOOTHING = [
    "box:3",
    "box:4",
    "box:31",
    "gaussian:sigma=1",
    "gaussian:sigma=7",
    "disk:radius=2.5",
    "disk:radius=20",
    "motion:length=9,angle=33",
    "binomial:7",
    "median:3",
    "bilateral",
    "kuwahara",
]


def applied(frame, *specs, alpha=False, target=None, threads=2, rgbx=False, **options):
    """Apply by SPEC or by filter; the result in the frame's own depth unless another is asked for."""
    source = DEPTHS[frame.dtype]
    filters = [parse_spec(spec) if isinstance(spec, str) else spec for spec in specs]
    return apply_filters(
        frame,
        filters,
        Options(**options),
        alpha=alpha,
        source=source,
        target=target or source,
        threads=threads,
        rgbx=rgbx,
    )


def matrix(weights, **fields):
    return Linear(name="custom", spec="custom", weights=np.asarray(weights, float), flips=True, **fields)


# Memory


@pytest.mark.parametrize("gray", [None, True, False])
@pytest.mark.parametrize(
    "specs",
    [["sobel"], ["kirsch"], ["canny"], ["gabor"], ["zero-crossings"], ["emboss"], ["0.3 1; 2 -1"],
     ["1 0; 0 1"], ["gaussian"], ["gaussian:sigma=20"], ["median:1"], ["median:3"], ["median:15"],
     ["bilateral:5"], ["disk:radius=20"], ["box:5"], ["box:40"], ["gaussian", "sharpen"],
     ["box:3", "median:3"]],
)  # fmt: skip
def test_rgbx_pixels_are_colours(rng, specs, gray):
    close = random_image(rng, (45, 400, 3), np.uint8)
    seen = four_bytes(close)[..., :3]
    wanted = applied(close, *specs, gray=gray)
    for rgbx in (True, False):
        answer = applied(seen, *specs, gray=gray, rgbx=rgbx)
        assert np.array_equal(answer.pixels, wanted.pixels)
        assert answer.clipped == wanted.clipped
        spread = rgbx and wanted.pixels.shape[2] == 3
        assert answer.pixels.strides[1:] == ((4, 1) if spread else (wanted.pixels.shape[2], 1))


@pytest.mark.parametrize(
    "how", [{"linear": True}, {"range": "stretch"}, {"stride": (2, 3)}, {"mode": "full"}]
)
def test_results_are_rgbx_for_all_options(rng, how):
    close = random_image(rng, (21, 30, 3), np.uint8)
    answer = applied(four_bytes(close)[..., :3], "gaussian", rgbx=True, **how)
    assert np.array_equal(answer.pixels, applied(close, "gaussian", **how).pixels)
    assert answer.pixels.strides[1:] == (4, 1)


def test_opacity_stays_beside_its_colours(rng):
    frame = random_image(rng, (21, 30, 4), np.uint8)
    answer = applied(frame, "gaussian", alpha=True, rgbx=True)
    assert answer.pixels.shape == frame.shape
    assert answer.pixels.flags.c_contiguous


# Values


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("mode", ["same", "valid", "full"])
@pytest.mark.parametrize("stride", [(1, 1), (3, 2)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("flip", [False, True])
def test_a_matrix_is_the_plain_loop(rng, border, mode, stride, dilation, flip):
    image = random_image(rng, (12, 11, 2))
    weights = rng.normal(size=(3, 4))
    how = {"mode": mode, "stride": stride, "dilation": dilation}
    out = applied(
        image,
        matrix(weights),
        target=RAW,
        border=Border(border, 0.4),
        correlate=not flip,
        anchor=(3, 0),
        **how,
    )
    placed_kernels, anchor = (weights[::-1, ::-1], (0, 2)) if flip else (weights, (3, 0))
    expected = correlate(image, placed_kernels, anchor=anchor, border=border, fill=0.4, **how)
    np.testing.assert_allclose(out.pixels, expected, atol=5e-6)


@pytest.mark.parametrize("anchor", [None, (0, 0), (1, 1), (3, 2)])
def test_convolution_is_scipys_for_any_anchor(rng, anchor):
    image, weights = random_image(rng, (15, 16, 1)), rng.normal(size=(3, 4))
    x, y = anchor or (2, 1)
    out = applied(image, matrix(weights), target=RAW, anchor=anchor)
    expected = ndimage.convolve(image[:, :, 0].astype(float), weights, mode="mirror", origin=(y - 1, x - 2))
    np.testing.assert_allclose(out.pixels[:, :, 0], expected, atol=5e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_layouts_of_memory_do_not_matter(rng, dtype, channels):
    whole = random_image(rng, (20, 24, channels), dtype)
    views = [
        whole[::-1, ::-1],
        whole[::2, ::3],
        whole.transpose(1, 0, 2),
        np.asfortranarray(whole),
        whole[:, :, ::-1],
    ]
    for view in views:
        for spec in ("gaussian:sigma=1", "sharpen"):
            expected = applied(np.ascontiguousarray(view), spec).pixels
            np.testing.assert_array_equal(applied(view, spec).pixels, expected)
            assert expected.dtype == dtype


@pytest.mark.parametrize("spec", SMOOTHING)
@pytest.mark.parametrize(
    ("dtype", "values"), [(np.uint8, [0, 1, 37, 128, 254, 255]), (np.uint16, [0, 1, 32769, 65534, 65535])]
)
def test_flat_areas_stay_exactly_flat(spec, dtype, values):
    for value in values:
        frame = np.full((40, 53, 3), value, dtype)
        out = applied(frame, spec)
        assert np.unique(out.pixels).tolist() == [value]
        assert out.clipped == 0


@pytest.mark.parametrize(
    "spec",
    [
        "sobel",
        "scharr:output=x",
        "laplacian",
        "log",
        "kirsch",
        "prewitt:output=direction",
        "robinson:output=direction",
        "gabor",
        "canny",
        "zero-crossings",
    ],
)
@pytest.mark.parametrize("value", [(200, 13, 77), (255, 255, 255)])
def test_there_are_no_edges_in_flat_areas(spec, value):
    try:
        filter = parse_spec(spec)
    except CnncliError:
        filter = parse_spec(spec.split(":")[0] + ":output=direction")
    frame = np.empty((30, 41, 3), np.uint8)
    frame[:] = value
    out = applied(frame, filter)
    assert np.unique(out.pixels).tolist() in ([0], [128])


@pytest.mark.parametrize("spec", [name for name in CATALOG if name != "zero-crossings"])
def test_every_named_filter_gives_the_same_bits_for_any_number_of_threads(rng, spec):
    frame = random_image(rng, (70, 90, 3), np.uint8)
    first = applied(frame, spec, threads=1)
    assert len(first.plans) == 1
    for threads in (2, 7):
        np.testing.assert_array_equal(applied(frame, spec, threads=threads).pixels, first.pixels)


# Chains


def test_a_chain_is_the_filters_one_by_one_in_float(rng):
    frame = random_image(rng, (30, 40, 3), np.uint8)
    out = applied(frame, "gaussian:sigma=1", matrix([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]), "box:3")
    step = frame.astype(np.float32)
    for spec in ("gaussian:sigma=1", matrix([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]), "box:3"):
        step = applied(step, spec, target=RAW).pixels
    assert np.abs(out.pixels - np.clip(step, 0, 255)).max() <= 0.5 + 1e-3
    assert [plan.way for plan in out.plans] == ["separable", "direct", "box"]


def test_repeat_is_the_chain_again(rng):
    frame = random_image(rng, (30, 40, 1))
    out = applied(frame, "gaussian:sigma=1", "sharpen", repeat=3, target=RAW)
    by_hand = applied(frame, *["gaussian:sigma=1", "sharpen"] * 3, target=RAW)
    np.testing.assert_array_equal(out.pixels, by_hand.pixels)
    assert len(out.plans) == 6


def test_strides_and_modes_hold_for_each_filter(rng):
    frame = random_image(rng, (40, 50, 1))
    assert applied(frame, "box:3", "box:3", stride=(2, 3)).pixels.shape == (5, 13, 1)
    assert applied(frame, "box:3", "box:5", mode="valid").pixels.shape == (34, 44, 1)
    assert applied(frame, "box:3", "box:5", mode="full").pixels.shape == (46, 56, 1)


@pytest.mark.parametrize(
    "spec",
    [
        "gaussian:sigma=2",
        "sharpen",
        "sobel",
        "median:5",
        "kirsch",
        "canny",
        "bilateral",
        "kuwahara",
        "open:disk:2",
    ],
)
@pytest.mark.parametrize("how", [{}, {"stride": (2, 3)}, {"border": Border("wrap")}])
@pytest.mark.parametrize("roi", [(0, 0, 1, 1), (3, 2, 15, 9), (19, 12, 1, 1)])
def test_a_region_is_the_crop_of_the_whole(rng, spec, how, roi):
    frame = random_image(rng, (39, 60, 3), np.uint8)
    try:
        whole = applied(frame, spec, **how)
    except CnncliError:
        assert spec == "canny"  # has no strides
        return
    x, y, width, height = roi
    part = applied(frame, spec, roi=roi, **how)
    np.testing.assert_array_equal(part.pixels, whole.pixels[y : y + height, x : x + width])


def test_a_region_of_a_chain_is_of_its_result(rng):
    frame = random_image(rng, (40, 60, 4), np.uint8)
    specs = ("gaussian:sigma=2", "sharpen")
    whole = applied(frame, *specs, alpha=True)
    part = applied(frame, *specs, alpha=True, roi=(50, 30, 10, 10))
    np.testing.assert_array_equal(part.pixels, whole.pixels[30:, 50:])


# Ranges


def test_signed_answers_lie_around_mid_gray_and_magnitudes_reach_white():
    step = np.zeros((9, 20, 1), np.uint8)
    step[:, 10:] = 255
    across = applied(step, "sobel:output=x")
    assert across.signed
    assert across.pixels[4, 9, 0] == 255
    assert across.pixels[4, 2, 0] == 128
    magnitude = applied(step, "sobel")
    assert not magnitude.signed
    assert magnitude.pixels.max() == 255
    assert magnitude.clipped == 0
    assert applied(step[:, ::-1], "sobel:output=x", range="abs").pixels.max() == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_clipped_share_is_exact(dtype):
    high = np.iinfo(dtype).max
    frame = np.full((10, 10, 3), high // 2, dtype)
    frame[0, :7] = high
    assert applied(frame, matrix([[2]])).clipped == pytest.approx(7 / 100)
    assert applied(frame, matrix([[-1]]), range="clip").clipped == 1
    assert applied(frame, matrix([[1]])).clipped == 0


def test_depth_may_change(rng):
    frame = random_image(rng, (20, 30, 1), np.uint8)
    wide = applied(frame, "identity", target=U16).pixels
    np.testing.assert_array_equal(wide, frame.astype(np.uint16) * 257)
    np.testing.assert_array_equal(applied(wide, "identity", target=U8).pixels, frame)
    np.testing.assert_allclose(applied(frame, "identity", target=FLOAT).pixels, frame / 255, rtol=1e-6)


def test_scale_and_bias_are_in_units_of_the_image(rng):
    frame = random_image(rng, (9, 9, 1), np.uint8)
    out = applied(frame, "identity", scale=0.5, bias=10)
    np.testing.assert_array_equal(out.pixels, np.rint(frame * 0.5 + 10))


# Opacity


def shape_on_nothing(dtype, color):
    """A square of one colour on transparent ground of another."""
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    frame = np.zeros((40, 40, 4), dtype)
    frame[12:28, 12:28, :3] = np.asarray(color, dtype)
    frame[12:28, 12:28, 3] = white
    return frame, white


@pytest.mark.parametrize(
    "spec", ["box:5", "gaussian:sigma=2", "disk:radius=4", "motion:length=7", "1 1 1; 1 1 1; 1 1 1"]
)
@pytest.mark.parametrize(("dtype", "color"), [(np.uint8, (250, 9, 128)), (np.uint16, (65000, 9, 32768))])
def test_a_blur_leaves_no_fringe(spec, dtype, color):
    frame, white = shape_on_nothing(dtype, color)
    out = applied(frame, spec, alpha=True, **({"normalize": "sum"} if spec[0] == "1" else {}))
    opacity = out.pixels[:, :, 3]
    assert out.alpha
    assert opacity[20, 20] > 0.999 * white
    assert opacity[0, 0] == 0
    assert ((opacity > 0) & (opacity < white)).any()
    seen = opacity > 0
    assert np.unique(out.pixels[seen][:, :3], axis=0).tolist() == [list(color)]


def test_opacity_is_blurred_as_a_gray_image_is(rng):
    frame = random_image(rng, (20, 30, 4), np.uint8)
    out = applied(frame, "gaussian:sigma=2", alpha=True)
    plain = applied(frame[:, :, 3:], "gaussian:sigma=2")
    assert np.abs(out.pixels[:, :, 3].astype(int) - plain.pixels[:, :, 0]).max() <= 1


@pytest.mark.parametrize("spec", ["sobel", "sharpen", "laplacian", "emboss", "kirsch", "-1 0 1"])
@pytest.mark.parametrize("channels", [2, 4])
def test_edges_keep_opacity_as_it_was(rng, spec, channels):
    frame = random_image(rng, (20, 30, channels), np.uint8)
    out = applied(frame, spec, alpha=True)
    np.testing.assert_array_equal(out.pixels[:, :, -1], frame[:, :, -1])
    strided = applied(frame, spec, alpha=True, stride=(3, 2))
    np.testing.assert_array_equal(strided.pixels[:, :, -1], frame[::2, ::3, -1])
    inner = applied(frame, spec, alpha=True, roi=(4, 5, 6, 7))
    np.testing.assert_array_equal(inner.pixels[:, :, -1], frame[5:12, 4:10, -1])


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_identity_keeps_what_is_seen(rng, channels, dtype):
    frame = random_image(rng, (20, 30, channels), dtype)
    out = applied(frame, "identity", alpha=True).pixels
    np.testing.assert_array_equal(out[:, :, -1], frame[:, :, -1])
    seen = frame[:, :, -1] > 0
    np.testing.assert_array_equal(out[seen], frame[seen])


def test_an_opaque_image_is_filtered_as_one_without_opacity(rng):
    frame = random_image(rng, (20, 30, 4), np.uint8)
    frame[:, :, 3] = 255
    for spec in ("gaussian:sigma=1", "sobel", "median:3"):
        out = applied(frame, spec, alpha=True).pixels
        np.testing.assert_array_equal(out[:, :, :-1], applied(frame[:, :, :3], spec).pixels)
        assert (out[:, :, -1] == 255).all()


@pytest.mark.parametrize("value", [0, 100, 255])
def test_a_constant_border_is_an_opaque_colour(value):
    frame = np.full((9, 9, 4), value, np.uint8)
    frame[:, :, 3] = 255
    frame[4, 4, 3] = 0
    out = applied(frame, "box:3", alpha=True, border=Border("constant", value)).pixels
    assert (out[:, :, :3] == value).all()
    assert out[0, 0, 3] == 255
    assert out[4, 4, 3] == round(255 * 8 / 9)


# Gray and linear light


def test_detectors_answer_in_gray_and_blurs_in_colour(rng):
    frame = random_image(rng, (20, 30, 3), np.uint8)
    assert applied(frame, "sobel").pixels.shape == (20, 30, 1)
    assert applied(frame, "sobel", gray=False).pixels.shape == (20, 30, 3)
    assert applied(frame, "box:3").pixels.shape == (20, 30, 3)
    luma = applied(frame, "identity", gray=True).pixels
    np.testing.assert_array_equal(luma[:, :, 0], np.rint(frame.astype(float) @ (0.299, 0.587, 0.114)))


def test_each_colour_is_filtered_apart(rng):
    frame = random_image(rng, (20, 30, 3), np.uint8)
    out = applied(frame, "sobel", gray=False).pixels
    for c in range(3):
        np.testing.assert_array_equal(out[:, :, c : c + 1], applied(frame[:, :, c : c + 1], "sobel").pixels)


def test_in_linear_light_black_and_white_mix_to_188():
    frame = np.zeros((20, 20, 1), np.uint8)
    frame[:, ::2] = 255
    half = matrix([[0.5, 0.5]])
    assert (applied(frame, half, linear=True).pixels == 188).all()
    assert (applied(frame, half).pixels == 128).all()
    assert abs(applied(frame.astype(np.uint16) * 257, half, linear=True).pixels / 257 - 187.5).max() < 1


def test_in_linear_light_flat_areas_and_borders_keep_their_value():
    for value in (0, 10, 128, 255):
        frame = np.full((9, 9, 3), value, np.uint8)
        out = applied(frame, "gaussian:sigma=1", linear=True, border=Border("constant", value))
        assert (out.pixels == value).all()


# What is not a number


def test_nan_stays_within_its_windows(rng):
    frame = random_image(rng, (40, 50, 1))
    frame[20, 30] = np.nan
    for spec in ("box:5", "gaussian:size=5,sigma=1", "sharpen"):
        out = applied(frame, spec, target=RAW).pixels
        rows, columns, _ = np.nonzero(np.isnan(out))
        reach = 1 if spec == "sharpen" else 2
        assert abs(rows - 20).max() == abs(columns - 30).max() == reach


def test_infinity_becomes_white(rng):
    frame = random_image(rng, (20, 20, 1))
    frame[5, 5] = np.inf
    assert applied(frame, "box:3", target=U8).pixels[4:7, 4:7].min() == 255


# What is refused


@pytest.mark.parametrize("roi", [(-1, 0, 5, 5), (0, 0, 0, 5), (0, 0, 31, 5), (25, 0, 6, 5), (0, 20, 1, 1)])
def test_a_region_outside_the_result(rng, roi):
    frame = random_image(rng, (20, 30, 1), np.uint8)
    with pytest.raises(CnncliError, match=r"--roi is .*; expected X,Y,W,H inside the result, whose"):
        applied(frame, "box:3", roi=roi)


def test_valid_with_a_kernel_larger_than_the_image(rng):
    frame = random_image(rng, (20, 30, 1), np.uint8)
    with pytest.raises(
        CnncliError, match="--mode valid: the kernel of box has a height of 25 pixels, the image 20"
    ):
        applied(frame, "box:25", mode="valid")
    with pytest.raises(CnncliError, match="--mode valid"):
        applied(frame, "box:11", "box:11", "box:11", mode="valid")


def test_an_anchor_outside_the_kernel(rng):
    with pytest.raises(CnncliError, match="--anchor is 3,0"):
        applied(random_image(rng, (20, 30, 1), np.uint8), "box:3", anchor=(3, 0))


@pytest.mark.parametrize("spec", ["kirsch", "robinson", "prewitt-compass"])
def test_of_equally_strong_directions_the_first_wins_at_every_depth(rng, spec):
    image = rng.integers(0, 4, (40, 50, 1)).astype(np.uint8)
    deep = image.astype(np.uint16) * 257
    spec = f"{spec}:output=direction"
    bank = parse_spec(spec)
    planes = [
        ndimage.convolve(image[..., 0].astype(int), np.rint(60 * w).astype(int), mode="mirror")
        for w in bank.bank
    ]
    best = np.array(bank.angles)[np.argmax(planes, axis=0)]
    best[np.max(planes, axis=0) <= 0] = 0
    for frame in (image, deep):
        answer = applied(frame, spec, target=RAW).pixels[..., 0]
        np.testing.assert_allclose(answer, best, atol=1e-6)


@pytest.mark.parametrize("spec", ["canny:sigma=1,low=0.02,high=0.3", "zero-crossings"])
def test_a_region_of_edges_equals_the_crop_of_the_whole(rng, spec):
    """Hysteresis follows an edge out of the region and back in; a crossing has neighbours beyond it."""
    image = random_image(rng, (60, 80, 1), np.uint8)
    whole = applied(image, spec).pixels
    part = applied(image, spec, roi=(10, 20, 33, 25)).pixels
    assert 0 < np.count_nonzero(part) < part.size
    np.testing.assert_array_equal(part, whole[20:45, 10:43])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("range_", ["abs", "clip", "none"])
@pytest.mark.parametrize("weight", [-1 / 9, -0.25, 1 / 9])
def test_a_box_of_negative_weights(rng, dtype, range_, weight):
    """The plan for boxes scales a sum, whose sign goes first where magnitudes are asked for."""
    image = random_image(rng, (20, 30, 1), dtype)
    weights = np.full((3, 3), weight)
    boxed = applied(image, matrix(weights), range=range_)
    assert boxed.plans[0].way == "box"
    white = DEPTHS[np.dtype(dtype)].white
    answer = ndimage.convolve(image[..., 0].astype(float), weights, mode="mirror")
    answer = np.abs(answer) if range_ == "abs" else answer
    wanted = answer if dtype == np.float32 and range_ == "none" else np.clip(answer, 0, white)
    assert np.abs(boxed.pixels[..., 0] - wanted).max() <= (
        1e-5 if dtype == np.float32 else 0.5 + 1e-3 * white / 255
    )
