"""Memory that is freed and soon wanted again."""

import contextlib
import ctypes

# Numbers of glibc's options, and their settings here: the largest that it takes for the one; for the
# other more than a batch of images gives back at a time.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 1 << 29, 1 << 25


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
