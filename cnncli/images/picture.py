"""What an image is to the rest of the program: frames of raw numbers, and what the file said about them.

Legend: H rows, W columns, C channels (1 gray, 2 gray and opacity, 3 RGB, 4 RGB and opacity).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

Pixels = NDArray[Any]

#: The value that stands for white (and for opaque), by the name of the dtype.
FULL_SCALE: dict[str, float] = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
_AT_ONCE = 1 << 16  # pixels that are blended in one go: they stay in the cache


@record
class Text:
    """A text in a file: the comment of a JPEG or GIF (keyword ``Comment``), or one of PNG's texts."""

    keyword: str
    text: str
    language: str = ""
    translated: str = ""


@record
class GeoField:
    """A field of GeoTIFF or GDAL: tag, TIFF type, and its numbers, or its text as bytes."""

    tag: int
    type: int
    values: tuple[float, ...] | bytes


@record
class Metadata:
    """What travels with the pixels from the input file to the output file.

    Attributes
    ----------
    exif : bytes or None
        An EXIF block that starts at its TIFF header (``II*`` or ``MM*``). Its orientation is
        always 1, because the pixels are turned upright on reading.
    icc : bytes or None
        The ICC colour profile; always one for as many colour channels as the picture has.
    dpi : (x, y) or None
        Pixels per inch.
    halved : bool
        Whether the file held colour at half the resolution of brightness; a JPEG made from it does too.
    lossless : bool
        Whether the file was a WebP without loss; a WebP made from it is too.
    compressed : bool
        Whether the file was a TIFF of fewer bytes than its pixels take; a TIFF made from it is deflated.
    xmp : bytes or None
        An XMP packet as it was read: what belongs to another picture is taken out on writing.
    iptc : bytes or None
        IPTC-IIM data sets, also as they were read.
    texts : tuple of Text
        Comments and the like.
    color : tuple of (name, contents)
        PNG's chunks about colour: gAMA, cHRM, sRGB, cICP, mDCV, cLLI.
    geo : tuple of GeoField
        Where on the earth a TIFF's pixels lie, and which value stands for none.
    lost : tuple of str
        Names of what the file held besides and no output holds, for a note.
    turned : bool
        Whether the pixels were turned upright on reading.
    later : tuple of Metadata
        Of the pages from the second on, where they say something else than the first.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    halved: bool = False
    lossless: bool = False
    compressed: bool = False
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: tuple[Text, ...] = ()
    color: tuple[tuple[bytes, bytes], ...] = ()
    geo: tuple[GeoField, ...] = ()
    lost: tuple[str, ...] = ()
    turned: bool = False
    later: "tuple[Metadata, ...]" = ()

    @property
    def is_empty(self) -> bool:
        """Whether the file held nothing besides pixels; how it held those does not count."""
        return self == self.form

    @property
    def form(self) -> "Metadata":
        """How the file held its pixels, and nothing else."""
        return Metadata(halved=self.halved, lossless=self.lossless, compressed=self.compressed)


@record(eq=False)
class Picture:
    """An image, an animation, or the pages of a document.

    Attributes
    ----------
    frames : tuple of ndarray, each (H, W, C), uint8, uint16 or float32
        All of one dtype and one C. Full scale is 255, 65535 or 1.0. Colour is not premultiplied.
        C-contiguous, but 8-bit colour may be a view of pixels that are four bytes apart.
    alpha : bool
        True where the last channel is opacity (C is 2 or 4).
    format : str
        Where it came from, or what it is for: ``PNG``, ``JPEG``, ``TIFF``, ``GIF``, ``WEBP``, ``NPY``...
    metadata : Metadata
        EXIF, colour profile and resolution.
    durations : tuple of float
        Milliseconds that each frame is shown; empty for a still and for pages.
    loop : int or None
        How often an animation runs, 0 for ever; None where the file does not say.
    notes : tuple of str
        What a user should know about the file that was read: a sentence each, without its name.
    """

    frames: tuple[Pixels, ...]
    alpha: bool = False
    format: str = "PNG"
    metadata: Metadata = Metadata()
    durations: tuple[float, ...] = ()
    loop: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of every frame."""
        return self.frames[0].dtype

    @property
    def channels(self) -> int:
        """C, opacity included."""
        return int(self.frames[0].shape[2])

    @property
    def full_scale(self) -> float:
        """The value of white: 255, 65535 or 1."""
        return FULL_SCALE[self.dtype.name]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame."""
        return int(self.frames[0].shape[1]), int(self.frames[0].shape[0])

    @property
    def animated(self) -> bool:
        """True for frames that follow each other in time."""
        return bool(self.durations)


def with_depth(pixels: Pixels, bits: int) -> Pixels:
    """Give pixels another depth: full scale stays full scale, values are rounded to the nearest.

    Parameters
    ----------
    pixels : ndarray, any shape, uint8, uint16 or float32
        Float values outside 0 to 1 are clipped where an integer depth is asked for; NaN becomes 0.
    bits : int
        8 (uint8), 16 (uint16) or 32 (float32).

    Returns
    -------
    ndarray
        The same shape; the input itself where it has that depth already.
    """
    depth = pixels.dtype.itemsize * 8
    if depth == bits:
        return pixels
    if bits == 32:
        return np.divide(pixels, np.float32(FULL_SCALE[pixels.dtype.name]), dtype=np.float32)
    if depth == 8:
        return np.multiply(pixels, np.uint16(257), dtype=np.uint16)
    if depth == 16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    scaled = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(scaled, 0.0, 1.0, out=scaled)
    scaled *= np.float32(FULL_SCALE[dtype.name])
    np.rint(scaled, out=scaled)
    return scaled.astype(dtype)


def on_white(pixels: Pixels) -> Pixels:
    """Lay a frame on white by its opacity, the last channel.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, 2 or 4), uint8, uint16 or float32
        Integers are rounded to the nearest.

    Returns
    -------
    ndarray, shape (H, W, 1 or 3)
        Of the same dtype.
    """
    full = FULL_SCALE[pixels.dtype.name]
    exact = np.dtype(np.float32 if pixels.dtype == np.uint8 else np.float64)
    height, width, channels = pixels.shape
    out = np.empty((height, width, channels - 1), pixels.dtype)
    rows = max(1, _AT_ONCE // width)
    for at in range(0, height, rows):
        part = pixels[at : at + rows].astype(exact)
        opacity = part[..., -1:] / full
        blended = part[..., :-1] * opacity + full * (1 - opacity)
        out[at : at + rows] = np.rint(blended) if pixels.dtype.kind == "u" else blended
    return out
