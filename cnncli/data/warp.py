"""Random parameters of augmentation, and the native loop that applies them.

Each number depends on (seed, epoch, index of the image, number of the draw), so that the augmentation of an
image in an epoch does not depend on its batch or on threads.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.core import data_jobs, native
from cnncli.core.choices import MIN_BATCH_VALUES
from cnncli.data.augment import Augment
from cnncli.data.random_numbers import as_unit, extended, hashed, uniform

# Numbers of the draws.
_SHIFT_X, _SHIFT_Y, _ROTATE, _SCALE, _SHEAR, _FLIP, _VFLIP = range(7)
_AREA, _ASPECT, _CROP_X, _CROP_Y = range(7, 11)
_ERASE, _ERASE_AREA, _ERASE_ASPECT, _ERASE_X, _ERASE_Y = range(11, 16)
_BRIGHTNESS, _CONTRAST, _SATURATION, _PARTNER, _SHARE = range(16, 21)
_SHARE_TRIES = 24  # of Jöhnk's rejection sampling, which accepts at least half of them; two draws each
_TURN = _SHARE + 2 * _SHARE_TRIES
_ASPECT_RANGE = 4 / 3
_ERASE_AREAS = (0.02, 0.25)
_ERASE_ASPECTS = 1 / 0.3
RENDER_LOOP = "augment"  # the native loop that makes batches

Samples = NDArray[np.void]
Floats = NDArray[np.float64]


class Draws:
    """Uniform numbers for the images of a block in an epoch."""

    def __init__(self, seed: int, epoch: int, indices: NDArray[np.intp]) -> None:
        self._state = hashed(seed, epoch, indices)

    def unit(self, draw: int) -> Floats:
        """From 0 to 1."""
        return as_unit(extended(self._state, draw))

    def signed(self, draw: int) -> Floats:
        """From -1 to 1."""
        return 2 * self.unit(draw) - 1

    def integer(self, draw: int, reach: int) -> Floats:
        """A whole number from -reach to reach, inclusive."""
        return np.floor(self.unit(draw) * (2 * reach + 1)) - reach


def plain_samples(sources: NDArray[np.intp]) -> Samples:
    """Sample records of images that are only normalised; ``sources`` (n,) are their indices."""
    samples = np.zeros(len(sources), data_jobs.SAMPLE)
    samples["source"] = sources
    samples["partner"] = -1
    samples["plain"] = 1
    for name in ("share", "a00", "a11", "brightness", "contrast", "saturation"):
        samples[name] = 1
    return samples


def drawn_samples(
    augment: Augment, sources: NDArray[np.intp], draws: Draws, shape: tuple[int, int, int]
) -> Samples:
    """Sample records of images with their random augmentation; mixup is added by ``mix_up``.

    Parameters
    ----------
    augment : Augment
        The augmentations to apply.
    sources : ndarray, shape (n,), intp
        The source image of each sample.
    draws : Draws
        Random numbers of the same n images.
    shape : (H, W, C)
        Of an image.
    """
    samples = plain_samples(sources)
    samples["plain"] = 0
    if augment.moves:
        _move(samples, augment, draws, shape)
    for name, draw in (("brightness", _BRIGHTNESS), ("contrast", _CONTRAST), ("saturation", _SATURATION)):
        if strength := getattr(augment, name):
            samples[name] = 1 + strength * draws.signed(draw)
    if augment.erase:
        _erase(samples, augment.erase, draws, shape)
    return samples


def mix_up(samples: Samples, alpha: float, seed: int, epoch: int, indices: NDArray[np.intp]) -> None:
    """Assign to each sample of a batch a partner to blend with, and its own weight.

    Weights follow the beta distribution (alpha, alpha), folded to 0.5 and above.

    Source: Zhang et al., "mixup: Beyond empirical risk minimization", 2018, equation 1; Jöhnk,
    "Erzeugung von betaverteilten und gammaverteilten Zufallszahlen", 1964.
    """
    count = len(samples)
    if count < 2:
        return
    ring = np.argsort(hashed(seed, epoch, indices, _PARTNER), kind="stable")
    samples["partner"][ring] = np.roll(ring, 1)
    tries = _SHARE + 2 * np.arange(_SHARE_TRIES)[:, None]
    first = uniform(seed, epoch, indices[None], tries) ** (1 / alpha)
    second = uniform(seed, epoch, indices[None], tries + 1) ** (1 / alpha)
    total = first + second
    good = (total <= 1) & (total > 0)
    pick = np.argmax(good, axis=0), np.arange(count)
    share = np.where(good[pick], first[pick] / np.where(good[pick], total[pick], 1), 0.5)
    samples["share"] = np.maximum(share, 1 - share)


def moves_of(samples: Samples) -> NDArray[np.float32]:
    """(n, 2, 3) the affine map of each sample, from pixels of the batch to those of its image as read."""
    rows = [[samples[f"a{row}{column}"] for column in range(3)] for row in range(2)]
    return np.moveaxis(np.array(rows, np.float32), 2, 0)


def moved_points(points: NDArray[np.floating], moves: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Where points of the images as they were read lie in a batch.

    Parameters
    ----------
    points : ndarray, shape (n, P, 2)
        x and y of P points of each image, in pixels, the middle of the first one at (0, 0).
    moves : ndarray, shape (n, 2, 3), or None
        `Batch.moves`; None: they lie where they were.
    """
    if moves is None:
        return points.astype(np.float32)
    back = np.linalg.inv(moves[:, :, :2].astype(np.float64))
    return np.asarray(np.einsum("nij,npj->npi", back, points - moves[:, None, :, 2]), np.float32)


