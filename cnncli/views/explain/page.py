"""The page of an explained convolution: image, filter and feature map above, two windows below."""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, measure, shorten
from cnncli.views.explain.grids import LINE, MUTED, RULE
from cnncli.views.explain.looks import look_of
from cnncli.views.explain.model import Explanation, Place, Working
from cnncli.views.explain.panels import (
    draw_heading,
    draw_picture,
    input_view,
    output_view,
    pixel_part,
    window_part,
)
from cnncli.views.explain.places import scene
from cnncli.views.explain.window import MARKS, Sheet, cell_size, draw_badge, draw_window, draw_working, fit
from cnncli.views.explain.wording import (
    after,
    filter_heading,
    map_caption,
    map_heading,
    place_heading,
    remark,
    subtitle,
)
from cnncli.views.explain.worked import work_out

_HEIGHT = 420
_WIDTHS = {3: 480, 4: 340}  # of a picture, by the columns of the upper row
_ARROW = 46
_TITLE = 34
_CLOSE_UP = 21


def draw_explanation(explanation: Explanation) -> NDArray[np.uint8]:
    """Draw the page.

    Parameters
    ----------
    explanation : Explanation
        A filter's run.

    Returns
    -------
    ndarray, shape (height, 1600, 3), uint8
    """
    return lay_out(explanation)[0].array()


@np.errstate(invalid="ignore", over="ignore")  # an image may hold NaN and infinity
def lay_out(e: Explanation) -> tuple[Canvas, tuple[Working, ...]]:
    """Lay out the page without painting it.

    Returns
    -------
    Canvas, tuple of Working
        The page, and the numbers of the windows on it.
    """
    sheet = Sheet()
    view, places = scene(e)
    workings = tuple(work_out(e, place, window_cell(e, place, sheet)) for place in places)
    canvas = Canvas(sheet.width)
    y = _draw_header(canvas, e, sheet)
    y = _draw_upper_row(canvas, e, (y, view), places, sheet)
    for i, working in enumerate(workings):
        canvas.rect(Box(sheet.margin, y, sheet.width - sheet.margin, y + 1), fill=RULE)
        y = _draw_window_section(canvas, e, (y + 30, i), working, sheet) + 40
    return canvas, workings


def _draw_header(canvas: Canvas, e: Explanation, sheet: Sheet) -> int:
    room = sheet.width - 2 * sheet.margin
    title = shorten(e.title, room, size=_TITLE)
    y = canvas.text((sheet.margin, 44), title, size=_TITLE, bold=True).bottom
    return canvas.paragraph((sheet.margin, y + 10), subtitle(e), room, size=18, color=MUTED).bottom + 34


def window_cell(e: Explanation, place: Place, sheet: Sheet) -> int:
    """Return the side of the cells with which a window's numbers fit on the page, in pixels."""
    room = sheet.width - sheet.margin - _arithmetic_left(e, sheet)
    return cell_size(work_out(e, place), sheet, room)


def _arithmetic_left(e: Explanation, sheet: Sheet) -> int:
    """Return where a window's numbers begin: beside its close-up, or at the margin if they are many."""
    return sheet.margin + (3 if max(e.window) > 5 else sheet.left + 50)


