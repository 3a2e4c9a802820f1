"""The animation of an explained convolution: a window slides, the feature map fills."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.views.explain.grids import MUTED, cell_texts
from cnncli.views.explain.model import Branch, Explanation, Grid, Working
from cnncli.views.explain.panels import draw_picture, input_view, output_view, pixel_part, window_part
from cnncli.views.explain.places import scene
from cnncli.views.explain.window import MARKS, Sheet, cell_size, draw_window, draw_working
from cnncli.views.explain.wording import after, map_heading
from cnncli.views.explain.worked import work_out

_FILM = Sheet(
    width=1000,
    margin=26,
    numbered=5,
    heat=190,
    largest_cell=56,
    left=0,
    middle=176,
    right=200,
    text=15,
    still=True,
)
_FILM_PICTURE = (452, 340)
_AT_LAST = "where there is most to see"
_FILM_COLUMNS, _FILM_ROWS = 7, 5
_FRAME_SECONDS, _LAST_SECONDS = 0.45, 4.0


def animate_explanation(explanation: Explanation) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """Draw the frames of a window that slides over the image while the feature map fills.

    Parameters
    ----------
    explanation : Explanation
        A filter's run.

    Returns
    -------
    list of ndarray, shape (height, 1000, 3), uint8; list of float
        At most 36 frames of one size, and how long each is shown, in seconds.
    """
    frames, _ = lay_out_film(explanation)
    height = max(frame.height for frame in frames)
    pages = []
    for frame in frames:
        page = Canvas(frame.width, height)
        page.marks = frame.marks
        pages.append(page.array())
    return pages, [_FRAME_SECONDS] * (len(pages) - 1) + [_LAST_SECONDS]


@np.errstate(invalid="ignore", over="ignore")  # an image may hold NaN and infinity
def lay_out_film(e: Explanation) -> tuple[list[Canvas], tuple[Working, ...]]:
    """Lay out the frames without painting them, and return the numbers on each."""
    view, places = scene(e)
    out = output_view(e, view)
    columns = min(_FILM_COLUMNS, out.width)
    rows = min(_FILM_ROWS, out.height)
    columns = min(out.width, _FILM_COLUMNS * _FILM_ROWS // rows)
    rows = min(out.height, _FILM_COLUMNS * _FILM_ROWS // columns)
    steps = [
        ((c + 1) * out.width // columns, r * out.height // rows, (r + 1) * out.height // rows)
        for r in range(rows)
        for c in range(columns)
    ]
    cell = cell_size(work_out(e, places[0]), _FILM, _FILM.width - 2 * _FILM.margin - 3)
    stops = [(out.left + right - 1, out.top + bottom - 1) for right, _, bottom in steps]
    workings = _alike([work_out(e, place, cell) for place in (*stops, places[0])], cell)
    filled = [_filled(e, out, step) for step in steps]
    filled.append(e.shown[out.top : out.bottom, out.left : out.right].copy())
    frames = [
        _draw_frame(e, (view, out), working, pixels, _progress(i, len(steps)))
        for i, (working, pixels) in enumerate(zip(workings, filled, strict=True))
    ]
    return frames, tuple(workings)


def _progress(i: int, n: int) -> str:
    return f"stop {i + 1} of {n}" if i < n else _AT_LAST


def _filled(e: Explanation, out: Box, step: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the feature map up to a step (right, top, bottom), light gray where it is still empty."""
    right, top, bottom = step
    pixels = np.full((out.height, out.width), 236, dtype=np.uint8)
    shown = e.shown[out.top : out.bottom, out.left : out.right]
    pixels[:top] = shown[:top]
    pixels[top:bottom, :right] = shown[top:bottom, :right]
    return pixels


def _alike(workings: list[Working], cell: int) -> list[Working]:
    """Give the numbers one font size in all frames, so that nothing jumps."""
    sizes = [cell_texts(grid, cell)[1] for working in workings for grid in _grids(working)]
    size = min((size for size in sizes if size), default=0)

    def fixed(grid: Grid) -> Grid:
        return replace(grid, size=size)

    def one(branch: Branch) -> Branch:
        return replace(branch, steps=tuple((sign, fixed(grid)) for sign, grid in branch.steps))

    return [
        replace(w, patch=fixed(w.patch), branches=tuple(one(branch) for branch in w.branches))
        for w in workings
    ]


def _grids(working: Working) -> list[Grid]:
    return [working.patch, *(grid for branch in working.branches for _, grid in branch.steps)]


def _draw_frame(
    e: Explanation, views: tuple[Box, Box], working: Working, filled: NDArray[np.uint8], share: str
) -> Canvas:
    """Lay out one frame: image and feature map side by side, the window multiplied out below."""
    view, out = views
    margin, (w, h) = _FILM.margin, _FILM_PICTURE
    canvas = Canvas(_FILM.width, margin=28)
    canvas.text((margin, 24), shorten(e.title, _FILM.width - 2 * margin, size=24), size=24, bold=True)
    y = 72
    xs = (margin, _FILM.width - margin - w)
    first = draw_picture(canvas, Box(xs[0], y, xs[0] + w, y + h), input_view(e, view))
    last = draw_picture(canvas, Box(xs[1], y, xs[1] + w, y + h), filled)
    draw_window(canvas, first, window_part(e, working.place, view), MARKS[0])
    draw_window(canvas, last, pixel_part(working.place, out), MARKS[0])
    y = max(first.bottom, last.bottom) + 12
    whole = map_heading(e).lower()
    if share != _AT_LAST:
        whole += ", so far"
    what = "the image" if e.source is None else f"the image {after(e)}"
    caption = shorten(f"the window on {what}, {share}", w + 20, size=15)
    canvas.text((xs[0], y), caption, size=15, color=MUTED)
    canvas.text((xs[1], y), whole, size=15, color=MUTED)
    draw_working(canvas, (margin + 3, y + 52), working, _FILM, MARKS[0])
    return canvas
