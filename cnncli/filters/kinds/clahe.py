"""Contrast limited adaptive histogram equalization, bit for bit as OpenCV does it for bytes and 16 bits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.entry import Entry, Example, Parameter, spec_of
from cnncli.filters.execute import run_direct, store_responses
from cnncli.filters.kinds.levels import every
from cnncli.filters.luma_change import change_by_luma, keeps_type, luma_of
from cnncli.filters.model import TYPICAL, Filter, Floats, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.filters.rgbx import as_rgb
from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame

Pixels = NDArray[Any]
Indices = NDArray[np.intp]

MAX_TILES = 64
_LEVELS = {255.0: 256, 65535.0: 65536}  # of a histogram, by the value of white
_DEEP = 1 << 16  # of others


@record(eq=False)
class _Grid:
    """Tiles over a picture, and the cells between their middles.

    Attributes
    ----------
    tiles, side : (across, down)
        How many, and pixels of each.
    maps : (x, y)
        The source column of each column of the tiles, which may lie beyond the edge, and likewise of rows.
    """

    tiles: tuple[int, int]
    side: tuple[int, int]
    maps: tuple[Indices, Indices]


@record(kw_only=True, eq=False)
class Clahe(Filter):
    """Histograms of tiles are equalized, with limited counts, and pixels are mapped between their tables.

    Attributes
    ----------
    tiles : (across, down)
        Tiles of the picture.
    clip : float
        The most that a level may count, in means of all levels of a tile; 0: no limit.
    """

    tiles: tuple[int, int]
    clip: float

    from_whole = True
    weighs_colors = True
    explained_alone = False
    explained = "Levels are spread in each tile, with limited slopes; between tiles, tables are mixed."

    @property
    def why_whole(self) -> str:
        """Tiles are read before pixels are mapped."""
        return "counts the levels of all tiles first"

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """A table for each tile."""
        return Plan("clahe", f"{self.tiles[0]} x {self.tiles[1]} tiles")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """The tables, then the rows."""
        return ("clahe_tables", "clahe")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Gray and colours of 8 and 16 bits directly, all else by levels in floats."""
        if surface.luma is None and surface.channels == 1 and surface.src.dtype != np.float32:
            values = np.ascontiguousarray(surface.src[..., 0])
            if keeps_type(surface):
                _equalize(self, values, surface.out[..., 0], threads=threads)
                return plan, 0
            mapped = aligned_empty(values.shape, values.dtype)
            _equalize(self, values, mapped, threads=threads)
            return plan, store_responses(_at(mapped[..., None], surface).astype(np.float32), surface)
        if keeps_type(surface) and surface.channels == 3:
            return plan, change_by_luma(self._mapped, surface, threads=threads)
        pixels = _all_pixels(surface, threads)
        response = self.respond(pixels, None, surface.full_scale, threads)
        return plan, store_responses(_at(response, surface).copy(), surface)

    def _mapped(self, luma: Pixels, threads: int) -> Pixels:
        """Luma (H, W) of integers, mapped."""
        after = aligned_empty(luma.shape, luma.dtype)
        _equalize(self, luma, after, threads=threads)
        return after

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Only what can be seen is counted; opacity stays."""
        after = frame.unchanged_cover(self)
        response = self.respond(frame.color, frame.cover[..., 0] > 0, frame.run.white, frame.run.threads)
        return frame.run.unfiltered(self, response, last=frame.last), after

    def respond(
        self, values: Floats, seen: NDArray[np.bool_] | None, white: float, threads: int = 1
    ) -> Floats:
        """Map values (H, W, C); of three channels their luma, whose change is added to all.

        Parameters
        ----------
        values : ndarray, shape (H, W, C), float32
            In units of the image.
        seen : ndarray, shape (H, W), bool, or None
            Pixels that count; None: all.
        white : float
            The value of white.
        threads : int
            Threads to use.
        """
        if values.shape[2] != 3:
            channels = [
                self._channel(np.ascontiguousarray(values[..., at]), seen, white, threads)
                for at in range(values.shape[2])
            ]
            return np.stack(channels, axis=2)
        luma = luma_of(np.ascontiguousarray(values), np.dtype(np.float32), threads)
        if white in _LEVELS:  # as a gray picture of these integers has it, and becomes
            luma = np.rint(luma)
            mapped = np.rint(self._channel(luma, seen, white, threads))
        else:
            mapped = self._channel(luma, seen, white, threads)
        return np.asarray(values + (mapped - luma)[..., None], np.float32)

    def _channel(self, values: Floats, seen: NDArray[np.bool_] | None, white: float, threads: int) -> Floats:
        """Map values (H, W): levels lie between black and white, or the ends of values beyond."""
        levels = _LEVELS.get(white, _DEEP)
        finite = values[np.isfinite(values)]
        low, high = (
            (min(0.0, float(finite.min())), max(white, float(finite.max()))) if finite.size else (0, white)
        )
        places = np.clip((values - np.float32(low)) * np.float32((levels - 1) / (high - low)), 0, levels - 1)
        counted = places if seen is None else np.where(seen, places, np.float32(np.nan))
        mapped = aligned_empty(values.shape, np.float32)
        _equalize(self, places, mapped, counted=counted, levels=levels, threads=threads)
        return mapped * np.float32(white / (levels - 1))

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixel's place in its tile."""
        from cnncli.filters.worked import show

        values = np.array(patch, np.float32)[..., None]
        y, x = len(patch) // 2, len(patch[0]) // 2
        value = float(self.respond(values, None, white)[y, x, 0])
        here = show(float(patch[y][x]))
        return [f"as the share of pixels up to {here}, their counts limited: {show(value)}"], value


