"""Encode drawn pages as an animated GIF: one palette, and only the changes from page to page."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnncli.errors import CnncliError

_GRAYS = 52  # every fifth level, so that grays stay neutral
_COMMONEST = 15
_FREE_COLORS = 255 - _GRAYS - _COMMONEST
_SAMPLED = 4


def encode_flipbook(frames: Sequence[NDArray[np.uint8]], durations: Sequence[float]) -> bytes:
    """Encode pages of one size as a GIF that repeats endlessly.

    All pages share one palette without dithering, so that unchanged areas are stored once: the file takes
    about a third of the size with a palette per frame.

    Parameters
    ----------
    frames : sequence of ndarray, shape (H, W, 3), uint8
        The pages.
    durations : sequence of float
        The duration of each, in seconds.

    Returns
    -------
    bytes

    Raises
    ------
    CnncliError
        Where there are no pages, or not one duration for each.
    """
    if not frames or len(frames) != len(durations):
        raise CnncliError(
            f"{len(frames)} pages and {len(durations)} durations; expected one duration per page",
            "Draw at least one page.",
        )
    packed = [_pack(frame) for frame in frames]
    palette = _palette(packed)
    nearest = _nearest(packed, palette)
    pages = [Image.fromarray(nearest[page]) for page in packed]
    for page in pages:
        page.putpalette(palette.tobytes())
    out = BytesIO()
    times = [round(1000 * d) for d in durations]
    pages[0].save(
        out, "GIF", save_all=True, append_images=pages[1:], duration=times, loop=0, disposal=1, optimize=True
    )
    return out.getvalue()


def _pack(frame: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return each pixel as one number, 0xrrggbb."""
    wide = frame.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], dtype=np.uint32)


def _palette(packed: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint8]:
    """Return at most 255 colours, shape (n, 3), that fit all pages; the commonest exactly."""
    chosen = np.linspace(0, len(packed) - 1, min(_SAMPLED, len(packed))).astype(int)
    colors, counts = np.unique(np.stack([packed[i] for i in chosen]), return_counts=True)
    exact = colors[np.argsort(-counts, kind="stable")[:_COMMONEST]]
    shifts = np.array([16, 8, 0], dtype=np.uint32)
    # Weighted by the square root of the counts, so that small patches of colour keep their colours.
    some = np.repeat(colors, np.ceil(np.sqrt(counts)).astype(int))[:, None] >> shifts & 255
    sample = Image.fromarray(some.astype(np.uint8)[None])
    free = (
        sample.quantize(_FREE_COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette() or []
    )
    grays = np.repeat(np.arange(0, 256, 5)[:, None], 3, axis=1)
    table = np.concatenate([exact[:, None] >> shifts & 255, grays, np.reshape(free, (-1, 3))[:_FREE_COLORS]])
    return table.astype(np.uint8)


def _nearest(packed: Sequence[NDArray[np.uint32]], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a table from 0xrrggbb to the nearest palette entry, right for the colours that occur."""
    seen = np.zeros(1 << 24, dtype=bool)
    for page in packed:
        seen[page] = True
    table = np.zeros(1 << 24, dtype=np.uint8)
    entries = palette.astype(np.float32)
    for part in np.array_split(np.flatnonzero(seen), 1 + int(seen.sum()) // 8192):
        colors = np.stack([part >> 16, part >> 8 & 255, part & 255], axis=1).astype(np.float32)
        # |c - p|^2 minus |c|^2, which is the same for every p: one matrix product instead of all differences.
        away = (entries**2).sum(axis=1) - 2 * colors @ entries.T
        table[part] = away.argmin(axis=1)
    return table
