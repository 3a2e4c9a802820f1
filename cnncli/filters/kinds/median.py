"""The median of a window, by a network of comparisons, by histograms, or by ranks within a tile."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnncli.core import jobs, native
from cnncli.core.choices import (
    HISTOGRAM_COLUMNS,
    MAX_NETWORK_SIZE,
    MEDIAN_PLACES_BYTES,
    MEDIAN_ROW_BYTES,
    MEDIAN_TILE_ROWS,
    MEDIAN_WIDE_ROW_BYTES,
    RANK_TILE,
)
from cnncli.core.networks import network_stages, network_steps
from cnncli.core.tiling import HEADER_BYTES, Surface, TileJob, lay_out
from cnncli.filters.entry import MAX_WINDOW, Entry, Example, Parameter, spec_of
from cnncli.filters.execute import clipped_in, run_direct
from cnncli.filters.model import (
    TYPICAL,
    Filter,
    Floats,
    Geometry,
    Patch,
    PlacedKernels,
    Plan,
    Weights,
    Windowed,
)
from cnncli.filters.rgbx import run_on_rgb
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame

COMPILED = (3, 5)  # sizes whose networks the native loops contain
_VECTOR_GROUP = 256  # bytes that a step of a network processes at once, at most
_WHOLE_PIXELS = 16  # the width of a tile is a multiple of this, so that tiles start on cache lines
_OPAQUE = 65535  # full opacity, as a weight of a median


@record(kw_only=True, eq=False)
class Median(Windowed):
    """The median of a size x size window, size odd."""

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``median``; its method depends on the type of the pixels."""
        return Plan("median", f"{self.size} x {self.size}")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Sort all windows."""
        return plan, run_median(self, surface, threads=threads)

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """The median weighted by opacity, always an existing colour; opacity has its own median.

        A mask of data that are there stays, however few of them a window holds.
        """
        masked = frame.run.options.masked
        after = frame.unchanged_cover(self) if masked else frame.filtered_cover(self)
        # In integer steps that also represent 8 and 16 bits.
        weights = np.ceil(np.clip(frame.cover, 0, 1) * np.float32(_OPAQUE) - np.float32(0.01))
        surface = replace(frame, cover=np.maximum(weights, 0)).interleaved(self, opaque=_OPAQUE)
        run_weighted_median(self, surface, threads=frame.run.threads)
        return np.asarray(surface.out[..., :-1], np.float32), after

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixels in their order."""
        from cnncli.filters.worked import show, window

        values = sorted(value for _, _, value in window(patch, self.size))
        middle = len(values) // 2
        listed = " ".join(f"[{show(v)}]" if i == middle else show(v) for i, v in enumerate(values))
        return [f"sorted: {listed}", f"the middle one: {show(values[middle])}"], values[middle]


def median(*, size: int = 3) -> Filter:
    """Make the median of a window of ``size`` x ``size`` pixels."""
    return Median(name="median", spec=spec_of("median", size=size), size=size)


