"""Samples of a data set: images with what is to be learned of them, boxes and masks drawn on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, shorten, wrap
from cnncli.views.colors import as_rgb, mask_palette
from cnncli.views.objects import draw_box
from cnncli.views.plot import FAINT, page_title

_COLUMNS, _TILE, _GAP, _CAPTION = 4, 256, 28, 34
_VEIL = 0.45  # opacity of a mask


@dataclass(frozen=True, eq=False)
class Sample:
    """An image and its target.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C), uint8
    caption : str
        The target in words.
    boxes : sequence of (str, ndarray)
        Label, and x0, y0, x1, y1 in pixels of the image, of each object.
    labels : sequence of int
        Class of each, which decides its colour.
    masks : sequence of ndarray, (H, W) bool
        Of each, or none.
    """

    pixels: NDArray[np.uint8]
    caption: str
    boxes: Sequence[tuple[str, NDArray[np.floating]]] = ()
    labels: Sequence[int] = ()
    masks: Sequence[NDArray[np.bool_]] = ()


def samples_page(samples: Sequence[Sample], *, title: str, subtitle: str) -> Canvas:
    """Draw samples as a grid.

    Parameters
    ----------
    samples : sequence of Sample
        Some dozen.
    title, subtitle : str
        What they are, and what was done to them.
    """
    columns = min(_COLUMNS, len(samples))
    canvas = Canvas(max(640, 80 + columns * (_TILE + _GAP) - _GAP))
    room = canvas.width - 80
    first, *rest = wrap(subtitle, room, size=17)
    top = page_title(canvas, shorten(title, room, size=28), first)
    if rest:
        top = canvas.paragraph((40, top + 4), " ".join(rest), room, size=17, color=FAINT).bottom
    top += 24
    for number, sample in enumerate(samples):
        row, column = divmod(number, columns)
        _tile(canvas, sample, 40 + column * (_TILE + _GAP), top + row * (_TILE + _CAPTION + 14))
    return canvas


def _tile(canvas: Canvas, sample: Sample, left: int, top: int) -> None:
    """One image, as large as its tile holds, with its caption."""
    height, width = sample.pixels.shape[:2]
    scale = _TILE / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    place = Box(left, top, left + w, top + h)
    canvas.image(place, _veiled(sample))
    for (label, edges), number in zip(sample.boxes, sample.labels[: len(sample.boxes)], strict=True):
        draw_box(canvas, label, edges, place=place, scale=scale, number=number)
    canvas.text((left, place.bottom + 8), shorten(sample.caption, _TILE, size=16), size=16, color=FAINT)


def _veiled(sample: Sample) -> NDArray[np.uint8]:
    """Pixels with the colours of classes over their masks."""
    if not sample.masks:
        return sample.pixels[..., 0] if sample.pixels.shape[2] == 1 else sample.pixels
    pixels = as_rgb(sample.pixels).astype(np.float64)
    for mask, number in zip(sample.masks, sample.labels, strict=True):
        pixels[mask] = (1 - _VEIL) * pixels[mask] + _VEIL * mask_palette()[number].astype(np.float64)
    return np.rint(pixels).astype(np.uint8)
