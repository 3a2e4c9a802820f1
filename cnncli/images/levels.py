"""Determine the values of black and white in images deeper than 8 bits.

For bytes, they follow from the type. But 16-bit files often hold 10 or 12 bits, and floats range from 0 to 1,
from 0 to 255, or are measurements. One rule applies everywhere:

- Floats: white is 1 where no values, or very few, are above 1 (these are clipped), and in formats whose
  white is 1 also where nine of ten values are at most 1 (HDR). Otherwise white is the maximum of 8, 10, 12,
  14 or 16 bits, the smallest that includes all values.
- 16 bits: white is the maximum of 8, 10, 12, 14 or 16 bits, the smallest that includes all values.

The rule is applied once to all images of a dataset; the resulting `Scale` is stored with the network. Values
that would use few of 256 levels on that scale are stretched. For a single image and a network without a scale
for its dtype, white follows from the type, and ambiguous images are refused: 16-bit values that fit into 14
bits may be a dark image, or one of 14 bits. An image much darker than all that the network was trained on is
treated the same.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.picture import Picture, Pixels, with_depth
from cnncli.records import record

#: The dtypes for which black and white must be determined.
DEEP = ("uint16", "float32")

_TOPS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # maxima of 8, 10, 12, 14 and 16 bits
_HAIR = 1.01  # times white: tolerance for rounding and resizing
_BEYOND_ONE = 2.0  # the largest value that may occur above a white of 1
_RARE = 0.01  # the largest share of values between the two that are clipped
_BELOW = 0.1  # times white: tolerance below black for resizing and sharpening
_HIGHLIGHTS = 9  # values up to 1 for each one above, where white is 1 and there are highlights
_FEWEST = 32  # of 256 levels that all values together must span, or else they are stretched
_MARGIN = 1 / 8  # of the span, added at both ends of a stretched range for unseen images
_EXPECTED = "0 to 255, 1,023, 4,095, 16,383 or 65,535"
#: 16-bit values up to this may be a dark image, or one of 12 bits.
MOST_OF_12_BITS = 4095
_MOST_OF_14_BITS = 16383
_DARKER = 0.5  # times the darkest training image: darker images of fewer bits are on another scale
_BEYOND = 2  # times white: larger values are on another scale, not overexposed


@record
class ValueRange:
    """The range of values in one or more images.

    Attributes
    ----------
    low, high : float
        Smallest and largest value.
    least, most : float
        Smallest and largest of the images' maxima (black images are ignored).
    count, small, large : int
        Number of all values; of those above 0 up to 1; of those above 1.
    whole : bool
        Whether all are whole numbers.
    highlights : bool
        Whether all come from formats whose white is 1 even if there are larger values.
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
    """The values that become 0 and 255.

    Attributes
    ----------
    low, high : float
        The values of black and white.
    least, most : float
        Smallest and largest maximum of the images from which the scale was chosen, as in `ValueRange`; used
        to recognise images on another scale.
    """

    low: float
    high: float
    least: float
    most: float


def value_range_of(shades: Pixels, *, highlights: bool = False) -> ValueRange:
    """The range of an image's values, without opacity.

    Parameters
    ----------
    shades : ndarray
        Of any shape, uint16 or float32.
    highlights : bool
        Whether the image's format has its white at 1.

    Raises
    ------
    CnncliError
        Where some values are not finite.
    """
    low, high = float(shades.min()), float(shades.max())
    if not np.isfinite((low, high)).all():
        wrong = int(np.count_nonzero(~np.isfinite(shades)))
        raise CnncliError(
            f"{wrong:,} of its {shades.size:,} values are NaN or infinite; expected finite values",
            "Fill them in before saving, for example with numpy.nan_to_num.",
        )
    if shades.dtype == np.uint16:
        return ValueRange(low, high, high, high, shades.size, 0, 0, True)
    large = int(np.count_nonzero(shades > 1)) if high > 1 else 0
    small = int(np.count_nonzero(shades > 0)) - large
    whole = bool(np.array_equal(shades, np.rint(shades)))
    return ValueRange(low, high, high, high, shades.size, small, large, whole, highlights)


