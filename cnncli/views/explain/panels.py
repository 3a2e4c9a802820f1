"""The upper row of an explained convolution: the image, the filter, the feature map."""

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.model import Bilateral, Canny, Gradient, Median
from cnncli.images.canvas import INK, Box, Canvas, shorten
from cnncli.views.explain.grids import LINE, MUTED, draw_grid
from cnncli.views.explain.kernels import draw_kernels
from cnncli.views.explain.model import Explanation, Grid, Place
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


def draw_filter(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw what the filter is made of, centred across ``room``; return the y below it."""
    match e.filter:
        case Gradient() if len(e.stack) > 1:
            return draw_kernels(canvas, room, e, _gradient_names(e.stack))
        case Median():
            return _draw_median(canvas, room)
        case Bilateral() as f:
            return _draw_bilateral(canvas, room, f)
        case Canny() as f:
            return _draw_stages(canvas, room, _canny_stages(f))
        case _:
            pass
    return draw_kernels(canvas, room, e, ()) if len(e.stack) else room.top


def _gradient_names(stack: NDArray[np.float64]) -> tuple[str, str]:
    """Name a gradient's kernels by where they look: along the axes, or (Roberts) along the diagonals."""
    dx, dy = stack[0], stack[1]
    rows = np.arange(dx.shape[0]) - (dx.shape[0] - 1) / 2
    columns = np.arange(dy.shape[1]) - (dy.shape[1] - 1) / 2
    aside = abs(float((dx * rows[:, None]).sum())) + abs(float((dy * columns).sum()))
    if aside > 1e-9 * float(np.abs(stack).sum()):
        return "dx: along a diagonal", "dy: along the other"
    return "dx: to the right", "dy: downwards"


def _draw_median(canvas: Canvas, room: Box) -> int:
    """Draw nine grays out of order, then sorted, the middle one marked."""
    grays = np.array([[118.0, 96, 140, 255, 104, 125, 0, 132, 110]])
    cell = 40
    x = room.left + (room.width - 9 * cell) // 2
    first = draw_grid(canvas, (x, room.top + 20), Grid(grays, "gray", 255.0, 0, ""), cell)
    canvas.text((first.center[0], first.bottom + 8), "for example", size=14, color=MUTED, anchor="mt")
    canvas.arrow((first.center[0], first.bottom + 34), (first.center[0], first.bottom + 66), color=MUTED)
    ordered = Grid(np.sort(grays), "gray", 255.0, 0, "", marked=(4, 0))
    second = draw_grid(canvas, (x, first.bottom + 78), ordered, cell)
    caption = "sorted: the median is in the middle"
    canvas.text((second.center[0], second.bottom + 8), caption, size=14, color=MUTED, anchor="mt")
    return second.bottom + 30


def _draw_bilateral(canvas: Canvas, room: Box, f: Bilateral) -> int:
    """Draw the two closenesses whose product is a weight: in space and in value."""
    r = f.size // 2
    i = np.arange(-r, r + 1)
    near = np.exp(-(i[:, None] ** 2 + i[None, :] ** 2) / (2 * f.sigma**2))
    cell = max(1, 170 // f.size)
    side = room.width // 2
    left = room.left + (side - f.size * cell) // 2
    box = draw_grid(canvas, (left, room.top), Grid(near, "signed", 1.0, 2, ""), cell)
    canvas.text((box.center[0], box.bottom + 8), "weight by distance", size=14, color=MUTED, anchor="mt")
    plot = Box(room.left + side + 20, room.top, room.right - 10, room.top + 170)
    canvas.rect(Box(plot.left, plot.bottom, plot.right, plot.bottom + 1), fill=MUTED)
    reach = min(1.0, round(4 * f.sigma_color, 2)) or 1.0
    steps = np.linspace(0, 1, 60)
    alike = np.exp(-((reach * steps) ** 2) / (2 * f.sigma_color**2))
    points = [
        (plot.left + s * plot.width, plot.bottom - 4 - a * (plot.height - 8))
        for s, a in zip(steps, alike, strict=True)
    ]
    canvas.line(points, color="#f08c2e", width=3)
    caption = "weight by difference in value"
    canvas.text((plot.center[0], plot.bottom + 8), caption, size=14, color=MUTED, anchor="mt")
    canvas.text((plot.left, plot.bottom + 28), "equal", size=13, color=MUTED)
    apart = f"{100 * reach:g} % of full scale"
    canvas.text((plot.right, plot.bottom + 28), apart, size=13, color=MUTED, anchor="rt")
    return plot.bottom + 46


def _canny_stages(f: Canny) -> tuple[str, ...]:
    return (
        f"Gaussian blur, sigma {f.sigma:g}",
        "gradient by Sobel: magnitude, direction",
        "non-maximum suppression along it",
        f"hysteresis: low {f.low:g}, high {f.high:g}",
    )


def _draw_stages(canvas: Canvas, room: Box, stages: tuple[str, ...]) -> int:
    """Draw stages as boxes with arrows from one to the next."""
    y = room.top
    for i, stage in enumerate(stages):
        box = Box(room.left + 10, y, room.right - 10, y + 44)
        canvas.rect(box, fill="#f4f6f7", outline=LINE)
        canvas.text(box.center, shorten(stage, box.width - 16, size=_TEXT), size=_TEXT, anchor="mm")
        y = box.bottom
        if i + 1 < len(stages):
            canvas.arrow((box.center[0], y + 4), (box.center[0], y + 24), color=MUTED)
            y += 30
    return y