def _draw_upper_row(
    canvas: Canvas, e: Explanation, at: tuple[int, Box], places: tuple[Place, ...], sheet: Sheet
) -> int:
    """Draw image, what is read of it in a chain, filter and feature map; return the y below them."""
    top, view = at
    out = output_view(e, view)
    headings = ["The image", filter_heading(e), map_heading(e)]
    if e.source is not None:
        headings.insert(1, after(e).capitalize())
    w = _WIDTHS[len(headings)]
    middle = sheet.width - 2 * sheet.margin - (len(headings) - 1) * (w + _ARROW)
    xs = [sheet.margin + i * (w + _ARROW) for i in range(len(headings) - 1)]
    xs.append(sheet.width - sheet.margin - w)
    widths = [w] * (len(headings) - 2) + [middle, w]
    for i, (x, heading) in enumerate(zip(xs, headings, strict=True)):
        y = draw_heading(canvas, (x, top), str(i + 1), heading, widths[i])
    rooms = [Box(x, y, x + width, y + _HEIGHT) for x, width in zip(xs, widths, strict=True)]
    read = draw_picture(canvas, rooms[-3], input_view(e, view))
    last = draw_picture(canvas, rooms[-1], e.shown[out.top : out.bottom, out.left : out.right])
    for i, place in enumerate(places):
        draw_window(canvas, read, window_part(e, place, view), i)
        draw_window(canvas, last, pixel_part(place, out), i)
    look = look_of(e)
    below = [read.bottom, look.draw(canvas, rooms[-2], e), last.bottom]
    captions = [_image_caption(e, view, len(places)), look.caption(e), map_caption(e)]
    if e.source is not None:
        below.insert(0, draw_picture(canvas, rooms[0], e.source).bottom)
        captions.insert(0, f"{e.source.shape[1]} × {e.source.shape[0]} pixels.{_luma(e)}")
    level = y + min(90, read.height // 2)
    for x in xs[1:]:
        canvas.arrow((x - 36, level), (x - 12, level), color=MUTED)
    bottoms = [
        canvas.paragraph((room.left, bottom + 14), caption, room.width, size=16, color=MUTED).bottom
        for room, bottom, caption in zip(rooms, below, captions, strict=True)
    ]
    return max(bottoms) + 36


def _image_caption(e: Explanation, view: Box, windows: int) -> str:
    H, W = e.gray.shape
    h, w = e.window
    names = "A and B are windows" if windows == 2 else "A is a window"
    part = ""
    if view.width < W:
        part = f" Columns {view.left} to {view.right - 1} are shown."
    elif view.height < H:
        part = f" Rows {view.top} to {view.bottom - 1} are shown."
    apart = "" if e.dilation == (1, 1) else f", {max(e.dilation)} apart"
    channel = "" if e.colors is None else ", in the green channel"
    note = _luma(e) if e.source is None else " The input of the last filter, unrounded."
    return f"{W} × {H} pixels.{note}{part} {names} of {w} × {h} pixels{apart}{channel}."


def _luma(e: Explanation) -> str:
    """Say that luma is filtered, where a colour image is."""
    image = e.image if e.source is None else e.source
    return " Its luma is filtered." if image.ndim == 3 and e.colors is None else ""


def _draw_window_section(
    canvas: Canvas, e: Explanation, at: tuple[int, int], working: Working, sheet: Sheet
) -> int:
    """Draw the section of window A or B: heading, close-up, arithmetic; return the y below."""
    y, i = at
    label = str((4 if e.source is None else 5) + i)
    below = draw_heading(canvas, (sheet.margin, y), label, "Window", sheet.width)
    x = sheet.margin + 40 + measure("Window", size=21)[0] + 28
    draw_badge(canvas, (x, y + 14), "AB"[i], MARKS[i])
    canvas.text((x + 26, y + 14), place_heading(e, working, i), size=21, anchor="lm", bold=True)
    text = remark(e, working)
    if max(e.window) > 5:
        below = (
            canvas.paragraph((sheet.margin, below), text, sheet.width - 2 * sheet.margin, color=MUTED).bottom
            + 20
        )
        return draw_working(canvas, (sheet.margin + 3, below), working, sheet, MARKS[i])
    close = _draw_close_up(canvas, e, (sheet.margin, below + 4, sheet.left), working.place, MARKS[i])
    left = canvas.paragraph((sheet.margin, close + 12), text, sheet.left, size=15, color=MUTED).bottom
    at = (_arithmetic_left(e, sheet), below + 7)
    return max(left, draw_working(canvas, at, working, sheet, MARKS[i]))


def _draw_close_up(
    canvas: Canvas, e: Explanation, room: tuple[int, int, int], place: Place, color: str
) -> int:
    """Draw the neighbourhood of a window, enlarged, in ``room`` (left, top, side); return the y below it."""
    left, top, side = room
    H, W = e.gray.shape
    x, y = e.center(place)
    reach = max(_CLOSE_UP, 2 * max(e.window) * max(e.dilation)) // 2
    view = Box(max(0, x - reach), max(0, y - reach), min(W, x + reach + 1), min(H, y + reach + 1))
    if view.width <= 0 or view.height <= 0:
        return top
    part = e.gray[view.top : view.bottom, view.left : view.right].astype(np.float64)
    pixels = np.rint(255 * np.clip(np.nan_to_num(part / e.full), 0, 1)).astype(np.uint8)
    w, h = fit((view.width, view.height), (side, side))
    box = Box(left, top, left + w, top + h)
    canvas.image(box, pixels)
    canvas.rect(box.grown(1), outline=LINE)
    draw_window(canvas, box, window_part(e, place, view), color)
    return box.bottom
