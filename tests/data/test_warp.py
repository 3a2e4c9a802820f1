"""The native loop against scipy's interpolation and plain NumPy, all in float64."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from cnncli.data.augment import Augment
from cnncli.data.warp import Draws, Renderer, drawn_samples, mix_up, plain_samples

MODES = {"black": "constant", "edge": "nearest", "reflect": "mirror"}
SHAPES = [(1, 1, 1), (3, 5, 3), (8, 8, 1), (9, 17, 3), (28, 28, 1), (32, 31, 3)]


def images(shape, count=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def render(pixels, samples, *, border="edge", threads=1, mean=None, std=None):
    channels = pixels.shape[3]
    mean = np.zeros(channels) if mean is None else mean
    std = np.ones(channels) if std is None else std
    renderer = Renderer(pixels.shape[1:], mean=mean, std=std, border=border, threads=threads)
    guarded = np.full((len(samples) + 1, *pixels.shape[1:]), np.nan, np.float32)
    renderer.render(pixels, samples, guarded[:-1])
    assert np.isnan(guarded[-1]).all()  # nothing is written behind the batch
    return guarded[:-1]


def warped(image, sample, border):
    """One image through its map, by scipy, 0 to 255."""
    height, width, channels = image.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    at_x = sample["a00"] * x + sample["a01"] * y + np.float64(sample["a02"])
    at_y = sample["a10"] * x + sample["a11"] * y + np.float64(sample["a12"])
    planes = []
    for channel in range(channels):
        plane = image[..., channel].astype(np.float64)
        if border == "black":  # scipy cuts off half a pixel outside; a ring of zeros fades instead
            plane = np.pad(plane, 2)
            planes.append(ndimage.map_coordinates(plane, [at_y + 2, at_x + 2], order=1, mode="nearest"))
        else:
            planes.append(ndimage.map_coordinates(plane, [at_y, at_x], order=1, mode=MODES[border]))
    return np.stack(planes, axis=2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threads", [1, 3])
def test_plain_images_are_normalised(shape, threads):
    pixels = images(shape)
    mean, std = np.linspace(0.2, 0.5, shape[2]), np.linspace(0.1, 0.4, shape[2])
    order = np.array([3, 0, 5, 5], np.intp)
    out = render(pixels, plain_samples(order), mean=mean, std=std, threads=threads)
    np.testing.assert_allclose(out, (pixels[order] / 255 - mean) / std, atol=2e-6 / 0.1, rtol=0)


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[0] > 1])
def test_maps_agree_with_scipy(shape, border):
    pixels = images(shape)
    augment = Augment(shift=2, rotate=30, scale=0.3, shear=20, flip=0.5, vflip=0.5, border=border)
    indices = np.arange(len(pixels), dtype=np.intp)
    samples = drawn_samples(augment, indices, Draws(3, 1, indices), shape)
    out = render(pixels, samples, border=border)
    for image, sample, got in zip(pixels, samples, out, strict=True):
        np.testing.assert_allclose(got * 255, warped(image, sample, border), atol=0.03 * max(shape) / 8)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 3), (2, 5, 1), (8, 9, 3)])
@pytest.mark.parametrize("far", [1, 3, 40])
def test_reflections_go_on_beyond_two_sides(shape, far):
    """Moved by several times its size, an image is reflected again and again, as scipy's mirror does."""
    pixels = images(shape)
    augment = Augment(shift=far * max(shape[:2]), flip=0.5, border="reflect")
    indices = np.arange(len(pixels), dtype=np.intp)
    samples = drawn_samples(augment, indices, Draws(3, 1, indices), shape)
    out = render(pixels, samples, border="reflect")
    for image, sample, got in zip(pixels, samples, out, strict=True):
        np.testing.assert_allclose(got * 255, warped(image, sample, "reflect"), atol=1e-3)


def maps(**settings):
    """Linear part and middle of the maps of 300 images of 20x31 pixels."""
    indices = np.arange(300, dtype=np.intp)
    samples = drawn_samples(Augment(**settings), indices, Draws(4, 2, indices), (20, 31, 1))
    linear = np.array([[samples["a00"], samples["a01"]], [samples["a10"], samples["a11"]]], np.float64)
    middle = np.array([15.0, 9.5])
    moved = np.einsum("ijn,j->ni", linear, middle) + np.stack([samples["a02"], samples["a12"]], 1)
    return linear.transpose(2, 0, 1), moved - middle


