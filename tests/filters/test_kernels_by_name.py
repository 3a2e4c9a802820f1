"""Weights of the named kernels against published numbers, scipy and, where installed, OpenCV."""

import math

import numpy as np
import pytest
from kernel_oracle import answer, response
from scipy import ndimage

from cnncli.errors import CnncliError
from cnncli.filters.catalog import CATALOG
from cnncli.filters.coverage import disk_coverage, streak_coverage
from cnncli.filters.smoothing import gaussian_taps
from cnncli.filters.spec import parse_spec

RNG = np.random.default_rng(7)
IMAGE = RNG.random((61, 67))
DERIVATIVES = ["sobel", "scharr", "prewitt", "farid"]
COMPASS = ["kirsch", "robinson", "prewitt-compass", "frei-chen"]


def apply(weights, image):
    return ndimage.convolve(image, weights, mode="nearest")


def steps():
    """Full-scale steps along both axes and both ways."""
    step = np.zeros((15, 15))
    step[:, 8:] = 1
    return [step, step.T, step[:, ::-1], step.T[::-1]]


# Smoothing


@pytest.mark.parametrize(
    "spec", ["box:size=7", "box:4", "disk:radius=4.3", "motion:length=9,angle=33", "binomial:7"]
)
def test_smoothing_sums_to_one(spec):
    assert parse_spec(spec).weights.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("sigma", [0.4, 1, 2.5, 7])
def test_gaussian_is_scipys(sigma):
    ours = apply(parse_spec(f"gaussian:sigma={sigma}").weights, IMAGE)
    np.testing.assert_allclose(ours, ndimage.gaussian_filter(IMAGE, sigma, mode="nearest"), atol=1e-12)


def test_gaussian_with_two_sigmas_is_scipys():
    ours = apply(parse_spec("gaussian:sigma=3,sigma-y=1").weights, IMAGE)
    np.testing.assert_allclose(ours, ndimage.gaussian_filter(IMAGE, (1, 3), mode="nearest"), atol=1e-12)


@pytest.mark.parametrize("size", [3, 5, 9, 31])
def test_gaussian_by_size_is_opencvs(size):
    cv2 = pytest.importorskip("cv2")
    ours = parse_spec(f"gaussian:size={size}").weights
    taps = cv2.getGaussianKernel(size, 0.3 * ((size - 1) * 0.5 - 1) + 0.8)
    np.testing.assert_allclose(ours, taps @ taps.T, atol=1e-12)


def test_gaussian_shapes():
    assert parse_spec("gaussian").weights.shape == (9, 9)
    assert parse_spec("gaussian:2").weights.shape == (17, 17)
    assert parse_spec("gaussian:sigma=2,sigma-y=1").weights.shape == (9, 17)
    assert parse_spec("gaussian:sigma=2,sigma-y=1,size=5").weights.shape == (5, 5)
    assert parse_spec("gaussian:sigma=0,sigma-y=1").weights.shape == (9, 1)
    np.testing.assert_array_equal(parse_spec("gaussian:sigma=0").weights, [[1]])


@pytest.mark.parametrize("size", [1, 3, 7])
def test_box_is_scipys(size):
    ours = apply(parse_spec(f"box:size={size}").weights, IMAGE)
    np.testing.assert_allclose(ours, ndimage.uniform_filter(IMAGE, size, mode="nearest"), atol=1e-12)


def test_an_even_box_reaches_to_the_right_and_down():
    # The anchor, column kw // 2 as written, is the left of the two middle cells once flipped.
    impulse = np.zeros((5, 5))
    impulse[2, 2] = 4
    expected = np.zeros((5, 5))
    expected[1:3, 1:3] = 1
    found = parse_spec("box:2")
    answers = [[answer(found, impulse, x, y) for x in range(5)] for y in range(5)]
    np.testing.assert_allclose(answers, expected)


def test_box_with_two_sides():
    assert parse_spec("box:size=5,size-y=2").weights.shape == (2, 5)


