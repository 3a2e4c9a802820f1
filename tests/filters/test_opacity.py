"""Opacity: the rule of each class of kernel, by plain loops in float64; and no hidden colour gets through."""

import numpy as np
import pytest
from plain_loop import pixel_at
from surfaces import BORDERS, DTYPES, random_image

from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.borders import Border
from cnncli.filters.catalog import CATALOG
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


def applied(frame, spec, *, raw=True, **options):
    """The answer with opacity last; in float32 in the units of the image, unless ``raw`` is False."""
    white = WHITE[frame.dtype.type]
    source = Depth(frame.dtype, white)
    target = Depth(np.dtype(np.float32), white, raw=True) if raw else source
    filter = parse_spec(spec) if isinstance(spec, str) else spec
    result = apply_filters(
        frame, [filter], Options(**options), alpha=True, source=source, target=target, threads=2
    )
    return result.pixels


def windows(frame, size, border="reflect101", fill=0.0):
    """Of each pixel: colours (n, C), opacities (n), 0 to 1, and its own colour; a constant is opaque."""
    white = WHITE[frame.dtype.type]
    height, width, channels = frame.shape
    away = range(-(size // 2), size // 2 + 1)
    for y in range(height):
        for x in range(width):
            seen = []
            for j in away:
                for i in away:
                    at = pixel_at(y + j, height, border), pixel_at(x + i, width, border)
                    outside = None in at
                    seen.append([fill] * (channels - 1) + [white] if outside else frame[at])
            values = np.array(seen, float)
            yield y, x, values[:, :-1], values[:, -1] / white, frame[y, x, :-1].astype(float)


def patchy(rng, shape, dtype):
    """Random colours and opacities, a third of them none and a third all."""
    frame = random_image(rng, shape, dtype)
    kind = rng.integers(0, 3, shape[:2])
    frame[kind == 0, -1] = 0
    frame[kind == 1, -1] = WHITE[dtype]
    return frame


# Each class by its definition


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "channels"), [(3, 2), (5, 4), (13, 2)])
def test_a_median_is_the_value_at_half_the_weight(rng, border, dtype, size, channels):
    frame = patchy(rng, (11, 9, channels), dtype)
    fill = 0.5 * WHITE[dtype]
    out = applied(frame, f"median:{size}", border=Border(border, fill))
    for y, x, colors, opacity, _ in windows(frame, size, border, fill):
        assert out[y, x, -1] == pytest.approx(np.median(opacity) * WHITE[dtype], rel=1e-6)
        if out[y, x, -1] == 0:
            continue
        steps = np.ceil(np.rint(opacity * 65535 * 1000) / 1000) if dtype == np.float32 else opacity
        for channel in range(channels - 1):
            order = np.argsort(colors[:, channel], kind="stable")
            reached = np.cumsum(steps[order])
            at = np.flatnonzero(reached >= reached[-1] / 2 - 1e-9)[0]
            assert out[y, x, channel] == np.float32(colors[order[at], channel])


