"""The rows of a PNG, decompressed and unfiltered as they come.

zlib decompresses; Pillow undoes the filters of some rows at a time, as those of a small image whose first row
is the last one of the rows before, stored without a filter. So chunks are read once, with their checksums.
Source: W3C, Portable Network Graphics (PNG) Specification, Third Edition.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cnncli.images.limits import check_size
from cnncli.images.metadata_reading import read_metadata
from cnncli.images.opening import configure_pillow, open_image
from cnncli.images.picture import Picture, Pixels
from cnncli.images.row_source import RowSource, blank
from cnncli.images.trailing_bytes import notes_at_end
from cnncli.records import record

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
_PALETTE = 3
# By the bytes of a pixel: Pillow's mode, and the raw modes that together give all bytes.
_BYTES = {
    1: ("L", ("L",)), 2: ("LA", ("LA",)), 3: ("RGB", ("RGB",)), 4: ("RGBA", ("RGBA",)),
    6: ("RGB", ("RGB;16B", "RGB;16L")), 8: ("RGBA", ("RGBA;16B", "RGBA;16L")),
}  # fmt: skip
_AT_ONCE = 1 << 22  # bytes that are decoded at a time, about
_PIECE = 1 << 16  # bytes of a file that are read at a time

Bytes = NDArray[np.uint8]


@record
class PngHeader:
    """The beginning of a PNG: size, bits of a sample, colour type, and whether it is interlaced."""

    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return _SAMPLES.get(self.kind, 0)

    @property
    def row(self) -> int:
        """Bytes of a row, without its filter."""
        return (self.width * self.samples * self.depth + 7) // 8


def read_png_header(start: bytes) -> PngHeader | None:
    """The header in the first bytes of a file; None if it is not that of a PNG."""
    if start[:8] != _SIGNATURE or start[12:16] != b"IHDR" or len(start) < 29:
        return None
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", start[16:29])
    header = PngHeader(width, height, depth, kind, bool(interlaced))
    return header if header.samples and depth in (1, 2, 4, 8, 16) and width and height else None


def png_rows(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    """The rows of a PNG; a reason where they cannot be read without all others."""
    header = read_png_header(stream.read(29))
    if header is None:
        return "its header is damaged"
    if header.interlaced:
        return "it is interlaced"
    check_size((header.width, header.height, 1), max_pixels)
    configure_pillow(max_pixels)
    stream.seek(0)
    try:
        image = open_image(stream, "PngImagePlugin", "PNG")
    except SyntaxError:
        return "a chunk of it is damaged"
    if getattr(image, "n_frames", 1) > 1 or getattr(image, "default_image", False):
        return "it is an animation"
    if header.kind != _PALETTE and "transparency" in image.info:
        return "one of its colours is transparent"
    colors = _palette(stream) if header.kind == _PALETTE else None
    channels = header.samples if colors is None else colors.shape[1]
    alpha = channels in (2, 4)
    metadata, orientation = read_metadata(image, stream, channels, alpha=alpha)
    if orientation != 1:
        return f"it is turned upright (orientation {orientation})"
    frame = blank((header.height, header.width, channels), np.uint16 if header.depth > 8 else np.uint8)
    picture = Picture((frame,), alpha, "PNG", metadata, notes=notes_at_end(stream, "PNG"))
    return RowSource(picture, _Decoder(stream, header, colors).fill)


def _palette(stream: IO[bytes]) -> Bytes:
    """Colours by their numbers, (256, 3), or (256, 4) where some are transparent."""
    colors = np.zeros((256, 4), np.uint8)
    colors[:, 3] = 255
    clear = False
    for kind, length, at in _chunks(stream, 8):
        if kind == b"IDAT":
            break
        if kind in (b"PLTE", b"tRNS"):
            stream.seek(at)
            values = np.frombuffer(stream.read(min(length, 768)), np.uint8)
            if kind == b"PLTE":
                values = values[: len(values) // 3 * 3].reshape(-1, 3)
                colors[: len(values), :3] = values
            else:
                clear = True
                colors[: len(values[:256]), 3] = values[:256]
    return colors if clear else colors[:, :3]


def _chunks(stream: IO[bytes], at: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, length and offset of the contents of the chunks from an offset on."""
    while True:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length, at + 8
        at += 12 + length


