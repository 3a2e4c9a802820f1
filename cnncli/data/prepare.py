"""Pictures of any size and kind as what a network takes in: one function for every command."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA
from cnncli.errors import CnncliError
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.images.faults import reading_fault, shown
from cnncli.images.picture import Picture, Pixels, on_white, with_depth
from cnncli.images.resize import read_reduced, resized
from cnncli.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cnncli.images.levels import Scale

#: How pictures of other shapes are brought to a network's: what sticks out is cut off, what is missing is
#: black, or width and height are scaled apart.
FITS = ("crop", "pad", "stretch")

MAX_SIDE = 4000  # pixels: positions in an image stay exact in float32

DETAIL = 10  # a digit may be this much smaller than the picture it is drawn in
_SHIFT = 22  # brightness is counted in units of 2^-22: 255 of them fit into 31 bits
_LUMA = np.array([round(weight * 2**_SHIFT) for weight in LUMA], np.int32)
_AT_ONCE = 1 << 16  # pixels that become gray in one go: they stay in the cache

Shape = tuple[int, int, int]


@record
class InputSpec:
    """What a network takes in.

    Attributes
    ----------
    shape : (H, W, C)
        C is 1 (gray) or 3 (red, green, blue).
    fit : str
        Of `FITS`.
    digits : bool
        Light digits on dark ground, as MNIST has them: others are inverted, cropped and centred.
    scales : mapping of str to Scale
        What is black and white in pictures deeper than 8 bits, by the name of their dtype.
    """

    shape: Shape
    fit: str = "crop"
    digits: bool = False
    scales: "Mapping[str, Scale]" = MappingProxyType({})

    @property
    def adapts_digits(self) -> bool:
        """Whether digits are turned."""
        return self.digits and self.shape[2] == 1


@record(eq=False)
class Prepared:
    """A network's input, and what was done to get it that the user might not expect.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C), uint8
    changes : tuple of str
        Of ``inverted``, ``cropped``, ``centred``, ``clipped``.
    clipped : int
        Numbers of the picture that lie beyond black or white.
    """

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()
    clipped: int = 0


def prepared(picture: Picture, input_spec: InputSpec) -> Prepared:
    """Bring a picture's first frame to what a network takes in.

    Numbers become bytes by the scale of their kind, opacity is laid on white, colour becomes gray or gray
    colour as the network asks, and then the picture is scaled until it fits. Digits go the way of `as_digit`.

    Raises
    ------
    CnncliError
        Where it cannot be told what is white in the picture, or it holds NaN.
    """
    frame, over = picture.frames[0], 0
    if frame.dtype != np.uint8:
        frame, over = eight_bits(picture, input_spec)
        picture = Picture((frame,), picture.alpha, picture.format)
    said = ("clipped",) if over else ()
    if input_spec.adapts_digits:
        from cnncli.data.digits import as_digit

        digit = as_digit(picture, input_spec.shape)
        return Prepared(digit.pixels, (*digit.changes, *said), over)
    return Prepared(as_input(picture, input_spec.shape, input_spec.fit), said, over)


def read_prepared(data: bytes, input_spec: InputSpec, *, name: str) -> Prepared:
    """Decode an image file and bring it to what a network takes in; ``name`` is what errors call the file.

    Raises
    ------
    CnncliError
        Where it is no whole image, or as `prepared` does.
    """

    def read() -> Prepared:
        picture, _ = read_for(data, input_spec, name=name)
        try:
            return prepared(picture, input_spec)
        except CnncliError as error:
            raise CnncliError(f"{shown(name)}: {error.message}", error.hint) from error

    return with_memory_retry(read, name)


def read_for(data: bytes, input_spec: InputSpec, *, name: str) -> tuple[Picture, tuple[int, int]]:
    """Decode an image file, no larger than a network needs it; also its own width and height."""
    side = max(input_spec.shape[:2]) * (DETAIL if input_spec.adapts_digits else 1)
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
    except OSError as error:
        raise reading_fault(error, path) from error


def eight_bits(picture: Picture, input_spec: InputSpec) -> tuple[NDArray[np.uint8], int]:
    """The first frame of a deeper picture in 8 bits, and how many of its numbers were clipped.

    Raises
    ------
    CnncliError
        As `prepared` does.
    """
    from cnncli.images.levels import clipped, scale_for, to_bytes, value_range_of

    frame = picture.frames[0]
    shades = frame[..., :-1] if picture.alpha else frame
    kind = frame.dtype.name
    extent = value_range_of(shades, highlights=picture.format != "NPY")
    scale = scale_for(extent, kind, input_spec.scales.get(kind))
    within = scale.low <= extent.low and extent.high <= scale.high
    over = 0 if within else clipped(shades, scale)
    eight = to_bytes(shades, scale)
    if picture.alpha:
        eight = np.concatenate([eight, _opacity(frame[..., -1:])], axis=2)
    return eight, over


def _opacity(opacity: Pixels) -> NDArray[np.uint8]:
    """Opacity in 8 bits; that of float arrays may reach 255."""
    if opacity.dtype == np.float32 and float(np.nanmax(opacity, initial=0.0)) > 2:
        opacity = opacity / np.float32(255)
    return np.asarray(with_depth(opacity, 8), np.uint8)


def as_input(picture: Picture, shape: Shape, fit: str = "crop") -> NDArray[np.uint8]:
    """Bring a picture of 8 bits to a network's input shape.

    Parameters
    ----------
    picture : Picture
        Its first frame is used: uint8.
    shape : (H, W, C)
        C is 1 or 3.
    fit : str
        Of `FITS`.

    Returns
    -------
    ndarray, shape (H, W, C), uint8
    """
    height, width, channels = shape
    pixels = picture.frames[0]
    if picture.alpha:
        pixels = on_white(pixels)
    if pixels.shape[2] == 3 and channels == 1:
        pixels = as_gray(pixels)
    there_h, there_w = pixels.shape[:2]
    if fit == "stretch":
        return np.broadcast_to(resized(pixels, width, height), shape)
    if fit == "pad":
        scale = min(height / there_h, width / there_w)
        fit_h, fit_w = (
            min(whole, max(1, round(there * scale))) for whole, there in ((height, there_h), (width, there_w))
        )
        out = np.zeros(shape, np.uint8)
        top, left = (height - fit_h) // 2, (width - fit_w) // 2
        out[top : top + fit_h, left : left + fit_w] = resized(pixels, fit_w, fit_h)
        return out
    scale = max(height / there_h, width / there_w)
    fit_h, fit_w = max(height, round(there_h * scale)), max(width, round(there_w * scale))
    pixels = resized(pixels, fit_w, fit_h)
    top, left = (fit_h - height) // 2, (fit_w - width) // 2
    return np.broadcast_to(pixels[top : top + height, left : left + width], shape)


def as_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness of colours, rounded to the nearest: (…, 3) becomes (…, 1).

    In whole numbers: sums of floats would depend on how many pixels are summed at once.
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
