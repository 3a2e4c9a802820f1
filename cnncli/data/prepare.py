"""Prepare images of any size and type as a network's input: one function for all commands."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA
from cnncli.errors import CnncliError
from cnncli.files.faults import input_fault, shown
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.images.picture import Picture, Pixels, on_white, with_depth
from cnncli.images.resize import read_reduced, resized
from cnncli.records import record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cnncli.images.levels import Scale

#: How images of other shapes are fitted to a network's input: cropped, padded with black, or stretched, with
#: width and height scaled independently.
FITS = ("crop", "pad", "stretch")

LONG_SIDES = ("truncated", "rounded")

MAX_SIDE = 4000  # pixels: positions in an image stay exact in float32

_SHIFT = 22  # luma is computed in units of 2^-22, so that 255 fits into 31 bits
_LUMA = np.array([round(weight * 2**_SHIFT) for weight in LUMA], np.int32)
_AT_ONCE = 1 << 16  # pixels converted to gray at a time, so that they stay in the cache

Shape = tuple[int, int, int]


@record
class Resize:
    """How the short side of an image is resized before the middle is cut out, for networks from elsewhere.

    Attributes
    ----------
    side : int
        Length of the short side in pixels, at least that of the network's input.
    interpolation : str
        Of `INTERPOLATIONS`.
    long_side : str
        Of `LONG_SIDES`: whether its length is truncated, as torchvision does, or rounded.
    """

    side: int
    interpolation: str = "bilinear"
    long_side: str = "truncated"

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of an image after it."""
        short, long = sorted((width, height))
        exact = self.side * long / short
        other = int(exact) if self.long_side == "truncated" else round(exact)
        return (self.side, other) if width <= height else (other, self.side)


@record
class InputSpec:
    """The input of a network, and how images are prepared for it.

    Attributes
    ----------
    shape : (H, W, C)
        C is 1 (gray) or 3 (red, green, blue).
    fit : str
        Of `FITS`.
    digits : bool
        Expect light digits on a dark background as in MNIST; others are inverted, cropped and centred.
    scales : mapping of str to Scale
        The values of black and white in images deeper than 8 bits, by the name of their dtype.
    resize : Resize or None
        Replaces ``fit``; None: images are made just as large as ``fit`` needs them.
    """

    shape: Shape
    fit: str = "crop"
    digits: bool = False
    scales: "Mapping[str, Scale]" = MappingProxyType({})
    resize: Resize | None = None

    @property
    def adapts_digits(self) -> bool:
        """Whether images of digits are inverted, cropped and centred."""
        return self.digits and self.shape[2] == 1


@record(eq=False)
class Prepared:
    """A network's input, and the changes that the user might not expect.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C), uint8
    changes : tuple of str
        Any of ``inverted``, ``cropped``, ``centred``, ``clipped``.
    clipped : int
        Number of the image's values beyond black or white.
    size : (H, W)
        Of the image as its file has it.
    """

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()
    clipped: int = 0
    size: tuple[int, int] = (0, 0)


def prepared(picture: Picture, input_spec: InputSpec) -> Prepared:
    """Convert an image's first frame to a network's input.

    Values become bytes by the scale of their dtype, transparency is composited on white, colour becomes gray
    or gray becomes RGB as the network requires, and the image is resized to fit. Digits are handled by
    `as_digit`.

    Raises
    ------
    CnncliError
        Where the value of white cannot be determined, or the image holds NaN.
    """
    frame, clipped_count = picture.frames[0], 0
    if frame.dtype != np.uint8:
        frame, clipped_count = eight_bits(picture, input_spec)
        picture = Picture((frame,), picture.alpha, picture.format)
    changes = ("clipped",) if clipped_count else ()
    if input_spec.adapts_digits:
        from cnncli.data.digits import as_digit, on_contrast

        gray = on_contrast(frame) if picture.alpha else _gray(frame)[..., 0]
        digit = as_digit(gray, input_spec.shape)
        if digit is None:
            return Prepared(as_input(picture, input_spec.shape), changes, clipped_count)
        return Prepared(digit.pixels, (*digit.changes, *changes), clipped_count)
    pixels = as_input(picture, input_spec.shape, input_spec.fit, input_spec.resize)
    return Prepared(pixels, changes, clipped_count)