def test_a_rotation_keeps_lengths_angles_and_the_middle():
    linear, off = maps(rotate=40)
    np.testing.assert_allclose(np.linalg.det(linear), 1, atol=1e-6)
    np.testing.assert_allclose(
        linear @ linear.transpose(0, 2, 1), np.broadcast_to(np.eye(2), linear.shape), atol=1e-6
    )
    np.testing.assert_allclose(off, 0, atol=1e-5)
    angles = np.rad2deg(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert angles.min() < -38
    assert angles.max() > 38
    assert np.abs(angles).max() <= 40 + 1e-4


def test_areas_change_by_the_scale_alone():
    linear, _ = maps(rotate=40, shear=30)
    np.testing.assert_allclose(np.linalg.det(linear), 1, atol=1e-6)
    linear, _ = maps(rotate=40, shear=30, scale=0.5)
    areas = np.linalg.det(linear)
    assert (np.log(areas).min(), np.log(areas).max()) == pytest.approx(
        (-2 * np.log(1.5), 2 * np.log(1.5)), abs=0.05
    )
    linear, _ = maps(rotate=40, shear=30, flip=1)
    np.testing.assert_allclose(np.linalg.det(linear), -1, atol=1e-6)


def test_a_shear_leans_along_x():
    """Rows stay rows: what is upright leans, by up to so many degrees."""
    linear, _ = maps(shear=30)
    np.testing.assert_allclose(linear[:, 1], np.broadcast_to([0, 1], (300, 2)), atol=1e-6)
    leans = np.rad2deg(np.arctan(linear[:, 0, 1]))
    assert 28 < np.abs(leans).max() <= 30 + 1e-4


def test_a_dot_turns_about_the_middle():
    """A white dot stays as far from the middle as it was, at the angle that the map says."""
    pixels = np.zeros((1, 41, 41, 1), np.uint8)
    pixels[0, 19:22, 33:36] = 255  # 14 to the right of the middle
    indices = np.zeros(1, np.intp)
    for epoch in range(8):
        samples = drawn_samples(Augment(rotate=60), indices, Draws(0, epoch, indices), (41, 41, 1))
        out = render(pixels, samples, border="black")[0, ..., 0].astype(np.float64)
        y, x = np.mgrid[:41, :41] - 20
        at_x, at_y = (x * out).sum() / out.sum(), (y * out).sum() / out.sum()
        assert np.hypot(at_x, at_y) == pytest.approx(14, abs=0.1)
        # The map leads from where it is now to where it was.
        back = samples["a00"] * at_x + samples["a01"] * at_y, samples["a10"] * at_x + samples["a11"] * at_y
        assert (float(back[0][0]), float(back[1][0])) == pytest.approx((14, 0), abs=0.1)


@pytest.mark.parametrize("shape", [(7, 9, 1), (8, 8, 3)])
def test_mirrored_images_are_exact(shape):
    pixels = images(shape)
    indices = np.arange(len(pixels), dtype=np.intp)
    samples = drawn_samples(Augment(flip=1), indices, Draws(0, 0, indices), shape)
    expected = pixels[:, :, ::-1].astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_array_equal(render(pixels, samples), expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 7, 3), (8, 8, 1)])
def test_quarter_turns_are_exact(shape):
    pixels = images(shape, 30)
    indices = np.arange(len(pixels), dtype=np.intp)
    samples = drawn_samples(Augment(rot90=1), indices, Draws(0, 0, indices), shape)
    out = render(pixels, samples)
    turned = np.stack([np.rot90(pixels, k, (1, 2)) for k in (1, 2, 3)]).astype(np.float32)
    found = (turned * np.float32(1 / 255) == out).all(axis=(2, 3, 4))
    assert found.any(axis=0).all()
    assert found.any(axis=1).all()


def test_images_are_turned_when_all_else_has_moved_them():
    shape = (9, 9, 1)
    pixels = images(shape, 30)
    indices = np.arange(len(pixels), dtype=np.intp)
    moves = {"shift": 2, "rotate": 30, "scale": 0.3, "crop": 0.5, "flip": 0.5, "border": "reflect"}
    moved, turned = (
        render(pixels, drawn_samples(Augment(**moves, rot90=chance), indices, Draws(3, 1, indices), shape))
        for chance in (0, 1)
    )
    errors = [np.abs(np.rot90(moved, k, (1, 2)) - turned).max(axis=(1, 2, 3)) for k in (1, 2, 3)]
    np.testing.assert_allclose(np.min(errors, axis=0), 0, atol=1e-4)


def test_all_angles_and_mirror_images_are_alike_often():
    indices = np.arange(10_000, dtype=np.intp)
    augment = Augment(rot90=0.75, flip=0.5)
    samples = drawn_samples(augment, indices, Draws(0, 0, indices), (300, 300, 1))
    maps = np.stack([samples[name] for name in ("a00", "a01", "a10", "a11")], axis=1)
    _, counts = np.unique(maps, axis=0, return_counts=True)
    assert len(counts) == 8
    assert np.abs(counts - 1250).max() <= 4 * np.sqrt(1250)


