"""Generated photographs: noise whose power falls with its frequency, as in nature, and a few edges."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLOBS = 12
OCTAVES = ((512, 60.0), (128, 30.0), (32, 14.0), (8, 6.0), (2, 3.0))  # pixels of a cell, strength in levels


def photograph(width: int, height: int, channels: int, *, seed: int = 1) -> NDArray[np.uint8]:
    """Make a picture, uint8 of shape (height, width, channels), always the same for a seed."""
    rng = np.random.default_rng(seed)
    shared = _noise(rng, width, height) + _edges(rng, width, height)
    planes = [shared + 0.3 * _noise(rng, width, height) if c else shared for c in range(channels)]
    levels = np.stack(planes, axis=2) + rng.normal(0, 1, (height, width, 1)).astype(np.float32) + 110
    return np.clip(levels, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    total = np.zeros((height, width), np.float32)
    for cell, strength in OCTAVES:
        grid = rng.normal(0, strength, (height // cell + 2, width // cell + 2)).astype(np.float32)
        total += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    return total


def _edges(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Ellipses, each brighter or darker than what it lies on."""
    total = np.zeros((height, width), np.float32)
    y, x = np.ogrid[:height, :width]
    for _ in range(BLOBS):
        cx, cy, rx, ry, step = rng.uniform(
            [0, 0, 0.05 * width, 0.05 * height, -60], [width, height, 0.3 * width, 0.3 * height, 60]
        )
        total += np.float32(step) * (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1)
    return total


def save(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write a picture with Pillow's default settings."""
    Image.fromarray(pixels.squeeze()).save(path, quality=90)