class _Decoder:
    """Decodes rows from the top to the bottom, and begins again for one above."""

    def __init__(self, stream: IO[bytes], header: PngHeader, colors: Bytes | None) -> None:
        self.stream, self.header, self.colors = stream, header, colors
        self.first = next((at - 8 for kind, _, at in _chunks(stream, 8) if kind == b"IDAT"), None)
        self.begin()

    def begin(self) -> None:
        """Go to the first row."""
        self.next = 0
        self.above = np.zeros(self.header.row, np.uint8)
        self.packed = self._packed()
        self.zlib = zlib.decompressobj()
        self.rest = b""  # compressed bytes that were read

    def fill(self, out: Pixels, first: int) -> None:
        """Decode rows, from the first on, into an array."""
        if first < self.next:
            self.begin()
        step = max(1, _AT_ONCE // self.header.row)
        while self.next < first:
            self._rows(min(step, first - self.next))
        for at in range(0, len(out), step):
            part = out[at : at + step]
            part[:] = self._pixels(self._rows(len(part)))

    def _rows(self, count: int) -> Bytes:
        """The bytes of the next rows, without filters."""
        row = self.header.row
        filtered = self._unpacked(count * (row + 1))
        whole = np.empty((count + 1, row + 1), np.uint8)
        whole[0, 0], whole[0, 1:] = 0, self.above
        whole[1:] = np.frombuffer(filtered, np.uint8).reshape(count, row + 1)
        rows = _unfiltered(whole, max(1, self.header.samples * self.header.depth // 8))[1:]
        self.above = rows[-1].copy()
        self.next += count
        if self.next == self.header.height:
            self._end()
        return rows

    def _unpacked(self, count: int) -> bytes:
        """So many bytes of the decompressed stream."""
        parts = []
        while count:
            if not self.rest:
                self.rest = next(self.packed, b"")
            if self.zlib.eof or not self.rest:
                raise EOFError("it stops inside its pixels")
            part = self.zlib.decompress(self.rest, count)
            self.rest = self.zlib.unconsumed_tail
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _end(self) -> None:
        """Check the sums behind the last row."""
        while not self.zlib.eof:
            self.rest = self.rest or next(self.packed, b"")
            if not self.rest:
                raise EOFError("it stops inside its pixels")
            self.zlib.decompress(self.rest, _PIECE)
            self.rest = self.zlib.unconsumed_tail
        for _ in self.packed:
            pass

    def _packed(self) -> Iterator[bytes]:
        """The contents of the IDAT chunks, piece by piece."""
        for kind, length, at in _chunks(self.stream, self.first or 0):
            if kind != b"IDAT":
                return
            check = zlib.crc32(kind)
            for done in range(0, length, _PIECE):
                self.stream.seek(at + done)
                piece = self.stream.read(min(_PIECE, length - done))
                if len(piece) < min(_PIECE, length - done):
                    raise EOFError("it stops inside its pixels")
                check = zlib.crc32(piece, check)
                yield piece
            self.stream.seek(at + length)
            if self.stream.read(4) != check.to_bytes(4, "big"):
                raise ValueError("the checksum of a chunk of pixels is wrong")

    def _pixels(self, rows: Bytes) -> Pixels:
        header = self.header
        shape = (len(rows), header.width, header.samples)
        if header.depth == 16:
            return rows.view(">u2").reshape(shape)
        values = rows
        if header.depth < 8:
            bits = np.unpackbits(rows, axis=1).reshape(len(rows), -1, header.depth)
            step = 1 if self.colors is not None else 255 // (2**header.depth - 1)
            numbers = np.packbits(bits, axis=2)[:, : header.width, 0] >> (8 - header.depth)
            values = np.multiply(numbers, step, dtype=np.uint8)
        return values.reshape(shape) if self.colors is None else self.colors[values]


def _unfiltered(filtered: Bytes, size: int) -> Bytes:
    """Undo the filters of rows (n, 1 + bytes) with so many bytes a pixel; the first is a whole picture's."""
    from PIL import Image

    mode, raw = _BYTES[size]
    height, length = len(filtered), filtered.shape[1] - 1
    packed = zlib.compress(filtered.data, 0)
    halves = [
        np.asarray(Image.frombytes(mode, (length // size, height), packed, "zip", each, False))
        for each in raw
    ]
    rows = halves[0] if len(halves) == 1 else np.stack(halves, axis=-1)
    return rows.reshape(height, length)
