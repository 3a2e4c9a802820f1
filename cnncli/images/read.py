"""Read images: identified by their first bytes, checked for size before decoding, refused when damaged."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.images import decode, decoding_limits
from cnncli.images.formats import sniffed
from cnncli.images.limits import check_size, too_many
from cnncli.images.metadata import apply_orientation
from cnncli.images.metadata_reading import read_metadata, read_orientation
from cnncli.images.opening import configure_pillow, decoded_ahead, open_image
from cnncli.images.picture import Picture, Pixels
from cnncli.images.trailing_bytes import notes_at_end
from cnncli.records import record, replace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

_PREFIX = 4096
# Pillow's only messages for WebP, whether bytes or memory are missing.
_DAMAGED_OR_LARGE = ("could not create decoder object", "failed to read next frame")
#: Bytes that contain the headers of formats in which colour profiles may come first.
_HEADERS = 1 << 20


def read_picture(
    source: Path | bytes,
    *,
    max_pixels: int | None = None,
    name: str | None = None,
    first: bool = False,
    bands: bool = False,
) -> Picture:
    """Read an image file of any format, upright and at full depth.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    max_pixels : int or None
        Most pixels, over all frames, that may be decoded; None: the limit of this process.
    name : str or None
        Name in errors; by default the path, or "standard input" for bytes.
    first : bool
        Read only the first frame; others are neither decoded nor counted.
    bands : bool
        Accept any number of channels, not only gray or RGB with or without opacity.

    Returns
    -------
    Picture
        uint8, uint16 or float32 frames. Palettes, CMYK, YCbCr and LAB become RGB.

    Raises
    ------
    CnncliError
        Where it cannot be read, is not an image, is damaged or truncated, has too many pixels, or holds
        values that could only be read with a loss; without ``bands``, where it has other channels than gray
        or RGB with or without opacity.
    """
    label = _label(source, name)
    if max_pixels is None:
        max_pixels = decoding_limits.max_pixels()
    with naming_errors(label), _opened(source) as stream:
        prefix = first_part(stream)
        format, plugin = identified(stream, prefix, label)
        picture = _read(stream, (format, plugin), prefix, _ReadOptions(max_pixels, first))
        if not bands and picture.channels - picture.alpha not in (1, 3):
            raise CnncliError(
                f"it has {picture.channels} channels whose meaning is unknown; expected gray or RGB, with or "
                "without opacity",
                "Pick the channels first, for example with gdal_translate -b 1 -b 2 -b 3, or numpy.",
            )
        return picture


def read_frames(source: Path | bytes, *, name: str | None = None) -> Iterator[Picture]:
    """Read the frames of an animation, each as a picture with its duration; none of them is kept.

    Images that are no animation are read as by `read_picture`, frame by frame.

    Raises
    ------
    CnncliError
        As by `read_picture`, also after some frames; of pixels only those of one frame are counted.
    """
    label = _label(source, name)
    with naming_errors(label), _opened(source) as stream:
        prefix = first_part(stream)
        format, plugin = identified(stream, prefix, label)
        data = stream.read()
        if format == "GIF":
            yield from _gif_frames(data, plugin, label)
        elif format in decode.ANIMATED:
            yield from _moving_frames(data, (format, plugin), label)
        else:
            yield from _still_frames(data, label)


def _still_frames(data: bytes, label: str) -> Iterator[Picture]:
    picture = read_picture(data, name=label)
    for pixels in picture.frames:
        yield Picture((pixels,), picture.alpha, picture.format)


def _moment(pixels: Pixels, format: str, milliseconds: float) -> Picture:
    return Picture((pixels,), pixels.shape[2] == 4, format, durations=(milliseconds,))


def _gif_frames(data: bytes, plugin: str, label: str) -> Iterator[Picture]:
    from cnncli.images import gif

    layout = gif.read_layout(data)
    if len(layout.frames) < 2:
        yield from _still_frames(data, label)
        return
    if layout.cut:
        raise EOFError("it stops inside a frame")
    orientation = _orientation(data, ("GIF", plugin), layout.size)
    for frame, pixels in zip(layout.frames, gif.shown(data, layout), strict=True):
        yield _moment(apply_orientation(pixels, orientation), "GIF", frame.milliseconds)


def _moving_frames(data: bytes, known: tuple[str, str], label: str) -> Iterator[Picture]:
    format, plugin = known
    configure_pillow(decoding_limits.max_pixels())
    image = open_image(io.BytesIO(data), plugin, format)
    if _frame_count(image) < 2:
        yield from _still_frames(data, label)
        return
    orientation = _orientation(data, known, image.size)
    for pixels, milliseconds in decode.moving_frames(image):
        yield _moment(apply_orientation(pixels, orientation), format, milliseconds)


def _orientation(data: bytes, known: tuple[str, str], size: tuple[int, int]) -> int:
    """The orientation of an animation, after a look at its size."""
    most = decoding_limits.max_pixels()
    check_size((*size, 1), most)
    configure_pillow(most)
    stream = io.BytesIO(data)
    return read_orientation(open_image(stream, known[1], known[0]), stream)


@record
class _ReadOptions:
    """How many pixels may be decoded, and whether only the first frame is read."""

    pixels: int
    first: bool


def _read(stream: IO[bytes], known: tuple[str, str], prefix: bytes, options: _ReadOptions) -> Picture:
    match known[0]:
        case "NPY":
            from cnncli.images import npy

            check_size(npy.read_npy_size(_buffered(stream)), options.pixels)
            stream.seek(0)
            picture = npy.decode_npy(_buffered(stream))
            return replace(picture, notes=picture.notes + notes_at_end(stream, "NPY"))
        case "TIFF":
            from cnncli.images.pages import read_tiff

            return read_tiff(stream, options.pixels, first=options.first)
        case "PPM":
            from cnncli.images.pages import read_pnm

            return read_pnm(stream.read(), options.pixels, first=options.first)
        case "GIF":
            return _read_gif(stream, known[1], options)
        case "PNG":
            return _read_png(stream, known, prefix, options)
        case _:
            return _read_image(stream, known, prefix, options)


def read_size(source: Path | bytes, *, name: str | None = None) -> tuple[int, int, int]:
    """Read width, height and number of frames from an image file's header.

    Parameters
    ----------
    source, name
        As for ``read_picture``.

    Returns
    -------
    width, height, frames : int
        Upright size of the first frame, and how many frames ``read_picture`` will give.

    Raises
    ------
    CnncliError
        Where it cannot be read or is not an image.
    """
    label = _label(source, name)
    with naming_errors(label), _opened(source) as stream:
        prefix = first_part(stream)
        format, plugin = identified(stream, prefix, label)
        if format == "NPY":
            from cnncli.images import npy

            return npy.read_npy_size(_buffered(stream))
        if format == "TIFF":
            from cnncli.images.pages import Slices
            from cnncli.images.stacks import read_stack

            pages = read_stack(Slices(stream)).pages
            return (*pages[0].size, len(pages))
        if format == "GIF":
            from cnncli.images import gif

            layout = gif.read_layout(stream.read())
            return (*layout.size, max(1, len(layout.frames)))
        if format == "PPM":
            from cnncli.images import pnm

            return pnm.read_size(stream.read())
        image = open_image(stream, plugin, format)
        orientation = read_orientation(image, stream)
        width, height = image.size if orientation < 5 else image.size[::-1]
        return width, height, _frame_count(image)


def read_indices(path: Path) -> NDArray[np.integer]:
    """Read the numbers of a PNG's pixels, as they are stored: places in its palette, or gray levels.

    Parameters
    ----------
    path : Path
        A PNG with a palette, or gray of 1 to 16 bits.

    Returns
    -------
    ndarray, shape (H, W), uint8 or uint16

    Raises
    ------
    CnncliError
        Where it cannot be read, or has colours instead of numbers.
    """
    label = shown(path)
    with naming_errors(label), _opened(path) as stream:
        format, plugin = identified(stream, first_part(stream), label)
        image = open_image(stream, plugin, format) if format == "PNG" else None
        if image is None or not (image.mode in ("P", "L", "1") or image.mode.startswith("I;16")):
            raise CnncliError(
                f"it is {format}{'' if image is None else f' with colours ({image.mode})'}; expected a PNG "
                "with a palette, or gray, whose numbers are classes",
                "Save the numbers of classes as a PNG of 8 bits.",
            )
        configure_pillow(decoding_limits.max_pixels())
        check_size((*image.size, 1), decoding_limits.max_pixels())
        step = decode.gray_step(image)
        image.load()
        numbers = np.asarray(image)
        return numbers.astype(np.uint8) if image.mode == "1" else numbers // step


def _label(source: Path | bytes, name: str | None) -> str:
    if name is not None:
        return shown(name)
    return "standard input" if isinstance(source, bytes) else shown(source)


@contextlib.contextmanager
def _opened(source: Path | bytes) -> Iterator[IO[bytes]]:
    """Open a file so that it can be read twice: pipes and devices are first read to their end."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with source.open("rb") as stream:
        yield stream if stream.seekable() else io.BytesIO(stream.read())


