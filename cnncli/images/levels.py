"""What is black and what is white in numbers that are deeper than bytes.

A byte says it by its type. 16 bits hold 10 or 12 as often as 16, and floats reach from 0 to 1, from 0 to
255, or count something. One rule reads them everywhere:

- Floats: white is 1 where nothing, or next to nothing, lies beyond 1 (what does is clipped), and in formats
  whose white is 1 also where nine of ten numbers do (HDR). Otherwise they are on the scale of 8, 10, 12, 14
  or 16 bits, the least that holds all of them.
- 16 bits: those of 8, 10, 12, 14 or 16 bits, the least that holds all of them.

It is asked once for all pictures of a data set; `Scale` is the answer, and travels with the network. Numbers
that would use few of 256 levels on that scale are stretched. Of a lone picture and a network that never saw
its kind, 16 bits are by their type, and what cannot be told is refused: 16 bits that would fit into 14 may be
a dark picture, or one of 14 bits. So is what a network that knows its kind has never seen so dark.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.picture import Picture, Pixels, with_depth
from cnncli.records import record

#: The kinds of numbers that a rule is needed for, by the name of their dtype.
DEEP = ("uint16", "float32")

_TOPS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # of 8, 10, 12, 14 and 16 bits
_HAIR = 1.01  # times white: what rounding and resizing leave above it
_BEYOND_ONE = 2.0  # the largest number that may stand above a white of 1
_RARE = 0.01  # the share of numbers between the two that are clipped; more of them are no accident
_BELOW = 0.1  # times white: what resizing and sharpening leave below black
_HIGHLIGHTS = 9  # numbers up to 1 for each one above, where white is 1 and there are highlights
_FEWEST = 32  # levels of 256 that all numbers together must reach over, or else they are stretched
_MARGIN = 1 / 8  # of their span, on either side of what is stretched, for pictures to come
_EXPECTED = "0 to 255, 1,023, 4,095, 16,383 or 65,535"
#: 16 bits that reach no further may be a dark picture, or one of 12 bits.
MOST_OF_12_BITS = 4095
_MOST_OF_14_BITS = 16383
_DARKER = 0.5  # times the darkest picture learned from: one below that, of fewer bits, is of another kind
_BEYOND = 2  # times white: numbers beyond that are on another scale, not a spot that is too bright


@record
class ValueRange:
    """Which numbers one picture holds, or many.

    Attributes
    ----------
    low, high : float
        The least and the greatest.
    least, most : float
        The smallest of the pictures' greatest numbers (black pictures do not count), and the largest.
    count, small, large : int
        Numbers in all; those above 0 up to 1; those above 1.
    whole : bool
        All are whole numbers.
    highlights : bool
        All come from formats whose white is 1, whatever lies above.
    """

    low: float
    high: float
    least: float
    most: float
    count: int
    small: int
    large: int
    whole: bool
    highlights: bool = False


@record
class Scale:
    """The numbers that become 0 and 255.

    Attributes
    ----------
    low, high : float
        They.
    least, most : float
        Of the pictures that this was decided by, as in `ValueRange`: another saver's are told by them.
    """

    low: float
    high: float
    least: float
    most: float


def value_range_of(shades: Pixels, *, highlights: bool = False) -> ValueRange:
    """See which numbers a picture's colours are, opacity left out.

    Parameters
    ----------
    shades : ndarray
        Of any shape, uint16 or float32.
    highlights : bool
        The picture's format has white at 1.

    Raises
    ------
    CnncliError
        Where some are no finite numbers.
    """
    low, high = float(shades.min()), float(shades.max())
    if not np.isfinite((low, high)).all():
        wrong = int(np.count_nonzero(~np.isfinite(shades)))
        raise CnncliError(
            f"{wrong:,} of its {shades.size:,} numbers are NaN or infinite; expected finite ones",
            "Fill them in before saving, for example with numpy.nan_to_num.",
        )
    if shades.dtype == np.uint16:
        return ValueRange(low, high, high, high, shades.size, 0, 0, True)
    large = int(np.count_nonzero(shades > 1)) if high > 1 else 0
    small = int(np.count_nonzero(shades > 0)) - large
    whole = bool(np.array_equal(shades, np.rint(shades)))
    return ValueRange(low, high, high, high, shades.size, small, large, whole, highlights)


def combined_range(extents: Iterable[ValueRange]) -> ValueRange:
    """The extent of all pictures of a data set; one at least."""
    ranges = list(extents)
    bright = [each.least for each in ranges if each.least > 0]
    return ValueRange(
        min(each.low for each in ranges),
        max(each.high for each in ranges),
        min(bright, default=0.0),
        max(each.most for each in ranges),
        sum(each.count for each in ranges),
        sum(each.small for each in ranges),
        sum(each.large for each in ranges),
        all(each.whole for each in ranges),
        all(each.highlights for each in ranges),
    )


def is_dim(value_range: ValueRange, kind: str) -> bool:
    """Whether a picture, other than a black one, does not go beyond 1, or with 16 bits not beyond 12."""
    return 0 < value_range.high <= (_HAIR if kind == "float32" else MOST_OF_12_BITS)


def levels_of_one(scale: Scale) -> float:
    """How many of 256 levels the numbers from 0 to 1 have on a scale."""
    return 255 / (scale.high - scale.low)


def choose_scale(value_range: ValueRange, kind: str) -> Scale:
    """Find the scale of a data set.

    Parameters
    ----------
    value_range : ValueRange
        Of all of its pictures, in all splits.
    kind : str
        Of `DEEP`.

    Raises
    ------
    CnncliError
        Where numbers lie below black, or beyond all known scales.
    """
    low, high = 0.0, _white_level(value_range, kind)
    if value_range.low < -_BELOW * high:
        raise CnncliError(
            f"pixels from {value_range.low:g} to {value_range.high:g}; expected 0 to 1, or {_EXPECTED}",
            "Save the pixels before they are normalised, which is done in training; -1 to 1 is (x + 1) / 2.",
        )
    span = value_range.high - max(0.0, value_range.low)
    bytes_ = value_range.whole and high == _TOPS[0]
    if 0 < span * 255 / high < _FEWEST and not bytes_:
        margin = _MARGIN * span
        low, high = max(0.0, value_range.low - margin), value_range.high + margin
        high = min(high, _TOPS[-1]) if kind == "uint16" else high
    return Scale(low, high, value_range.least, value_range.most)


def _white_level(value_range: ValueRange, kind: str) -> float:
    """The number that is white, before anything is stretched."""
    high = value_range.high
    if kind == "float32" and not (value_range.whole and high > 1):
        if high <= _HAIR:
            return 1.0
        if high <= _BEYOND_ONE:
            return 1.0 if value_range.large <= _RARE * value_range.count else high
        if (
            value_range.highlights
            and value_range.low >= 0
            and value_range.small >= _HIGHLIGHTS * value_range.large
        ):
            return 1.0
    slack = 1.0 if value_range.whole else _HAIR
    for top in _TOPS:
        if high <= top * slack:
            return top
    raise CnncliError(
        f"pixels from {value_range.low:g} to {high:g}; expected 0 to 1, or {_EXPECTED}",
        "Divide them by what is to be white before they are saved.",
    )


def scale_for(value_range: ValueRange, kind: str, known: Scale | None) -> Scale:
    """Find the scale of one picture, for a network.

    Parameters
    ----------
    value_range : ValueRange
        Of the picture.
    kind : str
        Of `DEEP`.
    known : Scale or None
        Of the pictures of that kind that the network learned from, if it has seen any.

    Raises
    ------
    CnncliError
        Where it cannot be told.
    """
    if known is not None and not _is_on_another_scale(value_range, kind, known):
        return known
    if kind == "uint16":
        return _of_16_bits(value_range)
    white = float_white(value_range)
    if value_range.low < -_BELOW * white or (value_range.high > white * _HAIR and white > 1):
        raise CnncliError(
            f"its pixels reach from {value_range.low:g} to {value_range.high:g}; expected 0 to 1 or 0 to 255",
            "Scale them so that black is 0 and white is 1, or train on such pictures.",
        )
    if white > 1 and not value_range.whole and value_range.high * 255 / white < _FEWEST / 2:
        raise CnncliError(
            f"its pixels reach {value_range.high:g}: too far for 0 to 1, and black for 0 to 255",
            "Scale them so that black is 0 and white is 1, or train on such pictures.",
        )
    return Scale(0.0, white, value_range.least, value_range.most)


def _of_16_bits(value_range: ValueRange) -> Scale:
    """The scale of 16 bits by their type, where nothing suggests that they are fewer."""
    if 0 < value_range.high <= _MOST_OF_14_BITS:
        bits, factor = (12, 16) if value_range.high <= MOST_OF_12_BITS else (14, 4)
        raise CnncliError(
            f"its 16-bit pixels reach {value_range.high:,.0f} of 65,535: "
            f"it is dark, or holds {bits} bits or less",
            f"Multiply the pixels so that white is 65,535 (by {factor} for {bits} bits), or train on such "
            "pictures.",
        )
    return Scale(0.0, _TOPS[-1], value_range.least, value_range.most)


def _is_on_another_scale(value_range: ValueRange, kind: str, known: Scale) -> bool:
    """Whether numbers are plainly on another scale than those learned from."""
    if known.low != 0 or value_range.high <= 0:
        return False
    if kind == "uint16":
        top = next(top for top in _TOPS if value_range.high <= top)
        darker = top < known.high and value_range.high < _DARKER * known.least and top < known.least
        return known.high in _TOPS and (darker or value_range.high > _BEYOND * known.high)
    if known.high == 1:
        return value_range.high > max(known.most, _BEYOND_ONE)
    if known.high not in _TOPS or value_range.high > _HAIR:
        return False
    return value_range.high < known.least or (known.least >= 1 and not value_range.whole)


def float_white(value_range: ValueRange) -> float:
    """White of floats that nothing else is known of: 1 or 255.

    Negative numbers, which are answers of filters, count by their magnitude.
    """
    largest = max(-value_range.low, value_range.high)
    if largest <= (1.0 if value_range.whole else _BEYOND_ONE):
        return 1.0
    bright = value_range.highlights and value_range.low >= 0 and not value_range.whole
    return 1.0 if bright and value_range.small >= _HIGHLIGHTS * value_range.large else _TOPS[0]


def picture_white(picture: Picture) -> float:
    """White of a picture whose numbers are kept as they are: by its type, and for floats 1 or 255.

    Numbers that are not finite do not count.
    """
    dtype = picture.frames[0].dtype
    if dtype != np.float32:
        return picture.full_scale
    array = picture.format == "NPY"
    extents = []
    for frame in picture.frames:
        shades = frame if array or not picture.alpha else frame[..., :-1]
        if picture.alpha and not array and float(frame[..., -1].max()) <= 1:
            return 1.0  # opacity tells it
        largest = float(np.max(np.abs(shades), initial=0.0, where=np.isfinite(shades)))
        if largest > 1:
            finite = shades[np.isfinite(shades)]
            extents.append(value_range_of(finite, highlights=not array))
    return float_white(combined_range(extents)) if extents else 1.0


def to_bytes(shades: Pixels, scale: Scale) -> NDArray[np.uint8]:
    """Bring numbers to 0 to 255; those beyond the scale are clipped.

    Parameters
    ----------
    shades : ndarray, any shape, uint16 or float32
        Finite.
    scale : Scale
        What is black and white.
    """
    whole: dict[Any, float] = {np.dtype(np.uint16): _TOPS[-1], np.dtype(np.float32): 1.0}
    if scale.low == 0 and scale.high == whole[shades.dtype]:
        return np.asarray(with_depth(shades, 8), np.uint8)
    values = shades.astype(np.float32)
    if scale.low:
        values -= np.float32(scale.low)
    if scale.high - scale.low != _TOPS[0]:
        values *= np.float32(255 / (scale.high - scale.low))
    np.rint(values, out=values)
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def clipped(shades: Pixels, scale: Scale) -> int:
    """How many numbers lie beyond a scale, by more than rounding of float32."""
    slack = 1e-6 * (scale.high - scale.low)
    return int(np.count_nonzero((shades < scale.low - slack) | (shades > scale.high + slack)))
