"""Files to pictures."""

import io
from pathlib import Path

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.faults import reading_fault, shown
from cnncli.images.picture import Picture

#: Pixels over all frames that are decoded without being asked twice.
DEFAULT_MAX_PIXELS = 500_000_000


def read_picture(
    source: Path | bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, name: str | None = None
) -> Picture:
    """Read a picture."""
    from PIL import Image, UnidentifiedImageError

    label = name or (shown(source) if isinstance(source, Path) else "standard input")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise CnncliError(
                    f"{label} has {width}x{height} pixels; at most {max_pixels} are allowed", "Raise --max-pixels."
                )
            mode = image.mode
            if mode not in {"L", "LA", "RGB", "RGBA"}:
                image = image.convert("RGBA" if "transparency" in image.info else "L" if mode == "1" else "RGB")
            pixels = np.asarray(image)
    except UnidentifiedImageError as error:
        raise CnncliError(f"{label} is not an image that can be read", "Check the file.") from error
    except OSError as error:
        raise reading_fault(error, label) from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return Picture((np.ascontiguousarray(pixels),), pixels.shape[2] in (2, 4), image.format or "PNG")


def read_size(source: Path | bytes, *, name: str | None = None) -> tuple[int, int, int]:
    """Width, height and number of frames."""
    from PIL import Image

    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return image.width, image.height, getattr(image, "n_frames", 1)
