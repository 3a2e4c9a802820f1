"""What a step of the tour is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A line that stands for itself."""

    text: str


@dataclass(frozen=True, eq=False)
class Grid:
    """Numbers in rows and columns.

    Attributes
    ----------
    title : str
    values : ndarray, shape (rows, columns)
    digits : int
        After the decimal point.
    """

    title: str
    values: Numbers
    digits: int = 0

    @property
    def cells(self) -> list[list[str]]:
        """The numbers as they are shown."""
        return [[number(value, self.digits) for value in row] for row in self.values]


@dataclass(frozen=True)
class Working:
    """Grids beside each other, with signs between them.

    Attributes
    ----------
    grids : tuple of Grid
    signs : tuple of str
        One fewer than grids.
    """

    grids: tuple[Grid, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Map:
    """Numbers as a picture.

    Attributes
    ----------
    title : str
    values : ndarray, shape (rows, columns)
    gray : bool
        It is a picture: black is 0 and white its largest value. Otherwise it has a feature map's colours.
    """

    title: str
    values: Numbers
    gray: bool = False


@dataclass(frozen=True)
class Maps:
    """Pictures beside each other."""

    maps: tuple[Map, ...]


@dataclass(frozen=True)
class Table:
    """Words and numbers in columns, under heads."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Curve:
    """Values over steps."""

    title: str
    values: tuple[float, ...]


Part = Text | Formula | Working | Maps | Table | Curve


@dataclass(frozen=True)
class Step:
    """A step of the tour.

    Attributes
    ----------
    name : str
        By which it is called.
    title : str
    parts : tuple of Part
        From top to bottom.
    command : str
        To try next.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    command: str


def number(value: float, digits: int) -> str:
    """A number with so many digits after the point, and a hyphen for the minus sign; never ``-0``."""
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text