def run_median(filter: Median, surface: Surface, *, threads: int) -> int:
    """Run the median filter.

    NaN sorts after all numbers: a median is NaN only if most of its window is.

    Parameters
    ----------
    filter : Median
        Of any odd size.
    surface : Surface
        Maps as long as the window needs, the output pixel being its middle.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    size = filter.size
    if size == 1:
        return run_direct(np.ones((1, 1)), surface, threads=threads, dilation=1)
    element = _element_bytes(surface)
    sorts = size <= MAX_NETWORK_SIZE[element]
    if element == 1:
        run = _by_network if sorts else _by_histogram
        return run_on_rgb(lambda rgb: run(size, rgb, threads), surface, threads=threads)
    return _by_network(size, surface, threads) if sorts else _by_ranks(size, surface, threads)


def run_weighted_median(filter: Median, surface: Surface, *, threads: int) -> int:
    """Run the median filter weighted by the last channel.

    The result is the smallest value of the window at which the cumulative weight is at least half of the
    total, and 0 if the window has no weight. With equal weights it is the median.

    Parameters
    ----------
    filter : Median
        Of any odd size.
    surface : Surface
        As for `run_median`, with an additional channel of weights, integers from 0 to 2^24 in float32; its
        result is 0.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.

    Source
    ------
    D. R. K. Brownrigg: The Weighted Median Filter, 1984.
    """
    job, parts, at = _rank_job(jobs.MEDIAN_WEIGHTED, filter.size, surface)
    cells = parts["ranks"] // 4
    for name, length in (("weights", 4 * cells), ("fine", 8 * (cells + 64))):
        job.record[name] = at
        at += -(-length // 64) * 64
    job.record["coarse"] = at
    at += 8 * (cells // 64 + 2)
    job.record["fine_bytes"] = at - int(job.record["fine"][0])
    return clipped_in(
        native.run("median_weighted", job.record, job.count, threads=threads, scratch_bytes=at + 64)
    )


def _element_bytes(surface: Surface) -> int:
    """Bytes of the sorted elements: the source's integers if they are stored unchanged, else floats."""
    same = surface.src.dtype == surface.out.dtype and surface.luma is None and surface.stride == (1, 1)
    if same and not surface.absolute and surface.scale == 1 and surface.bias == 0 and _fill_fits(surface):
        return surface.src.dtype.itemsize
    return 4


def _fill_fits(surface: Surface) -> bool:
    """Whether the fill value, if used, is representable in the source's integer type."""
    if surface.xmap.min() >= 0 and surface.ymap.min() >= 0:
        return True
    if surface.src.dtype == np.float32:
        return True
    return surface.fill == int(surface.fill) and 0 <= surface.fill <= (
        255 if surface.src.dtype == np.uint8 else 65535
    )


