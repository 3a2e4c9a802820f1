"""Encode images: what a format cannot hold is refused; opacity is composited on white instead."""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.formats import FORMATS, SUFFIXES
from cnncli.images.picture import Picture, Pixels, on_white, with_depth
from cnncli.images.row_source import blank
from cnncli.records import replace

if TYPE_CHECKING:
    from PIL.Image import Image

#: Default quality of lossy formats; from 90 on, JPEG keeps full colour resolution (4:4:4), unless no quality
#: is given and the input's colour was at half the resolution.
DEFAULT_QUALITY = 92
_FULL_COLOR_QUALITY = 90
_LOSSLESS = 100  # the quality at which WebP loses nothing
_ONCE_IN_A_FILE = ("exif", "icc_profile", "xmp", "comment", "extra")  # options that apply once per file
_APP13 = 0xFFED
_HALVED = 2  # Pillow's number for colour at half the resolution both ways (4:2:0)

#: The longest side that a format can store.
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535, "AVIF": 65_535, "TGA": 65_535}
#: The longest duration of a frame in milliseconds, and the most plays, that a format can store.
_LONGEST_FRAME = {"GIF": 655_350.0, "WEBP": 16_777_215.0, "PNG": 65_535_000.0, "AVIF": 2_147_483_647.0}
_MOST_PLAYS = {"GIF": 65_536, "WEBP": 65_535}
#: Formats that Pillow writes from RGB pixels with a stride of four bytes, without a copy.
KEEPS_FOUR_BYTES = frozenset({"JPEG"})
#: Formats that hold any number of channels.
KEEPS_CHANNELS = frozenset({"TIFF", "NPY"})
#: Formats that are written while their rows are made.
BAND_FORMATS = frozenset({"TIFF", "PNG", "NPY", "PPM", "PGM", "PBM", "PAM"})
#: Fewest pixels of a JPEG that is encoded in strips; below, one thread ends before others have started.
LEAST_PIXELS = 1 << 21


def encode_picture(
    picture: Picture,
    format: str,
    *,
    quality: int | None = None,
    compress: bool = False,
    bits: int | None = None,
    threads: int = 1,
) -> bytes:
    """Encode an image, as ``encode_with_losses`` does.

    Returns
    -------
    bytes
        The whole file.
    """
    options: dict[str, Any] = {"quality": quality, "compress": compress, "bits": bits, "threads": threads}
    return encode_with_losses(picture, format, **options)[0]


def encode_with_losses(
    picture: Picture,
    format: str,
    *,
    quality: int | None = None,
    compress: bool = False,
    bits: int | None = None,
    threads: int = 1,
) -> tuple[bytes, list[str]]:
    """Encode an image, and name the metadata that the format does not keep.

    Parameters
    ----------
    picture : Picture
        The image. Where the format holds no opacity, it is composited on white.
    format : str
        A key of ``FORMATS``, as ``format_for`` gives it.
    quality : int or None
        1 to 100, for JPEG, WebP, AVIF and JPEG 2000; by default 92, and lossless for JPEG 2000. 100 is
        lossless for WebP and JPEG 2000. Lossless formats have no quality.
    compress : bool
        Prefer small files to speed, for PNG, TIFF, JPEG (optimised, progressive) and WebP.
    bits : int or None
        8, 16 or 32 (float): convert so that full scale stays full scale, with rounding; None keeps the depth.
    threads : int
        Number of threads that compress; the bytes are the same for any number.

    Returns
    -------
    data, lost : bytes, list of str
        The file, and names of lost metadata such as ``EXIF`` or ``the colour profile``.

    Raises
    ------
    CnncliError
        Where the format cannot hold the image's depth, colours, frames or size, and for arguments out of
        range. The depth is never reduced unless ``bits`` says so.
    """
    support = FORMATS.get(format)
    if support is None:
        raise CnncliError(
            f"unknown format {format!r}; expected one of {', '.join(FORMATS)}", "Use --format png."
        )
    if bits not in (None, 8, 16, 32):
        raise CnncliError(f"cannot write {bits} bits; expected 8, 16 or 32", "Use --bits 16.")
    if quality is not None and not 1 <= quality <= 100:
        raise CnncliError(f"quality {quality} is out of range; expected 1 to 100", "Use --quality 92.")
    if bits is not None:
        picture = replace(picture, frames=tuple(with_depth(frame, bits) for frame in picture.frames))
    check_support(picture, format)
    if picture.alpha and not support.alpha:
        picture = replace(picture, frames=tuple(map(on_white, picture.frames)), alpha=False)
    picture, lost = _with_fitting_metadata(picture, format)
    return _encoded(picture, format, quality=quality, compress=compress, threads=threads), lost


