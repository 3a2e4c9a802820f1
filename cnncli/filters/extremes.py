"""The smallest or largest pixels under a flat element: one pass over a surface."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import (
    EXTREMES_ROW_BYTES,
    EXTREMES_ROWS_BYTES,
    EXTREMES_TILES_PER_THREAD,
    STREAMED_BYTES,
)
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.elements import Element
from cnncli.filters.execute import clipped_in
from cnncli.filters.mapping import FULL_SCALE
from cnncli.records import record, replace

_VECTOR_GROUP = 256  # bytes that are processed at once, at most
_NAMES = {1: "morphology_u8", 2: "morphology_u16", 4: "morphology_f32"}


@record(eq=False)
class Base:
    """What the result is compared with: pixels at the output's positions, and which is taken from which."""

    pixels: NDArray[np.generic]
    less_result: bool


def compared_type(surface: Surface) -> np.dtype[Any]:
    """The type of what is compared: integers that are stored as they are, else floats."""
    same = _is_same(surface) and surface.src.dtype == surface.out.dtype and _fill_fits(surface)
    return surface.src.dtype if same else np.dtype(np.float32)


def _is_same(surface: Surface) -> bool:
    """Whether results are values of the source."""
    mapped = surface.absolute or surface.scale != 1 or surface.bias != 0
    return not mapped and surface.luma is None and surface.stride == (1, 1)


def _fill_fits(surface: Surface) -> bool:
    if surface.src.dtype == np.float32 or np.isnan(surface.fill):
        return True
    return float(surface.fill).is_integer() and 0 <= surface.fill <= FULL_SCALE[surface.src.dtype]


