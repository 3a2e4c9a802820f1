"""Decode Pillow's images to arrays: every mode is widened to gray or RGB, no depth is reduced."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.arrow import LAYOUTS
from cnncli.images.picture import Pixels
from cnncli.images.pillow_pixels import pixels_in_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

#: Formats whose frames are an animation; of others, only the first frame is read.
ANIMATED = frozenset({"PNG", "WEBP", "AVIF", "FLI"})

_DIRECT = frozenset({*LAYOUTS, "LA", "F"})
_WIDER = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB"}
_DEEP_PNG = {"RGB;16B": ("RGB", 3), "RGBA;16B": ("RGBA", 4), "LA;16B": ("RGBA", 2)}
_GRAY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}


def check_depth(format: str, head: bytes) -> None:
    """Refuse images that Pillow would reduce to 8 bits.

    Parameters
    ----------
    format : str
        The format by the file's first bytes.
    head : bytes
        The file's beginning, long enough to hold its headers.

    Raises
    ------
    CnncliError
        For deep SGI, JPEG 2000 in colour, and AVIF of 10 or 12 bits.
    """
    depth = 8
    if format == "SGI" and head[3:4] == b"\x02":
        depth = 16
    elif format == "JPEG2000" and (at := head.find(b"\xff\x4f\xff\x51")) >= 0:
        components, depth = int.from_bytes(head[at + 40 : at + 42], "big"), (head[at + 42] & 0x7F) + 1
        depth = 8 if components == 1 else depth
    elif format == "AVIF" and (at := head.find(b"av1C")) >= 0:
        flags = head[at + 6]
        depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    if depth > 8:
        raise CnncliError(
            f"it holds {depth}-bit colour, which could only be read as 8-bit in format {format}",
            "Convert it to 16-bit PNG or TIFF first.",
        )


def remarks_on_color(mode: str) -> tuple[str, ...]:
    """Notes on a mode whose colours are converted."""
    return (f"{mode} becomes RGB",) if mode in ("CMYK", "LAB") else ()


def still_pixels(image: ImageFile, stream: IO[bytes]) -> tuple[Pixels, bool]:
    """Decode one frame.

    Parameters
    ----------
    image : PIL image
        Opened, not loaded.
    stream : binary file
        The file it was opened from; 16-bit colour PNG is decoded twice.

    Returns
    -------
    pixels, alpha : ndarray (H, W, C), bool
        uint8, uint16 or float32.
    """
    raw_mode = image.tile[0].args if image.tile and image.format == "PNG" else ""
    if raw_mode in _DEEP_PNG:
        pixels = _deep_png(image, stream, str(raw_mode))
    else:
        image.load()
        pixels = mode_pixels(image)
    return _with_transparency(image, pixels, _GRAY_STEPS.get(str(raw_mode), 1))


def gray_step(image: ImageFile) -> int:
    """Between the levels of a PNG's pixels as Pillow decodes them: 17 where it has 4 bits."""
    raw_mode = image.tile[0].args if image.tile and image.format == "PNG" else ""
    return _GRAY_STEPS.get(str(raw_mode), 1)


def mode_pixels(image: Image) -> Pixels:
    """Widen a loaded image to gray, gray with opacity, RGB, or RGB with opacity: (H, W, C).

    The array may share the image's memory, which lives as long as the array but is overwritten when Pillow
    proceeds to the next frame.
    """
    mode = image.mode
    if mode == "1":
        image = image.convert("L")
    elif mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif mode in _WIDER:
        image = image.convert(_WIDER[mode])
    elif mode in ("CMYK", "LAB"):
        image = _color_managed(image)
    elif mode not in _DIRECT and not mode.startswith("I;16"):
        raise CnncliError(
            f"its pixels are of mode {mode} (32-bit integers), whose white is unknown",
            "Convert it to 16-bit or float first, for example with tifffile or ImageMagick.",
        )
    pixels = pixels_in_place(image) if image.mode in LAYOUTS else np.asarray(image)
    if mode.startswith("I;16"):
        pixels = pixels.astype(np.uint16, copy=False)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def halves_color(image: ImageFile) -> bool:
    """Whether a JPEG stores colour at half the resolution of luma (4:2:0), as most photographs do."""
    if image.format != "JPEG":
        return False
    from PIL.JpegImagePlugin import get_sampling

    return get_sampling(image) == 2


def is_lossless_webp(data: bytes) -> bool:
    """Tell from the chunks of a WebP file whether all of its frames are lossless.

    Parameters
    ----------
    data : bytes
        The whole file.

    Source: Google, WebP Container Specification, "Extended File Format".
    """
    kinds = set()
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        kinds.add(kind)
        # The chunks of an animation's frame follow 16 bytes for its position and duration.
        at += 8 + (16 if kind == b"ANMF" else size + size % 2)
    return b"VP8L" in kinds and b"VP8 " not in kinds


