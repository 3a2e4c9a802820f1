"""Draw letters and accents with the font that comes with Pillow, or as strokes where it lacks them."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from math import ceil

from PIL import Image, ImageColor, ImageDraw, ImageFont

Point = tuple[float, float]
Paths = tuple[tuple[Point, ...], ...]

ASCENT, DESCENT, CAP = 0.78, 0.24, 0.71
"""Heights above and below the baseline, and of a capital, in multiples of the font size."""

_OVERSAMPLE = 8

# The built-in font is ASCII with a few signs; these others are drawn as strokes on a unit em, y upwards.
_SIGNS: dict[str, tuple[float, Paths]] = {
    "−": (0.60, (((0.08, 0.33), (0.52, 0.33)),)),
    "×": (0.60, (((0.12, 0.15), (0.48, 0.51)), ((0.12, 0.51), (0.48, 0.15)))),
    "÷": (
        0.60,
        (((0.08, 0.33), (0.52, 0.33)), ((0.30, 0.54), (0.30, 0.55)), ((0.30, 0.11), (0.30, 0.12))),
    ),
    "→": (0.95, (((0.08, 0.33), (0.84, 0.33)), ((0.62, 0.52), (0.84, 0.33), (0.62, 0.14)))),
    "√": (0.66, (((0.05, 0.34), (0.16, 0.40), (0.32, 0.02), (0.56, 0.78), (0.66, 0.78)),)),
    "≥": (0.60, (((0.10, 0.60), (0.50, 0.40), (0.10, 0.20)), ((0.10, 0.04), (0.50, 0.04)))),
    "≤": (0.60, (((0.50, 0.60), (0.10, 0.40), (0.50, 0.20)), ((0.10, 0.04), (0.50, 0.04)))),
    "≈": (
        0.60,
        tuple(
            ((0.08, y), (0.18, y + 0.07), (0.30, y + 0.01), (0.42, y - 0.05), (0.52, y + 0.02))
            for y in (0.24, 0.42)
        ),
    ),
    "²": (
        0.36,
        (((0.06, 0.66), (0.10, 0.74), (0.20, 0.76), (0.27, 0.69), (0.22, 0.58), (0.06, 0.42), (0.29, 0.42)),),
    ),
    "ı": (0.28, (((0.14, 0.04), (0.14, 0.51)),)),
    "ß": (
        0.56,
        (
            ((0.11, 0.04), (0.11, 0.55), (0.16, 0.66), (0.25, 0.70), (0.35, 0.67), (0.40, 0.58)),
            ((0.40, 0.58), (0.37, 0.49), (0.27, 0.43), (0.38, 0.37), (0.47, 0.28), (0.47, 0.14)),
            ((0.47, 0.14), (0.39, 0.05), (0.28, 0.03)),
        ),
    ),
}
# The font has no accents either: these are placed above a letter, below its baseline, or across it, in
# multiples of the em or, across, of the letter's height; x is relative to the letter's centre.
_OVER: dict[str, Paths] = {
    "\u0300": (((-0.09, 0.10), (0.05, 0.00)),),
    "\u0301": (((0.09, 0.10), (-0.05, 0.00)),),
    "\u0302": (((-0.12, 0.00), (0.00, 0.10), (0.12, 0.00)),),
    "\u0303": (((-0.14, 0.02), (-0.07, 0.09), (0.07, 0.03), (0.14, 0.10)),),
    "\u0304": (((-0.13, 0.05), (0.13, 0.05)),),
    "\u0306": (((-0.12, 0.10), (-0.06, 0.02), (0.06, 0.02), (0.12, 0.10)),),
    "\u0307": (((0.00, 0.06), (0.00, 0.07)),),
    "\u0308": (((-0.10, 0.06), (-0.10, 0.07)), ((0.10, 0.06), (0.10, 0.07))),
    "\u030a": (((0.00, 0.00), (0.07, 0.06), (0.00, 0.10), (-0.07, 0.06), (0.00, 0.00)),),
    "\u030b": (((-0.02, 0.10), (-0.10, 0.00)), ((0.14, 0.10), (0.06, 0.00))),
    "\u030c": (((-0.12, 0.10), (0.00, 0.00), (0.12, 0.10)),),
}
_UNDER: dict[str, Paths] = {
    "\u0323": (((0.00, -0.13), (0.00, -0.14)),),
    "\u0326": (((0.02, -0.08), (-0.05, -0.19)),),
    "\u0327": (((0.00, 0.00), (0.08, -0.11), (0.00, -0.19), (-0.08, -0.17)),),
    "\u0328": (((0.08, 0.00), (0.02, -0.12), (0.08, -0.19), (0.15, -0.17)),),
}
_ACROSS: dict[str, Paths] = {
    "\u0337": (((-0.12, 0.36), (0.12, 0.62)),),
    "\u0338": (((-0.26, -0.04), (0.26, 1.04)),),
}
_CROSSED = {"ø": "o\u0338", "Ø": "O\u0338", "ł": "l\u0337", "Ł": "L\u0337"}
_MARK_GAP, _MARK_ROOM = 0.085, 0.18  # gap between a letter and its accent; space for both above a letter
_LOWERED = 0.8  # scale of a tall letter, so that its accent fits below ASCENT

_FONT_SIGNS = "©«°±´·»‘’“”…‹›™"  # signs of the font outside ASCII
_PLAIN = str.maketrans({"–": "-", "—": "-", "″": '"', "•": "·", "\u00a0": " "})


def spell(s: str) -> str:
    """Replace letters that cannot be drawn by escapes, a backslash and ``u65e5``.

    Different names stay different.
    """
    if s.isascii() and s.isprintable():
        return s
    return "".join(
        ch if ch in _SIGNS or ch in _FONT_SIGNS or " " <= ch <= "~" or _accented(ch) else ascii(ch)[1:-1]
        for ch in unicodedata.normalize("NFC", s.translate(_PLAIN))
    )


def runs_of(s: str) -> list[str]:
    """Split a result of `spell` into runs that the font draws, single signs, and letters with accents."""
    runs: list[str] = []
    alone = True
    for ch in s:
        own = ch in _SIGNS or _accented(ch) is not None
        if own or alone:
            runs.append(ch)
        else:
            runs[-1] += ch
        alone = own
    return runs


def length_of(runs: Sequence[str], size: int) -> float:
    """Width of runs in pixels at a font size."""
    return sum(_advance(run, size) for run in runs)


def write(page: Image.Image, at: tuple[int, int], runs: Sequence[str], style: tuple[int, float, str]) -> None:
    """Draw runs from ``at``, the left end of the baseline.

    Parameters
    ----------
    page : Image
        To draw on.
    at : (int, int)
        x and y.
    runs : sequence of str
        From `runs_of`.
    style : (size, stroke, color)
        Font size, extra stroke width in pixels, and colour.
    """
    size, stroke, color = style
    x, base = float(at[0]), at[1]
    draw = ImageDraw.Draw(page)
    for run in runs:
        parts = _accented(run)
        if parts is not None:
            letter, mark = parts[0], parts[1]
            write(page, (round(x), base), [letter], (_lowered(letter, mark, size), stroke, color))
            mask = _accent(letter, mark, size, stroke)
            page.paste(ImageColor.getrgb(color), (round(x) - size // 8, base - ceil(ASCENT * size)), mask)
        elif run in _SIGNS:
            mask = _sign(run, size, stroke)
            page.paste(ImageColor.getrgb(color), (round(x), base - ceil(ASCENT * size)), mask)
        else:
            # stroke_width takes fractions: a light bold from the font's only weight.
            draw.text((x, base), run, color, _font(size), anchor="ls", stroke_width=stroke)
        x += _advance(run, size)


@lru_cache(maxsize=1024)
def _accented(ch: str) -> tuple[str, str] | None:
    """A letter and its accent, where both can be drawn; else None."""
    if len(ch) != 1 or ch.isascii():
        return None
    parts = _CROSSED.get(ch) or unicodedata.normalize("NFD", ch)
    if len(parts) != 2 or parts[1] not in _OVER | _UNDER | _ACROSS:
        return None
    letter, mark = parts[0], parts[1]
    if not (letter.isascii() and letter.isalpha()) or (letter == "j" and mark in _OVER):
        return None
    return "ı" if letter == "i" and mark in _OVER else letter, mark


def _advance(run: str, size: int) -> float:
    parts = _accented(run)
    if parts is not None:
        return _advance(parts[0], _lowered(*parts, size))
    return _SIGNS[run][0] * size if run in _SIGNS else _font(size).getlength(run)


def _top(letter: str, size: int) -> float:
    """Height in pixels of a letter above the baseline."""
    if letter in _SIGNS:
        return max(y for path in _SIGNS[letter][1] for _, y in path) * size
    return -_font(size).getbbox(letter, anchor="ls")[1]


def _lowered(letter: str, mark: str, size: int) -> int:
    """The font size of a letter, reduced where its accent would not fit above it."""
    tall = mark in _OVER and _top(letter, size) > (ASCENT - _MARK_ROOM) * size
    return round(_LOWERED * size) if tall else size


@lru_cache(maxsize=256)
def _sign(sign: str, size: int, stroke: float) -> Image.Image:
    advance, paths = _SIGNS[sign]
    top = ceil(ASCENT * size)
    placed = [tuple((x * size, top - y * size) for x, y in path) for path in paths]
    extent = (ceil(advance * size) + 1, top + ceil(DESCENT * size))
    return strokes(placed, extent, max(1.1, 0.075 * size) + 2 * stroke)


@lru_cache(maxsize=256)
def _accent(letter: str, mark: str, size: int, stroke: float) -> Image.Image:
    """The strokes of an accent, an eighth of the size wider than its letter on both sides."""
    own = _lowered(letter, mark, size)
    width, height = _advance(letter, own), _top(letter, own)
    rise = height + _MARK_GAP * size if mark in _OVER else 0.0
    scale = height if mark in _ACROSS else size
    middle, top = size // 8 + width / 2, ceil(ASCENT * size)
    paths = (_OVER | _UNDER | _ACROSS)[mark]
    placed = [tuple((middle + x * scale, top - rise - y * scale) for x, y in path) for path in paths]
    extent = (ceil(width) + 2 * (size // 8), top + ceil(DESCENT * size))
    return strokes(placed, extent, max(1.1, 0.07 * size) + 2 * stroke)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow is built without FreeType, which draws the text")
    return font


def strokes(paths: Sequence[tuple[Point, ...]], extent: tuple[int, int], width: float) -> Image.Image:
    """Return a mask of the given size in which the paths are stroked with round ends."""
    k = _OVERSAMPLE if max(extent) <= 200 else 2
    mask = Image.new("L", (extent[0] * k, extent[1] * k))
    draw = ImageDraw.Draw(mask)
    r = width * k / 2
    for path in paths:
        points = [(x * k, y * k) for x, y in path]
        draw.line(points, 255, max(1, round(2 * r)))
        for x, y in points:
            draw.ellipse((x - r, y - r, x + r, y + r), 255)
    return mask.resize(extent, Image.Resampling.BOX)


def filled(points: Sequence[Point], extent: tuple[int, int]) -> Image.Image:
    """Return a mask of the given size in which a polygon is filled."""
    k = _OVERSAMPLE if max(extent) <= 200 else 4
    mask = Image.new("L", (extent[0] * k, extent[1] * k))
    ImageDraw.Draw(mask).polygon([(x * k - 0.5, y * k - 0.5) for x, y in points], 255)
    return mask.resize(extent, Image.Resampling.BOX)