def _buffered(stream: IO[bytes]) -> io.BufferedIOBase:
    assert isinstance(stream, io.BufferedIOBase)
    return stream


@contextlib.contextmanager
def naming_errors(label: str) -> Iterator[None]:
    """Turn exceptions in reading a file into errors that name it."""
    try:
        yield
    except CnncliError as error:
        message = error.message if error.message.startswith(label) else f"{label}: {error.message}"
        raise CnncliError(message, error.hint) from error
    except MemoryError as error:
        raise CnncliError(
            f"{label}: there is not enough memory to decode it",
            "Use a machine with more memory, or a smaller image.",
        ) from error
    except ImportError as error:
        raise CnncliError(
            f"cannot read {label}: a part of Pillow is missing here ({shown(str(error))})",
            "Install it again: pip install --force-reinstall pillow",
        ) from error
    except Exception as error:  # decoders raise any exception on damaged files
        if str(error) in _DAMAGED_OR_LARGE:
            raise CnncliError(
                f"{label} is damaged or truncated, or takes more memory than there is ({error}); "
                "expected a whole image file",
                "Copy it again, or free some memory.",
            ) from MemoryError()
        if isinstance(error, OSError) and error.errno:
            raise reading_fault(error, label) from error
        if type(error).__name__.startswith("DecompressionBomb"):
            raise CnncliError(
                f"{label}: an image inside it has more pixels than are decoded",
                "Raise --max-pixels if you trust the file.",
            ) from error
        raise _damaged(label, error) from error


