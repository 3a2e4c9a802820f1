"""The misclassified images of a network, those that it is most confident of first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.views.plot import FAINT, INK, ORANGE, page_title

MOST = 60  # images on a page
_COLUMNS, _TILE, _GAP = 10, 112, 20


@dataclass(frozen=True, eq=False)
class Mistake:
    """An image, its true class and the predicted one.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C), uint8
        Of the image, C 1 or 3.
    label, predicted : str
        Its true class, and the predicted one.
    probability : float
        Of the predicted class.
    """

    pixels: NDArray[np.uint8]
    label: str
    predicted: str
    probability: float


def mistakes_page(
    mistakes: Sequence[Mistake], *, wrong: int, total: int, title: str, split: str | None = None
) -> Canvas:
    """Draw mistakes as a grid, each with its true class and, after an arrow, the predicted one.

    Parameters
    ----------
    mistakes : sequence of Mistake
        At most `MOST`.
    wrong, total : int
        How many there are, of how many images.
    title : str
        What was trained on what.
    split : str or None
        Which split the images are; None: no split in particular.

    Returns
    -------
    Canvas
    """
    columns = min(_COLUMNS, max(5, len(mistakes)))
    canvas = Canvas(80 + columns * (_TILE + _GAP) - _GAP)
    images = f"{split} images" if split else "images"
    subtitle = f"{wrong:,} of {total:,} {images}" if wrong else f"none of {total:,} {images}"
    if wrong > len(mistakes):
        subtitle += f"; the {len(mistakes)} with the highest confidence"
    elif wrong:
        subtitle += ", the highest confidence first"
    top = page_title(canvas, shorten(f"Misclassified: {title}", canvas.width - 80, size=28), subtitle) + 24
    if mistakes:
        true = canvas.text((40, top), "true class", size=15, color=INK, bold=True)
        text = "→ predicted class, its probability"
        box = canvas.text((true.right + 8, top), text, size=15, color=ORANGE, bold=True)
        top = box.bottom + 18
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
        (left, top + _TILE + 8), shorten(mistake.label, _TILE, size=16), size=16, color=INK, bold=True
    )
    share = f"{mistake.probability:.0%}"
    box = canvas.text((left + _TILE, top + _TILE + 28), share, size=14, color=FAINT, anchor="rt")
    arrow = canvas.text((left, top + _TILE + 27), "→", size=16, color=ORANGE)
    room = box.left - arrow.right - 10
    predicted = shorten(mistake.predicted, room, size=16)
    canvas.text((arrow.right + 4, top + _TILE + 27), predicted, size=16, color=ORANGE, bold=True)
