"""The division of an image into tiles, and the job that describes it to native loops."""

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs
from cnncli.core.choices import (
    MIN_ADVANCE,
    SCRATCH_BUDGET,
    SLIDING_EXTENTS,
    SLIDING_TILES,
    STREAMED_BYTES,
    TILE_ROWS,
    TILE_SAMPLES,
    TILES_PER_THREAD,
)
from cnncli.core.native import processor
from cnncli.records import record

HEADER_BYTES = 64  # scratch before the rows: the count of clipped values, on its own cache line


@record(kw_only=True, eq=False)
class Surface:
    """An image to read with its border, and an output to write, both in memory.

    Attributes
    ----------
    src : ndarray, shape (H, W, C), uint8, uint16 or float32
        Samples of a row must be contiguous, or RGBX with all four bytes in memory; rows may have any
        pitch.
    out : ndarray, shape (Ho, Wo, Co)
        Co is 1 if ``luma`` is given, else C. Like ``src``; the fourth byte of RGBX becomes 255.
    xmap, ymap : ndarray of intp
        Source column or row of each column or row of the padded image, -1 for the fill.
    fill : float
        Value of pixels at -1 in the maps.
    luma : tuple of three floats or None
        Weights that combine 3 channels into one.
    stride : (x, y)
        Steps between output pixels.
    full_scale : float
        The value of white in the source: 255, 65535 or 1.
    absolute, scale, bias
        Mapping of a response: ``(|r| if absolute else r) * scale + bias``, then rounded and
        clamped to the type of ``out``.
    rows : int or None
        Rows of the whole output, where ``out`` holds some of them only; None: it holds all. Tiles are those
        of the whole, so that results do not depend on how it is divided.
    top, height : int, int or None
        Likewise of the source: the row of the picture that is the first of ``src``, and the picture's rows.
    """

    src: NDArray[np.generic]
    out: NDArray[np.generic]
    xmap: NDArray[np.intp]
    ymap: NDArray[np.intp]
    fill: float = 0.0
    luma: tuple[float, float, float] | None = None
    stride: tuple[int, int] = (1, 1)
    full_scale: float = 255.0
    absolute: bool = False
    scale: float = 1.0
    bias: float = 0.0
    rows: int | None = None
    top: int = 0
    height: int | None = None

    @property
    def whole_rows(self) -> int:
        """Rows of the whole output."""
        return int(self.out.shape[0]) if self.rows is None else self.rows

    @property
    def channels(self) -> int:
        """Samples of a pixel in scratch and output."""
        return int(self.out.shape[2])


@record(eq=False)
class TileJob:
    """A job record with its tiles, and the arrays that its addresses point to."""

    record: NDArray[np.void]
    count: int
    loaded_rows: int
    pitch: int
    surface: Surface
    held: list[NDArray[np.generic]]

    def point(self, name: str, values: NDArray[np.generic]) -> None:
        """Set a field to the address of an array, which the job keeps alive."""
        self.held.append(values)
        self.record[name] = values.ctypes.data

    def cut_into_rows(self) -> int:
        """Make tiles one row high, for loops of single pixels, which go through memory in its order then.

        Returns
        -------
        int
            The number of tiles, in place of `count`.
        """
        self.record["tile_height"] = 1
        return int(self.record["tiles_x"][0]) * len(self.surface.out)