def _with_fitting_metadata(picture: Picture, format: str) -> tuple[Picture, list[str]]:
    """An image with the metadata that a format keeps, and names of what it does not."""
    if picture.metadata.is_empty:
        return picture, []
    from cnncli.images.metadata_fitting import fitted_metadata

    metadata, lost = fitted_metadata(picture, format)
    return replace(picture, metadata=metadata), lost


def encode_bands(
    picture: Picture, format: str, bands: Iterable[Pixels], *, compress: bool = False, threads: int = 1
) -> tuple[Iterator[bytes | memoryview], list[str]]:
    """Encode an image of one frame whose pixels come in bands of rows; see `BAND_FORMATS`.

    Parameters
    ----------
    picture : Picture
        Its frame has shape and type of the whole, and no pixels.
    format, compress, threads
        As for `encode_with_losses`.
    bands : iterable of ndarray
        Rows from the top to the bottom; read as the file is written.

    Returns
    -------
    pieces, lost
        Of the file, which is the same as of all rows at once; and as from `encode_with_losses`.

    Raises
    ------
    CnncliError
        As `encode_with_losses`.
    """
    check_support(picture, format)
    if picture.alpha and not FORMATS[format].alpha:
        height, width, channels = picture.frames[0].shape
        picture = replace(picture, frames=(blank((height, width, channels - 1), picture.dtype),), alpha=False)
        bands = map(on_white, bands)
    picture, lost = _with_fitting_metadata(picture, format)
    return _pieces(picture, format, bands, compress=compress, threads=threads), lost


def _pieces(
    picture: Picture, format: str, bands: Iterable[Pixels], *, compress: bool, threads: int
) -> Iterator[bytes | memoryview]:
    """The pieces of a file of one frame."""
    if format == "NPY":
        from cnncli.images.npy import npy_pieces

        return npy_pieces(picture, bands)
    if format == "PNG":
        from cnncli.images.png import png_pieces

        return png_pieces(picture, bands, threads=threads)
    if format == "TIFF":
        from cnncli.images.tiff_write import tiff_pieces

        return tiff_pieces(picture, [bands], compress=compress, threads=threads)
    from cnncli.images.pnm import pnm_pieces

    return pnm_pieces(picture.frames[0].shape, picture.dtype, format, bands)


def _encoded(picture: Picture, format: str, *, quality: int | None, compress: bool, threads: int) -> bytes:
    """Encode an image that the format can hold."""
    if format == "PNG":
        from cnncli.images.png import encode_png

        return encode_png(picture, compress=compress, threads=threads)
    if format == "TIFF":
        from cnncli.images.tiff_write import encode_tiff

        return encode_tiff(picture, compress=compress, threads=threads)
    if format == "NPY":
        return b"".join(_pieces(picture, format, picture.frames, compress=compress, threads=threads))
    if format == "GIF":
        from cnncli.images.gif_write import encode_gif

        return encode_gif(picture)
    if format in ("PPM", "PGM", "PBM", "PFM", "PAM"):
        from cnncli.images.pnm import encode_pnm

        return b"".join(encode_pnm(frame, format) for frame in picture.frames)
    return _by_pillow(picture, format, quality=quality, compress=compress, threads=threads)