def combined_range(extents: Iterable[ValueRange]) -> ValueRange:
    """The combined range of all images of a dataset, at least one."""
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
    """Whether an image that is not black has no values above 1 or, with 16 bits, above the range of 12."""
    return 0 < value_range.high <= (_HAIR if kind == "float32" else MOST_OF_12_BITS)


def levels_of_one(scale: Scale) -> float:
    """How many of 256 levels the values from 0 to 1 span on a scale."""
    return 255 / (scale.high - scale.low)


def choose_scale(value_range: ValueRange, kind: str) -> Scale:
    """Choose the scale of a dataset.

    Parameters
    ----------
    value_range : ValueRange
        The combined range of all images in all splits.
    kind : str
        One of `DEEP`.

    Raises
    ------
    CnncliError
        Where values lie below black or beyond all known scales.
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
    """The value of white before stretching."""
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
    """Choose the scale of one image for a network.

    Parameters
    ----------
    value_range : ValueRange
        The range of the image.
    kind : str
        One of `DEEP`.
    known : Scale or None
        The scale of the training images of this dtype, if there were any.

    Raises
    ------
    CnncliError
        Where the scale cannot be determined.
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
    """The full scale of 16 bits, unless the values suggest fewer bits."""
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
    """Whether values are clearly on a different scale than the training images."""
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
    """The white of floats without further information: 1 or 255.

    Negative values, which are filter responses, count by their magnitude.
    """
    largest = max(-value_range.low, value_range.high)
    if largest <= (1.0 if value_range.whole else _BEYOND_ONE):
        return 1.0
    bright = value_range.highlights and value_range.low >= 0 and not value_range.whole
    return 1.0 if bright and value_range.small >= _HIGHLIGHTS * value_range.large else _TOPS[0]


def picture_white(picture: Picture) -> float:
    """The white of an image whose values are kept as they are: by its type, and for floats 1 or 255.

    Values that are not finite are ignored.
    """
    dtype = picture.frames[0].dtype
    if dtype != np.float32:
        return picture.full_scale
    array = picture.format == "NPY"
    extents = []
    for frame in picture.frames:
        if picture.alpha and not array and float(frame[..., -1].max()) <= 1:
            return 1.0  # opacity shows the scale
        shades = _shades(picture, frame)
        largest = float(np.max(np.abs(shades), initial=0.0, where=np.isfinite(shades)))
        if largest > 1:
            finite = shades[np.isfinite(shades)]
            extents.append(value_range_of(finite, highlights=not array))
    return float_white(combined_range(extents)) if extents else 1.0


def white_of_bands(picture: Picture, bands: Iterable[Pixels]) -> float:
    """`picture_white` of a picture of one frame of floats, given band by band."""
    array = picture.format == "NPY"
    within_one, extents = picture.alpha and not array, []
    for rows in bands:
        within_one = within_one and float(rows[..., -1].max()) <= 1
        shades = _shades(picture, rows)
        finite = shades[np.isfinite(shades)]
        if finite.size:
            extents.append(value_range_of(finite, highlights=not array))
    if within_one or not extents:
        return 1.0
    whole = combined_range(extents)
    return float_white(whole) if max(-whole.low, whole.high) > 1 else 1.0


def _shades(picture: Picture, frame: Pixels) -> Pixels:
    """What of a frame is looked at for its white: an array's channels may all be measurements."""
    return frame if picture.format == "NPY" or not picture.alpha else frame[..., :-1]


def to_bytes(shades: Pixels, scale: Scale) -> NDArray[np.uint8]:
    """Scale values to 0 to 255; those beyond the scale are clipped.

    Parameters
    ----------
    shades : ndarray, any shape, uint16 or float32
        Finite.
    scale : Scale
        The values of black and white.
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
    """Number of values beyond a scale by more than float32 rounding."""
    slack = 1e-6 * (scale.high - scale.low)
    return int(np.count_nonzero((shades < scale.low - slack) | (shades > scale.high + slack)))
