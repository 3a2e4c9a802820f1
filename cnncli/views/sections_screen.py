"""A page that fits a screen: the head in a column on the left, and strips beside it."""

from collections.abc import Sequence
from math import floor

from cnncli.images.canvas import Box, Canvas, shorten, wrap
from cnncli.views.plot import FAINT, GRID
from cnncli.views.sections import Page, Section, Tile, bar_range, tile_size
from cnncli.views.sections_page import draw_bars, draw_picture, draw_scale

SIZE = 1600, 1000  # pixels of a screen
_MARGIN, _HEAD = 32, 288  # pixels around the page, and of the head's column
_PICTURE = 172  # height of a picture in the head, at most
_ASIDE = 160  # of the words of a strip
_ABOUT = _MARGIN + _HEAD + 40  # where those begin
_TILES = _ABOUT + _ASIDE + 16  # where the tiles begin
ROOM = SIZE[0] - _MARGIN - _TILES  # pixels for tiles
LIST = 48  # pixels of a list of values
_GAP, _CAPTION, _AROUND = 10, 17, 7  # between tiles, under them, above and below a strip
_LABEL, _LOWEST = 12, 78  # font size of captions; pixels of a strip's words
_SMALLEST, _LARGEST = 56, 130  # side of a tile
_FEW = 3  # stages that have two rows of tiles each

Point = tuple[int, int]


def strip_side(stages: int, lists: int) -> tuple[int, int]:
    """The side of the tiles of so many strips, and how many rows of them each has, so that all fit."""
    rows = 2 if stages <= _FEW else 1
    room = SIZE[1] - 2 * _MARGIN - lists * (_LOWEST + 2 * _AROUND)
    side = (room // max(1, stages) - 2 * _AROUND) // rows - _CAPTION
    return max(_SMALLEST, min(_LARGEST, side)), rows


def in_a_strip(width: int) -> int:
    """How many tiles of a width stand side by side."""
    return max(1, (ROOM + _GAP) // (max(width, _SMALLEST) + _GAP))


def screen_canvas(page: Page) -> Canvas:
    """Lay out a page of strips.

    Returns
    -------
    Canvas
        1600 pixels wide and 1000 high, or higher where more strips than ten have to be on it.
    """
    canvas = Canvas(SIZE[0], margin=_MARGIN)
    _draw_head(canvas, page)
    top = _MARGIN
    for section in page.sections:
        if section is not page.sections[0]:
            canvas.rect(Box(_ABOUT, top, SIZE[0] - _MARGIN, top + 1), fill=GRID)
        top = _draw_strip(canvas, section, top + _AROUND) + _AROUND
    return canvas


def _draw_head(canvas: Canvas, page: Page) -> None:
    """Title, pictures, predictions and how to read it, one under the other."""
    y = _MARGIN
    for line in wrap(page.title, _HEAD, size=26)[:4]:
        y = canvas.text((_MARGIN, y), line, size=26, bold=True).bottom
    y = canvas.paragraph((_MARGIN, y + 8), page.subtitle, _HEAD, size=14, color=FAINT).bottom + 20
    y = _draw_pictures(canvas, page.pictures, y) + 24
    if page.predictions:
        text = canvas.text((_MARGIN, y), f"predicted classes by {page.measure}", size=14, color=FAINT)
        at = (_MARGIN, text.bottom + 8)
        y = draw_bars(canvas, at, page.predictions, _HEAD, bar_range(page.predictions), size=14) + 16
    if page.note:
        canvas.paragraph((_MARGIN, y), page.note, _HEAD, size=13, color=FAINT)


def _draw_pictures(canvas: Canvas, tiles: Sequence[Tile], top: int) -> int:
    """Pictures one under the other, each with its lines; returns the y below."""
    y = top
    for tile in tiles:
        height, width = tile.pixels.shape[:2]
        scale = min(_HEAD / width, _PICTURE / height)
        scale = floor(scale) if scale > 1 else scale  # pixels stay squares
        box = Box(_MARGIN, y, _MARGIN + max(1, round(width * scale)), y + max(1, round(height * scale)))
        draw_picture(canvas, box, tile)
        words = f"{tile.name}: {tile.value}" if tile.value else tile.name
        y = canvas.paragraph((_MARGIN, box.bottom + 6), words, _HEAD, size=13, color=FAINT).bottom + 12
    return y


def _draw_strip(canvas: Canvas, section: Section, top: int) -> int:
    """What it is, and its tiles; returns the y below."""
    y = canvas.text((_ABOUT, top - 2), shorten(section.name, _ASIDE, size=16), size=16, bold=True).bottom
    for line in section.lines:
        y = canvas.text((_ABOUT, y), shorten(line, _ASIDE, size=13), size=13, color=FAINT).bottom
    if section.scale is not None:
        draw_scale(canvas, section.scale, (_ABOUT, y + 6), _ASIDE - 16)
    return max(top + _LOWEST, _draw_tiles(canvas, section, top))


def _draw_tiles(canvas: Canvas, section: Section, top: int) -> int:
    width, height = tile_size(section.tiles[0].pixels, section.side)
    down = height + (_CAPTION if section.tiles[0].name else 0)
    columns = in_a_strip(width)
    step = max(width, _SMALLEST) + _GAP
    for number, tile in enumerate(section.tiles):
        row, column = divmod(number, columns)
        x, y = _TILES + column * step, top + row * down
        draw_picture(canvas, Box(x, y, x + width, y + height), tile)
        if tile.name:
            canvas.text((x, y + height + 2), tile.name, size=_LABEL, color=FAINT)
    return top + -(-len(section.tiles) // columns) * down