def _damaged(label: str, error: BaseException) -> CnncliError:
    why = " ".join(str(error).split()) or type(error).__name__
    return CnncliError(
        f"{label} is damaged or truncated ({shown(why)}); expected a whole image file",
        "Copy, download or export it again.",
    )


def first_part(stream: IO[bytes]) -> bytes:
    """The beginning of a file, long enough for its format to be seen."""
    prefix = stream.read(_PREFIX)
    stream.seek(0)
    return prefix


def identified(stream: IO[bytes], prefix: bytes, label: str) -> tuple[str, str]:
    """Identify the format and Pillow's plugin for it."""
    if not prefix:
        raise CnncliError(f"{label} is empty; expected an image", "Check how the file was made.")
    known = sniffed(prefix)
    if (known is None or known[0] in ("ICO", "CUR")) and _is_tga(stream, label):
        known = ("TGA", "TgaImagePlugin")
    if known is None or known[0] in ("TIFF", "PSD"):
        _refuse_foreign(prefix, label)
    if known is None:
        raise CnncliError(
            f"{label} is not an image in a format that can be read; it begins with {_first_bytes(prefix)}",
            "Check the file: PNG, JPEG, TIFF, WebP, GIF, BMP, PPM, AVIF, .npy and the like are read.",
        )
    return known


def _refuse_foreign(prefix: bytes, label: str) -> None:
    """Refuse a file of a known format that is not read."""
    from cnncli.images.foreign import foreign

    found = foreign(prefix)
    if found is not None:
        what, hint = found
        unread = "" if "not an image" in what else ", which is not read"
        raise CnncliError(f"{label} is {what}{unread}; expected one of the formats of `cnncli formats`", hint)