def check_support(picture: Picture, format: str) -> None:
    """Refuse an image of a depth, colours, frames or a size that a format cannot hold.

    Raises
    ------
    CnncliError
    """
    support, depth = FORMATS[format], picture.dtype.itemsize * 8
    if depth not in support.depths:
        what = "floating point" if depth == 32 else f"{depth}-bit"
        able = " ".join(s for s, name in SUFFIXES.items() if depth in FORMATS[name].depths)
        most = max(support.depths)
        raise CnncliError(
            f"{format} cannot hold {what} pixels; expected {' or '.join(map(str, support.depths))} bits",
            f"Use --bits {most}, or write one of {able}, which hold them.",
        )
    check_frames(picture, format)
    if support.gray and picture.channels > 2:
        raise CnncliError(
            f"{format} holds gray only; this image has colours", "Use --gray, or write .ppm or .png."
        )
    height, width = (max(frame.shape[axis] for frame in picture.frames) for axis in (0, 1))
    longest = _LONGEST.get(format, 2**31 - 1)
    if max(width, height) > longest:
        raise CnncliError(
            f"{format} holds at most {longest} pixels a side; this image has {width}x{height}",
            "Write .png or .tif.",
        )


def check_frames(picture: Picture, format: str) -> None:
    """Refuse frames or channels that a format cannot hold.

    Raises
    ------
    CnncliError
    """
    count, support = len(picture.frames), FORMATS[format]
    if picture.channels - picture.alpha not in (1, 3) and format not in KEEPS_CHANNELS:
        raise CnncliError(
            f"{format} holds gray or RGB, with or without opacity; "
            f"this image has {picture.channels} channels",
            "Write .npy or .tif, or pick the channels first.",
        )
    if count < 2 or format == "TIFF":
        return
    if not support.animation and (picture.animated or not support.pages):
        able = ".gif, .png or .webp" if picture.animated else ".tif"
        raise CnncliError(f"{format} holds one frame; this image has {count}", f"Write {able}.")
    if not support.pages and not picture.animated:
        raise CnncliError(
            f"{format} holds several frames only as an animation; "
            f"this image has {count} pages without timing",
            "Write .tif.",
        )
    if not support.pages and len({frame.shape for frame in picture.frames}) > 1:
        raise CnncliError(f"{format} holds frames of one size; these differ", "Write .tif.")


def _by_pillow(picture: Picture, format: str, *, quality: int | None, compress: bool, threads: int) -> bytes:
    if format == "WEBP" and quality is None and picture.metadata.lossless:
        quality = _LOSSLESS
    options = _metadata_options(picture, format) | _quality_options(format, quality, compress=compress)
    if format == "JPEG" and quality is None and picture.metadata.halved:
        options["subsampling"] = _HALVED
    _import_plugin(format)
    try:
        if format == "JPEG" and not compress and math.prod(picture.size) >= LEAST_PIXELS:
            return _in_strips(picture.frames[0], options, threads)
        images = [_image(frame, format) for frame in picture.frames]
        return _saved(images[0], format, options | _motion_options(picture, format, images[1:]))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CnncliError(
            f"{format} cannot hold this image of {picture.size[0]}x{picture.size[1]} pixels: {error}",
            "Write .png or .tif.",
        ) from error


def _motion_options(picture: Picture, format: str, others: list[Image]) -> dict[str, Any]:
    """Pillow's options for an animation: the other frames, their durations, and the number of plays."""
    if not picture.animated:
        return {}
    durations = [round(min(each, _LONGEST_FRAME[format])) for each in picture.durations]
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": durations}
    if format == "WEBP":
        options["loop"] = 1 if picture.loop is None else min(picture.loop, _MOST_PLAYS[format])
    return options


def timing_losses(picture: Picture, format: str) -> list[str]:
    """Notes on an animation's timing that a format cannot hold."""
    found = []
    longest = _LONGEST_FRAME.get(format, math.inf)
    if picture.durations and max(picture.durations) > longest:
        count = sum(each > longest for each in picture.durations)
        found.append(
            f"{count} of {len(picture.durations)} frames are shown for {longest / 1000:g} seconds, the"
            f" longest that {format} can state, instead of {max(picture.durations) / 1000:g} seconds"
            + (" at most" if count > 1 else "")
        )
    if len(picture.durations) > 1 and not FORMATS[format].animation:
        found.append(f"{format} has no timing: the {len(picture.durations)} frames become pages")
    most = _MOST_PLAYS.get(format, 2**32 - 1)
    if picture.animated and (picture.loop or 0) > most:
        found.append(f"the animation runs {most:,} times, as {format} can state no more than that")
    return found