def _all_pixels(surface: Surface, threads: int) -> Floats:
    """All pixels of a surface's source, or their luma, as floats."""
    src = as_rgb(surface.src, threads=threads)
    height, width, _ = src.shape
    plain = Surface(
        src=src,
        out=aligned_empty((height, width, surface.channels), np.float32),
        xmap=np.arange(width),
        ymap=np.arange(height),
        luma=surface.luma,
        full_scale=surface.full_scale,
    )
    run_direct(np.ones((1, 1)), plain, dilation=1, threads=threads)
    return plain.out  # type: ignore[return-value]


def _at(pixels: Pixels, surface: Surface) -> Pixels:
    """The pixels of a picture at the output positions of a surface."""
    rows, columns = every(surface.ymap, surface.stride[1]), every(surface.xmap, surface.stride[0])
    return pixels[rows][:, columns]


def _equalize(
    filter: Clahe,
    values: Pixels,
    out: Pixels,
    *,
    counted: Floats | None = None,
    levels: int = 0,
    threads: int,
) -> None:
    """Map one channel (H, W) of uint8, uint16 or levels in float32; ``counted`` are the levels that count."""
    height, width = values.shape
    levels = levels or int(np.iinfo(values.dtype).max) + 1
    grid = _grid_of(filter.tiles, width, height)
    tables = _tables(filter.clip, grid, values if counted is None else counted, levels, threads)
    columns, rows = (_shares(size, side) for size, side in zip((width, height), grid.side, strict=True))
    if values.dtype == np.uint8:
        tables = _side_by_side(tables)
    ends = np.searchsorted(columns[0], np.arange(grid.tiles[0] + 1), side="right").astype(np.intp)
    job = np.zeros(1, jobs.CLAHE)
    held = {
        "src": values,
        "out": out,
        "cell_ends": ends,
        "cell_rows": rows[0],
        "left": columns[1],
        "right": columns[2],
        "upper": rows[1],
        "lower": rows[2],
        "tables": tables,
    }
    for name, array in held.items():
        job[name] = array.ctypes.data
    job["src_type"], job["levels"] = jobs.ELEMENT_TYPES[values.dtype], levels
    job["src_pitch"], job["out_pitch"] = values.strides[0], out.strides[0]
    job["cells_x"], job["tiles_x"], job["tiles_y"] = ends.size, *grid.tiles
    native.run("clahe", job, height, threads=threads)


