"""A page about a network as data: a head with the picture, then sections of tiles and bars.

Whatever explains a network (feature maps, kernels, attributions) is turned into these; `sections_page`
draws them as one picture, or a picture for each, and `sections_html` writes them as a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.views.colors import ColorScale

Pixels = NDArray[np.uint8]

WIDTH = 1480  # pixels of a page
ROOM = 1120  # of them for tiles
GAP = 14  # between tiles
NARROWEST = 84  # of a tile with a line under it


@dataclass(frozen=True, eq=False)
class Tile:
    """A small picture with a line under it.

    Attributes
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        At its own size.
    name : str
        Which it is, such as ``7``.
    value : str
        What is said about it.
    rows, columns : tuple of str
        Names of its rows and columns, evenly spaced, where it is a table.
    below : tuple of str
        What is said under each column.
    """

    pixels: Pixels
    name: str
    value: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class BarRow:
    """A name, a value and a bar as long as its share.

    Attributes
    ----------
    name, value : str
        Written left and right of the bar.
    share : float
        -1 to 1; the bar runs from the zero line, blue to the left below 0 and orange to the right above.
    """

    name: str
    value: str
    share: float


@dataclass(frozen=True)
class WordBox:
    """A word on a coloured ground.

    Attributes
    ----------
    text : str
        The word.
    color : (red, green, blue)
        Of the ground, 0 to 255.
    """

    text: str
    color: tuple[int, int, int]

    @property
    def ground(self) -> str:
        """The colour as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.color)

    @property
    def ink(self) -> str:
        """Black or white, whichever is easier to read on it."""
        red, green, blue = self.color
        return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "#1f2933"


@dataclass(frozen=True, eq=False)
class Window:
    """The input with a frame on it: the receptive field of a value.

    Attributes
    ----------
    pixels : ndarray, shape (h, w, 3), uint8
        The input.
    frame : (left, top, right, bottom)
        As shares of it, 0 to 1.
    caption : str
        What it shows.
    """

    pixels: Pixels
    frame: tuple[float, float, float, float]
    caption: str


@dataclass(frozen=True)
class Chapter:
    """A heading over sections.

    Attributes
    ----------
    title, note : str
        What they show, and how to read it.
    """

    title: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class Section:
    """One layer.

    Attributes
    ----------
    name : str
        Of the layer; also of its files.
    lines : tuple of str
        What it is: kind, shape, receptive field.
    tiles : tuple of Tile
        All of one size.
    side : int
        Pixels that the longer side of a tile should have, about.
    bars : tuple of BarRow
        In place of tiles, for a list of values.
    words : tuple of WordBox
        A text, word after word, above the bars.
    window : Window or None
        Drawn beside the lines.
    scale : ColorScale or None
        Of the tiles' colours.
    note : str
        Said under the tiles.
    chapter : Chapter or None
        That begins with this section.
    strip : bool
        One row of tiles in as little room as it takes.
    """

    name: str
    lines: tuple[str, ...]
    tiles: tuple[Tile, ...] = ()
    side: int = 96
    bars: tuple[BarRow, ...] = ()
    words: tuple[WordBox, ...] = ()
    window: Window | None = None
    scale: ColorScale | None = None
    note: str = ""
    chapter: Chapter | None = None
    strip: bool = False


@dataclass(frozen=True, eq=False)
class Page:
    """All of it.

    Attributes
    ----------
    title, subtitle : str
        The heading.
    pictures : tuple of Tile
        The image as it came, and as the network gets it.
    predictions : tuple of BarRow
        The predicted classes with their shares.
    sections : tuple of Section
        In the order of computation.
    note : str
        How to read it.
    fits_screen : bool
        Its sections are strips: as a picture it fits a screen.
    measure : str
        What the shares of the predicted classes are.
    """

    title: str
    subtitle: str
    pictures: tuple[Tile, ...]
    predictions: tuple[BarRow, ...]
    sections: tuple[Section, ...]
    note: str = ""
    fits_screen: bool = False
    measure: str = "probability"


def bar_range(bars: Sequence[BarRow]) -> tuple[float, float]:
    """Shares at the left and right end of bars: 0 to 1, or what negative and positive ones need."""
    low = min(0.0, *(bar.share for bar in bars))
    return (low, max(0.0, *(bar.share for bar in bars))) if low < 0 else (0.0, 1.0)


def tile_size(pixels: Pixels, side: int) -> tuple[int, int]:
    """Width and height that a tile is drawn with: whole enlargements, so that pixels stay squares.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3)
        Of the tile.
    side : int
        Wanted, of the longer side.
    """
    height, width = pixels.shape[:2]
    return scaled_size(width, height, side)


def in_a_row(width: int) -> int:
    """How many tiles of a width, each with a line under it, stand side by side."""
    return max(1, (ROOM + GAP) // (max(width, NARROWEST) + GAP))


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """As `tile_size`, for a picture of ``width`` x ``height`` pixels."""
    longest = max(height, width)
    if longest <= side:
        factor = side // longest
        factor += factor * longest < 0.75 * side
        return width * factor, max(height * factor, 4)
    if longest <= 1.34 * side:
        return width, max(height, 4)
    return max(4, round(width * side / longest)), max(4, round(height * side / longest))
