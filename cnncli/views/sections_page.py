"""Sections drawn: all on one page, or each as a picture of its own."""

from collections.abc import Sequence

from cnncli.images.canvas import INK, Box, Canvas, measure, shorten, wrap
from cnncli.views.colors import ColorScale
from cnncli.views.plot import BLUE, FAINT, GRID, ORANGE, page_title
from cnncli.views.sections import (
    GAP,
    NARROWEST,
    ROOM,
    WIDTH,
    BarRow,
    Chapter,
    Page,
    Section,
    Tile,
    Window,
    WordBox,
    bar_range,
    in_a_row,
    tile_size,
)
from cnncli.views.sections_fit import HIGHEST, fit_page, fit_section

_LEFT, _ASIDE = 40, 252  # margin, column of text
_TILES = WIDTH - _LEFT - ROOM  # where the tiles begin
_CAPTION = 26  # pixels of the line under a tile
_LABEL = 13  # font size of captions and of the names of rows and columns
_WORD, _LINE = 16, 30  # font size of words in boxes, pixels from one line of them to the next
_PICTURE = 224  # pixels of the pictures in the head, at most
_WINDOW = 112
_BELOW, _ABOVE, _TRACK = BLUE, ORANGE, "#eef1f4"  # of bars: as the colours of values
_MARK = "#d6214a"


def page_canvas(page: Page) -> Canvas:
    """Lay out the whole page.

    Returns
    -------
    Canvas
        1480 pixels wide, as high as it has to be, but no higher than `HIGHEST`: what does not fit is said.
    """
    room = HIGHEST - _draw_head(Canvas(WIDTH), page) - 100
    page = fit_page(
        page, room, lambda section: draw_section(Canvas(WIDTH), section, 0) + 2 * _around(section)
    )
    canvas = Canvas(WIDTH, margin=48)
    top = _draw_head(canvas, page)
    for section in page.sections:
        canvas.rect(Box(_LEFT, top, WIDTH - _LEFT, top + 1), fill=GRID)
        around = _around(section)
        top = draw_section(canvas, section, top + around) + around
    return canvas


def _around(section: Section) -> int:
    """Pixels above and below a section."""
    return 9 if section.strip else 26


def section_canvas(section: Section) -> Canvas:
    """Lay out one section alone, no higher than `HIGHEST`."""
    section = fit_section(section, HIGHEST - 80, lambda cut: draw_section(Canvas(WIDTH), cut, 0))
    canvas = Canvas(WIDTH, margin=40)
    draw_section(canvas, section, 40)
    return canvas


def head_canvas(page: Page) -> Canvas:
    """Lay out the heading with the picture and the predictions."""
    canvas = Canvas(WIDTH, margin=40)
    _draw_head(canvas, page)
    return canvas


def _draw_head(canvas: Canvas, page: Page) -> int:
    """Title, pictures, predictions; returns the y below."""
    room = WIDTH - 2 * _LEFT
    top = page_title(canvas, shorten(page.title, room, size=28), shorten(page.subtitle, room, size=17)) + 28
    x, bottom = _LEFT, top
    for tile in page.pictures:
        width, height = tile_size(tile.pixels, _PICTURE)
        box = Box(x, top, x + width, top + height)
        draw_picture(canvas, box, tile)
        wide = max(width, 250)
        text = canvas.paragraph((x, box.bottom + 10), tile.name, wide, size=15)
        if tile.value:
            text = canvas.paragraph((x, text.bottom + 2), tile.value, wide, size=14, color=FAINT)
        bottom = max(bottom, text.bottom)
        x += wide + 44
    if page.predictions:
        canvas.text((x, top), f"predicted classes by {page.measure}", size=15, color=FAINT)
        bottom = max(
            bottom,
            draw_bars(
                canvas,
                (x, top + 30),
                page.predictions,
                min(560, WIDTH - _LEFT - x),
                bar_range(page.predictions),
            ),
        )
    if page.note:
        bottom = canvas.paragraph((_LEFT, bottom + 22), page.note, room, size=15, color=FAINT).bottom
    return bottom + 26


