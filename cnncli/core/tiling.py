"""How an image is cut into tiles, and the job that describes it to native loops."""

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs
from cnncli.core.native import processor
from cnncli.records import record

HEADER_BYTES = 64  # scratch before the rows: the count of clipped values, on a cache line of its own
TILE_SAMPLES = 960  # of a row, at most: 4 KB of float32; whole chunks of the target
TILE_ROWS = 32
STREAMED_BYTES = 32 << 20  # of an output: what most last-level caches have
SLIDING_EXTENTS = 16  # heights of a kernel in a tile, at most
SLIDING_TILES = 32  # of an image, at least: enough for every thread to have some
LEAST_ADVANCE = 32  # rows that a tile goes on before it moves rows up
SCRATCH_BUDGET = 384 * 1024  # bytes of loaded rows: a share of the second-level cache


@record(kw_only=True, eq=False)
class Surface:
    """An image to read through a border and an output to write, both in memory.

    Attributes
    ----------
    src : ndarray, shape (H, W, C), uint8, uint16 or float32
        Samples of a row must be contiguous, or colours of uint8 whose pixels are four bytes rgbx, with all
        four in memory; rows may have any pitch.
    out : ndarray, shape (Ho, Wo, Co)
        Co is 1 where ``luma`` is given, else C. Like ``src``; a fourth byte becomes 255.
    xmap, ymap : ndarray of intp
        Source column or row of each one of the padded image, -1 for the fill.
    fill : float
        Value of pixels that the maps call -1.
    luma : tuple of three floats or None
        Weights that turn a source of 3 channels into one.
    stride : (x, y)
        Steps between output pixels.
    full_scale : float
        What counts as white in the source: 255, 65535 or 1.
    absolute, scale, bias
        What becomes of a response: ``(|r| if absolute else r) * scale + bias``, then rounded and
        clamped to the type of ``out``.
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

    @property
    def channels(self) -> int:
        """Samples of a pixel in scratch and output."""
        return int(self.out.shape[2])


@record(eq=False)
class TileJob:
    """A job record with its tiles laid out, and the arrays that its addresses point to."""

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


def lay_out(
    kind: np.dtype[np.void],
    surface: Surface,
    *,
    extent: tuple[int, int],
    tile_rows: int = TILE_ROWS,
    row_bytes_factor: int = 1,
    slides: bool = False,
    in_place: type[np.generic] | None = None,
    unit: int | None = None,
) -> TileJob:
    """Cut a surface into tiles.

    Parameters
    ----------
    kind : dtype
        A record type of ``jobs`` that begins with its `TILES`.
    surface : Surface
        What to read and write.
    extent : (x, y)
        Padded pixels under the kernel.
    tile_rows : int
        Output rows of a tile, unless a tall kernel asks for more or memory for fewer.
    row_bytes_factor : int
        Scratch rows that the loop keeps for each loaded row.
    slides : bool
        Whether the loop moves the rows that it still needs up when scratch is full, so that a tile may be
        taller than scratch is. Rows under the kernel are then loaded for fewer tiles again.
    in_place : type or None
        Of samples that the loop can read where they lie. If the source has such, the first tile of a
        row is only as wide as its border asks.
    unit : int or None
        Samples that the loop takes at a time. If it is given, the last tile of a row of such a source is
        narrow as well, and all others are whole units.

    Returns
    -------
    TileJob
        With the fields of `TILES` set. The cut depends on the image and the kernel alone, not on
        the number of threads, so that results do not either.
    """
    height, width, channels = surface.out.shape
    stride_x, stride_y = surface.stride
    extent_x, extent_y = extent
    target = processor()[3]
    together = target.tap_rows
    chunk = target.tap_chunk(1)
    narrow_end, unit = unit is not None, unit or chunk
    tile_samples = TILE_SAMPLES // unit * unit
    tile_width = max(1, min(width, tile_samples // channels // stride_x))
    dense = (tile_width - 1) * stride_x + 1
    pitch = -(-((dense + extent_x - 1) * channels + 2 * chunk) // 16) * 16
    pitch += 16 if pitch % 1024 == 0 else 0  # rows 4 KB apart would fall into the same cache sets
    affordable = SCRATCH_BUDGET // (4 * pitch * row_bytes_factor) - extent_y
    tile_height = min(
        height, max(min(tile_rows, affordable), min(affordable, 2 * extent_y), extent_y // 2, 2)
    )
    if slides:
        tallest = max(tile_height, SLIDING_EXTENTS * extent_y)
        tile_height = min(tallest, max(tile_height, -(-width // tile_width) * height // SLIDING_TILES))
    if tile_height < height:
        tile_height = max(together, tile_height - tile_height % together)
    inner_lo, inner_hi = _inner(surface.xmap)
    ready = in_place is not None and _lies_ready(surface, in_place)
    lead = tile_width
    if ready:
        lead = min(tile_width, -(-max(inner_lo * channels // stride_x, 1) // unit) * unit // channels)
        if narrow_end and stride_x == 1:
            inside = min(inner_hi - extent_x + 1, width) - lead
            tile_width = _whole_width(width - lead, inside, tile_width, max(unit // channels, 1))
    tiles_x, tiles_y = 1 + -(-(width - lead) // tile_width), -(-height // tile_height)
    record = np.zeros(1, kind)
    loaded_rows = (tile_height - 1) * stride_y + extent_y
    if slides:
        advance = max(LEAST_ADVANCE, min(affordable, 2 * extent_y))
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
        "out_height": height,
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


def _whole_width(columns: int, inside: int, most: int, unit: int) -> int:
    """Width of tiles, whole units, that leaves little for the last; ``inside`` columns touch no border."""
    widths = range(most, most // 2, -unit)
    return min(widths, key=lambda width: columns - max(inside // width, 0) * width)


def is_rgbx(pixels: NDArray[np.generic]) -> bool:
    """Whether an array (H, W, C) holds colours of uint8, and a byte that is not seen after each pixel."""
    return pixels.dtype == np.uint8 and pixels.shape[2] == 3 and pixels.strides[1:] == (4, 1)


def _out_type(out: NDArray[np.generic]) -> int:
    """How samples are stored: floats of an output that no cache holds do not pass through the caches.

    Memory then need not be read before it is written, and the source stays where it is.
    """
    if out.dtype == np.float32 and out.nbytes >= STREAMED_BYTES:
        return jobs.STREAMED
    if is_rgbx(out):
        return jobs.RGBX
    return jobs.ELEMENT_TYPES[out.dtype]


def _lies_ready(surface: Surface, kind: type[np.generic]) -> bool:
    """Whether rows are samples of a type, so far apart that a chunk ends in the next row."""
    target = processor()[3]
    reach = target.tap_chunk(1) * surface.src.itemsize
    close = surface.luma is None and not is_rgbx(surface.src)
    return surface.src.dtype == kind and close and surface.src.strides[0] >= reach


def _inner(xmap: NDArray[np.intp]) -> tuple[int, int]:
    """The longest stretch of padded columns whose source columns count up by one."""
    steps = np.flatnonzero((np.diff(xmap) != 1) | (xmap[:-1] < 0))
    edges = np.concatenate(([-1], steps, [xmap.size - 1]))
    longest = int(np.argmax(np.diff(edges)))
    lo, hi = int(edges[longest]) + 1, int(edges[longest + 1]) + 1
    return (lo, hi) if xmap[lo] >= 0 else (lo, lo)
