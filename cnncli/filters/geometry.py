"""Sizes and regions as ImageMagick writes them: ``50%``, ``640x480>``, ``100x80+10+20``.

Source: ImageMagick, Command-line Processing, "Image Geometry".
"""

import re
from typing import Literal

from cnncli.errors import CnncliError
from cnncli.records import record

Shape = tuple[int, int]

MAX_SIDE = 1_000_000
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_SIZE = re.compile(rf"({_NUMBER})?(%)?(?:[xX×]({_NUMBER})?(%)?)?([!^<>])?")
_OFFSET = re.compile(r"([+-][0-9]{1,9})([+-][0-9]{1,9})")
Rule = Literal["", "!", "^", "<", ">"]
#: In words, what a size may be.
SIZES = "50%, 640x480, 640, x480, 640x480! (exactly), ^ (filled), > (only if larger) or < (only if smaller)"
AREAS = "640x480+10+20, or 640x480 or 50% by itself"
#: Rules in names of files, where their signs mean something to shells.
_RULES = {"": "", "!": "-exact", "^": "-filled", "<": "-enlarged", ">": "-reduced"}


@record
class Size:
    """A width, a height or both: in pixels, or as percentages.

    Attributes
    ----------
    width, height : float or None
        Not both None.
    percent : bool
        Of the picture's.
    rule : str
        ``!``: exactly this size. ``^``: the smallest of the picture's aspect that covers it. ``>``, ``<``:
        only to make pictures smaller or larger. Without one, the largest of that aspect that fits in.
    """

    width: float | None
    height: float | None
    percent: bool = False
    rule: Rule = ""

    def __str__(self) -> str:
        """As it is written."""
        unit = "%" if self.percent else ""
        width, height = (
            "" if side is None else f"{side:.9f}".rstrip("0").rstrip(".") + unit
            for side in (self.width, self.height)
        )
        if self.percent and width == height:
            return width + self.rule
        return f"{width}{'x' if height else ''}{height}{self.rule}"

    def of(self, shape: Shape) -> Shape:
        """(height, width) for a picture of (height, width); at least 1."""
        if self.percent:
            shares = (self.height, self.width)
            factors = [1.0 if share is None else share / 100 for share in shares]
        else:
            wanted = (self.height, self.width)
            each = [None if side is None else side / old for side, old in zip(wanted, shape, strict=True)]
            given = [factor for factor in each if factor is not None]
            if self.rule == "!":
                factors = [1.0 if factor is None else factor for factor in each]
            else:
                factors = [max(given) if self.rule == "^" else min(given)] * 2
        if (self.rule == ">" and min(factors) >= 1) or (self.rule == "<" and max(factors) <= 1):
            return shape
        height, width = (
            max(1, int(old * factor + 0.5 + 1e-9)) for old, factor in zip(shape, factors, strict=True)
        )
        return height, width


@record
class Area:
    """A part of a picture: its size, and how far it lies from where it is measured."""

    size: Size
    offset: tuple[int, int] | None = None

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.size}{'' if self.offset is None else '{:+d}{:+d}'.format(*self.offset)}"


def find_size(text: str) -> Size | None:
    """Read a size; None for other texts, and for a size of nothing."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or not (found[1] or found[3]):
        return None
    width, height = (None if part is None else float(part) for part in (found[1], found[3]))
    percent = any(found[place] for place in (2, 4))
    rule: Rule = found[5] or ""  # type: ignore[assignment]
    if percent and width is not None and height is None and "x" not in text.lower():
        height = width
    sides = [side for side in (width, height) if side is not None]
    if not all(0 < side <= MAX_SIDE for side in sides):
        return None
    whole = percent or all(side == int(side) for side in sides)
    return Size(width, height, percent=bool(percent), rule=rule) if whole else None


def find_area(text: str) -> Area | None:
    """Read a part of a picture, ``WxH+X+Y`` or ``WxH``; None for other texts."""
    text = text.strip()
    found = re.search(r"[+-]", text)
    size = find_size(text[: found.start()] if found else text)
    if size is None or size.rule or (not size.percent and (size.width is None or size.height is None)):
        return None
    if found is None:
        return Area(size)
    offset = _OFFSET.fullmatch(text[found.start() :])
    return None if offset is None else Area(size, (int(offset[1]), int(offset[2])))


def parse_size(text: str, kernel: str) -> Size:
    """Read the size of a kernel's SPEC.

    Raises
    ------
    CnncliError
        For another text.
    """
    size = find_size(text)
    if size is None:
        share = re.fullmatch(r"0?\.[0-9]{1,9}", text.strip())
        meant = f"{100 * float(text):g}%" if share and float(text) else "50%, or 640x480"
        raise CnncliError(
            f"{kernel}: size={text}; expected {SIZES}", f"Write for example: -k {kernel}:{meant}"
        )
    return size


def parse_area(text: str, kernel: str) -> Area:
    """Read the area of a kernel's SPEC.

    Raises
    ------
    CnncliError
        For another text.
    """
    area = find_area(text)
    if area is None:
        raise CnncliError(
            f"{kernel}: area={text}; expected {AREAS}", f"Write for example: -k {kernel}:640x480+10+20"
        )
    return area


def for_files(text: str) -> str:
    """A size or an area in names of files, without signs that mean something to shells."""
    rule = text[-1:] if text[-1:] in _RULES else ""
    return text.removesuffix(rule).replace("%", "percent") + _RULES[rule]
