"""Which size images of many sizes are brought to, by a look at some of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnncli.data.model import Shape
from cnncli.errors import CnncliError
from cnncli.images.picture import Picture, with_depth
from cnncli.images.read import read_picture

_LOOKED_AT = 32
_SMALL = 96  # images of one size up to this many pixels a side are taken as they are
_USUAL = 64  # else: enough to tell things apart, and fast on a processor


def survey(paths: Sequence[Path], size: tuple[int, int] | None) -> tuple[Shape, tuple[str, ...]]:
    """Choose the shape for images.

    Parameters
    ----------
    paths : sequence of Path
        All of them; some, evenly spread, are looked at, and damaged ones are passed over.
    size : (H, W) or None
        Wanted, or None to choose.

    Returns
    -------
    shape, notes : (H, W, C), tuple of str
        C is 1 where all that were looked at are gray. Notes say what was chosen, and why.
    """
    pictures = _some(paths)
    gray = bool(pictures) and all(_is_gray(picture) for picture in pictures)
    channels = 1 if gray else 3
    sizes = sorted({picture.size for picture in pictures}, key=lambda each: each[0] * each[1])
    if size is not None:
        return (*size, channels), ()
    if len(sizes) == 1 and max(sizes[0]) <= _SMALL:
        return (sizes[0][1], sizes[0][0], channels), ()
    if not sizes:
        return (_USUAL, _USUAL, channels), ()
    smallest, largest = (f"{width}x{height}" for width, height in (sizes[0], sizes[-1]))
    are = smallest if smallest == largest else f"{smallest} to {largest}"
    return (_USUAL, _USUAL, channels), (
        f"images of {are} pixels are scaled to {_USUAL}x{_USUAL}, cut to a square",
    )


def _some(paths: Sequence[Path]) -> list[Picture]:
    picked = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _LOOKED_AT)).astype(int))
    pictures = []
    for at in picked:
        try:
            pictures.append(read_picture(paths[at]))
        except CnncliError:
            continue  # named later, when all are decoded
    return pictures


def _is_gray(picture: Picture) -> bool:
    """One channel, or three that agree."""
    shades = picture.frames[0]
    shades = shades[..., : shades.shape[2] - picture.alpha]
    if shades.shape[2] == 1:
        return True
    shades = with_depth(shades, 8)
    return bool(
        np.array_equal(shades[..., 0], shades[..., 1]) and np.array_equal(shades[..., 0], shades[..., 2])
    )