def _by_network(size: int, surface: Surface, threads: int) -> int:
    element = _element_bytes(surface)
    job = lay_out(jobs.MEDIAN, surface, extent=(size, size))
    if size in COMPILED:
        places = len(network_stages(size).place) if size > 3 else 0
    else:
        steps = network_steps(size)
        places = steps.places
        job.record["step_count"], job.record["median"] = len(steps.table), steps.median
        job.point("steps", steps.table)
    step = surface.channels * element
    row_bytes = _tile_rows(job, size, step, places)
    rows = int(job.record["loaded_rows"][0]) + 2 + places
    scratches = native.run(
        f"median_{('', 'u8', 'u16', '', 'f32')[element]}",
        job.record,
        int(job.record["tiles_x"][0]) * -(-surface.out.shape[0] // int(job.record["tile_height"][0])),
        threads=threads,
        scratch_bytes=HEADER_BYTES + rows * row_bytes + 2 * size * step + 2 * _VECTOR_GROUP,
    )
    return clipped_in(scratches)


def _tile_rows(job: TileJob, size: int, step: int, places: int) -> int:
    """Set the size of tiles for elements of any size; returns the bytes of a row."""
    surface = job.surface
    height, width, _ = surface.out.shape
    stride_x, stride_y = surface.stride
    wanted = (
        max(512, min(MEDIAN_ROW_BYTES, MEDIAN_PLACES_BYTES // places)) if places else MEDIAN_WIDE_ROW_BYTES
    )
    affordable = max(1, (wanted // step - size) // stride_x)
    tile_width = min(width, affordable // _WHOLE_PIXELS * _WHOLE_PIXELS or affordable)
    tile_height = min(height, max(MEDIAN_TILE_ROWS, 2 * size))
    pixels = (tile_width - 1) * stride_x + size
    row_bytes = -(-(pixels * step + _VECTOR_GROUP) // 64) * 64
    row_bytes += 64 if row_bytes % 1024 == 0 else 0
    job.record["size"], job.record["row_bytes"] = size, row_bytes
    job.record["tile_width"], job.record["tile_height"] = tile_width, tile_height
    job.record["tiles_x"] = -(-width // tile_width)
    job.record["loaded_rows"] = (tile_height - 1) * stride_y + size
    return int(row_bytes)


def _by_histogram(size: int, surface: Surface, threads: int) -> int:
    job = lay_out(jobs.MEDIAN_HISTOGRAM, surface, extent=(size, size))
    height, width, channels = surface.out.shape
    tile_width = min(width, max(HISTOGRAM_COLUMNS // 2, HISTOGRAM_COLUMNS - size))
    tile_height = min(height, max(128, 2 * size))
    columns, rows = tile_width + size - 1, tile_height + size - 1
    row_bytes = -(-columns * channels // 64) * 64
    job.record["size"], job.record["columns"], job.record["row_bytes"] = size, columns, row_bytes
    job.record["tile_width"], job.record["tile_height"] = tile_width, tile_height
    job.record["tiles_x"] = -(-width // tile_width)
    count = -(-width // tile_width) * -(-height // tile_height)
    scratch_bytes = HEADER_BYTES + 2048 + (17 * columns + 1) * 32 + rows * row_bytes
    native.run("median_histogram", job.record, count, threads=threads, scratch_bytes=scratch_bytes)
    return 0


def _by_ranks(size: int, surface: Surface, threads: int) -> int:
    job, parts, at = _rank_job(jobs.MEDIAN_RANKS, size, surface)
    job.record["window"], job.record["window_bytes"] = at, 8 * (parts["ranks"] // 256 + 2)
    at += -(-int(job.record["window_bytes"][0]) // 64) * 64
    return clipped_in(native.run("median_ranks", job.record, job.count, threads=threads, scratch_bytes=at))


def _rank_job(kind: np.dtype[np.void], size: int, surface: Surface) -> tuple[TileJob, dict[str, int], int]:
    """A job whose tiles are sorted, the bytes of its parts of scratch, and where they end."""
    job = lay_out(kind, surface, extent=(size, size))
    height, width, channels = surface.out.shape
    stride_x, stride_y = surface.stride
    side = RANK_TILE if size < RANK_TILE else 2 * RANK_TILE
    tile_width, tile_height = min(width, max(1, side // stride_x)), min(height, max(1, side // stride_y))
    columns, rows = (tile_width - 1) * stride_x + size, (tile_height - 1) * stride_y + size
    pitch = -(-(columns * channels + _VECTOR_GROUP // 4) // 16) * 16
    cells = rows * columns
    parts = {
        "pairs": 8 * cells,
        "other_pairs": 8 * cells,
        "bins": 8 * 2048,
        "ranks": 4 * cells,
        "answers": 4 * pitch * tile_height,
    }
    at = HEADER_BYTES + 4 * pitch * rows
    for name, length in parts.items():
        job.record[name] = at
        at += -(-length // 64) * 64
    job.record["size"] = size
    job.record["pitch"], job.record["tiles_x"] = pitch, -(-width // tile_width)
    job.record["tile_width"], job.record["tile_height"] = tile_width, tile_height
    count = -(-width // tile_width) * -(-height // tile_height)
    return replace(job, count=count), parts, at


MEDIAN = Entry(
    name="median",
    family="other",
    summary="median of a window: removes specks, preserves edges",
    parameters=(
        Parameter(
            name="size",
            meaning="columns and rows",
            default="3",
            kind="odd",
            low=1,
            high=MAX_WINDOW,
            aliases=("ksize",),
        ),
    ),
    build=median,
    source="J. W. Tukey: Exploratory Data Analysis, 1977, ch. 7",
    example=Example(
        spec="median:size=3",
        patch=((0.2, 0.3, 0.2), (0.3, 1, 0.4), (0.2, 0.3, 0.4)),
        expected=0.3,
        note="0.2 0.2 0.2 0.3 [0.3] 0.3 0.4 0.4 1: the fifth of nine",
    ),
)

ENTRIES = {"median": MEDIAN}