def draw_section(canvas: Canvas, section: Section, top: int) -> int:
    """Draw a section from ``top`` down; returns the y below."""
    if section.chapter is not None:
        top = _draw_chapter(canvas, section.chapter, top)
    aside = _draw_aside(canvas, section, top)
    left = _TILES
    bottom = top
    if section.words:
        bottom = top = _draw_words(canvas, section.words, (left, top)) + 16
    if section.bars:
        half = (ROOM - 60) // 2
        first = (len(section.bars) + 1) // 2
        parts = (section.bars,) if len(section.bars) <= 5 else (section.bars[:first], section.bars[first:])
        for number, bars in enumerate(parts):
            at = (left + number * (half + 60), top)
            bottom = max(bottom, draw_bars(canvas, at, bars, half, bar_range(section.bars)))
    if section.tiles:
        bottom = _draw_tiles(canvas, section, (left, bottom + (20 if section.bars else 0)))
    if section.note:
        bottom = canvas.paragraph((left, bottom + 6), section.note, ROOM, size=14, color=FAINT).bottom
    return max(aside, bottom)


def _draw_chapter(canvas: Canvas, chapter: Chapter, top: int) -> int:
    room = WIDTH - 2 * _LEFT
    text = canvas.text((_LEFT, top), shorten(chapter.title, room, size=24), size=24, bold=True)
    if not chapter.note:
        return text.bottom + 20
    note = canvas.paragraph((_LEFT, text.bottom + 10), chapter.note, room, size=15, color=FAINT)
    return note.bottom + 22


def _draw_words(canvas: Canvas, words: Sequence[WordBox], at: tuple[int, int]) -> int:
    """Words in lines, each on its colour; returns the y below."""
    x, y = at
    for word in words:
        text = shorten(word.text, ROOM - 12, size=_WORD)
        width = measure(text, size=_WORD)[0] + 12
        if x > at[0] and x + width > at[0] + ROOM:
            x, y = at[0], y + _LINE
        box = Box(x, y, x + width, y + _LINE - 4)
        canvas.rect(box, fill=word.ground, outline="#d5dbe0")
        canvas.text((x + 6, box.center[1]), text, size=_WORD, color=word.ink, anchor="lm")
        x += width + 3
    return y + _LINE


def _draw_aside(canvas: Canvas, section: Section, top: int) -> int:
    """The column of text: name, lines, scale, window."""
    large, small, gap = (17, 13, 7) if section.strip else (21, 15, 12)
    name = shorten(section.name, _ASIDE, size=large)
    y = canvas.text((_LEFT, top - 4), name, size=large, bold=True).bottom + gap // 2
    for line in section.lines:
        for part in wrap(line, _ASIDE, size=small):
            y = canvas.text((_LEFT, y), part, size=small, color=FAINT).bottom + 2
    if section.scale is not None:
        y = draw_scale(canvas, section.scale, (_LEFT, y + gap), 176)
    if section.window is not None:
        y = _draw_window(canvas, section.window, y + 14)
    return y


def draw_scale(canvas: Canvas, scale: ColorScale, at: tuple[int, int], width: int) -> int:
    """A scale's colours and the values at its ends; returns the y below."""
    ramp = Box(*at, at[0] + width, at[1] + 10)
    canvas.image(ramp, scale.ramp(ramp.width))
    canvas.rect(ramp, outline="#c9d0d6")
    labels = scale.labels()
    places = (ramp.left, ramp.center[0], ramp.right) if len(labels) == 3 else (ramp.left, ramp.right)
    anchors = "lmr" if len(labels) == 3 else "lr"
    bottom = at[1]
    for x, text, anchor in zip(places, labels, anchors, strict=True):
        box = canvas.text((x, ramp.bottom + 3), text, size=13, color=FAINT, anchor=f"{anchor}t")
        bottom = max(bottom, box.bottom)
    return bottom


def _draw_window(canvas: Canvas, window: Window, y: int) -> int:
    """The input in small, a frame on it, and what it means beside it."""
    width, height = tile_size(window.pixels, _WINDOW)
    box = Box(_LEFT, y, _LEFT + width, y + height)
    canvas.image(box, window.pixels)
    canvas.rect(box.grown(1), outline="#c9d0d6")
    left, top, right, bottom = window.frame
    frame = Box(
        round(box.left + left * width),
        round(box.top + top * height),
        max(round(box.left + right * width), round(box.left + left * width) + 3),
        max(round(box.top + bottom * height), round(box.top + top * height) + 3),
    )
    canvas.rect(frame.grown(1), outline="#ffffff", width=1)
    canvas.rect(frame, outline=_MARK, width=2 if frame.width > 8 else 1)
    beside = _ASIDE - width - 14
    if beside >= 96:
        text = canvas.paragraph((box.right + 14, y), window.caption, beside, size=14, color=FAINT)
        return max(box.bottom, text.bottom)
    return canvas.paragraph((_LEFT, box.bottom + 8), window.caption, _ASIDE, size=14, color=FAINT).bottom


