"""What an opened image says besides its pixels."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from cnncli.images import decode
from cnncli.images.exif import Exif, read_exif
from cnncli.images.metadata import fitting_profile, resolution
from cnncli.images.picture import Metadata

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def read_about(image: ImageFile, stream: IO[bytes], channels: int, *, alpha: bool) -> tuple[Metadata, int]:
    """Collect what is to travel with a picture.

    Parameters
    ----------
    image : PIL image
        Decoded, of any format but TIFF.
    stream : binary file
        What it was opened from.
    channels, alpha
        Of the pixels that it was decoded to.

    Returns
    -------
    metadata, orientation : Metadata, int
        The orientation, 1 to 8, is still to be applied.
    """
    exif = _exif(image)
    dpi = resolution(image.info) or resolution({"dpi": exif.dpi})
    if dpi and exif.orientation >= 5:
        dpi = dpi[::-1]
    lossless = False
    if image.format == "WEBP":
        stream.seek(0)
        lossless = decode.is_lossless_webp(stream.read())
    metadata = Metadata(
        exif=exif.block,
        icc=fitting_profile(image.info.get("icc_profile"), channels, alpha=alpha),
        dpi=dpi,
        halved=decode.halves_color(image),
        lossless=lossless,
    )
    return metadata, exif.orientation


def read_orientation(image: ImageFile, stream: IO[bytes]) -> int:
    """How an opened image has to be turned, 1 to 8."""
    del stream
    return _exif(image).orientation


def _exif(image: ImageFile) -> Exif:
    exif = read_exif(image.info.get("exif"))
    if image.format == "AVIF":  # the container's word counts; Source: MIAF, ISO/IEC 23000-22, 7.3.6.7
        from cnncli.records import replace

        return replace(exif, orientation=int(image.info.get("orientation", 1)))
    return exif
