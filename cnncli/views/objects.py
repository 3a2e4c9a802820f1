"""Boxes with labels on images: on pages of samples, and on the images themselves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, measure, shorten
from cnncli.views.colors import Colors, class_color

_READABLE = 480  # pixels of the longer side from which labels have room
_LEAST, _MOST = 15, 64  # pixels of a label's letters
_LETTERS = 40  # of an image's side in one
_WIDEST = 8  # letters' heights that a label is wide at most


def drawn(
    pixels: NDArray[np.uint8],
    boxes: Sequence[tuple[str, Sequence[float]]],
    classes: Sequence[int],
) -> Colors:
    """An image with boxes.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 3), uint8
        The image. One of less than 480 pixels is enlarged by a whole factor, so that labels can be read.
    boxes : sequence of (str, four floats)
        Label, and x0, y0, x1, y1 in pixels of the image.
    classes : sequence of int
        Class of each, which decides its colour.

    Returns
    -------
    ndarray, shape (H', W', 3), uint8
    """
    height, width = pixels.shape[:2]
    factor = max(1, -(-_READABLE // max(height, width)))
    place = Box(0, 0, factor * width, factor * height)
    canvas = Canvas(place.width, place.height)
    canvas.image(place, pixels)
    size = min(_MOST, max(_LEAST, max(place.width, place.height) // _LETTERS))
    for (label, edges), number in [*zip(boxes, classes, strict=True)][::-1]:  # the surest comes to lie on top
        draw_box(canvas, label, edges, place=place, scale=factor, number=number, size=size)
    return np.asarray(canvas.array(), np.uint8)


def draw_box(
    canvas: Canvas,
    label: str,
    edges: Sequence[float] | NDArray[np.floating],
    *,
    place: Box,
    scale: float,
    number: int,
    size: int = _LEAST,
) -> None:
    """Draw a box with its label on its upper edge, or below it where the image ends.

    Parameters
    ----------
    canvas : Canvas
        On which the image is.
    label : str
        Class, and what else is to be said.
    edges : four floats
        x0, y0, x1, y1 in pixels of the image.
    place : Box
        Of the image.
    scale : float
        How much it is enlarged.
    number : int
        Of the class, which decides its colour.
    size : int
        Pixels of the letters.
    """
    color = "#{:02x}{:02x}{:02x}".format(*class_color(number))
    limits = [place.width, place.height] * 2
    x0, y0, x1, y1 = (
        round(max(0.0, min(float(edge) * scale, end))) for edge, end in zip(edges, limits, strict=True)
    )
    box = Box(place.left + x0, place.top + y0, place.left + max(x0 + 1, x1), place.top + max(y0 + 1, y1))
    canvas.rect(box, outline=color, width=max(3, size // 5))
    text = shorten(label, _WIDEST * size, size=size)
    high = size * 22 // 15
    y = box.top - high if box.top - high >= place.top else box.top
    width = measure(text, size=size)[0] + size * 12 // 15
    left = max(place.left, min(box.left, place.right - width))
    canvas.rect(Box(left, y, left + width, y + high), fill=color)
    canvas.text((left + size // 3, y + size * 4 // 15), text, size=size, color="#000000", bold=True)