def _grid_of(tiles: tuple[int, int], width: int, height: int) -> _Grid:
    """Tiles over a picture; where they do not fit it is mirrored, as far as OpenCV does that.

    Source: OpenCV, ``modules/imgproc/src/clahe.cpp``: an axis that fits is enlarged, too, if the other does
    not.
    """
    across, down = tiles
    wide, tall = width, height
    if width % across or height % down:
        wide, tall = width + across - width % across, height + down - height % down
    maps = _mirrored(width, wide), _mirrored(height, tall)
    return _Grid(tiles, (wide // across, tall // down), maps)


def _mirrored(size: int, count: int) -> Indices:
    """Places from 0 to ``count``, mirrored about the last one of an axis."""
    if size == 1:
        return np.zeros(count, np.intp)
    places = np.arange(count, dtype=np.intp) % (2 * size - 2)
    return np.where(places < size, places, 2 * size - 2 - places)


def _shares(size: int, side: int) -> tuple[Indices, Floats, Floats]:
    """Of each place on an axis: its cell, and the shares of the tiles before and behind it."""
    places = np.arange(size, dtype=np.float32) * (np.float32(1) / np.float32(side)) - np.float32(0.5)
    before = np.floor(places)
    behind = places - before
    return before.astype(np.intp) + 1, np.float32(1) - behind, behind


def _tables(clip: float, grid: _Grid, values: Pixels, levels: int, threads: int) -> Pixels:
    """The tables of all tiles, (down, across, levels), uint16."""
    (across, down), (width, height) = grid.tiles, grid.side
    tables = np.empty((down, across, levels), np.uint16)
    values = np.ascontiguousarray(values)
    job = np.zeros(1, jobs.CLAHE_TABLES)
    job["src"], job["src_type"] = values.ctypes.data, jobs.ELEMENT_TYPES[values.dtype]
    job["src_pitch"], job["width"] = values.strides[0], values.shape[1]
    job["xmap"], job["ymap"] = (each.ctypes.data for each in grid.maps)
    job["tile_width"], job["tile_height"], job["tiles_x"] = width, height, across
    job["levels"], job["limit"], job["tables"] = levels, clip, tables.ctypes.data
    native.run("clahe_tables", job, across * down, threads=threads, scratch_bytes=8 * levels)
    return tables


def _side_by_side(tables: Pixels) -> Pixels:
    """Tables of bytes as (cells, cells, 256), uint32: in each, those of the four tiles around a cell."""
    around = np.pad(tables.astype(np.uint32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    upper, lower = around[:-1], around[1:]
    return np.ascontiguousarray(
        upper[:, :-1] | upper[:, 1:] << 8 | lower[:, :-1] << 16 | lower[:, 1:] << 24, np.uint32
    )


def clahe(*, clip: float = 2.0, tiles: int = 8, tiles_y: int | None = None) -> Filter:
    """Make an equalization by tiles."""
    down = tiles if tiles_y is None else tiles_y
    spec = spec_of("clahe", clip=clip, tiles=tiles, **({} if down == tiles else {"tiles_y": down}))
    return Clahe(name="clahe", spec=spec, signed=False, clips=True, tiles=(tiles, down), clip=clip)


CLAHE = Entry(
    name="clahe",
    family="levels",
    summary="histogram equalization by tiles with limited contrast (CLAHE), of luma",
    parameters=(
        Parameter(
            name="clip",
            meaning="most that a level counts, in means of all levels; 0: no limit",
            default="2",
            low=0,
            high=100_000,
            aliases=("cliplimit", "clip-limit", "limit"),
        ),
        Parameter(
            name="tiles",
            meaning="tiles across and down",
            default="8",
            kind="whole",
            low=1,
            high=MAX_TILES,
            aliases=("tilegridsize", "grid"),
        ),
        Parameter(
            name="tiles-y", meaning="tiles down", default="as tiles", kind="whole", low=1, high=MAX_TILES
        ),
    ),
    build=clahe,
    source="K. Zuiderveld: Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 1994",
    example=Example(
        spec="clahe:clip=0,tiles=1",
        patch=((0.2, 0.2, 0.4, 0.4, 0.8),),
        expected=0.8,
        note="4 of 5 pixels are 0.4 or less",
    ),
)

ENTRIES = {CLAHE.name: CLAHE}
