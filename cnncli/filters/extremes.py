"""The smallest or largest pixels under a flat element: one pass over a surface."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.tiling import HEADER_BYTES, STREAMED_BYTES, Surface, lay_out
from cnncli.filters.elements import Element
from cnncli.filters.execute import clipped_in
from cnncli.filters.mapping import FULL_SCALE
from cnncli.records import record, replace

_KEPT_BYTES = 384 * 1024  # of the rows of a tile: part of the L2 cache
_FEWEST_BYTES, _MOST_BYTES = 512, 16384  # of a row
_VECTOR_GROUP = 256  # bytes that are processed at once, at most
_TILES_PER_THREAD = 4
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
    windows = element.windows()
    stages, widths = windows.stages, windows.widths
    height, width = element.cells.shape
    blocks = element.is_tall_rectangle
    temporary = [stage.width for stage in stages if stage.width not in widths]
    kept = 2 * height if blocks else height
    rows = 5 + len(temporary) + len(widths) * kept
    job = lay_out(jobs.MORPHOLOGY, surface, extent=(width, height))
    step = surface.channels * size
    out_height, out_width, _ = surface.out.shape
    row_bytes = min(_MOST_BYTES, max(_FEWEST_BYTES, _KEPT_BYTES // rows))
    tile_width = min(out_width, max(1, row_bytes // step))
    tiles_x = -(-out_width // tile_width)
    tile_width = -(-out_width // tiles_x)
    row_bytes = -(-((tile_width + width - 1) * step + _VECTOR_GROUP) // 64) * 64
    row_bytes += 64 if row_bytes % 1024 == 0 else 0
    tiles_y = max(1, min(-(-_TILES_PER_THREAD * threads // tiles_x), out_height // (4 * height)))
    tile_height = -(-out_height // tiles_y)
    tiles_y = -(-out_height // tile_height)
    slots = {each: number for number, each in enumerate(temporary, 1)}
    places = slots | {each: 1 + len(temporary) + number for number, each in enumerate(widths)}
    table = []
    for stage in stages:
        table += [places[stage.width], (width - stage.width) * step, len(stage.parts)]
        for narrow, shift in stage.parts:
            table += [places.get(narrow, 0) if stage.width > 1 else 0, shift * step]
    runs = [(widths.index(chord.width), chord.row, chord.first * step) for chord in windows.runs]
    most = max(2, len(runs), *(len(stage.parts) for stage in stages))
    table_bytes = -(-8 * most // 64) * 64
    numbers = {
        "dilates": int(largest),
        "height": height,
        "temporary": len(temporary),
        "planes": len(widths),
        "stage_count": len(stages),
        "chord_count": len(runs),
        "blocks": int(blocks),
        "kept_rows": kept,
        "row_bytes": row_bytes,
        "table_bytes": table_bytes,
        "direct": int(size == 4 and _is_same(surface) and surface.out.dtype == np.float32 and base is None),
        "streams": int(surface.out.nbytes >= STREAMED_BYTES),
        "tiles_x": tiles_x,
        "tile_width": tile_width,
        "tile_height": tile_height,
    }
    for name, value in numbers.items():
        job.record[name] = value
    if np.isnan(surface.fill) and size < 4:
        job.record["fill"] = 0 if largest else FULL_SCALE[surface.src.dtype]
    job.point("stages", np.array(table, np.intp))
    job.point("chords", np.array(runs, np.intp))
    if base is not None:
        job.record["minus"] = 1 if base.less_result else 2
        job.record["base_pitch"] = base.pixels.strides[0]
        job.point("base", base.pixels)
    scratch_bytes = HEADER_BYTES + table_bytes + rows * row_bytes + 2 * _VECTOR_GROUP
    scratches = native.run(
        _NAMES[size], job.record, tiles_x * tiles_y, threads=threads, scratch_bytes=scratch_bytes
    )
    clipped = clipped_in(scratches)
    if clipped and surface.src.dtype == np.float32 and np.isnan(surface.src).any():
        _restore_nan(element, surface, threads)
    return clipped


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
