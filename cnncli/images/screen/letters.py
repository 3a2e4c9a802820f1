"""Pictures of letters: half blocks in two colours, and dots or signs where there are no colours."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Shades = NDArray[np.uint8]
HALF = "▀"
_SIGNS = " .:-=+*#%@"  # from black to white
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of Braille, by row and column
_CUBE = np.array([0, 95, 135, 175, 215, 255])  # levels of xterm's colours from 16 on
_GRAYS = np.arange(8, 248, 10)  # from 232 on
_RESET = "\x1b[0m"


def half_blocks(pixels: Shades, *, colors: int) -> list[str]:
    """Draw a picture with two pixels in a letter: the upper one in its colour, the lower one behind it.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 3), uint8
        One column of letters for each of pixels.
    colors : int
        That the terminal has: 256, or more for all.

    Returns
    -------
    list of str
        Lines, with the codes of ECMA-48 and, for all colours, of ISO 8613-6.
    """
    known = _of_all(pixels) if colors > 256 else _of_256(pixels)
    rows = [known[top : top + 2] for top in range(0, len(known), 2)]
    return ["".join(_cells(pair)) + _RESET for pair in rows]


def _cells(pair: Sequence[Sequence[str]]) -> Iterator[str]:
    """The letters of a line; colours are said where they change."""
    lower = pair[1] if len(pair) > 1 else None
    before: tuple[str | None, str | None] = (None, None)
    for column, upper in enumerate(pair[0]):
        now = upper, None if lower is None else lower[column]
        grounds = zip((38, 48), now, before, strict=True)
        parts = [f"{ground};{color}" for ground, color, old in grounds if color not in (None, old)]
        yield (f"\x1b[{';'.join(parts)}m" if parts else "") + HALF
        before = now


def _of_all(pixels: Shades) -> list[list[str]]:
    return [[f"2;{r};{g};{b}" for r, g, b in row] for row in pixels.tolist()]


def _of_256(pixels: Shades) -> list[list[str]]:
    return [[f"5;{number}" for number in row] for row in nearest_of_256(pixels).tolist()]


def nearest_of_256(pixels: Shades) -> NDArray[np.intp]:
    """(H, W) numbers of xterm's colours, 16 to 255, that are nearest to pixels (H, W, 3)."""
    values = pixels.astype(int)
    levels = np.abs(values[..., None] - _CUBE).argmin(axis=-1)
    gray = np.abs(values.mean(axis=-1)[..., None] - _GRAYS).argmin(axis=-1)
    to_cube = ((values - _CUBE[levels]) ** 2).sum(axis=-1)
    to_gray = ((values - _GRAYS[gray][..., None]) ** 2).sum(axis=-1)
    cube = 16 + levels @ np.array([36, 6, 1])
    return np.asarray(np.where(to_gray < to_cube, 232 + gray, cube))


def dots(pixels: Shades) -> list[str]:
    """Draw a picture with eight dots in a letter of Braille, white ones raised; shades are dithered.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 3), uint8
        Two columns and four rows for each letter.

    Returns
    -------
    list of str
        Lines without any codes.
    """
    height, width = pixels.shape[:2]
    raised = np.zeros((-(-height // 4) * 4, -(-width // 2) * 2), np.intp)
    raised[:height, :width] = np.asarray(_luma(pixels).convert("1"))
    blocks = raised.reshape(len(raised) // 4, 4, -1, 2)
    letters = 0x2800 + (blocks * _DOTS[:, None, :]).sum(axis=(1, 3))
    return ["".join(map(chr, row)) for row in letters.tolist()]


def signs(pixels: Shades) -> list[str]:
    """Draw a picture with signs of ASCII, the denser the lighter.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 3), uint8
        A column and two rows for each sign.

    Returns
    -------
    list of str
        Lines without any codes.
    """
    luma = np.asarray(_luma(pixels))
    if len(luma) % 2:
        luma = np.concatenate([luma, luma[-1:]])
    means = luma.reshape(len(luma) // 2, 2, -1).mean(axis=1)
    places = np.minimum((means * (len(_SIGNS) / 256)).astype(int), len(_SIGNS) - 1)
    return ["".join(_SIGNS[place] for place in row) for row in places.tolist()]


def _luma(pixels: Shades) -> "Image":
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