def test_binomial_is_pascals_triangle():
    np.testing.assert_array_equal(parse_spec("binomial:5").weights[2] * 256, [6, 24, 36, 24, 6])
    assert np.isfinite(parse_spec("binomial:1025").weights).all()


@pytest.mark.parametrize("radius", [0.5, 0.8, 1, 1.5, 2.2, 5, 40.25])
def test_disk_covers_the_area_of_the_circle(radius):
    covered = disk_coverage(radius)
    assert covered.sum() == pytest.approx(math.pi * radius**2, rel=1e-9)
    assert covered.min() >= 0
    assert covered.max() <= 1
    for turned in (covered.T, covered[::-1], covered[:, ::-1]):
        np.testing.assert_array_equal(turned, covered)


def supersampled(inside, half_x, half_y, parts=200):
    steps = (np.arange(parts) + 0.5) / parts - 0.5
    cells = np.zeros((2 * half_y + 1, 2 * half_x + 1))
    for row in range(-half_y, half_y + 1):
        for column in range(-half_x, half_x + 1):
            cells[row + half_y, column + half_x] = inside(
                column + steps[None, :], row + steps[:, None]
            ).mean()
    return cells


@pytest.mark.parametrize("radius", [0.8, 1, 2.2])
def test_disk_against_counting(radius):
    covered = disk_coverage(radius)
    half = covered.shape[0] // 2
    counted = supersampled(lambda x, y: x * x + y * y <= radius * radius, half, half)
    np.testing.assert_allclose(covered, counted, atol=3e-3)


@pytest.mark.parametrize(("length", "angle"), [(3, 0), (4, 20), (5.5, 45), (1, 77), (7, 120), (6, -200)])
def test_motion_against_counting(length, angle):
    covered = streak_coverage(length, angle)
    across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def inside(x, y):
        return (np.abs(x * across + y * down) <= length / 2) & (np.abs(y * across - x * down) <= 0.5)

    counted = supersampled(inside, covered.shape[1] // 2, covered.shape[0] // 2)
    np.testing.assert_allclose(covered, counted, atol=1e-2)
    assert covered.sum() == pytest.approx(length, rel=1e-9)
    np.testing.assert_array_equal(covered, covered[::-1, ::-1])


def test_motion_along_the_axes():
    np.testing.assert_allclose(parse_spec("motion:length=5").weights, np.full((1, 5), 0.2))
    np.testing.assert_allclose(parse_spec("motion:length=5,angle=90").weights, np.full((5, 1), 0.2))
    np.testing.assert_allclose(parse_spec("motion:4").weights * 4, [[0.5, 1, 1, 1, 0.5]])


def test_motion_at_45_degrees_runs_down_to_the_right():
    weights = parse_spec("motion:length=9,angle=45").weights
    assert np.trace(weights) > 0.5
    assert np.trace(weights[:, ::-1]) < 0.2


# Sharpening


def test_published_sharpening_kernels():
    np.testing.assert_array_equal(parse_spec("sharpen").weights, [[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    np.testing.assert_array_equal(
        parse_spec("sharpen:neighbours=8").weights,
        9 * np.eye(3)[1] * np.eye(3)[:, [1]] - (1 - np.eye(3)[1] * np.eye(3)[:, [1]]),
    )
    np.testing.assert_array_equal(parse_spec("outline").weights, [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    np.testing.assert_array_equal(
        parse_spec("emboss").weights[::-1, ::-1], [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]
    )


@pytest.mark.parametrize(
    "spec", ["sharpen:amount=2.5", "unsharp:sigma=3,amount=0.7", "emboss:angle=17,strength=3"]
)
def test_sharpening_sums_to_one(spec):
    assert parse_spec(spec).weights.sum() == pytest.approx(1, abs=1e-12)


def test_unsharp_adds_what_the_blur_takes():
    ours = apply(parse_spec("unsharp:sigma=2,amount=0.6").weights, IMAGE)
    blurred = ndimage.gaussian_filter(IMAGE, 2, mode="nearest")
    np.testing.assert_allclose(ours, IMAGE + 0.6 * (IMAGE - blurred), atol=1e-12)


# Derivatives


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("sobel", np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]) / 4),
        ("scharr", np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16),
        ("prewitt", np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]]) / 3),
        ("roberts", np.array([[0, -1], [1, 0]]) / math.sqrt(2)),
    ],
)
def test_published_derivatives(name, rows):
    np.testing.assert_allclose(parse_spec(f"{name}:output=x").weights, rows, atol=1e-15)
    down = rows.T if name != "roberts" else np.array([[1, 0], [0, -1]]) / math.sqrt(2)
    np.testing.assert_allclose(parse_spec(f"{name}:output=y").weights, down, atol=1e-15)


