"""Memory for pixels: where it begins, and what becomes of it when it is freed."""

import contextlib
import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LINE = 64  # bytes of a cache line, and of the longest vector

# Numbers of glibc's options, and their settings here: the largest that it takes for the one; for the
# other more than a batch of images gives back at a time.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 1 << 29, 1 << 25


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array like `numpy.empty` that starts on a cache line: vectors of it can go past the caches."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return on_a_line(np.empty(size + LINE, np.uint8)).view(dtype).reshape(shape)


def on_a_line(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All but a line's worth of some bytes, from the first cache line that starts in them."""
    start = -raw.ctypes.data % LINE
    return raw[start : start + raw.size - LINE]


def keep_freed_memory() -> None:
    """Let what is freed stay with this process, for work that asks for the same again and again.

    The system takes memory back a page at a time and clears each page before it hands it out again, which
    takes as long as decoding the photograph that the pages are for. Nothing happens where the C library
    has no such options.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, _LARGEST)
        set_option(_TRIM_THRESHOLD, _KEPT)
