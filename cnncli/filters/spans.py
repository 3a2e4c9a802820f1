"""Which rows of a picture, and of each filter's result, some rows of a chain's result are computed from."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.filters.model import Blocks, Combined, Filter, Move
from cnncli.filters.options import Options
from cnncli.filters.run import axis_of, blocks_of, border_of, result_shape, window_of
from cnncli.images.row_source import blank
from cnncli.records import record


@record
class Span:
    """Rows of a filter's source that lie in memory, and those of its result that they are for.

    Attributes
    ----------
    first, height : int
        The first row in memory, and the number of all rows of the source.
    start, count : int
        The rows of the result.
    below : int
        As in `Blocks`, as far as there are such rows.
    """

    first: int
    height: int
    start: int
    count: int
    below: int = 0


@record
class Source:
    """What the first filter of a chain reads.

    Attributes
    ----------
    shape : (H, W, C)
        C without opacity.
    dtype : numpy.dtype
        Of its samples.
    fill : float
        Value of a constant border.
    luma : tuple of three floats or None
        Weights that combine 3 channels into one.
    covered : bool
        Whether colours are weighted by opacity.
    """

    shape: tuple[int, int, int]
    dtype: Any
    fill: float = 0.0
    luma: tuple[float, float, float] | None = None
    covered: bool = False


@record
class Stage:
    """A filter of a chain over a picture.

    Attributes
    ----------
    filter : Filter
        The filter.
    source, result : (height, width)
        Of what it reads and makes; of the last one's result, the region of interest.
    top : int
        First row of that region.
    blocks : Blocks
        Rows that are computed together.
    """

    filter: Filter
    source: tuple[int, int]
    result: tuple[int, int]
    top: int
    blocks: Blocks


def stages_of(chain: Sequence[Filter], options: Options, source: Source) -> list[Stage]:
    """The filters of a chain, repetitions included, over a picture.

    Raises
    ------
    CnncliError
        Where ``--mode valid`` leaves nothing, or a filter does not fit the size.
    """
    stages = []
    height, width, channels = source.shape
    luma, dtype = source.luma, np.dtype(np.float32) if source.covered else source.dtype
    for number, filter in enumerate(chain):
        filter.check_size(height, width)
        rows, columns = result_shape(filter, options, (height, width))
        roi = options.roi if number == len(chain) - 1 else None
        result = (window_of(roi, 1, rows)[1], window_of(roi, 0, columns)[1]) if roi else (rows, columns)
        surface = Surface(
            src=blank((height, width, channels), dtype),
            out=blank((*result, 1 if luma else channels), np.float32),
            xmap=np.zeros(1, np.intp),
            ymap=np.zeros(1, np.intp),
            fill=source.fill,
            luma=luma,
            stride=options.stride,
        )
        blocks = _blocks(filter, surface, options, covered=source.covered)
        stages.append(Stage(filter, (height, width), result, roi[1] if roi else 0, blocks))
        height, width, channels = rows, columns, 1 if luma else channels
        luma, dtype = None, np.dtype(np.float32)
    return stages


def _blocks(filter: Filter, surface: Surface, options: Options, *, covered: bool) -> Blocks:
    """Rows that belong together in all that is run for a filter: with opacity, also each kernel alone."""
    found = [blocks_of(filter, surface, options)]
    if covered and isinstance(filter, Combined):
        from cnncli.filters.opacity import as_linear

        alone = [as_linear(filter, weights) for weights in filter.relative_kernels()]
        found += [blocks_of(each, surface, options) for each in alone]
    return Blocks(math.lcm(*(each.rows for each in found)), max(each.below for each in found))


def spans_for(
    stages: Sequence[Stage], options: Options, rows: tuple[int, int]
) -> tuple[tuple[Span, ...], tuple[int, int]]:
    """The rows that each filter reads and makes for some rows of the last one's result.

    Parameters
    ----------
    stages : sequence of Stage
        From `stages_of`.
    options : Options
        How the filters are applied.
    rows : (start, stop)
        Of the last result; widened to whole blocks.

    Returns
    -------
    spans, (start, stop)
        One span for each filter, and the rows of the picture that the first one reads.
    """
    spans: list[Span] = []
    start, stop = rows
    for stage in reversed(stages):
        height, together = stage.result[0], stage.blocks.rows
        start -= start % together
        stop = min(height, -(-stop // together) * together)
        below = min(stage.blocks.below, (height - stop) * options.stride[1])
        made, count = start, stop - start
        start, stop = _source_rows(stage, options, Span(0, stage.source[0], made, count, below))
        spans.append(Span(start, stage.source[0], made, count, below))
    spans.reverse()
    held = [start, *(span.start for span in spans[:-1])]  # of a filter's source, all that the one before made
    whole = [
        Span(first, span.height, span.start, span.count, span.below)
        for first, span in zip(held, spans, strict=True)
    ]
    return tuple(whole), (start, stop)


def _source_rows(stage: Stage, options: Options, span: Span) -> tuple[int, int]:
    """The rows of the source under the windows of a span: the first, and one behind the last."""
    window = (stage.top + span.start, span.count)
    if isinstance(stage.filter, Move):
        return stage.filter.source_rows(stage.source, window)
    axis, _ = axis_of(stage.filter, options, 1, stage.source[0])
    border, _ = border_of(stage.filter, options)
    positions, _ = axis.input_map(
        options.mode, border, stride=options.stride[1], window=window, below=span.below
    )
    seen = positions[positions >= 0]
    return (int(seen.min()), int(seen.max()) + 1) if seen.size else (0, 1)
