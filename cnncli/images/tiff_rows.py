"""The rows of a TIFF page, decoded from those strips or tiles that hold them."""

import numpy as np

from cnncli.images.pages import Slices
from cnncli.images.picture import Picture, Pixels
from cnncli.images.row_source import RowSource, blank
from cnncli.images.tags import BrokenTagsError
from cnncli.images.tiff import (
    ASSOCIATED,
    BYTE_CODECS,
    EXTRA,
    PALETTE,
    RGB,
    STRIP_BYTES,
    STRIP_OFFSETS,
    STRIP_ROWS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    Page,
    Places,
    pages_metadata,
)
from cnncli.images.tiff_codecs import codec_of
from cnncli.images.tiff_decode import check_page, decode_page, is_plain_jpeg, places_in, remarks_on_kind
from cnncli.records import replace

_AT_ONCE = 1 << 22  # bytes of samples that are decoded at a time, about
_MOST_TOGETHER = 1 << 26  # bytes of samples that are compressed together, at most
_PLAIN = (0, 1, RGB, PALETTE)  # colour models that are decoded here as by Pillow
_UNCOMPRESSED = 1


def tiff_rows(data: Slices, page: Page, notes: tuple[str, ...] = ()) -> RowSource | str:
    """The rows of the only page of a TIFF file; a reason where they cannot be read without all others.

    ``notes`` are those on the file as a whole.
    """
    if why := _why_whole(page):
        return why
    check_page(page, odd=True)
    pieces = _Pieces(data, page)
    if pieces.together > _MOST_TOGETHER:
        return f"{pieces.rows:,} of its rows are compressed together"
    first, alpha = pieces.decoded(0, 1)
    metadata = pages_metadata(data, [page], first.shape[2], alpha=alpha)
    frame = blank((page.height, page.width, first.shape[2]), first.dtype)
    picture = Picture((frame,), alpha, "TIFF", metadata, notes=remarks_on_kind([page]) + notes)
    return RowSource(picture, pieces.fill)


def _why_whole(page: Page) -> str:
    if page.codec not in BYTE_CODECS and not is_plain_jpeg(page) and codec_of(page) is None:
        return f"TIFF of compression {page.codec} is decoded in one piece"
    if page.orientation != 1:
        return f"it is turned upright (orientation {page.orientation})"
    usual = page.samples == page.colors or page.tags.get(EXTRA) == (2,)
    odd = page.deep or page.bands
    if page.photometric not in _PLAIN or page.opacity == ASSOCIATED or not (odd or usual):
        return "its colours are converted in one piece"
    return ""


class _Pieces:
    """Strips or tiles of a page, whose rows are decoded as those of lower pages that hold some of them."""

    def __init__(self, data: Slices, page: Page) -> None:
        self.data = data
        self.planes = page.planes
        samples = page.samples // self.planes
        tiled = TILE_OFFSETS in page.places
        self.names = (TILE_OFFSETS, TILE_BYTES) if tiled else (STRIP_OFFSETS, STRIP_BYTES)
        self.columns = page.first(TILE_WIDTH, 0) if tiled else page.width
        rows = page.first(TILE_HEIGHT, 0) if tiled else min(page.first(STRIP_ROWS, page.height), page.height)
        if tiled and not (self.columns > 0 and rows > 0 and self.columns * samples * page.bits % 8 == 0):
            raise BrokenTagsError(f"tiles of {self.columns}x{rows} pixels")
        self.rows = max(1, rows)
        self.row = (self.columns * samples * page.bits + 7) // 8
        self.across, self.down = -(-page.width // self.columns), -(-page.height // self.rows)
        offsets = page.places.get(self.names[0], np.zeros(0, np.uint64))
        there, needed = len(offsets), self.planes * self.down * self.across
        if there < needed:
            raise BrokenTagsError(f"it has {there} strips or tiles of pixels where {needed} are needed")
        sizes = self._sizes(page, tiled=tiled)
        offsets, counts = places_in(data, page, sizes)
        if page.codec == _UNCOMPRESSED:
            if np.any(counts < sizes):
                raise BrokenTagsError("it has too few bytes of pixels")
            if not tiled:
                offsets, counts = self._split(page.height, offsets, counts)
        self.page = replace(page, tags={**page.tags, STRIP_ROWS: (self.rows,)})
        self.offsets, self.counts = (
            each.reshape(self.planes, self.down, self.across) for each in (offsets, counts)
        )
        self.together = self.row * self.rows * self.planes
        self.held = np.empty((0, 0, 0))  # rows that were decoded with the last wanted ones …
        self.held_at = 0  # … and where they begin

    def _sizes(self, page: Page, *, tiled: bool) -> Places:
        """Bytes of the samples of each piece of all planes."""
        sizes = np.full((self.planes, self.down, self.across), self.row * self.rows, np.uint64)
        if not tiled:
            sizes[:, -1] = self.row * (page.height - (self.down - 1) * self.rows)
        return sizes.ravel()

    def _split(self, height: int, offsets: Places, counts: Places) -> tuple[Places, Places]:
        """Cut strips that are not compressed into shorter ones of equal height."""
        most = max(1, _AT_ONCE // self.row)
        whole = self.rows
        rows = most if self.down == 1 else max(n for n in range(1, min(most, whole) + 1) if whole % n == 0)
        if rows >= whole:
            return offsets, counts
        per, short = -(-whole // rows), np.uint64(rows * self.row)
        steps = np.arange(per, dtype=np.uint64) * short
        starts, ends = offsets[:, None] + steps, offsets[:, None] + counts[:, None]
        lengths = np.minimum(ends - np.minimum(starts, ends), short)
        self.rows, self.down = rows, -(-height // rows)
        shape = (self.planes, -1)
        return (
            starts.reshape(shape)[:, : self.down].ravel(),
            lengths.reshape(shape)[:, : self.down].ravel(),
        )

    def decoded(self, first: int, stop: int) -> tuple[Pixels, bool]:
        """The rows of so many strips, or rows of tiles, and whether the last channel is opacity."""
        height = min(stop * self.rows, self.page.height) - first * self.rows
        step = max(1, _AT_ONCE // (self.row * self.rows * (stop - first)))
        parts = []
        for left in range(0, self.across, step):
            right = min(left + step, self.across)
            width = min(right * self.columns, self.page.width) - left * self.columns
            places = {
                name: each[:, first:stop, left:right].ravel()
                for name, each in zip(self.names, (self.offsets, self.counts), strict=True)
            }
            part = replace(self.page, width=width, height=height, places=places)
            parts.append(decode_page(self.data, part))
        pixels = parts[0][0] if len(parts) == 1 else np.concatenate([each for each, _ in parts], axis=1)
        return pixels, parts[0][1]

    def fill(self, out: Pixels, first: int) -> None:
        """Decode rows, from the first on, into an array."""
        done = 0
        while done < len(out):
            at = first + done - self.held_at
            if not 0 <= at < len(self.held):
                piece = (first + done) // self.rows
                some = max(1, _AT_ONCE // (self.together * self.across))
                stop = min(piece + some, -(-(first + len(out)) // self.rows))
                self.held, self.held_at = self.decoded(piece, stop)[0], piece * self.rows
                at = first + done - self.held_at
            rows = self.held[at : at + len(out) - done]
            out[done : done + len(rows)] = rows
            done += len(rows)
