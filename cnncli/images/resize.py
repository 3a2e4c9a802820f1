"""Resize images, and decode JPEGs no larger than needed."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from cnncli.images.decoding_limits import max_pixels
from cnncli.images.picture import Metadata, Picture
from cnncli.images.png_read import read_plain_png

_JPEG = b"\xff\xd8\xff"


#: Ways to interpolate, all of them antialiased but the nearest pixel.
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest")


def resized(
    pixels: NDArray[np.uint8], width: int, height: int, *, interpolation: str | None = None
) -> NDArray[np.uint8]:
    """Resize an image, antialiased where it becomes smaller.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C), uint8
        C is 1 or 3.
    width, height : int
        New size, 1 or more.
    interpolation : str or None
        Of `INTERPOLATIONS`, exactly as Pillow computes it; None: bilinear, and much smaller images are
        averaged over whole pixels first, which is faster.

    Returns
    -------
    ndarray, shape (height, width, C), uint8
        The input itself where it already has that size.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    from PIL import Image

    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
    if interpolation is None:
        small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    else:
        small = picture.resize((width, height), Image.Resampling[interpolation.upper()])
    return np.asarray(small).reshape(height, width, pixels.shape[2])


def resized_values(values: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """(height, width) bilinear interpolation of values (H, W), antialiased where there become fewer."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)


def read_reduced(data: bytes, side: int, *, name: str) -> tuple[Picture, tuple[int, int]]:
    """Read an image of which only a small version is needed.

    A JPEG is decoded at a half, a quarter or an eighth of its size, as long as both sides keep twice ``side``
    pixels: 11 megapixels take a sixth of the time. Small plain PNGs take a faster path.

    Parameters
    ----------
    data : bytes
        The file's content.
    side : int
        Final length of the shorter side in pixels.
    name : str
        Name in errors.

    Returns
    -------
    picture, (width, height)
        The image, and the upright size in the file.

    Raises
    ------
    CnncliError
        As ``read_picture`` does.
    """
    pixels = read_plain_png(data, max_pixels())
    if pixels is not None:
        return Picture((pixels,)), (pixels.shape[1], pixels.shape[0])
    if data.startswith(_JPEG):
        found = _reduced_jpeg(data, side)
        if found is not None:
            return found
    from cnncli.images.read import read_picture

    picture = read_picture(data, name=name, first=True)
    return picture, picture.size


def _reduced_jpeg(data: bytes, side: int) -> tuple[Picture, tuple[int, int]] | None:
    """A JPEG decoded at a fraction of its size, and its size; None where not suitable or damaged."""
    from cnncli.images.metadata import apply_orientation
    from cnncli.images.metadata_reading import read_orientation
    from cnncli.images.opening import open_image

    try:
        image = open_image(BytesIO(data), "JpegImagePlugin", "JPEG")
        width, height = image.size
        if image.mode not in ("L", "RGB") or min(width, height) < 4 * side or width * height > max_pixels():
            return None
        image.draft(None, (2 * side, 2 * side))
        image.load()
        orientation = read_orientation(image, BytesIO(data))
        pixels = np.asarray(image)
    except Exception:  # noqa: BLE001 - read_picture reports the damage
        return None
    pixels = apply_orientation(pixels if pixels.ndim == 3 else pixels[..., None], orientation)
    size = (width, height) if orientation < 5 else (height, width)
    return Picture((pixels,), False, "JPEG", Metadata()), size
