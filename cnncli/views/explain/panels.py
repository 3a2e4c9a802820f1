"""The upper row of an explained convolution: the image, the filter, the feature map."""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import INK, Box, Canvas, shorten
from cnncli.views.explain.grids import LINE
from cnncli.views.explain.model import Explanation, Place
from cnncli.views.explain.window import draw_badge, fit

Part = tuple[float, float, float, float]

_TEXT = 16


def draw_heading(canvas: Canvas, at: Place, label: str, heading: str, width: int) -> int:
    """Draw a numbered heading; return the y below it."""
    x, y = at
    draw_badge(canvas, (x + 14, y + 14), label, INK)
    canvas.text((x + 40, y + 14), shorten(heading, width - 40, size=21), size=21, anchor="lm", bold=True)
    return y + 46


def input_view(e: Explanation, view: Box) -> NDArray[np.uint8]:
    """Return the part of the image that ``view`` (pixels of the image) names."""
    return e.image[view.top : view.bottom, view.left : view.right]


def output_view(e: Explanation, view: Box) -> Box:
    """Return the pixels of the feature map whose windows are centred in ``view``."""
    H, W = e.shown.shape
    sides = []
    for first, last, n, i in ((view.left, view.right, W, 0), (view.top, view.bottom, H, 1)):
        origin, stride = e.origin[i], e.stride[i]
        full = e.gray.shape[1 - i]
        low = 0 if first <= 0 else max(0, -((origin - first) // stride))
        high = n if last >= full else min(n, -((origin - last) // stride))
        sides.append((min(low, n - 1), max(high, min(low, n - 1) + 1)))
    return Box(sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def window_part(e: Explanation, place: Place, view: Box) -> Part:
    """Return the window over ``place`` as shares of the view, cut at its edges."""
    x, y = e.corner(place)
    h, w = e.window
    right, bottom = x + (w - 1) * e.dilation[0] + 1, y + (h - 1) * e.dilation[1] + 1
    shares = (
        (x - view.left) / view.width,
        (y - view.top) / view.height,
        (right - view.left) / view.width,
        (bottom - view.top) / view.height,
    )
    left, top, right_, bottom_ = (min(1.0, max(0.0, s)) for s in shares)
    return left, top, right_, bottom_


def pixel_part(place: Place, view: Box) -> Part:
    """Return one pixel of the feature map as shares of its view."""
    x, y = place[0] - view.left, place[1] - view.top
    return x / view.width, y / view.height, (x + 1) / view.width, (y + 1) / view.height


def draw_picture(canvas: Canvas, room: Box, pixels: NDArray[np.uint8]) -> Box:
    """Lay a picture as large as it fits at the left top of ``room``, with a thin frame."""
    w, h = fit((pixels.shape[1], pixels.shape[0]), (room.width, room.height))
    box = Box(room.left, room.top, room.left + w, room.top + h)
    canvas.image(box, pixels)
    canvas.rect(box.grown(1), outline=LINE)
    return box
