"""Pillow's own memory as an array: no copy, and none of the time that one holds up other threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.images.arrow import LAYOUTS, pixels_of
from cnncli.images.picture import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image


class _Block:
    """Bytes in memory that somebody else owns, for NumPy."""

    def __init__(self, address: int, size: int, owner: object) -> None:
        self.__array_interface__ = {"data": (address, True), "shape": (size,), "typestr": "|u1", "version": 3}
        self.owner = owner


def pixels_in_place(image: Image) -> Pixels:
    """The pixels of a loaded image of a mode in `LAYOUTS`, where they lie: (H, W, C), not to be written."""
    samples, step = LAYOUTS[image.mode]
    address, owner = pixels_of(image)
    raw = np.asarray(_Block(address, image.width * image.height * step, (image, owner)))
    return raw.reshape(image.height, image.width, step)[..., :samples]
