"""Comparisons of pictures against scikit-image."""

import numpy as np
import pytest
from surfaces import DTYPES, random_image

from cnncli.filters import similarity as module
from cnncli.filters.similarity import Scale, compare

metrics = pytest.importorskip("skimage.metrics")
WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}


def of(first, second, *, threads=2, alpha=False, **options):
    reads = [lambda start, stop, each=each: each[start:stop] for each in (first, second)]
    scale = Scale(WHITE[first.dtype.type], alpha=alpha)
    return compare(*reads, first.shape, scale, threads=threads, **options)


def noisy(rng, image, share=0.1):
    white = WHITE[image.dtype.type]
    return np.clip(image + rng.normal(0, share * white, image.shape), 0, white).astype(image.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 7, 1), (12, 30, 3), (40, 11, 4), (300, 203, 3)])
@pytest.mark.parametrize("window", ["uniform", "gaussian"])
def test_numbers_are_scikit_images(rng, dtype, shape, window):
    first = random_image(rng, shape, dtype)
    second = noisy(rng, first)
    white = WHITE[dtype]
    found = of(first, second, window=window)
    wide, other = first.astype(np.float64), second.astype(np.float64)
    assert found.mse == pytest.approx(metrics.mean_squared_error(wide, other), rel=1e-12)
    assert found.psnr == pytest.approx(
        metrics.peak_signal_noise_ratio(wide, other, data_range=white), rel=1e-9
    )
    apart = np.abs(wide - other)
    assert found.mae == pytest.approx(apart.mean(), rel=1e-12)
    assert found.largest == apart.max()
    assert found.differing == (apart != 0).any(axis=2).mean()
    if min(shape[:2]) < {"uniform": 7, "gaussian": 11}[window]:
        assert found.ssim is None
        return
    as_published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    theirs = metrics.structural_similarity(
        wide, other, data_range=white, channel_axis=2, **(as_published if window == "gaussian" else {})
    )
    assert found.ssim == pytest.approx(theirs, abs=1e-9)


def test_the_same_picture():
    image = np.arange(400, dtype=np.uint8).reshape(20, 20, 1)
    found = of(image, image)
    assert (found.mse, found.mae, found.largest, found.differing, found.ssim) == (0, 0, 0, 0, 1)
    assert found.psnr == np.inf


def test_parts_and_threads_change_nothing(rng, monkeypatch):
    first = random_image(rng, (157, 40, 3), np.uint8)
    second = noisy(rng, first)
    whole = of(first, second)
    assert of(first, second, threads=5) == whole
    monkeypatch.setattr(module, "COMPARED_ROWS", 8)
    monkeypatch.setattr(module, "COMPARED_SAMPLES", 1)
    monkeypatch.setattr(module, "_READ_BYTES", 1)
    parted = of(first, second)
    assert parted.ssim == pytest.approx(whole.ssim, abs=1e-12)
    assert (parted.mse, parted.largest, parted.differing) == (whole.mse, whole.largest, whole.differing)


def test_fourth_bytes_are_left_out(rng):
    """Colours of four bytes a pixel, as decoders give them, are compared as those of three."""
    first = random_image(rng, (90, 301, 4), np.uint8)
    second = noisy(rng, first)
    assert of(first[..., :3], second[..., :3]) == of(first[..., :3].copy(), second[..., :3].copy())
    assert of(first[..., :3], second[..., :3].copy()) == of(first[..., :3].copy(), second[..., :3].copy())


def test_what_cannot_be_seen_is_the_same(rng):
    first = random_image(rng, (20, 20, 4), np.uint8)
    first[:10, :, 3] = 0
    second = first.copy()
    second[:10, :, :3] = 7
    assert of(first, second, alpha=True).differing == 0
    assert of(first, second).differing == 0.5


def test_nan_is_no_number_that_anything_keeps(rng):
    first = random_image(rng, (20, 20, 1))
    second = first.copy()
    second[3, 3] = np.nan
    found = of(first, second)
    assert np.isnan([found.mse, found.mae, found.largest, found.ssim, found.psnr]).all()