def _in_strips(frame: Pixels, options: dict[str, Any], threads: int) -> bytes:
    """Encode a large JPEG in strips."""
    from cnncli.images.jpeg import encode_strips

    def encode(top: int, bottom: int) -> bytes:
        metadata = (
            options if top == 0 else {key: options[key] for key in options if key not in _ONCE_IN_A_FILE}
        )
        return _saved(_image(frame[top:bottom], "JPEG"), "JPEG", metadata)

    halved = options["subsampling"] == _HALVED and frame.shape[2] == 3
    return encode_strips(encode, frame.shape[:2], halved=halved, threads=threads)


def _saved(image: Image, format: str, options: dict[str, Any]) -> bytes:
    """Encode with Pillow's writer of the format, whose plugin is loaded."""
    from PIL.Image import SAVE

    with _memory_file() as out:
        if "save_all" in options:
            image.save(out, format=format, **options)
        else:
            # `Image.save` would first import the plugins of four other formats: 4 ms.
            image.encoderinfo, image.encoderconfig = dict(options), ()
            SAVE[format](image, out, "")
        out.seek(0)
        return out.read()


def _memory_file() -> IO[bytes]:
    """A file in memory, with a file descriptor where the system supports it.

    With a descriptor, Pillow lets other threads run while it encodes; with a `BytesIO` it does not, and two
    JPEGs at once take 86 ms instead of 47.
    """
    if hasattr(os, "memfd_create"):
        try:
            return os.fdopen(os.memfd_create("cnncli"), "w+b")
        except OSError:
            pass
    return io.BytesIO()


def _import_plugin(format: str) -> None:
    """Load one plugin of Pillow instead of all of them."""
    import importlib

    names = {"JPEG": "Jpeg", "WEBP": "WebP", "BMP": "Bmp", "AVIF": "Avif",
             "JPEG2000": "Jpeg2K", "TGA": "Tga"}  # fmt: skip
    importlib.import_module(f"PIL.{names[format]}ImagePlugin")


def _metadata_options(picture: Picture, format: str) -> dict[str, Any]:
    """Pillow's options for the metadata of an image."""
    metadata = picture.metadata
    options: dict[str, Any] = {}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif if format == "JPEG" else metadata.exif
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    if metadata.texts:
        options["comment"] = metadata.texts[0].text.encode()
    if metadata.iptc:
        from cnncli.images.iptc import in_photoshop

        segment = in_photoshop(metadata.iptc)
        options["extra"] = struct.pack(">HH", _APP13, len(segment) + 2) + segment
    if metadata.dpi and format == "JPEG":
        options["dpi"] = tuple(min(round(dpi), 65535) for dpi in metadata.dpi)
    elif metadata.dpi and format == "BMP":
        options["dpi"] = metadata.dpi
    return options


def _quality_options(format: str, quality: int | None, *, compress: bool) -> dict[str, Any]:
    chosen = DEFAULT_QUALITY if quality is None else quality
    if format == "JPEG":
        sampling = 0 if chosen >= _FULL_COLOR_QUALITY else _HALVED
        return {"quality": chosen, "subsampling": sampling, "optimize": compress, "progressive": compress}
    if format == "WEBP":
        lossless = chosen == _LOSSLESS
        return {"quality": 80 if lossless else chosen, "lossless": lossless, "exact": lossless,
                "method": 6 if compress else 4}  # fmt: skip
    if format == "AVIF":
        return {"quality": chosen}
    if format == "JPEG2000":
        if quality is None or quality == 100:
            return {"irreversible": False}
        return {"irreversible": True, "quality_mode": "dB", "quality_layers": [quality / 2]}
    return {}


def _image(frame: Pixels, format: str) -> Image:
    from PIL import Image

    height, width, channels = frame.shape
    if format in KEEPS_FOUR_BYTES and channels == 3 and frame.strides[1:] == (4, 1):
        four = np.lib.stride_tricks.as_strided(frame, (height, width, 4))
        return Image.frombuffer("RGBX", (width, height), four, "raw", "RGBX", 0, 1)
    image = Image.fromarray(frame[..., 0] if channels == 1 else frame)
    return image.convert("RGBA") if image.mode == "LA" and format in ("WEBP", "AVIF") else image
