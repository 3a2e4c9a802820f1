"""The pictures that a network gets wrong, the surest mistakes first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.views.plot import FAINT, GREEN, RED, page_title

MOST = 60  # pictures on a page
_COLUMNS, _TILE, _GAP = 10, 112, 20


@dataclass(frozen=True, eq=False)
class Mistake:
    """A picture and what it was taken for.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C), uint8
        Of the picture, C 1 or 3.
    label, called : str
        What it is, and what the network calls it.
    probability : float
        Of the answer.
    """

    pixels: NDArray[np.uint8]
    label: str
    called: str
    probability: float


def mistakes_page(
    mistakes: Sequence[Mistake], *, wrong: int, total: int, title: str, split: str | None = None
) -> Canvas:
    """Draw mistakes as a grid, each with what it is (green) and what it was called (red).

    Parameters
    ----------
    mistakes : sequence of Mistake
        At most `MOST`.
    wrong, total : int
        How many there are, of how many pictures.
    title : str
        What was trained on what.
    split : str or None
        Which split the pictures are; None: no split in particular.

    Returns
    -------
    Canvas
    """
    columns = min(_COLUMNS, max(5, len(mistakes)))
    canvas = Canvas(80 + columns * (_TILE + _GAP) - _GAP)
    pictures = f"{split} pictures" if split else "pictures"
    subtitle = f"{wrong:,} of {total:,} {pictures} wrong" if wrong else f"all {total:,} {pictures} right"
    if wrong > len(mistakes):
        subtitle += f"; the {len(mistakes)} surest of these mistakes"
    elif wrong:
        subtitle += "; the surest first"
    top = page_title(canvas, title, subtitle) + 32
    if mistakes:
        says = canvas.text((canvas.width - 40, 58), "what the network says", size=16, color=RED, anchor="rs")
        canvas.text((says.left - 24, 58), "what it is", size=16, color=GREEN, anchor="rs")
    for number, mistake in enumerate(mistakes):
        row, column = divmod(number, columns)
        _tile(canvas, mistake, (40 + column * (_TILE + _GAP), top + row * (_TILE + 62)))
    return canvas


def _tile(canvas: Canvas, mistake: Mistake, at: tuple[int, int]) -> None:
    left, top = at
    height, width = mistake.pixels.shape[:2]
    scale = _TILE / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = left + (_TILE - w) // 2, top + (_TILE - h) // 2
    pixels = mistake.pixels[..., 0] if mistake.pixels.shape[2] == 1 else mistake.pixels
    canvas.image(Box(x, y, x + w, y + h), pixels)
    canvas.text(
        (left, top + _TILE + 8), shorten(mistake.label, _TILE, size=16), size=16, color=GREEN, bold=True
    )
    share = f"{mistake.probability:.0%}"
    box = canvas.text((left + _TILE, top + _TILE + 28), share, size=14, color=FAINT, anchor="rt")
    room = box.left - left - 6
    canvas.text(
        (left, top + _TILE + 27), shorten(mistake.called, room, size=16), size=16, color=RED, bold=True
    )
