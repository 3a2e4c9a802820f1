"""The program's representation of images: frames as arrays, and metadata of the file.

Legend: H rows, W columns, C channels (1 gray, 2 gray and opacity, 3 RGB, 4 RGB and opacity).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

Pixels = NDArray[Any]

#: The value of white (and of opaque), by the name of the dtype.
FULL_SCALE: dict[str, float] = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
_AT_ONCE = 1 << 16  # pixels blended at a time, so that they stay in the cache


@record
class Text:
    """A text in a file: the comment of a JPEG or GIF (keyword ``Comment``), or one of PNG's texts."""

    keyword: str
    text: str
    language: str = ""
    translated: str = ""


@record
class GeoField:
    """A field of GeoTIFF or GDAL: tag, TIFF type, and its values: numbers, or text as bytes."""

    tag: int
    type: int
    values: tuple[float, ...] | bytes


@record
class Metadata:
    """Metadata that is passed from the input file to the output file.

    Attributes
    ----------
    exif : bytes or None
        An EXIF block that starts at its TIFF header (``II*`` or ``MM*``). Its orientation is
        always 1, because the pixels are turned upright on reading.
    icc : bytes or None
        The ICC colour profile, which always fits the number of colour channels.
    dpi : (x, y) or None
        Pixels per inch.
    halved : bool
        Whether the file stored colour at half the resolution of luma; a JPEG made from it does too.
    lossless : bool
        Whether the file was a lossless WebP; a WebP made from it is too.
    compressed : bool
        Whether the file was a compressed TIFF; a TIFF made from it is compressed with Deflate.
    xmp : bytes or None
        An XMP packet as it was read; data about other images are removed on writing.
    iptc : bytes or None
        IPTC-IIM data sets as they were read.
    texts : tuple of Text
        Comments and other texts.
    color : tuple of (name, contents)
        PNG's colour chunks: gAMA, cHRM, sRGB, cICP, mDCV, cLLI.
    geo : tuple of GeoField
        GeoTIFF's position of the pixels on earth, and GDAL's value for missing data.
    axes : (channels, slices, times) or None
        Of what the pages are, in a stack of a microscope: the channel changes first, the time last.
    lost : tuple of str
        Names of further metadata of the file that cannot be written, for a note.
    turned : bool
        Whether the pixels were rotated or flipped to upright on reading.
    later : tuple of Metadata
        Metadata of the pages from the second on, where they differ from the first.
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
    axes: tuple[int, int, int] | None = None
    lost: tuple[str, ...] = ()
    turned: bool = False
    later: "tuple[Metadata, ...]" = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no metadata other than how the pixels were stored."""
        return self == self.form

    @property
    def form(self) -> "Metadata":
        """Only how the pixels were stored."""
        return Metadata(halved=self.halved, lossless=self.lossless, compressed=self.compressed)


@record(eq=False)
class Picture:
    """An image, an animation, or the pages of a document.

    Attributes
    ----------
    frames : tuple of ndarray, each (H, W, C), uint8, uint16 or float32
        All of one dtype and one C. Full scale is 255, 65535 or 1.0. Colour is not premultiplied.
        C-contiguous, except that 8-bit RGB may be a view of pixels with a stride of four bytes.
    alpha : bool
        True where the last channel is opacity (C is 2 or 4).
    format : str
        Format it was read from or is written to: ``PNG``, ``JPEG``, ``TIFF``, ``GIF``, ``WEBP``, ``NPY``...
    metadata : Metadata
        EXIF, colour profile, resolution and the like.
    durations : tuple of float
        Duration of each frame in milliseconds; empty for still images and pages.
    loop : int or None
        How often an animation is played, 0 for endless; None where the file does not say.
    notes : tuple of str
        Notes for the user about the file that was read, without its name.
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
        """C, including opacity."""
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
        """Whether the frames are an animation."""
        return bool(self.durations)


@record
class Facts:
    """What depends on all pixels of a picture.

    Attributes
    ----------
    white : float
        As ``picture_white``.
    opaque : bool
        Whether no pixel is transparent.
    top : float
        The largest value but opacity; 0 where nothing is to be known of it.
    """

    white: float
    opaque: bool
    top: float


def with_depth(pixels: Pixels, bits: int) -> Pixels:
    """Convert the depth of pixels: full scale stays full scale, values are rounded to the nearest.

    Parameters
    ----------
    pixels : ndarray, any shape, uint8, uint16 or float32
        Float values outside 0 to 1 are clipped when converted to integers; NaN becomes 0.
    bits : int
        8 (uint8), 16 (uint16) or 32 (float32).

    Returns
    -------
    ndarray
        Of the same shape; the input itself where it already has that depth.
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
    """Composite a frame on white by its opacity, the last channel.

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