def test_farid_has_the_published_taps():
    p = np.array([0.037659, 0.249153, 0.426375, 0.249153, 0.037659])
    d = np.array([0.109604, 0.276691, 0, -0.276691, -0.109604])
    weights = parse_spec("farid:output=x").weights
    np.testing.assert_allclose(weights * (0.386295 * 0.999999), np.outer(p, d), rtol=1e-12)


@pytest.mark.parametrize("name", [*DERIVATIVES, "roberts"])
@pytest.mark.parametrize("direction", ["x", "y"])
def test_derivatives_answer_positively_to_a_rise(name, direction):
    weights = parse_spec(f"{name}:output={direction}").weights
    rows, columns = np.mgrid[:9, :9]
    assert apply(weights, (columns if direction == "x" else rows) / 8.0)[4, 4] > 0


@pytest.mark.parametrize("name", [*DERIVATIVES, "roberts", *COMPASS])
@pytest.mark.parametrize("way", range(4))
def test_a_full_scale_step_gives_full_scale(name, way):
    found, step = parse_spec(name), steps()[way]
    values = [answer(found, step, x, y) for x in range(3, 12) for y in range(3, 12)]
    assert max(values) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_scipy_finds_the_same_step(name):
    step = steps()[0]
    ours = apply(parse_spec(f"{name}:output=x").weights, step)
    assert ours[7].max() == pytest.approx(1, abs=1e-12)
    assert list(np.flatnonzero(ours[7] > 0.9)) == [7, 8]


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
def test_scipys_derivatives(name):
    scale = {"sobel": 4, "prewitt": 3}[name]
    theirs = getattr(ndimage, name)(IMAGE, axis=1, mode="nearest") / scale
    np.testing.assert_allclose(apply(parse_spec(f"{name}:output=x").weights, IMAGE), theirs, atol=1e-12)


def test_opencvs_derivatives():
    cv2 = pytest.importorskip("cv2")
    for name, ksize, scale in (("sobel", 3, 4), ("scharr", cv2.FILTER_SCHARR, 16)):
        along, across = cv2.getDerivKernels(1, 0, ksize, ktype=cv2.CV_64F)
        ours = parse_spec(f"{name}:output=x").weights
        np.testing.assert_allclose(ours[::-1, ::-1] * scale, across @ along.T, atol=1e-12)


@pytest.mark.parametrize("name", [*DERIVATIVES, "roberts"])
@pytest.mark.parametrize("degrees", [0, 30, 90, 135, -100])
def test_angle_of_a_slope(name, degrees):
    theta = math.radians(degrees)
    rows, columns = np.mgrid[:9, :9]
    slope = columns * math.cos(theta) + rows * math.sin(theta)
    assert answer(parse_spec(f"{name}:output=direction"), slope, 4, 4) == pytest.approx(theta, abs=1e-9)


def test_roberts_angle_pair_has_the_same_magnitude():
    pair, turned = parse_spec("roberts"), parse_spec("roberts:output=direction")
    for _ in range(5):
        patch = RNG.random((3, 3))
        values = [
            math.hypot(response(f.dx, patch, 1, 1), response(f.dy, patch, 1, 1)) for f in (pair, turned)
        ]
        assert values[0] == pytest.approx(values[1])


