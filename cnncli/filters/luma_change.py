"""Colours of integers changed as their luma is."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cnncli.core import jobs, native
from cnncli.core.heap import aligned_empty
from cnncli.core.luma import LUMA
from cnncli.core.tiling import HEADER_BYTES, Surface
from cnncli.filters.execute import clipped_in, run_direct
from cnncli.filters.rgbx import run_on_rgb
from cnncli.images.picture import Pixels

Mapped = Callable[[Pixels, int], Pixels]
"""Maps luma (H, W) of integers, with some threads, to luma of the same type."""


def keeps_type(surface: Surface) -> bool:
    """Whether all pixels of integers become pixels of their own type, not mapped further."""
    plain = (surface.absolute, surface.scale, surface.bias, surface.luma) == (False, 1, 0, None)
    same = (surface.out.dtype, surface.out.shape) == (surface.src.dtype, surface.src.shape)
    return plain and same and surface.src.dtype != np.float32


def luma_of(src: Pixels, dtype: np.dtype[Any], threads: int) -> Pixels:
    """Luma (H, W) of colours, rounded where the type is one of integers."""
    height, width, _ = src.shape
    out = aligned_empty((height, width, 1), dtype)
    across, down = np.arange(width), np.arange(height)
    run_direct(
        np.ones((1, 1)),
        Surface(src=src, out=out, xmap=across, ymap=down, luma=LUMA),
        dilation=1,
        threads=threads,
    )
    return out[..., 0]


def change_by_luma(mapped: Mapped, surface: Surface, *, threads: int) -> int:
    """Add to all colours of a pixel what its luma changes by.

    Parameters
    ----------
    mapped : callable
        Maps luma.
    surface : Surface
        Of three channels, of which `keeps_type` is true.
    threads : int
        Threads to use.

    Returns
    -------
    int
        Samples that were clipped.
    """
    return run_on_rgb(partial(_change, mapped, threads), surface, threads=threads)


def _change(mapped: Mapped, threads: int, surface: Surface) -> int:
    """As `change_by_luma`, of dense samples."""
    src, out = surface.src, surface.out
    before = luma_of(src, src.dtype, threads)
    after = mapped(before, threads)
    job = np.zeros(1, jobs.LUMA_CHANGE)
    for name, array in (("src", src), ("out", out), ("before", before), ("after", after)):
        job[name] = array.ctypes.data
    job["src_pitch"], job["out_pitch"] = src.strides[0], out.strides[0]
    job["width"], job["type"] = src.shape[1], jobs.ELEMENT_TYPES[src.dtype]
    return clipped_in(native.run("luma_change", job, len(src), threads=threads, scratch_bytes=HEADER_BYTES))
