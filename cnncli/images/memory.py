"""Pillow's own memory as an array: no copy, and none of the time that one holds up other threads.

Pillow hands its memory out by the Arrow C data interface, a description in two structures of C. It can
where an image lies in one block, which `opening.settle_pillow` sees to.

Source: https://arrow.apache.org/docs/format/CDataInterface.html
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from cnncli.images.picture import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

#: Samples of a pixel that are seen, and bytes from one pixel to the next.
LAYOUTS = {"L": (1, 1), "RGB": (3, 4), "RGBA": (4, 4)}


class _ArrowArray(ctypes.Structure):
    pass


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
_pointer_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_VALUES = 1  # the buffer of values; the one before it says which are missing


class _Block:
    """Bytes in memory that somebody else owns, for NumPy."""

    def __init__(self, address: int, size: int, owner: object) -> None:
        self.__array_interface__ = {"data": (address, True), "shape": (size,), "typestr": "|u1", "version": 3}
        self.owner = owner


def pixels_in_place(image: Image) -> Pixels:
    """The pixels of a loaded image of a mode in `LAYOUTS`, where they lie: (H, W, C), not to be written."""
    samples, step = LAYOUTS[image.mode]
    _, capsule = image.__arrow_c_array__()
    array = _ArrowArray.from_address(_pointer_in(capsule, b"arrow_array"))
    values = array.children[0].contents if array.n_children else array
    size = image.width * image.height * step
    raw = np.asarray(_Block(int(values.buffers[_VALUES]) + values.offset, size, (image, capsule)))
    return raw.reshape(image.height, image.width, step)[..., :samples]