def _move(samples: Samples, augment: Augment, draws: Draws, shape: tuple[int, int, int]) -> None:
    """Set the affine map from output to source pixels, about the centre of the image."""
    height, width, _ = shape
    angle = np.deg2rad(augment.rotate) * draws.signed(_ROTATE) if augment.rotate else 0.0
    lean = np.tan(np.deg2rad(augment.shear) * draws.signed(_SHEAR)) if augment.shear else 0.0
    factor = np.exp(-np.log1p(augment.scale) * draws.signed(_SCALE)) if augment.scale else 1.0
    mirror_x = np.where(draws.unit(_FLIP) < augment.flip, -1.0, 1.0)
    mirror_y = np.where(draws.unit(_VFLIP) < augment.vflip, -1.0, 1.0)
    shift_x, shift_y = _shifts(augment, draws, width, height)
    zoom_x, zoom_y, crop_x, crop_y = _crop(augment, draws, width, height)
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    m00, m01 = mirror_x * cos, mirror_x * (cos * lean + sin)
    m10, m11 = -mirror_y * sin, mirror_y * (cos - sin * lean)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    # q = zoom (p - middle) + crop - shift is the source position of output pixel p before rotation.
    from_x, from_y = crop_x - shift_x - zoom_x * middle_x, crop_y - shift_y - zoom_y * middle_y
    samples["a00"], samples["a01"] = m00 * zoom_x, m01 * zoom_y
    samples["a10"], samples["a11"] = m10 * zoom_x, m11 * zoom_y
    samples["a02"] = m00 * from_x + m01 * from_y + middle_x
    samples["a12"] = m10 * from_x + m11 * from_y + middle_y
    if augment.rot90:
        _turn(samples, augment.rot90, draws, height)


def _turn(samples: Samples, chance: float, draws: Draws, side: int) -> None:
    """Turn some square images by one, two or three quarters before their maps."""
    drawn = draws.unit(_TURN)
    quarters = np.where(drawn < chance, 1 + np.floor(3 * drawn / chance), 0).astype(np.intp)
    cos, sin = np.array([1, 0, -1, 0])[quarters], np.array([0, 1, 0, -1])[quarters]
    middle = (side - 1) / 2
    start_x, start_y = middle * (1 - cos + sin), middle * (1 - sin - cos)
    for x, y, start in (("a00", "a01", "a02"), ("a10", "a11", "a12")):
        along, down = samples[x].copy(), samples[y].copy()
        samples[x], samples[y] = along * cos + down * sin, down * cos - along * sin
        samples[start] += along * start_x + down * start_y