def lay_out(
    kind: np.dtype[np.void],
    surface: Surface,
    *,
    extent: tuple[int, int],
    tile_rows: int = TILE_ROWS,
    tile_samples: int = TILE_SAMPLES,
    row_bytes_factor: int = 1,
    slides: int = 0,
    in_place: type[np.generic] | None = None,
    unit: int | None = None,
) -> TileJob:
    """Divide a surface into tiles.

    Parameters
    ----------
    kind : dtype
        A record type of ``jobs`` that begins with its `TILES`.
    surface : Surface
        Source and output.
    extent : (x, y)
        Padded pixels under the kernel.
    tile_rows : int
        Output rows of a tile, unless a tall kernel requires more or memory allows fewer.
    tile_samples : int
        Samples of a row of a tile, at most.
    row_bytes_factor : int
        Scratch rows of the loop for each loaded row.
    slides : int
        If not 0, the loop moves the rows that it still needs up when scratch is full, so that a tile may be
        taller than scratch, and fewer rows are loaded more than once; but there are so many tiles at least,
        where the kernel's height allows it.
    in_place : type or None
        Type of samples that the loop can read in place. If the source has this type, the first tile of a
        row is only as wide as its border requires.
    unit : int or None
        Samples that the loop processes at a time. If given, the last tile of a row of such a source is
        narrow too, and all others are whole units.

    Returns
    -------
    TileJob
        With the fields of `TILES` set. Tiles of loops that do not slide depend only on the image and the
        kernel; a loop that slides computes each pixel alike in whatever tile.
    """
    height, width, channels = surface.whole_rows, *surface.out.shape[1:]
    stride_x, stride_y = surface.stride
    extent_x, extent_y = extent
    target = processor()[3]
    together = target.tap_rows
    chunk = target.tap_chunk(1)
    narrow_end, unit = unit is not None, unit or chunk
    tile_samples = tile_samples // unit * unit
    tile_width = max(1, min(width, tile_samples // channels // stride_x))
    dense = (tile_width - 1) * stride_x + 1
    pitch = -(-((dense + extent_x - 1) * channels + 2 * chunk) // 16) * 16
    pitch += 16 if pitch % 1024 == 0 else 0  # rows at a distance of 4 KB would map to the same cache sets
    affordable = SCRATCH_BUDGET // (4 * pitch * row_bytes_factor) - extent_y
    tile_height = min(
        height, max(min(tile_rows, affordable), min(affordable, 2 * extent_y), extent_y // 2, 2)
    )
    if slides:
        tallest = max(tile_height, SLIDING_EXTENTS * extent_y)
        tile_height = min(tallest, max(tile_height, -(-width // tile_width) * height // slides))
    if tile_height < height:
        tile_height = max(together, tile_height - tile_height % together)
    inner_lo, inner_hi = _inner(surface.xmap)
    ready = in_place is not None and _can_read_in_place(surface, in_place)
    lead = tile_width
    if ready:
        lead = min(tile_width, -(-max(inner_lo * channels // stride_x, 1) // unit) * unit // channels)
        if narrow_end and stride_x == 1:
            inside = min(inner_hi - extent_x + 1, width) - lead
            tile_width = _whole_width(width - lead, inside, tile_width, max(unit // channels, 1))
    tiles_x, tiles_y = 1 + -(-(width - lead) // tile_width), -(-surface.out.shape[0] // tile_height)
    record = np.zeros(1, kind)
    loaded_rows = (tile_height - 1) * stride_y + extent_y
    if slides:
        advance = max(MIN_ADVANCE, min(affordable, 2 * extent_y))
        loaded_rows = min(loaded_rows, extent_y + max(stride_y, together) - 1 + advance)
    job = TileJob(record, tiles_x * tiles_y, loaded_rows, pitch, surface, [])
    numbers = {
        "src_type": jobs.RGBX if is_rgbx(surface.src) else jobs.ELEMENT_TYPES[surface.src.dtype],
        "src_pitch": surface.src.strides[0],
        "src_rows": surface.src.shape[0],
        "reads_in_place": int(ready),
        "gray": int(surface.luma is not None),
        **dict(zip(("red", "green", "blue"), surface.luma or (0.0, 0.0, 0.0), strict=True)),
        "channels": channels,
        "inner_lo": inner_lo,
        "inner_hi": inner_hi,
        "fill": surface.fill,
        "out_type": _out_type(surface.out),
        "out_pitch": surface.out.strides[0],
        "out_width": width,
        "out_height": surface.out.shape[0],
        "stride_x": stride_x,
        "stride_y": stride_y,
        "absolute": int(surface.absolute),
        "scale": surface.scale,
        "bias": surface.bias,
        "tiles_x": tiles_x,
        "lead": lead,
        "tile_width": tile_width,
        "tile_height": tile_height,
        "extent_x": extent_x,
        "extent_y": extent_y,
        "pitch": pitch,
    }
    for name, value in numbers.items():
        record[name] = value
    for name in ("src", "out", "xmap", "ymap"):
        job.point(name, getattr(surface, name))
    return job


def sliding_tiles(threads: int) -> int:
    """Minimum number of tiles for so many threads, for `lay_out`."""
    return max(SLIDING_TILES, TILES_PER_THREAD * threads)


def _whole_width(columns: int, inside: int, most: int, unit: int) -> int:
    """Width of tiles, in whole units, that minimises the last; ``inside`` columns touch no border."""
    widths = range(most, most // 2, -unit)
    return min(widths, key=lambda width: columns - max(inside // width, 0) * width)


def is_rgbx(pixels: NDArray[np.generic]) -> bool:
    """Whether an array (H, W, C) is 8-bit colour with an unused fourth byte after each pixel."""
    return pixels.dtype == np.uint8 and pixels.shape[2] == 3 and pixels.strides[1:] == (4, 1)


def _out_type(out: NDArray[np.generic]) -> int:
    """The output type: stores of floats bypass the caches if the output is too large for them.

    Memory then is not read before it is written, and the source stays in the caches.
    """
    if out.dtype == np.float32 and out.nbytes >= STREAMED_BYTES:
        return jobs.STREAMED
    if is_rgbx(out):
        return jobs.RGBX
    return jobs.ELEMENT_TYPES[out.dtype]


def _can_read_in_place(surface: Surface, kind: type[np.generic]) -> bool:
    """Whether rows are samples of a type, with a pitch of at least a chunk."""
    target = processor()[3]
    reach = target.tap_chunk(1) * surface.src.itemsize
    close = surface.luma is None and not is_rgbx(surface.src)
    return surface.src.dtype == kind and close and surface.src.strides[0] >= reach


def _inner(xmap: NDArray[np.intp]) -> tuple[int, int]:
    """The longest range of padded columns whose source columns increase by one."""
    steps = np.flatnonzero((np.diff(xmap) != 1) | (xmap[:-1] < 0))
    edges = np.concatenate(([-1], steps, [xmap.size - 1]))
    longest = int(np.argmax(np.diff(edges)))
    lo, hi = int(edges[longest]) + 1, int(edges[longest + 1]) + 1
    return (lo, hi) if xmap[lo] >= 0 else (lo, lo)