# Exactness on flat areas in float32, where scales are powers of two


@pytest.mark.parametrize(
    "spec",
    [
        "sobel:output=x",
        "sobel:output=y",
        "scharr:output=x",
        "scharr:output=y",
        "laplacian",
        "laplacian:8",
        "outline",
    ],
)
def test_flat_is_exactly_zero_in_float32(spec):
    weights = parse_spec(spec).weights.astype(np.float32)
    for value in (*range(256), 65535, 12345):
        total = np.float32(0)
        for weight in weights.ravel():
            total = np.float32(total + weight * np.float32(value))
        assert total == 0


def test_robinson_is_exactly_zero_on_flat_in_float32():
    for weights in parse_spec("robinson").bank:
        assert np.cumsum(weights.astype(np.float32).ravel() * np.float32(65535), dtype=np.float32)[-1] == 0


# Second derivatives


def test_laplacian_is_scipys():
    np.testing.assert_allclose(
        apply(parse_spec("laplacian").weights, IMAGE), ndimage.laplace(IMAGE, mode="nearest"), atol=1e-12
    )
    np.testing.assert_array_equal(parse_spec("laplacian:8").weights, [[1, 1, 1], [1, -8, 1], [1, 1, 1]])


@pytest.mark.parametrize("sigma", [1, 2, 3.3])
def test_log_is_scipys_times_sigma_squared(sigma):
    ours = apply(parse_spec(f"log:sigma={sigma}").weights, IMAGE)
    theirs = sigma**2 * ndimage.gaussian_laplace(IMAGE, sigma, mode="nearest")
    # scipy leaves the sum that sampling and cutting leave: up to 2e-3 of the brightness.
    np.testing.assert_allclose(ours, theirs, atol=3e-3)


@pytest.mark.parametrize("sigma", [2, 4])
def test_log_peaks_at_sigma_with_the_slope_of_a_gaussian(sigma):
    profile = parse_spec(f"log:sigma={sigma}").weights.sum(axis=0)
    edge = np.cumsum(profile)
    assert edge.max() == pytest.approx(math.exp(-0.5) / math.sqrt(2 * math.pi), rel=0.05)


def test_mexican_hat_is_minus_log():
    np.testing.assert_array_equal(parse_spec("mexican-hat:3").weights, -parse_spec("log:3").weights)


@pytest.mark.parametrize(
    "spec",
    [
        "log:sigma=0.5",
        "log:sigma=2,size=5",
        "log:9",
        "dog:2",
        "dog:sigma=0,sigma2=3",
        "mexican-hat:1.7",
        "gabor:phase=30",
        "gabor:wavelength=3,sigma=1",
    ],
)
def test_second_derivatives_sum_to_zero(spec):
    weights = parse_spec(spec).weights
    assert abs(math.fsum(weights.ravel())) <= 1e-16


@pytest.mark.parametrize("spec", ["log:3", "dog:2", "unsharp:2"])
def test_rank_stays_two(spec):
    values = np.linalg.svd(parse_spec(spec).weights, compute_uv=False)
    assert (values > 1e-12 * values[0]).sum() == 2


def test_dog_is_scipys():
    ours = apply(parse_spec("dog:sigma=1,sigma2=2.5").weights, IMAGE)
    theirs = ndimage.gaussian_filter(IMAGE, 1, mode="nearest") - ndimage.gaussian_filter(
        IMAGE, 2.5, mode="nearest"
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


# Compass, lines, corners


def test_published_compass_masks():
    def first(name):
        return parse_spec(name).bank[0][::-1, ::-1]

    np.testing.assert_allclose(first("kirsch") * 15, [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]])
    np.testing.assert_allclose(first("robinson") * 4, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_allclose(first("prewitt-compass") * 3, [[-1, 1, 1], [-1, -2, 1], [-1, 1, 1]])
    np.testing.assert_allclose(
        parse_spec("kirsch").bank[1][::-1, ::-1] * 15, [[-3, -3, -3], [-3, 0, 5], [-3, 5, 5]]
    )


@pytest.mark.parametrize("name", COMPASS)
@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, -135, -90, -45])
def test_compass_direction(name, degrees):
    theta = math.radians(degrees)
    rows, columns = np.mgrid[:5, :5]
    slope = columns * math.cos(theta) + rows * math.sin(theta)
    found = answer(parse_spec(f"{name}:direction"), slope, 2, 2)
    assert math.cos(found - theta) == pytest.approx(1)


