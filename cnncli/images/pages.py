"""Read files with several pages: TIFF, and streams of PNM images."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cnncli.images import decode
from cnncli.images.limits import check_size, too_many
from cnncli.images.metadata import apply_orientation
from cnncli.images.opening import configure_pillow, open_image
from cnncli.images.picture import FULL_SCALE, Picture, Pixels, with_depth
from cnncli.images.tags import ORIENTATION
from cnncli.records import replace

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from cnncli.images.tiff import Page


class Slices:
    """A file that can be sliced, so that parts are read without the rest."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._length = stream.seek(0, os.SEEK_END)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._length)
        self._stream.seek(start)
        return self._stream.read(max(0, stop - start))


# Colour models of TIFF that become RGB, by their PhotometricInterpretation.
_COLOR_MODELS = {5: "CMYK", 8: "LAB"}


class _StartingAtPage:
    """A TIFF file whose header points to a certain page, so that Pillow reads only that page."""

    def __init__(self, stream: IO[bytes], header: bytes) -> None:
        self._stream = stream
        self._header = header

    def read(self, size: int = -1) -> bytes:
        at = self._stream.tell()
        data = self._stream.read(size)
        front = self._header[at : at + len(data)]
        return front + data[len(front) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def read_tiff(stream: IO[bytes], max_pixels: int, *, first: bool) -> Picture:
    """Read all pages of a TIFF file, or the first one."""
    from cnncli.images import tiff, tiff_decode
    from cnncli.images.stacks import read_stack

    data = Slices(stream)
    stack = read_stack(data, most=1 if first else None)
    pages, notes = stack.pages, () if first else stack.notes
    total = sum(page.width * page.height * (-(-page.samples // 4)) for page in pages)
    if total > max_pixels:
        check_size((pages[0].width, pages[0].height, 1), max_pixels)
        raise too_many(len(pages), "pages", total, max_pixels)
    configure_pillow(max_pixels)
    tiff.silence_libtiff()
    decoded: list[tuple[Pixels, bool]] = []
    for page in pages:
        odd = stack.shared or tiff_decode.is_odd(page, alone=len(pages) == 1)
        tiff_decode.check_page(page, odd=odd)
        decoded.append(tiff_decode.decode_page(data, page) if odd else _by_pillow(stream, page))
    frames, alpha = unified(decoded)
    metadata = tiff.pages_metadata(data, pages, frames[0].shape[2], alpha=alpha)
    metadata = replace(metadata, axes=stack.axes)
    models = {_COLOR_MODELS.get(page.photometric, "") for page in pages}
    colors = tuple(note for model in sorted(models) for note in decode.remarks_on_color(model))
    return Picture(frames, alpha, "TIFF", metadata, notes=colors + tiff_decode.remarks_on_kind(pages) + notes)


def _by_pillow(stream: IO[bytes], page: Page) -> tuple[Pixels, bool]:
    stream.seek(0)
    source: Any = (
        stream if page.at == page.header.first else _StartingAtPage(stream, page.header.pointing_to(page.at))
    )
    image = open_image(source, "TiffImagePlugin", "TIFF")
    image.load()
    pixels = decode.mode_pixels(image)
    upright = apply_orientation(pixels, _left_orientation(image))
    return upright, upright.shape[2] in (2, 4)


def _left_orientation(image: ImageFile) -> int:
    """The orientation still to be applied: where Pillow applies it, it deletes the tag."""
    tags = getattr(image, "tag_v2", {})
    value = int(tags.get(ORIENTATION, 1))
    return value if 1 <= value <= 8 else 1


def unified(decoded: list[tuple[Pixels, bool]]) -> tuple[tuple[Pixels, ...], bool]:
    """Convert pages to the largest depth and number of channels among them."""
    if len({(pixels.dtype, pixels.shape[2]) for pixels, _ in decoded}) == 1:
        return tuple(pixels for pixels, _ in decoded), decoded[0][1]
    alpha = any(opaque for _, opaque in decoded)
    color = max(pixels.shape[2] - own for pixels, own in decoded)
    bits = max(pixels.dtype.itemsize for pixels, _ in decoded) * 8
    frames = []
    for pixels, own in decoded:
        shades = with_depth(pixels[..., : pixels.shape[2] - own], bits)
        shades = np.broadcast_to(shades, (*shades.shape[:2], color))
        if alpha:
            full = FULL_SCALE[shades.dtype.name]
            opacity = with_depth(pixels[..., -1:], bits) if own else np.full_like(shades[..., :1], full)
            shades = np.concatenate([shades, opacity], axis=2)
        frames.append(np.ascontiguousarray(shades))
    return tuple(frames), alpha


def read_pnm(data: bytes, max_pixels: int, *, first: bool) -> Picture:
    """Read all images of a stream as pages, or only the first."""
    from cnncli.images import pnm

    decoded: list[tuple[Pixels, bool]] = []
    total, end = 0, 0
    at: int | None = 0
    while at is not None:
        header = pnm.read_header(data, at)
        total += header.width * header.height
        if total > max_pixels:
            check_size((header.width, header.height, 1), max_pixels)
            raise too_many(len(decoded) + 1, "images", total, max_pixels)
        check_size((header.width, header.height, 1), max_pixels)
        pixels, end = pnm.decode(data, header)
        decoded.append((pixels, header.alpha))
        at = None if first else pnm.following(data, end)
    frames, alpha = unified(decoded)
    notes = () if first else pnm.remarks(data, end)
    return Picture(frames, alpha, pnm.format_of(frames[0], alpha=alpha), notes=notes)