def read_prepared(data: bytes, input_spec: InputSpec, *, name: str) -> Prepared:
    """Decode an image file and prepare it for a network; ``name`` is the file's name in errors.

    Raises
    ------
    CnncliError
        Where it is not a complete image, and as `prepared`.
    """

    def read() -> Prepared:
        picture, (width, height) = read_for(data, input_spec, name=name)
        return replace(prepared_as(picture, input_spec, name=name), size=(height, width))

    return with_memory_retry(read, name)


def prepared_as(picture: Picture, input_spec: InputSpec, *, name: str) -> Prepared:
    """As `prepared`, with ``name`` in errors."""
    try:
        return prepared(picture, input_spec)
    except CnncliError as error:
        raise CnncliError(f"{shown(name)}: {error.message}", error.hint) from error


def read_whole(data: bytes, *, name: str) -> tuple[Picture, tuple[int, int]]:
    """Decode an image file in all its pixels, for networks that are still to be chosen; as `read_for`."""
    return read_reduced(data, sys.maxsize, name=name)


def read_for(data: bytes, input_spec: InputSpec, *, name: str) -> tuple[Picture, tuple[int, int]]:
    """Decode an image file, no larger than the network needs; also return its own width and height.

    Before a `Resize` it is decoded whole: a reduced JPEG would differ by a level or two from what the
    network was trained with.
    """
    if input_spec.resize is not None:
        return read_reduced(data, sys.maxsize, name=name)
    side = max(input_spec.shape[:2])
    if input_spec.adapts_digits:
        from cnncli.data.digits import DETAIL

        side *= DETAIL
    return read_reduced(data, side, name=name)


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    CnncliError
        Where it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError: a NUL byte in the name
        raise input_fault(error, str(path)) from error


def eight_bits(picture: Picture, input_spec: InputSpec) -> tuple[NDArray[np.uint8], int]:
    """The first frame of a deeper image in 8 bits, and how many of its values were clipped.

    Raises
    ------
    CnncliError
        As `prepared` does.
    """
    from cnncli.images.levels import clipped, scale_for, to_bytes, value_range_of

    frame = picture.frames[0]
    shades = frame[..., :-1] if picture.alpha else frame
    kind = frame.dtype.name
    value_range = value_range_of(shades, highlights=picture.format != "NPY")
    scale = scale_for(value_range, kind, input_spec.scales.get(kind))
    within = scale.low <= value_range.low and value_range.high <= scale.high
    clipped_count = 0 if within else clipped(shades, scale)
    eight = to_bytes(shades, scale)
    if picture.alpha:
        eight = np.concatenate([eight, _opacity(frame[..., -1:])], axis=2)
    return eight, clipped_count


def _opacity(opacity: Pixels) -> NDArray[np.uint8]:
    """Opacity in 8 bits; that of float arrays may reach 255."""
    if opacity.dtype == np.float32 and float(np.nanmax(opacity, initial=0.0)) > 2:
        opacity = opacity / np.float32(255)
    return np.asarray(with_depth(opacity, 8), np.uint8)


def as_input(
    picture: Picture, shape: Shape, fit: str = "crop", resize: Resize | None = None
) -> NDArray[np.uint8]:
    """Convert an 8-bit image to a network's input shape.

    Parameters
    ----------
    picture : Picture
        Its first frame is used: uint8.
    shape : (H, W, C)
        C is 1 or 3.
    fit : str
        Of `FITS`.
    resize : Resize or None
        As in `InputSpec`.

    Returns
    -------
    ndarray, shape (H, W, C), uint8
    """
    height, width, channels = shape
    pixels = picture.frames[0]
    if picture.alpha:
        pixels = on_white(pixels)
    if channels == 1:
        pixels = _gray(pixels)
    place = placement(InputSpec(shape, fit, resize=resize), pixels.shape[1], pixels.shape[0])
    interpolation = resize.interpolation if resize else None
    pixels = resized(pixels, place.wide, place.high, interpolation=interpolation)
    if place.top < 0 or place.left < 0:
        out = np.zeros(shape, np.uint8)
        out[-place.top : place.high - place.top, -place.left : place.wide - place.left] = pixels
        return out
    inside = pixels[place.top : place.top + height, place.left : place.left + width]
    return np.broadcast_to(inside, shape)