@pytest.mark.parametrize("name", ["kirsch", "robinson"])
def test_no_patch_answers_more_than_full_scale(name):
    for mask in parse_spec(name).bank:
        assert mask[mask > 0].sum() == pytest.approx(1)


def test_frei_chen_masks_are_orthonormal():
    masks = np.array([mask.ravel() for mask in parse_spec("frei-chen").bank]) * math.sqrt(1.5)
    np.testing.assert_allclose(masks @ masks.T, np.eye(4), atol=1e-15)


def test_frei_chen_sees_neither_lines_nor_averages():
    flat, spot = np.ones((3, 3)), np.array([[0, 1, 0], [-1, 0, -1], [0, 1, 0]]) / 2
    for patch in (flat, spot, np.eye(3)[1] * np.eye(3)[:, [1]]):
        assert answer(parse_spec("frei-chen"), patch, 1, 1) == pytest.approx(0, abs=1e-15)


LINES = {0: [[0, 0, 0], [1, 1, 1], [0, 0, 0]], 45: np.eye(3), 90: [[0, 1, 0]] * 3, 135: np.eye(3)[::-1]}


@pytest.mark.parametrize("degrees", LINES)
def test_lines(degrees):
    patch = np.asarray(LINES[degrees], dtype=float)
    assert answer(parse_spec(f"line:output={degrees}"), patch, 1, 1) == pytest.approx(1)
    assert answer(parse_spec("line"), patch, 1, 1) == pytest.approx(1)
    assert answer(parse_spec("line"), 1 - patch, 1, 1) == pytest.approx(1)
    assert answer(parse_spec("line:polarity=dark"), 1 - patch, 1, 1) == pytest.approx(1)
    assert answer(parse_spec("line:polarity=bright"), 1 - patch, 1, 1) < 0.6
    assert answer(parse_spec("line:angle"), patch, 1, 1) == pytest.approx(math.radians(degrees))
    assert answer(parse_spec("line:angle"), 1 - patch, 1, 1) == pytest.approx(math.radians(degrees))


@pytest.mark.parametrize("degrees", [45, 135, 225, 315])
def test_corners(degrees):
    patch = np.zeros((3, 3))
    patch[
        (slice(1, 3) if degrees < 180 else slice(0, 2)),
        (slice(1, 3) if degrees in (45, 315) else slice(0, 2)),
    ] = 1
    assert answer(parse_spec(f"corner:output={degrees}"), patch, 1, 1) == pytest.approx(1)
    assert answer(parse_spec("corner"), patch, 1, 1) == pytest.approx(1)
    assert answer(parse_spec("corner:polarity=dark"), 1 - patch, 1, 1) == pytest.approx(1)
    found = answer(parse_spec("corner:output=direction"), patch, 1, 1)
    assert math.cos(found - math.radians(degrees)) == pytest.approx(1)


def test_a_straight_step_is_three_quarters_of_a_corner():
    assert max(answer(parse_spec("corner"), steps()[0], x, 7) for x in range(15)) == pytest.approx(0.75)


# Gabor


