"""Limits on the number of pixels that are decoded."""

from cnncli.errors import CnncliError


def check_size(size: tuple[int, int, int], max_pixels: int) -> None:
    """Refuse empty frames, and more pixels than allowed.

    Parameters
    ----------
    size : (width, height, frames)
        Of the image.
    max_pixels : int
        Most pixels over all frames.

    Raises
    ------
    ValueError
        Where a frame is empty.
    CnncliError
        Where there are too many pixels.
    """
    width, height, frames = size
    if width < 1 or height < 1:
        raise ValueError(f"{width}x{height} pixels")
    if width * height * frames > max_pixels:
        many = f", {frames} frames" if frames > 1 else ""
        raise CnncliError(
            f"it has {width}x{height} pixels{many}; at most {max_pixels:,} pixels are decoded",
            f"Use --max-pixels {width * height * frames} if you trust the file.",
        )


def too_many(count: int, what: str, pixels: int, most: int) -> CnncliError:
    """The error for frames of different sizes that together have too many pixels."""
    return CnncliError(
        f"its {count} {what} have {pixels:,} pixels; at most {most:,} pixels are decoded",
        f"Use --max-pixels {pixels} if you trust the file.",
    )