def test_shifts_are_whole_pixels_and_cover_their_range():
    shape = (12, 12, 1)
    pixels = images(shape, 400)
    indices = np.arange(400, dtype=np.intp)
    samples = drawn_samples(Augment(shift=2), indices, Draws(5, 0, indices), shape)
    assert set(np.unique(samples["a02"])) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    out = render(pixels, samples, border="black") * 255
    for image, sample, got in zip(pixels, samples, out, strict=True):
        dx, dy = int(sample["a02"]), int(sample["a12"])
        padded = np.pad(image[..., 0], 2)[2 + dy : 14 + dy, 2 + dx : 14 + dx]
        np.testing.assert_allclose(got[..., 0], padded, atol=1e-4)


def test_crops_stay_inside_and_keep_their_area():
    shape = (40, 40, 3)
    indices = np.arange(500, dtype=np.intp)
    samples = drawn_samples(Augment(crop=0.4), np.zeros(500, np.intp), Draws(1, 0, indices), shape)
    zoom_x, zoom_y = samples["a00"].astype(np.float64), samples["a11"].astype(np.float64)
    assert np.all(zoom_x * zoom_y >= 0.4 * 0.9)
    assert np.all((zoom_x <= 1) & (zoom_y <= 1))
    for zoom, offset in ((zoom_x, samples["a02"]), (zoom_y, samples["a12"])):
        assert np.all(offset - 0.5 * zoom >= -0.5 - 1e-4)  # left edge of the first output pixel
        assert np.all(offset + 39.5 * zoom <= 39.5 + 1e-4)


def recoloured(image, sample):
    values = image.astype(np.float64)
    luma = np.array([0.299, 0.587, 0.114]) if image.shape[2] == 3 else np.array([1.0])
    mean = (values @ luma).mean() * sample["brightness"]
    values = (values * sample["brightness"] - mean) * sample["contrast"] + mean
    gray = (values @ luma)[..., None]
    return np.clip(gray + sample["saturation"] * (values - gray) if image.shape[2] == 3 else values, 0, 255)


@pytest.mark.parametrize("shape", [(5, 3, 1), (9, 11, 3)])
def test_colours(shape):
    pixels = images(shape)
    indices = np.arange(len(pixels), dtype=np.intp)
    augment = Augment(brightness=0.4, contrast=0.6, saturation=0.8)
    samples = drawn_samples(augment, indices, Draws(2, 2, indices), shape)
    out = render(pixels, samples)
    for image, sample, got in zip(pixels, samples, out, strict=True):
        np.testing.assert_allclose(got * 255, recoloured(image, sample), atol=0.01)


@pytest.mark.parametrize("shape", [(6, 10, 1), (12, 12, 3)])
def test_erased_rectangles_become_the_mean(shape):
    pixels = images(shape, 60)
    mean, std = np.full(shape[2], 0.4), np.full(shape[2], 0.2)
    indices = np.arange(60, dtype=np.intp)
    samples = drawn_samples(Augment(erase=0.5), indices, Draws(0, 0, indices), shape)
    hit = samples["erase_right"] > 0
    assert 15 < hit.sum() < 45
    out = render(pixels, samples, mean=mean, std=std)
    expected = (pixels / 255 - 0.4) / 0.2
    for sample, want in zip(samples, expected, strict=True):
        top, bottom, left, right = (
            int(sample[f"erase_{side}"]) for side in ("top", "bottom", "left", "right")
        )
        assert 0 <= left <= right <= shape[1]
        assert 0 <= top <= bottom <= shape[0]
        want[top:bottom, left:right] = 0
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("chance", [0.1, 0.8, 1.0])
def test_as_many_images_change_as_the_chances_say(chance):
    indices = np.arange(10_000, dtype=np.intp)
    turned = drawn_samples(Augment(rot90=chance), indices, Draws(0, 0, indices), (400, 400, 3))["a00"] < 1
    augment = Augment(flip=chance, vflip=chance, erase=chance)
    samples = drawn_samples(augment, indices, Draws(0, 0, indices), (400, 300, 3))
    spread = 4 * np.sqrt(10_000 * chance * (1 - chance))
    for changed in (samples["a00"] < 0, samples["a11"] < 0, samples["erase_right"] > 0, turned):
        assert abs(changed.sum() - 10_000 * chance) <= spread


@pytest.mark.parametrize("strength", [0.3, 0.7])
def test_factors_of_colours_reach_as_far_as_they_are_strong(strength):
    """Evenly from 1 - strength to 1 + strength, each by itself."""
    indices = np.arange(10_000, dtype=np.intp)
    names = ("brightness", "contrast", "saturation")
    augment = Augment(**dict.fromkeys(names, strength))
    samples = drawn_samples(augment, indices, Draws(2, 0, indices), (8, 8, 3))
    factors = np.stack([samples[name] for name in names]).astype(float)
    even = np.linspace(1 - strength, 1 + strength, 10_000)
    np.testing.assert_allclose(np.sort(factors, axis=1), np.broadcast_to(even, (3, 10_000)), atol=0.03)
    assert np.abs(np.corrcoef(factors) - np.eye(3)).max() < 0.05