def gabor_formula(size, wavelength, theta, sigma, gamma, phase):
    theta, half = math.radians(theta), size // 2
    rows = []
    for y in range(-half, half + 1):
        row = []
        for x in range(-half, half + 1):
            u, v = x * math.cos(theta) + y * math.sin(theta), -x * math.sin(theta) + y * math.cos(theta)
            window = math.exp(-(u * u + gamma * gamma * v * v) / (2 * sigma * sigma))
            row.append((window, window * math.cos(2 * math.pi * u / wavelength + math.radians(phase))))
        rows.append(row)
    window, wave = np.moveaxis(np.array(rows), 2, 0)
    wave = wave - window * wave.sum() / window.sum()
    return 2 * wave / np.abs(wave).sum()


@pytest.mark.parametrize("values", [(15, 6, 0, 3, 0.5, 0), (13, 5, 30, 2.5, 1, 90), (9, 4, -70, 2, 2, 45)])
def test_gabor_by_its_formula(values):
    size, wavelength, theta, sigma, gamma, phase = values
    spec = (
        f"gabor:wavelength={wavelength},theta={theta},sigma={sigma},gamma={gamma},phase={phase},size={size}"
    )
    np.testing.assert_allclose(parse_spec(spec).weights[::-1, ::-1], gabor_formula(*values), atol=1e-15)


@pytest.mark.parametrize("theta", [0, 25, 110])
def test_gabor_is_opencvs_up_to_scale(theta):
    cv2 = pytest.importorskip("cv2")
    # An odd wave has no mean to take off. OpenCV stores the formula turned by half a turn, as we do.
    theirs = cv2.getGaborKernel((21, 21), 3.0, math.radians(theta), 7.0, 0.8, math.pi / 2)
    ours = parse_spec(f"gabor:wavelength=7,theta={theta},sigma=3,gamma=0.8,phase=90,size=21").weights
    np.testing.assert_allclose(ours, 2 * theirs / np.abs(theirs).sum(), atol=1e-12)


def test_gabor_of_phase_minus_90_answers_a_rise():
    step = steps()[0]
    found = parse_spec("gabor:wavelength=6,sigma=2,gamma=1,phase=-90,size=9")
    assert answer(found, step, 7, 7) > 0.3
    assert answer(found, step[:, ::-1], 7, 7) < -0.3


def test_gabor_bank_turns_once_or_half():
    even, odd = parse_spec("gabor-bank:orientations=4"), parse_spec("gabor-bank:orientations=4,phase=-90")
    np.testing.assert_allclose(np.degrees(even.angles), [0, 45, 90, 135])
    np.testing.assert_allclose(np.degrees(odd.angles), [0, 90, 180, -90])
    single = parse_spec("gabor:theta=45")
    np.testing.assert_array_equal(even.bank[1], single.weights)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gabor:sigma=500,gamma=0.05", "reaches over 60001 pixels; expected at most 4097"),
        ("gabor-bank:orientations=360,size=4097", "360 orientations of 4097x4097; expected at most 1"),
        ("gabor:wavelength=1024,sigma=0.3,size=3", "nothing is left of a wave"),
        ("canny:low=0.5,high=0.2", "low=0.5 is above high=0.2"),
    ],
)
def test_parameters_that_do_not_fit_each_other(spec, message):
    with pytest.raises(CnncliError, match=message):
        parse_spec(spec)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (name, (parameter.name, edge))
        for name, entry in CATALOG.items()
        for parameter in entry.parameters
        if parameter.kind != "choice"
        for edge in (parameter.low, parameter.high)
        # 4097 x 4097 and large banks take a second each; the clipped sizes are tested by name.
        if not (edge > 255 and parameter.name not in ("phase", "theta", "angle")) or name == "binomial"
    ],
)
def test_ends_of_ranges_build_or_say_why(name, values):
    key, edge = values
    try:
        found = parse_spec(f"{name}:{key}={edge:.17g}")
    except CnncliError as fault:
        found = fault
    assert "expected" in found.message if isinstance(found, CnncliError) else found.name == name


def test_taps_of_a_tiny_sigma_are_one_tap():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(gaussian_taps(1e-200, 3), [0, 1, 0])
