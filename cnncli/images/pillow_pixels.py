"""Pillow's memory as an array, without a copy, which would also block other threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.images.arrow import LAYOUTS, pixels_of
from cnncli.images.picture import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image


class _Block:
    """Memory owned by another object, for NumPy."""

    def __init__(self, address: int, size: int, owner: object) -> None:
        self.__array_interface__ = {"data": (address, True), "shape": (size,), "typestr": "|u1", "version": 3}
        self.owner = owner


def pixels_in_place(image: Image) -> Pixels:
    """A read-only view (H, W, C) of the pixels of a loaded image whose mode is in `LAYOUTS`."""
    samples, step = LAYOUTS[image.mode]
    address, owner = pixels_of(image)
    raw = np.asarray(_Block(address, image.width * image.height * step, (image, owner)))
    return raw.reshape(image.height, image.width, step)[..., :samples]
