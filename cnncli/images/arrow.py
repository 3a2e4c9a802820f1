"""The memory in which Pillow keeps an image's pixels. Imports nothing heavy, as `opening` requires.

Pillow exposes its memory through the Arrow C data interface, two C structures. It can do so where an image
lies in one block, which `opening.configure_pillow` ensures.

Source: https://arrow.apache.org/docs/format/CDataInterface.html
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


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
_VALUES = 1  # index of the buffer of values; the one before it marks missing values
#: By mode: used samples per pixel, and bytes from one pixel to the next.
LAYOUTS = {"L": (1, 1), "RGB": (3, 4), "RGBA": (4, 4)}
_LEAST_HUGE = 1 << 23  # bytes; smaller images would fill large pages only partly


def pixels_of(image: Image) -> tuple[int, object]:
    """The address of a loaded image's first pixel, and the object that keeps the memory alive."""
    _, capsule = image.__arrow_c_array__()
    return _address_in(capsule), capsule


def use_large_pages(image: Image) -> None:
    """Ask the system to use large pages for the memory of an image that is not decoded yet.

    The system then allocates, clears and frees five hundred times as much at once: a JPEG of eleven
    megapixels is decoded in two thirds of the time. Where the system ignores the advice, nothing changes.

    Parameters
    ----------
    image : Image
        Opened, with memory to which nothing has been written.
    """
    _, step = LAYOUTS.get(image.mode, (0, 0))
    size = image.width * image.height * step
    if size < _LEAST_HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    first = -(-_address_in(image.im.__arrow_c_array__()) // mmap.PAGESIZE) * mmap.PAGESIZE
    with contextlib.suppress(OSError, AttributeError, TypeError):
        advise = ctypes.CDLL(None).madvise
        advise(ctypes.c_void_p(first), ctypes.c_size_t(size - mmap.PAGESIZE), mmap.MADV_HUGEPAGE)


def _address_in(capsule: object) -> int:
    array = _ArrowArray.from_address(_pointer_in(capsule, b"arrow_array"))
    values = array.children[0].contents if array.n_children else array
    return int(values.buffers[_VALUES]) + int(values.offset)