def _first_bytes(prefix: bytes) -> str:
    start = prefix[:8]
    return repr(start.decode("ascii")) if start.isascii() else f"bytes {start.hex(' ')}"


def _is_tga(stream: IO[bytes], label: str) -> bool:
    """Recognise TGA, which has no signature at the start; version 2 has one at the end."""
    if label.lower().endswith(".tga"):
        return True
    length = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, length - 26))
    footer = stream.read(26)
    stream.seek(0)
    return footer[8:24] == b"TRUEVISION-XFILE"


def _frame_count(image: ImageFile) -> int:
    if image.format not in decode.ANIMATED:
        return 1
    frames = int(getattr(image, "n_frames", 1))
    return frames - 1 if getattr(image, "default_image", False) and frames > 1 else frames


def _read_image(stream: IO[bytes], known: tuple[str, str], prefix: bytes, options: _ReadOptions) -> Picture:
    format, plugin = known
    configure_pillow(options.pixels)
    decode.check_depth(format, stream.read(_HEADERS) if format in ("AVIF", "JPEG2000") else prefix)
    stream.seek(0)
    image = decoded_ahead(stream) or open_image(stream, plugin, format)
    frames = _frame_count(image)
    check_size((*image.size, 1 if options.first else frames), options.pixels)
    if frames > 1 or getattr(image, "default_image", False):
        moving, durations, loop = decode.animation_frames(image, first=options.first or frames == 1)
        channels = moving[0].shape[2]
        metadata, orientation = read_metadata(image, stream, channels, alpha=channels == 4)
        upright = tuple(apply_orientation(frame, orientation) for frame in moving)
        notes = notes_at_end(stream, format)
        return Picture(upright, channels == 4, format, metadata, durations, loop, notes)
    pixels, alpha = decode.still_pixels(image, stream)
    metadata, orientation = read_metadata(image, stream, pixels.shape[2], alpha=alpha)
    notes = decode.remarks_on_color(image.mode) + notes_at_end(stream, format)
    return Picture((apply_orientation(pixels, orientation),), alpha, format, metadata, notes=notes)


def _read_png(stream: IO[bytes], known: tuple[str, str], prefix: bytes, options: _ReadOptions) -> Picture:
    """Read a PNG, if necessary without invalid chunks because of which Pillow refuses it."""
    try:
        return _read_image(stream, known, prefix, options)
    except (CnncliError, MemoryError):
        raise
    except Exception:
        from cnncli.images import png_repair

        stream.seek(0)
        repaired = png_repair.repaired(stream.read())
        if repaired is None:
            raise
        data, notes = repaired
        picture = _read_image(io.BytesIO(data), known, data[:_PREFIX], options)
        return replace(picture, notes=notes + picture.notes)


def _read_gif(stream: IO[bytes], plugin: str, options: _ReadOptions) -> Picture:
    from cnncli.images import gif

    data = stream.read()
    layout = gif.read_layout(data)
    if layout.cut and not (options.first and layout.frames):
        raise EOFError("it stops inside a frame")
    if options.first:
        layout = replace(layout, frames=layout.frames[:1])
    count = len(layout.frames)
    if layout.pixels > options.pixels:
        check_size((*layout.size, count), options.pixels)
        raise too_many(count, "frames", layout.pixels, options.pixels)
    check_size((*layout.size, max(1, count)), options.pixels)
    if not count:
        raise EOFError("no frame in it")
    configure_pillow(options.pixels)
    stream.seek(0)
    image = open_image(stream, plugin, "GIF")
    frames = gif.composed(data, layout)
    alpha = frames[0].shape[2] == 4
    if count == 1 and gif.is_gray(layout.frames[0]):
        frames = (np.ascontiguousarray(frames[0][..., [0, 3] if alpha else [0]]),)
    metadata, orientation = read_metadata(image, stream, frames[0].shape[2], alpha=alpha)
    frames = tuple(apply_orientation(frame, orientation) for frame in frames)
    durations = tuple(frame.milliseconds for frame in layout.frames) if count > 1 else ()
    return Picture(frames, alpha, "GIF", metadata, durations, layout.plays, gif.remarks(data, layout))