def run_extremes(
    element: Element, surface: Surface, *, largest: bool, threads: int, base: Base | None = None
) -> int:
    """Write the smallest or the largest of the pixels under an element, or a difference to a base.

    NaN does not count: a result is NaN only if all pixels under the element are.

    Parameters
    ----------
    element : Element
        The element; it is not flipped.
    surface : Surface
        Maps as long as the element needs; without stride. Pixels at -1 do not count if ``fill`` is NaN.
    largest : bool
        Whether the largest is taken.
    threads : int
        Threads to use; the result does not depend on it.
    base : Base or None
        Of the surface's output type if that is what is compared, else of float32.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    size = compared_type(surface).itemsize
    height, width = element.cells.shape
    job = lay_out(jobs.MORPHOLOGY, surface, extent=(width, height))
    tables = _tables(element, surface.channels * size)
    rows = 5 + tables.temporary + tables.planes * tables.kept_rows
    table_bytes = -(-8 * tables.most // 64) * 64
    tiles = _tiles(surface, element, size, rows=rows, threads=threads)
    numbers = {
        "dilates": int(largest),
        "height": height,
        "temporary": tables.temporary,
        "planes": tables.planes,
        "stage_count": tables.stage_count,
        "chord_count": len(tables.runs),
        "blocks": int(element.is_tall_rectangle),
        "kept_rows": tables.kept_rows,
        "row_bytes": tiles.row_bytes,
        "table_bytes": table_bytes,
        "direct": int(size == 4 and _is_same(surface) and surface.out.dtype == np.float32 and base is None),
        "streams": int(surface.out.nbytes >= STREAMED_BYTES),
        "tiles_x": tiles.across,
        "tile_width": tiles.width,
        "tile_height": tiles.height,
    }
    for name, value in numbers.items():
        job.record[name] = value
    if np.isnan(surface.fill) and size < 4:
        job.record["fill"] = 0 if largest else FULL_SCALE[surface.src.dtype]
    job.point("stages", tables.stages)
    job.point("chords", tables.runs)
    if base is not None:
        job.record["minus"] = 1 if base.less_result else 2
        job.record["base_pitch"] = base.pixels.strides[0]
        job.point("base", base.pixels)
    scratch_bytes = HEADER_BYTES + table_bytes + rows * tiles.row_bytes + 2 * _VECTOR_GROUP
    scratches = native.run(
        _NAMES[size], job.record, tiles.across * tiles.down, threads=threads, scratch_bytes=scratch_bytes
    )
    clipped = clipped_in(scratches)
    if clipped and surface.src.dtype == np.float32 and np.isnan(surface.src).any():
        _restore_nan(element, surface, threads)
    return clipped


@record(eq=False)
class _Tables:
    """What the loop reads of an element.

    Attributes
    ----------
    stages, runs : ndarray of intp
        How windows are made of narrower ones, flat, and the windows of the element, with shifts in bytes.
    stage_count : int
        Of ``stages``.
    temporary, planes : int
        Widths that are kept for a row, and those that are kept for ``kept_rows`` of them.
    most : int
        Addresses that the loop lists at once.
    """

    stages: NDArray[np.intp]
    runs: NDArray[np.intp]
    stage_count: int
    temporary: int
    planes: int
    kept_rows: int
    most: int


def _tables(element: Element, step: int) -> _Tables:
    """The tables of an element whose cells are ``step`` bytes apart."""
    windows = element.windows()
    stages, widths = windows.stages, windows.widths
    height, width = element.cells.shape
    temporary = [stage.width for stage in stages if stage.width not in widths]
    slots = {each: number for number, each in enumerate(temporary, 1)}
    places = slots | {each: 1 + len(temporary) + number for number, each in enumerate(widths)}
    table = []
    for stage in stages:
        table += [places[stage.width], (width - stage.width) * step, len(stage.parts)]
        for narrow, shift in stage.parts:
            table += [places.get(narrow, 0) if stage.width > 1 else 0, shift * step]
    runs = [(widths.index(chord.width), chord.row, chord.first * step) for chord in windows.runs]
    return _Tables(
        np.array(table, np.intp),
        np.array(runs, np.intp),
        stage_count=len(stages),
        temporary=len(temporary),
        planes=len(widths),
        kept_rows=2 * height if element.is_tall_rectangle else height,
        most=max(2, len(runs), *(len(stage.parts) for stage in stages)),
    )


@record
class _Tiles:
    """How an output is divided: tiles across and down, their size, and bytes of a row in scratch."""

    across: int
    down: int
    width: int
    height: int
    row_bytes: int


def _tiles(surface: Surface, element: Element, size: int, *, rows: int, threads: int) -> _Tiles:
    """Tiles of which ``rows`` rows of samples of ``size`` bytes are kept in a part of the L2 cache."""
    height, width = element.cells.shape
    step = surface.channels * size
    out_height, out_width, _ = surface.out.shape
    fewest, most = EXTREMES_ROW_BYTES
    row_bytes = min(most, max(fewest, EXTREMES_ROWS_BYTES // rows))
    across = -(-out_width // min(out_width, max(1, row_bytes // step)))
    tile_width = -(-out_width // across)
    row_bytes = -(-((tile_width + width - 1) * step + _VECTOR_GROUP) // 64) * 64
    row_bytes += 64 if row_bytes % 1024 == 0 else 0
    down = max(1, min(-(-EXTREMES_TILES_PER_THREAD * threads // across), out_height // (4 * height)))
    tile_height = -(-out_height // down)
    return _Tiles(across, -(-out_height // tile_height), tile_width, tile_height, row_bytes)


def _restore_nan(element: Element, surface: Surface, threads: int) -> None:
    """Write NaN where all pixels under the element are NaN or do not count; 0 into integers."""
    numbers = ~np.isnan(surface.src)
    if surface.luma is not None:
        numbers = numbers.all(axis=2, keepdims=True)
    counted = np.empty(surface.out.shape, np.uint8)
    run_extremes(
        element,
        replace(
            surface,
            src=numbers.astype(np.uint8),
            out=counted,
            fill=np.nan if np.isnan(surface.fill) else 1.0,
            luma=None,
            absolute=False,
            scale=1.0,
            bias=0.0,
        ),
        largest=True,
        threads=threads,
    )
    surface.out[counted == 0] = np.nan if surface.out.dtype == np.float32 else 0