def _color_managed(image: Image) -> Image:
    """Convert CMYK or LAB to sRGB: with the embedded profile, or without where it is missing or damaged."""
    from io import BytesIO

    from PIL import ImageCms

    icc = image.info.get("icc_profile") or b""
    if image.mode == "CMYK" and icc[16:20] != b"CMYK":
        return image.convert("RGB")
    try:
        ink = image.mode == "CMYK"
        profile: Any = ImageCms.ImageCmsProfile(BytesIO(icc)) if ink else ImageCms.createProfile("LAB")
        convert = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), image.mode, "RGB")
        return ImageCms.applyTransform(image, convert) or image
    except (OSError, ImageCms.PyCMSError):
        if image.mode == "LAB":
            raise
        return image.convert("RGB")


def _deep_png(image: ImageFile, stream: IO[bytes], raw_mode: str) -> Pixels:
    """Decode 16-bit colour byte by byte.

    Pillow keeps one byte of each sample. For RGB and RGBA, it decodes the high bytes, and the low bytes
    when it is told that the byte order is the other one. Gray with opacity has four bytes per pixel, which
    are decoded as RGBA.
    """
    mode, channels = _DEEP_PNG[raw_mode]
    pixels = np.empty((image.height, image.width, channels), np.uint16)
    halves = pixels.view(np.uint8).reshape(image.height, image.width, channels, 2)
    if channels == 2:
        image.tile = [image.tile[0]._replace(args="RGBA")]
        image.load()
        return np.asarray(image).view(">u2").astype(np.uint16)
    from PIL.PngImagePlugin import PngImageFile

    stream.seek(0)
    high = 1 if sys.byteorder == "little" else 0
    image.load()
    halves[..., high] = np.asarray(image)
    stream.seek(0)
    again = PngImageFile(stream)
    again.tile = [again.tile[0]._replace(args=f"{mode};16L")]
    again.load()
    halves[..., 1 - high] = np.asarray(again)
    return pixels


def _with_transparency(image: ImageFile, pixels: Pixels, step: int) -> tuple[Pixels, bool]:
    """Convert the single transparent value or colour of a PNG or GIF to an opacity channel."""
    clear = image.info.get("transparency")
    channels = pixels.shape[2]
    if channels in (2, 4) or image.mode in ("P", "PA") or clear is None or isinstance(clear, bytes):
        return pixels, channels in (2, 4)
    values = clear if isinstance(clear, tuple) else (clear,)
    if len(values) != channels:
        return pixels, False
    mask = 0xFF if pixels.dtype == np.uint8 else 0xFFFF
    seen = np.zeros(pixels.shape[:2], bool)
    for channel, value in enumerate(values):
        seen |= pixels[..., channel] != min((int(value) & mask) * step, mask)
    opacity = seen[..., None].astype(pixels.dtype) * pixels.dtype.type(mask)
    return np.concatenate([pixels, opacity], axis=2), True


def animation_frames(
    image: ImageFile, *, first: bool = False
) -> tuple[tuple[Pixels, ...], tuple[float, ...], int | None]:
    """Decode all frames of an animation, or the first one, each as it is displayed.

    Returns
    -------
    frames, durations, loop
        uint8, (H, W, 3), or (H, W, 4) where any frame is partly transparent; milliseconds; number of plays, 0
        for endless, None where the file does not say.

    Raises
    ------
    CnncliError
        For animated PNG of 16 bits, which Pillow would reduce to 8.
    """
    frames: list[Pixels] = []
    durations: list[float] = []
    loop = image.info.get("loop")
    for frame, milliseconds in moving_frames(image, first=first):
        loop = image.info.get("loop", loop)
        frames.append(frame)
        durations.append(milliseconds)
    if first:
        durations = []
    return with_one_opacity(frames), tuple(durations), None if loop is None else int(loop)


def moving_frames(image: ImageFile, *, first: bool = False) -> Iterator[tuple[Pixels, float]]:
    """The frames of an animation one after the other, with milliseconds; errors as of `animation_frames`."""
    if image.tile and str(image.tile[0].args).endswith("16B"):
        raise CnncliError(
            "it is an animated PNG of 16 bits, whose frames could only be read as 8 bits",
            "Save its frames as single 16-bit PNG files.",
        )
    start = 1 if getattr(image, "default_image", False) else 0
    count = start + 1 if first else int(getattr(image, "n_frames", 1))
    for index in range(start, count):
        image.seek(index)
        image.load()
        frame = np.asarray(image.convert("RGBA"))
        opaque = frame[..., 3].min() == 255
        pixels = np.ascontiguousarray(frame[..., :3]) if opaque else frame
        yield pixels, float(image.info.get("duration", 0) or 0)


def with_one_opacity(frames: list[Pixels]) -> tuple[Pixels, ...]:
    """Add opacity to all frames, RGB or RGBA, where any of them has it."""
    if len({frame.shape[2] for frame in frames}) == 1:
        return tuple(frames)
    return tuple(
        frame if frame.shape[2] == 4 else np.concatenate([frame, np.full_like(frame[..., :1], 255)], axis=2)
        for frame in frames
    )