def _draw_tiles(canvas: Canvas, section: Section, at: tuple[int, int]) -> int:
    """Tiles in rows; returns the y below."""
    left, y = at
    if section.tiles[0].rows or section.tiles[0].columns:
        for tile in section.tiles:
            y = _draw_table(canvas, tile, (left, y), section.side) + GAP
        return y
    width, height = tile_size(section.tiles[0].pixels, section.side)
    widest = max(_caption_width(tile) for tile in section.tiles)
    step = max(width, widest, NARROWEST) + GAP
    columns = in_a_row(step - GAP)
    down = height + (_CAPTION if widest else GAP)
    for number, tile in enumerate(section.tiles):
        row, column = divmod(number, columns)
        x, top = left + column * step, y + row * down
        box = Box(x, top, x + width, top + height)
        draw_picture(canvas, box, tile)
        if tile.name:
            name = canvas.text((x, box.bottom + 4), tile.name, size=_LABEL)
            canvas.text((name.right + 6, box.bottom + 4), tile.value, size=_LABEL, color=FAINT)
    return y + -(-len(section.tiles) // columns) * down


def _caption_width(tile: Tile) -> int:
    """Pixels of the line under a tile; 0 if it has none."""
    if not tile.name:
        return 0
    return measure(tile.name, size=_LABEL)[0] + 6 + measure(tile.value, size=_LABEL)[0]


def _draw_table(canvas: Canvas, tile: Tile, at: tuple[int, int], side: int) -> int:
    """A picture with names beside its rows and above its columns; returns the y below."""
    width, height = tile_size(tile.pixels, side)
    aside = max((measure(name, size=_LABEL)[0] for name in tile.rows), default=0)
    aside = min(aside, 140)
    x = at[0] + (aside + 8 if tile.rows else 0)
    y = at[1] + (20 if tile.columns else 0)
    for i, name in enumerate(tile.rows):
        middle = y + (i + 0.5) * height / len(tile.rows)
        text = shorten(name, aside, size=_LABEL)
        canvas.text((x - 8, middle), text, size=_LABEL, color=FAINT, anchor="rm")
    canvas.image(Box(x, y, x + width, y + height), tile.pixels)
    for texts, line in ((tile.columns, y - 6), (tile.below, y + height + 14)):
        for j, text in enumerate(texts):
            room = width / len(texts)
            short = shorten(text, int(room), size=_LABEL)
            canvas.text((x + (j + 0.5) * room, line), short, size=_LABEL, color=FAINT, anchor="ms")
    return y + height + (20 if tile.below else 0)


def draw_picture(canvas: Canvas, box: Box, tile: Tile) -> None:
    """The pixels of a tile, with a thin frame."""
    canvas.image(box, tile.pixels)
    canvas.rect(box.grown(1), outline="#d5dbe0")


def draw_bars(
    canvas: Canvas,
    at: tuple[int, int],
    bars: Sequence[BarRow],
    width: int,
    span: tuple[float, float],
    *,
    size: int = 16,
) -> int:
    """Rows of name, bar from the zero line and value, in letters of ``size`` pixels; returns the y below."""
    x, y = at
    name = min(220, width // 2, max(measure(bar.name, size=size)[0] for bar in bars)) + 14
    value = max(measure(bar.value, size=size - 1)[0] for bar in bars) + 12
    room = max(40, width - name - value)
    scale = room / ((span[1] - span[0]) or 1.0)
    for bar in bars:
        middle = y + 12
        text = shorten(bar.name, name - 14, size=size)
        canvas.text((x, middle), text, size=size, color=INK, anchor="lm")
        track = Box(x + name, middle - 7, x + name + room, middle + 7)
        canvas.rect(track, fill=_TRACK)
        low, high = (max(-1.0, min(1.0, share)) for share in (min(0.0, bar.share), max(0.0, bar.share)))
        tips = [round((share - span[0]) * scale) for share in (low, high)]
        tips[1] = max(tips[1], tips[0] + 1)
        canvas.rect(
            Box(track.left + tips[0], track.top, track.left + tips[1], track.bottom),
            fill=_BELOW if bar.share < 0 else _ABOVE,
        )
        canvas.text((x + width, middle), bar.value, size=size - 1, color=FAINT, anchor="rm")
        y += 27
    if span[0] < 0:
        zero = x + name + round(-span[0] * scale)
        canvas.rect(Box(zero, at[1], zero + 1, y - 3), fill=INK)
        canvas.text((zero, y), "0", size=_LABEL, color=FAINT, anchor="mt")
        y += 18
    return y
