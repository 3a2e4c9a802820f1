"""A page to draw on: text with measured boxes, rectangles, lines, arrows and images.

Nothing is painted until ``Canvas.array()``: a canvas is a list of marks, so that a page may grow
downwards while it is laid out, and its contents (texts, boxes) can be queried.

Legend: x runs to the right and y downwards, in pixels; colours are ``#rrggbb``.
"""

from collections.abc import Callable, Sequence
from math import ceil, floor, hypot

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from cnncli.images.letters import (
    ASCENT,
    CAP,
    DESCENT,
    Point,
    filled,
    length_of,
    runs_of,
    spell,
    strokes,
    write,
)
from cnncli.records import record

Pixels = NDArray[np.uint8]

INK = "#1f2933"


@record
class Box:
    """A rectangle of whole pixels: left and top lie in it, right and bottom just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def center(self) -> tuple[int, int]:
        """The middle, (x, y)."""
        return (self.left + self.right) // 2, (self.top + self.bottom) // 2

    def grown(self, by: int) -> "Box":
        """Return the box with ``by`` pixels more on every side (fewer where negative)."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def overlaps(self, other: "Box") -> bool:
        """Tell whether the two share a pixel."""
        across = min(self.right, other.right) > max(self.left, other.left)
        return across and min(self.bottom, other.bottom) > max(self.top, other.top)

    def contains(self, other: "Box") -> bool:
        """Tell whether ``other`` lies wholly inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


@record(eq=False)
class Mark:
    """An item on a canvas: its kind, the pixels it may cover, and its text, if any."""

    kind: str
    box: Box
    text: str
    paint: Callable[[Image.Image], None]


class Canvas:
    """A page of marks, painted in the order they were made.

    Parameters
    ----------
    width : int
        In pixels.
    height : int or None
        In pixels; None: as much as the marks need, plus ``margin`` at the bottom.
    background : str
        The colour of the empty page.
    margin : int
        Blank pixels below the lowest mark of a page without a fixed height.
    """

    def __init__(
        self, width: int, height: int | None = None, *, background: str = "#ffffff", margin: int = 40
    ) -> None:
        self.width = width
        self._height = height
        self.background = background
        self.margin = margin
        self.marks: list[Mark] = []

    @property
    def height(self) -> int:
        """The current height of the page in pixels."""
        if self._height is not None:
            return self._height
        return max((mark.box.bottom for mark in self.marks), default=0) + self.margin

    def text(
        self, at: Point, s: str, *, size: int = 16, color: str = INK, anchor: str = "lt", bold: bool = False
    ) -> Box:
        """Write one line.

        Parameters
        ----------
        at : (x, y)
            The point that ``anchor`` names.
        s : str
            The line; letters that cannot be drawn become escapes, see `spell`.
        size : int
            The font's size in pixels.
        color : str
            Colour of the letters.
        anchor : str
            Horizontally: ``l`` left, ``m`` middle, ``r`` right. Then vertically: ``t`` top of the box,
            ``m`` middle of the capitals, ``s`` baseline, ``b`` bottom of the box.
        bold : bool
            Thicken the strokes.

        Returns
        -------
        Box
            The pixels that the line takes up.
        """
        runs = runs_of(spell(s))
        width = length_of(runs, size)
        x = at[0] - {"l": 0.0, "m": width / 2, "r": width}[anchor[0]]
        rise = {"t": ASCENT, "m": CAP / 2, "s": 0.0, "b": -DESCENT}[anchor[1]]
        left, base = round(x), round(at[1] + rise * size)
        box = Box(left, base - ceil(ASCENT * size), left + ceil(width), base + ceil(DESCENT * size))
        stroke = size / 45 if bold else 0.0
        self._add("text", box, lambda page: write(page, (left, base), runs, (size, stroke, color)), s)
        return box

    def paragraph(
        self, at: Point, s: str, width: int, *, size: int = 16, color: str = INK, leading: float = 1.4
    ) -> Box:
        """Write ``s`` in lines of at most ``width`` pixels, starting at ``at`` (left, top).

        Returns
        -------
        Box
            The pixels that the lines take up together.
        """
        x, y = at
        boxes = [
            self.text((x, y + i * leading * size), line, size=size, color=color)
            for i, line in enumerate(wrap(s, width, size=size))
        ]
        return Box(boxes[0].left, boxes[0].top, max(b.right for b in boxes), boxes[-1].bottom)

    def rect(self, box: Box, *, fill: str | None = None, outline: str | None = None, width: int = 1) -> Box:
        """Fill a box, outline it just inside its edge, or both."""

        def paint(page: Image.Image) -> None:
            corners = (box.left, box.top, box.right - 1, box.bottom - 1)
            ImageDraw.Draw(page).rectangle(corners, fill, outline, width)

        if box.width > 0 and box.height > 0:
            self._add("rect", box, paint)
        return box

    def line(self, points: Sequence[Point], *, color: str = INK, width: float = 1.0) -> Box:
        """Draw an antialiased line through ``points``, with round ends and corners."""
        return self._shape("line", [tuple(points)], width, color)

    def arrow(self, start: Point, end: Point, *, color: str = INK, width: float = 2.0) -> Box:
        """Draw a straight line with an open head at ``end``."""
        (x0, y0), (x1, y1) = start, end
        length = hypot(x1 - x0, y1 - y0) or 1.0
        ux, uy, head = (x1 - x0) / length, (y1 - y0) / length, 3.5 * width
        barbs = [(x1 - head * (ux + s * uy), y1 - head * (uy - s * ux)) for s in (0.8, -0.8)]
        return self._shape("arrow", [(start, end), (barbs[0], end, barbs[1])], width, color)

    def disc(self, center: Point, radius: float, *, fill: str = INK) -> Box:
        """Fill a circle."""
        return self._shape("disc", [(center, center)], 2 * radius, fill)

    def area(self, points: Sequence[Point], *, fill: str) -> Box:
        """Fill a polygon, with smooth edges."""
        xs, ys = zip(*points, strict=True)
        box = Box(floor(min(xs)), floor(min(ys)), ceil(max(xs)), ceil(max(ys)))

        def paint(page: Image.Image) -> None:
            moved = [(x - box.left, y - box.top) for x, y in points]
            mask = filled(moved, (max(1, box.width), max(1, box.height)))
            page.paste(ImageColor.getrgb(fill), (box.left, box.top), mask)

        self._add("area", box, paint)
        return box

    def image(self, box: Box, pixels: NDArray[np.generic]) -> Box:
        """Draw an image in a box.

        Enlarged at least 3 times, every pixel stays a square; smaller enlargements are interpolated;
        reductions are averaged.

        Parameters
        ----------
        box : Box
            Its place; the caller chooses the aspect ratio.
        pixels : ndarray, shape (H, W) or (H, W, 3), uint8
            Gray or red, green, blue.
        """
        source = np.ascontiguousarray(pixels, dtype=np.uint8)
        h, w = source.shape[:2]

        def paint(page: Image.Image) -> None:
            if box.width >= 3 * w and box.height >= 3 * h:
                how = Image.Resampling.NEAREST
            elif box.width > w or box.height > h:
                how = Image.Resampling.BICUBIC
            else:
                how = Image.Resampling.BOX
            picture = Image.fromarray(source).resize((box.width, box.height), how)
            page.paste(picture.convert("RGB"), (box.left, box.top))

        self._add("image", box, paint)
        return box

    def array(self) -> Pixels:
        """Paint the page.

        Returns
        -------
        ndarray, shape (height, width, 3), uint8
        """
        page = Image.new("RGB", (self.width, self.height), self.background)
        for mark in self.marks:
            mark.paint(page)
        return np.array(page)

    def _add(self, kind: str, box: Box, paint: Callable[[Image.Image], None], text: str = "") -> None:
        self.marks.append(Mark(kind, box, text, paint))

    def _shape(self, kind: str, paths: Sequence[tuple[Point, ...]], width: float, color: str) -> Box:
        """Add round-ended strokes, painted smoothly by oversampling their bounding box."""
        xs = [x for path in paths for x, _ in path]
        ys = [y for path in paths for _, y in path]
        r = width / 2
        box = Box(floor(min(xs) - r), floor(min(ys) - r), ceil(max(xs) + r), ceil(max(ys) + r))

        def paint(page: Image.Image) -> None:
            moved = [tuple((x - box.left, y - box.top) for x, y in path) for path in paths]
            mask = strokes(moved, (max(1, box.width), max(1, box.height)), width)
            page.paste(ImageColor.getrgb(color), (box.left, box.top), mask)

        self._add(kind, box, paint)
        return box


def measure(s: str, *, size: int = 16) -> tuple[int, int]:
    """Return the width and height in pixels of the box that ``Canvas.text`` would fill."""
    return ceil(length_of(runs_of(spell(s)), size)), ceil(ASCENT * size) + ceil(DESCENT * size)


def wrap(s: str, width: int, *, size: int = 16) -> list[str]:
    """Break ``s`` at blanks, not at no-break spaces, into lines of at most ``width`` pixels.

    A word that is wider than a line is cut with ``…``.
    """
    lines = [""]
    for word in s.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if measure(longer, size=size)[0] <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shorten(line, width, size=size) for line in lines]


def shorten(s: str, width: int, *, size: int = 16) -> str:
    """Return ``s``, with its middle replaced by ``…`` where it is wider than ``width`` pixels."""
    if measure(s, size=size)[0] <= width:
        return s
    kept, most = min(1, len(s) - 1), len(s) - 1
    while kept < most:  # by bisection: letter by letter, a name of 5,000 letters took seconds
        tried = (kept + most + 1) // 2
        if measure(_cut(s, tried), size=size)[0] <= width:
            kept = tried
        else:
            most = tried - 1
    return _cut(s, kept)


def _cut(s: str, kept: int) -> str:
    return s[: (kept + 1) // 2] + "…" + s[len(s) - kept // 2 :]