@record
class Placement:
    """How an image lies under a network's input.

    Attributes
    ----------
    wide, high : int
        Pixels to which the image is resized.
    left, top : int
        The pixel of it that the input begins with; negative where the image is padded.
    """

    wide: int
    high: int
    left: int
    top: int


def placement(input_spec: InputSpec, width: int, height: int) -> Placement:
    """How an image of some size lies under a network's input; digits that are centred lie elsewhere."""
    rows, columns, _ = input_spec.shape
    if input_spec.resize is not None:  # halves of a pixel go to the even neighbour
        wide, high = input_spec.resize.size_of(width, height)
        return Placement(wide, high, round((wide - columns) / 2), round((high - rows) / 2))
    if input_spec.fit == "stretch":
        return Placement(columns, rows, 0, 0)
    if input_spec.fit == "pad":
        scale = min(rows / height, columns / width)
        high, wide = (
            min(whole, max(1, round(there * scale))) for whole, there in ((rows, height), (columns, width))
        )
        return Placement(wide, high, -((columns - wide) // 2), -((rows - high) // 2))
    scale = max(rows / height, columns / width)
    high, wide = max(rows, round(height * scale)), max(columns, round(width * scale))
    return Placement(wide, high, (wide - columns) // 2, (high - rows) // 2)


def moved_in(
    boxes: NDArray[np.float64], input_spec: InputSpec, sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Boxes of images where a network's input shows them.

    Parameters
    ----------
    boxes : ndarray, shape (M, 4)
        x, y, width and height in pixels of the image.
    input_spec : InputSpec
        How images are prepared.
    sizes : ndarray, shape (M, 2)
        Height and width of the image of each box.
    """
    scales, shifts = _frames(input_spec, sizes)
    return np.concatenate([boxes[:, :2] * scales + shifts, boxes[:, 2:] * scales], axis=1)


def moved_out(
    boxes: NDArray[np.float64], input_spec: InputSpec, sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Boxes of a network's input where the image has them: the inverse of `moved_in`."""
    scales, shifts = _frames(input_spec, sizes)
    return np.concatenate([(boxes[:, :2] - shifts) / scales, boxes[:, 2:] / scales], axis=1)


def _frames(
    input_spec: InputSpec, sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels of the input in a pixel of each image, along x and y, and where the image begins."""
    different, which = np.unique(sizes, axis=0, return_inverse=True)
    scales, shifts = np.empty((2, len(different), 2))
    for at, (height, width) in enumerate(different.tolist()):
        place = placement(input_spec, width, height)
        scales[at] = place.wide / width, place.high / height
        shifts[at] = -place.left, -place.top
    return scales[which], shifts[which]


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels of one channel as they are, others as their luma."""
    return pixels if pixels.shape[2] == 1 else as_gray(pixels)


def as_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of RGB pixels, rounded to the nearest: (…, 3) becomes (…, 1).

    Computed with integers: sums of floats would depend on how many pixels are processed at a time.
    """
    flat = pixels.reshape(-1, 3)
    out = np.empty((len(flat), 1), np.uint8)
    for at in range(0, len(flat), _AT_ONCE):
        red, green, blue = (flat[at : at + _AT_ONCE, c] * _LUMA[c] for c in range(3))
        red += green
        red += blue
        red += 1 << (_SHIFT - 1)
        red >>= _SHIFT
        out[at : at + _AT_ONCE, 0] = red
    return out.reshape(*pixels.shape[:-1], 1)