def test_cut_parts_lie_evenly_over_the_image():
    """From edge to edge along both axes, as torchvision's RandomResizedCrop has them."""
    indices = np.arange(10_000, dtype=np.intp)
    samples = drawn_samples(Augment(crop=0.2), indices, Draws(3, 0, indices), (40, 60, 1))
    for zoom, start, length in (("a00", "a02", 60), ("a11", "a12", 40)):
        share, first = samples[zoom].astype(float), samples[start].astype(float)
        room = (1 - share) * length
        before = (first - 0.5 * share + 0.5)[room > 1] / room[room > 1]
        np.testing.assert_allclose(np.sort(before), np.linspace(0, 1, len(before)), atol=0.03)
    area = samples["a00"].astype(float) * samples["a11"]
    assert area.min() == pytest.approx(0.2, abs=0.01)
    assert area.max() <= 1


def test_sizes_of_erased_rectangles():
    """2 to 25 % of the image, 0.3 to 1 / 0.3 times as high as wide, anywhere, as Zhang et al. have them."""
    indices = np.arange(4000, dtype=np.intp)
    samples = drawn_samples(Augment(erase=1), indices, Draws(1, 0, indices), (400, 400, 1))
    left, right, top, bottom = (
        samples[f"erase_{side}"].astype(float) for side in ("left", "right", "top", "bottom")
    )
    wide, tall = right - left, bottom - top
    area, aspect = wide * tall / 400**2, tall / wide
    assert (area.min(), area.max()) == pytest.approx((0.02, 0.25), abs=0.005)
    assert area.mean() == pytest.approx((0.02 + 0.25) / 2, rel=0.03)
    assert (aspect.min(), aspect.max()) == pytest.approx((0.3, 1 / 0.3), rel=0.03)
    assert np.median(aspect) == pytest.approx(1, rel=0.1)
    for low, high in ((left, right), (top, bottom)):
        assert (low.min(), high.max()) == (0, 400)
        assert (low + high).mean() == pytest.approx(400, rel=0.03)


@pytest.mark.parametrize("shape", [(5, 5, 1), (8, 9, 3)])
def test_mixed_images_are_weighted_means(shape):
    pixels = images(shape, 40)
    indices = np.arange(40, dtype=np.intp)
    samples = drawn_samples(Augment(flip=0.5, mixup=0.3), indices, Draws(0, 4, indices), shape)
    alone = render(pixels, samples)
    mix_up(samples, 0.3, 0, 4, indices)
    partners, shares = samples["partner"], samples["share"][:, None, None, None]
    assert np.array_equal(np.sort(partners), indices)
    assert not np.any(partners == indices)
    assert shares.min() >= 0.5
    assert shares.max() <= 1
    mixed = render(pixels, samples)
    np.testing.assert_allclose(mixed, shares * alone + (1 - shares) * alone[partners], atol=1e-6)


def test_shares_follow_the_beta_distribution():
    from scipy import stats

    indices = np.arange(20_000, dtype=np.intp)
    for alpha in (0.5, 1.0):  # of smaller ones a share of 1 in float32 is too frequent to compare
        samples = plain_samples(indices)
        mix_up(samples, alpha, 0, 0, indices)
        beta = stats.beta(alpha, alpha)
        folded = stats.kstest(samples["share"], lambda share, beta=beta: 2 * (beta.cdf(share) - 0.5))
        assert folded.statistic < 0.015


def everything_at_once(threads):
    """A digest of images to which all happens."""
    shape = (19, 23, 3)
    pixels = images(shape, 300)
    indices = np.arange(300, dtype=np.intp)
    augment = Augment(shift=2, rotate=20, flip=0.5, erase=0.5, contrast=0.3, saturation=0.3, mixup=0.4)
    samples = drawn_samples(augment, indices, Draws(9, 9, indices), shape)
    mix_up(samples, 0.4, 9, 9, indices)
    return hashlib.sha256(render(pixels, samples, threads=threads).tobytes()).hexdigest()


def test_threads_do_not_matter():
    assert everything_at_once(1) == everything_at_once(4)


def test_vector_width_does_not_matter(python):
    code = "import test_warp; print(test_warp.everything_at_once(2))"
    done = python(code, env={"CNNCLI_TARGET": "neon"}, path=[Path(__file__).parent])
    assert done.stdout.strip() == everything_at_once(1)
