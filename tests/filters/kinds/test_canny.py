"""Canny's edges against their definition in float64, and scikit-image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from surfaces import BORDERS, surface_over

import cnncli
from cnncli.core.native import processor
from cnncli.filters.kinds.canny import Canny, run_canny

LANES = processor()[3].lanes
WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
LUMA = (0.299, 0.587, 0.114)
TIE = 1 + 1e-5
HERE = Path(__file__).parent
EIGHT = np.ones((3, 3))


def smooth_noise(rng, shape):
    """Blobs over the whole range of 8 bits."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), (2, 2, 0), mode="wrap")
    low, high = noise.min(), noise.max()
    return np.rint((noise - low) / (high - low) * 255).astype(np.uint8)


def canny(image, sigma=1.4, low=0.05, high=0.1, *, threads=2, **fields):
    filter = Canny(name="canny", spec="canny", sigma=sigma, low=low, high=high)
    side = 2 * filter.reach + 1
    fields = {"out": image.dtype, "full_scale": WHITE[image.dtype.type], **fields}
    surface = surface_over(image, (side, side), **fields)
    clipped = run_canny(filter, surface, threads=threads)
    return surface.out, clipped


def by_definition(levels, sigma, low, high, border="reflect101"):
    """Edges of one channel in levels from 0 to 255."""
    mode = {"replicate": "edge", "reflect": "symmetric", "reflect101": "reflect", "wrap": "wrap"}
    r = int(4 * sigma + 0.5)
    padded = np.pad(levels.astype(float), r + 2, mode=mode.get(border, "constant"))
    if r:
        taps = np.exp(-0.5 * (np.arange(-r, r + 1) / sigma) ** 2)
        taps /= taps.sum()
        padded = ndimage.correlate1d(ndimage.correlate1d(padded, taps, 0), taps, 1)[r:-r, r:-r]
    smear = [1, 2, 1]
    dx = ndimage.correlate1d(ndimage.correlate1d(padded, [-1, 0, 1], 1), smear, 0)[1:-1, 1:-1]
    dy = ndimage.correlate1d(ndimage.correlate1d(padded, [-1, 0, 1], 0), smear, 1)[1:-1, 1:-1]
    m = np.hypot(dx, dy)
    height, width = levels.shape

    def beside(y, x):
        return m[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    dx, dy = dx[1:-1, 1:-1], dy[1:-1, 1:-1]
    steep, falling = np.abs(dy) > np.abs(dx), dx * dy > 0
    large, small = np.maximum(np.abs(dx), np.abs(dy)), np.minimum(np.abs(dx), np.abs(dy))
    sides = []
    for s in (1, -1):
        axis = np.where(steep, beside(s, 0), beside(0, s))
        corner = np.where(falling, beside(s, s), np.where(steep, beside(s, -s), beside(-s, s)))
        sides.append(axis * (large - small) + corner * small)
    own = beside(0, 0) * large
    ridge = (own * TIE >= sides[0]) & (own > sides[1] * TIE)
    strength = beside(0, 0) / (4 * 255)
    weak, strong = ridge & (strength >= low - 1e-9), ridge & (strength >= high - 1e-9)
    labels, count = ndimage.label(weak, EIGHT)
    joined = np.zeros(count + 1, bool)
    joined[labels[strong]] = True
    joined[0] = False
    return joined[labels]


def f_score(found, wanted, reach=0):
    """Harmonic mean of precision and recall, an edge counting within ``reach`` pixels."""
    near = np.ones((2 * reach + 1, 2 * reach + 1))
    precision = (found & ndimage.binary_dilation(wanted, near)).sum() / found.sum()
    recall = (wanted & ndimage.binary_dilation(found, near)).sum() / wanted.sum()
    return 2 * precision * recall / (precision + recall)


def photograph():
    folder = Path(cnncli.__file__).parent.parent / "samples"
    with Image.open(sorted(folder.rglob("*.png"))[0]) as picture:
        picture.thumbnail((320, 320))
        return np.array(picture.convert("L"))


# Values


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(("sigma", "low", "high"), [(1.4, 0.02, 0.05), (0.0, 0.03, 0.08), (3.0, 0.0, 0.02)])
@pytest.mark.parametrize("shape", [(67, 90, 1), (1500, 21, 1)])
def test_canny_is_its_definition(rng, border, sigma, low, high, shape):
    image = smooth_noise(rng, shape)
    edges = canny(image, sigma, low, high, border=border)[0]
    assert set(np.unique(edges)) == {0, 255}
    expected = by_definition(image[:, :, 0], sigma, low, high, border)
    assert np.count_nonzero((edges[:, :, 0] > 0) != expected) <= 1  # a tie that rounding decides


@pytest.mark.parametrize("sigma", [0.0, 1.0, 1.4, 2.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_one_picture_has_the_same_edges_in_every_type(sigma, seed):
    rng = np.random.default_rng(seed)
    image = smooth_noise(rng, (60, 101, 3))
    versions = [image, image.astype(np.uint16) * 257, image.astype(np.float32) / np.float32(255)]
    for luma in (None, LUMA):
        maps = [canny(version, sigma, 0.02, 0.05, luma=luma)[0] for version in versions]
        for edges, white in zip(maps, (255, 65535, 1), strict=True):
            assert set(np.unique(edges)) == {0, white}
            np.testing.assert_array_equal(edges > 0, maps[0] > 0)


def test_noise_of_one_unit_in_the_last_place_changes_no_edge(rng):
    image = smooth_noise(rng, (60, 101, 1)).astype(np.float32) / np.float32(255)
    edges = canny(image, 1.4, 0.02, 0.05)[0]
    for towards in (-1, 2):
        np.testing.assert_array_equal(
            canny(np.nextafter(image, np.float32(towards)), 1.4, 0.02, 0.05)[0], edges
        )


def test_canny_agrees_with_scikit_image():
    feature = pytest.importorskip("skimage.feature")
    image = photograph()
    edges = canny(image[:, :, None], 1.4, 0.05, 0.1)[0][:, :, 0] > 0
    # Its Sobel pair answers a quarter of a step, and it has no edges on the outermost pixels.
    theirs = feature.canny(image / 255.0, 1.4, low_threshold=0.2, high_threshold=0.4, mode="mirror")
    inner = (slice(2, -2), slice(2, -2))
    assert theirs.sum() > 500
    assert f_score(edges[inner], theirs[inner], reach=0) > 0.95
    assert f_score(edges[inner], theirs[inner], reach=1) > 0.99


# Pictures whose edges are known


def test_a_step_has_a_line_of_one_pixel():
    image = np.zeros((20, 30, 1), np.uint8)
    image[:, 15:] = 255
    for sigma in (0.0, 1.4):
        edges = canny(image, sigma)[0][:, :, 0]
        np.testing.assert_array_equal(edges[:, 14], 255)
        assert np.count_nonzero(edges) == 20
        np.testing.assert_array_equal(canny(image.transpose(1, 0, 2).copy(), sigma)[0][:, :, 0], edges.T)


def test_hysteresis_follows_a_fading_line_through_the_whole_picture():
    image = np.zeros((40, 2100, 1), np.uint8)
    image[20:] = np.linspace(200, 30, 2100).astype(np.uint8)[:, None]
    strong = canny(image, 0.0, 0.5, 0.5)[0]
    joined = canny(image, 0.0, 0.05, 0.5)[0]
    assert not strong[:, 1500:].any()
    assert joined[19:21].any(axis=0).all()
    assert not canny(image[:, 1500:], 0.0, 0.05, 0.5)[0].any()


def test_thresholds_are_shares_of_a_full_step_and_include_it():
    image = np.zeros((9, 20, 1), np.uint16)
    image[:, 10:] = 32 * 257
    for high, there in ((32 / 255, True), (33 / 255, False)):
        assert canny(image, 0.0, 0.01, high)[0].any() == there


def test_flat_pictures_have_no_edges():
    for value in (0, 100, 255):
        assert not canny(np.full((30, 41, 1), value, np.uint8), 1.4, 0.0, 0.0)[0].any()


# What the surface asks for


def test_channels_are_their_own_pictures(rng):
    image = smooth_noise(rng, (40, 53, 3))
    edges = canny(image, 1.0, 0.02, 0.05)[0]
    for channel in range(3):
        alone = canny(image[:, :, channel : channel + 1].copy(), 1.0, 0.02, 0.05)[0]
        np.testing.assert_array_equal(edges[:, :, channel], alone[:, :, 0])


def test_stride_picks_from_all_edges(rng):
    image = smooth_noise(rng, (41, 62, 1))
    edges = canny(image, 1.0, 0.02, 0.05)[0]
    np.testing.assert_array_equal(canny(image, 1.0, 0.02, 0.05, stride=(3, 2))[0], edges[::2, ::3])


def test_range_of_edges(rng):
    image = smooth_noise(rng, (41, 62, 1))
    edges = canny(image)[0] > 0
    shown = canny(image, out=np.float32, scale=-0.5, bias=10, absolute=False)[0]
    np.testing.assert_allclose(shown, np.where(edges, 10 - 127.5, 10))
    out, clipped = canny(image, scale=2)
    np.testing.assert_array_equal(out > 0, edges)
    assert clipped == np.count_nonzero(edges)


@pytest.mark.parametrize("width", [1, 2, 3, LANES - 1, LANES, LANES + 1, 3 * LANES + 2, 959, 961])
def test_canny_widths_around_vectors_and_tiles(rng, width):
    image = smooth_noise(rng, (37, width, 1))
    edges = canny(image, 1.0, 0.01, 0.03, border="replicate")[0][:, :, 0] > 0
    expected = by_definition(image[:, :, 0], 1.0, 0.01, 0.03, "replicate")
    assert np.count_nonzero(edges != expected) <= 1


def test_edges_with_any_number_of_threads(rng):
    image = smooth_noise(rng, (130, 1100, 1))
    first = canny(image, 1.4, 0.02, 0.05, threads=1)[0]
    for threads in (2, 3, 5):
        np.testing.assert_array_equal(canny(image, 1.4, 0.02, 0.05, threads=threads)[0], first)


def test_nan_makes_no_edges_beyond_its_reach(rng):
    image = smooth_noise(rng, (50, 60, 1)).astype(np.float32) / np.float32(255)
    image[25, 30] = np.nan
    edges = canny(image, 1.0, 0.02, 0.02)[0]
    assert np.isfinite(edges).all()
    assert not edges[25 - 5 : 25 + 6, 30 - 5 : 30 + 6].any()
    assert edges.any()


# Vector widths

ANSWERS = """
import numpy as np
from test_canny import canny, smooth_noise

image = smooth_noise(np.random.default_rng(4), (40, 71, 1))
print(*np.flatnonzero(canny(image, 1.4, 0.02, 0.05)[0]))
"""


@pytest.mark.parametrize("target", ["neon", "avx512"])
def test_every_vector_width_gives_the_same_edges(python, target):
    image = smooth_noise(np.random.default_rng(4), (40, 71, 1))
    expected = np.flatnonzero(canny(image, 1.4, 0.02, 0.05)[0])
    done = python(ANSWERS, env={"CNNCLI_TARGET": target}, path=[HERE, HERE.parent])
    assert done.stdout.split() == [str(place) for place in expected]
    assert expected.size > 100