def _shifts(augment: Augment, draws: Draws, width: int, height: int) -> tuple[Floats, Floats]:
    """Shifts of the images, in whole pixels."""
    shift = augment.shift
    reach_x = round(shift * width if shift < 1 else shift)
    reach_y = round(shift * height if shift < 1 else shift)
    shift_x, shift_y = draws.integer(_SHIFT_X, reach_x), draws.integer(_SHIFT_Y, reach_y)
    if augment.crop >= 1:
        padding = round(augment.crop)
        shift_x, shift_y = (
            shift_x + draws.integer(_CROP_X, padding),
            shift_y + draws.integer(_CROP_Y, padding),
        )
    return shift_x, shift_y


def _crop(
    augment: Augment, draws: Draws, width: int, height: int
) -> tuple[Floats | float, Floats | float, Floats | float, Floats | float]:
    """Source pixels per output pixel, and the offset of the crop's centre from the image's."""
    if not 0 < augment.crop < 1:
        return 1.0, 1.0, 0.0, 0.0
    area = augment.crop + (1 - augment.crop) * draws.unit(_AREA)
    aspect = np.exp(np.log(_ASPECT_RANGE) * draws.signed(_ASPECT))
    zoom_x = np.minimum(np.sqrt(area * aspect), 1.0)
    zoom_y = np.minimum(np.sqrt(area / aspect), 1.0)
    crop_x = draws.signed(_CROP_X) * (1 - zoom_x) * width / 2
    crop_y = draws.signed(_CROP_Y) * (1 - zoom_y) * height / 2
    return zoom_x, zoom_y, crop_x, crop_y


def _erase(samples: Samples, chance: float, draws: Draws, shape: tuple[int, int, int]) -> None:
    """Set a random rectangle to be erased in some of the samples.

    Source: Zhong et al., "Random erasing data augmentation", 2020, algorithm 1.
    """
    height, width, _ = shape
    low, high = _ERASE_AREAS
    area = height * width * (low + (high - low) * draws.unit(_ERASE_AREA))
    aspect = np.exp(np.log(_ERASE_ASPECTS) * draws.signed(_ERASE_ASPECT))
    tall = np.clip(np.rint(np.sqrt(area * aspect)), 1, height)
    wide = np.clip(np.rint(np.sqrt(area / aspect)), 1, width)
    left = np.floor(draws.unit(_ERASE_X) * (width - wide + 1))
    top = np.floor(draws.unit(_ERASE_Y) * (height - tall + 1))
    hit = draws.unit(_ERASE) < chance
    for name, edge in (("left", left), ("top", top), ("right", left + wide), ("bottom", top + tall)):
        samples[f"erase_{name}"] = np.where(hit, edge, 0)


class Renderer:
    """Fill batches; keeps what is the same for all of them.

    Parameters
    ----------
    shape : (H, W, C)
        Of an image.
    mean, std : ndarray, shape (C,)
        For values scaled to 0 to 1: a value v of 0 to 255 becomes (v / 255 - mean) / std.
    border : str
        A key of ``data_jobs.BORDERS``.
    threads : int
        Number of threads that share a block.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        *,
        mean: NDArray[np.float32],
        std: NDArray[np.float32],
        border: str = "edge",
        threads: int = 1,
    ) -> None:
        height, width, channels = self._shape = shape
        self._threads = threads
        lanes = native.processor()[3].lanes
        wide_mean, wide_std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        rows = (1 / (255 * wide_std), -wide_mean / wide_std, 255 * wide_mean)
        self._rows = [np.tile(row, width + lanes).astype(np.float32) for row in rows]
        self._scratch_bytes = data_jobs.scratch_bytes(height, width, channels, lanes)
        self._job = np.zeros(1, data_jobs.BATCH)
        self._job["height"], self._job["width"], self._job["channels"] = shape
        self._job["border"] = data_jobs.BORDERS[border]
        for name, row in zip(("scale", "bias", "fill"), self._rows, strict=True):
            self._job[name] = row.ctypes.data

    def render(self, images: NDArray[np.uint8], samples: Samples, out: NDArray[np.float32]) -> None:
        """Fill ``out``, float32 (n, H, W, C), contiguous, from uint8 images (N, H, W, C), contiguous."""
        job = self._job
        job["images"], job["samples"], job["out"] = images.ctypes.data, samples.ctypes.data, out.ctypes.data
        threads = self._threads if out.size >= MIN_BATCH_VALUES else 1
        native.run(RENDER_LOOP, job, len(samples), threads=threads, scratch_bytes=self._scratch_bytes)