@pytest.mark.parametrize("stride", [(2, 1), (3, 2)])
def test_weighted_medians_over_tiles_and_strides(rng, stride):
    """All tiles and turns of the way over them: of equal weights it is the median."""
    frame = random_image(rng, (150, 170, 4), np.uint8)
    frame[..., 3] = 100
    for size in (3, 21):
        out = applied(frame, f"median:{size}", stride=stride, raw=False)
        frame[..., 3] = 255
        plain = applied(frame, f"median:{size}", stride=stride, raw=False)
        frame[..., 3] = 100
        assert np.array_equal(out[..., :3], plain[..., :3])


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("border", ["reflect", "constant"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_bilateral_mean_is_weighed_by_opacity(rng, channels, border, dtype):
    white = WHITE[dtype]
    frame = patchy(rng, (9, 21, channels), dtype)
    out = applied(frame, "bilateral:sigma=1.5,sigma-color=0.2,size=5", border=Border(border, 0.3 * white))
    away = np.arange(5) - 2
    near = (away[:, None] ** 2 + away**2).ravel()
    for y, x, colors, opacity, own in windows(frame, 5, border, 0.3 * white):
        assert out[y, x, -1] == frame[y, x, -1]
        if not frame[y, x, -1]:
            assert not out[y, x].any()
            continue
        square = (((colors - own) / white) ** 2).sum(axis=1)
        weights = opacity * np.exp(-near / (2 * 1.5**2) - square / (2 * 0.2**2))
        np.testing.assert_allclose(out[y, x, :-1], weights @ colors / weights.sum(), atol=2e-5 * white)


@pytest.mark.parametrize("border", ["wrap", "constant"])
@pytest.mark.parametrize("spec", ["sharpen", "unsharp:size=5", "emboss", "laplacian", "sobel", "kirsch",
                                  "kirsch:output=direction", "prewitt:output=direction"])  # fmt: skip
def test_what_is_hidden_counts_as_the_middle(rng, spec, border):
    filter = parse_spec(spec)
    frame = patchy(rng, (8, 10, 2), np.float32)
    fill = 0.4
    out = applied(frame, filter, border=Border(border, fill), gray=False)
    if isinstance(filter, Linear):
        kernels = [filter.weights]
    else:
        kernels = [filter.dx, filter.dy] if hasattr(filter, "dx") else filter.bank
    size = kernels[0].shape[0]
    for y, x, colors, opacity, own in windows(frame, size, border, fill):
        assert out[y, x, -1] == frame[y, x, -1]
        if not frame[y, x, -1]:
            continue
        share = opacity / opacity.max()
        seen = share * colors[:, 0] + (1 - share) * own[0]
        responses = np.array([float((weights[::-1, ::-1].ravel() * seen).sum()) for weights in kernels])
        wanted = responses[0]
        if spec == "sobel":
            wanted = np.hypot(*responses)
        elif isinstance(filter, Gradient):
            wanted = np.arctan2(responses[1], responses[0]) if np.abs(responses).max() > 1e-6 else 0
        elif spec == "kirsch":
            wanted = responses.max()
        elif spec.endswith("direction"):
            # Of equal ones, rounding decides.
            strongest = [filter.angles[i] for i in np.flatnonzero(responses > responses.max() - 1e-5)]
            wanted = min(strongest, key=lambda angle: abs(angle - out[y, x, 0]))
            wanted = wanted if responses.max() > 1e-5 else out[y, x, 0]
        assert out[y, x, 0] == pytest.approx(wanted, abs=2e-5)


# What must not matter


@pytest.mark.parametrize("name", CATALOG)
def test_hidden_colours_change_nothing(rng, name):
    frame = patchy(rng, (40, 45, 4), np.float32)
    frame[10:25, 5:30, 3] = 0
    other = frame.copy()
    hidden = frame[..., 3] == 0
    other[hidden, :3] = rng.choice([0, 1, -7, 1e30, np.nan], (hidden.sum(), 3))
    for gray in (None, False):
        answers = [applied(each, name, gray=gray, raw=False) for each in (frame, other)]
        seen = answers[0][..., -1] > 0
        assert np.array_equal(answers[0][..., -1], answers[1][..., -1])
        assert np.array_equal(answers[0][seen], answers[1][seen])


@pytest.mark.parametrize("name", CATALOG)
def test_the_same_opacity_everywhere_changes_no_colour(rng, name):
    frame = random_image(rng, (40, 45, 4), np.uint8)
    answers = []
    for opacity in (255, 128, 1):
        frame[..., 3] = opacity
        answers.append(applied(frame, name, raw=False)[..., :-1].astype(int))
        assert (applied(frame, name, raw=False)[..., -1] == opacity).all()
    for other in answers[1:]:
        assert np.abs(other - answers[0]).max() <= 1


@pytest.mark.parametrize(
    "spec",
    [
        "sharpen",
        "sobel",
        "laplacian",
        "kirsch",
        "canny:low=0.01,high=0.02",
        "bilateral",
        "kuwahara",
        "morph-gradient",
        "tophat",
    ],
)
def test_a_shape_of_one_colour_has_no_edges(spec):
    """Its outline is one of opacity, which stays as it is."""
    frame = np.zeros((40, 40, 4), np.uint8)
    frame[..., :3] = 9, 200, 0
    frame[10:30, 12:28] = 180, 40, 90, 255
    frame[5:10, 12:28] = 180, 40, 90, 70
    out = applied(frame, spec, gray=False, raw=False)
    seen = out[..., 3] > 0
    assert np.unique(out[seen][:, :3], axis=0).shape[0] == 1
    assert np.array_equal(out[..., 3], frame[..., 3])
