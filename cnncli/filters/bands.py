"""A chain of filters over a picture of which only a band of rows lies in memory at a time.

The result has the bits of the picture filtered in one piece: bands begin where blocks of running sums and
transforms begin (`Blocks`), plans and tiles are those of the whole, and each band is filtered from all rows
under its windows, by the same functions as a whole frame.
"""

from collections.abc import Callable, Generator, Sequence

from cnncli.filters.apply import (
    Applied,
    Depth,
    Part,
    Pixels,
    apply_filters,
    border_fill,
    luma_weights,
    response_mapping,
)
from cnncli.filters.model import Filter, Move
from cnncli.filters.options import Options
from cnncli.filters.spans import Source, Stage, spans_for, stages_of
from cnncli.records import record, replace

Read = Callable[[int, int], Pixels]
"""Rows ``start`` to ``stop`` of a picture, (stop - start, W, C)."""
Run = Callable[[Part, Sequence[tuple[int, int]]], Generator[Applied, None, None]]
"""Filters bands of a result, by their rows, and gives them in order."""

#: Bytes of a band: its rows, its result, and what lies between them.
BAND_BYTES = 128 << 20
_FEWEST, _MOST = 16, 1 << 16  # rows of a band, whatever they take: each has a place in index maps
_PROBED = 64  # rows of a result for which it is found out how many are read
# Bytes per sample besides source and result: responses of one filter, those of opacity, of linear light.
_RESPONSES, _COVERED, _LINEAR = 12, 48, 24


@record(eq=False)
class BandedFilters:
    """A chain of filters, set up for a picture that is filtered in bands.

    Attributes
    ----------
    filters, options, alpha, source, target
        As for `apply_filters`.
    shape : (H, W, C)
        Of the picture, opacity included.
    opaque : bool
        Whether there is no opacity, or none but white.
    """

    filters: tuple[Filter, ...]
    options: Options
    shape: tuple[int, int, int]
    alpha: bool
    source: Depth
    target: Depth
    opaque: bool = True

    def why_whole(self) -> str:
        """Why the chain needs the whole picture at once; empty where it does not."""
        if self.options.border.mode == "wrap":
            return "--border wrap joins its first rows to its last"
        for filter in self.filters:
            if filter.why_whole:
                return f"{filter.name} {filter.why_whole}"
            if not self.opaque and filter.fills_gaps:
                return f"{filter.name} fills transparent pixels from all sides"
        return ""

    @property
    def chain(self) -> list[Filter]:
        """All filters as they run."""
        return [*self.filters] * self.options.repeat

    @property
    def colors(self) -> int:
        """Channels of the result without opacity."""
        colors = self.shape[2] - self.alpha
        return 1 if luma_weights(self.filters, self.options, colors) else colors

    def check_channels(self) -> None:
        """Refuse a filter that does not fit the picture's colours and opacity, with a `CnncliError`."""
        for filter in self.filters:
            filter.check_channels(self.colors, alpha=self.alpha)

    def stages(self) -> tuple[Stage, ...]:
        """The chain's filters with their sizes.

        Raises
        ------
        CnncliError
            If an option does not fit a filter or the size of the picture.
        """
        colors = self.shape[2] - self.alpha
        source = Source(
            (self.shape[0], self.shape[1], colors),
            self.source.dtype,
            border_fill(self.options, self.source),
            luma_weights(self.filters, self.options, colors),
            covered=not self.opaque or self.options.linear,
        )
        return tuple(stages_of(self.chain, self.options, source))

    def over(self, read: Read, *, threads: int, height: int | None = None) -> Generator[Applied, None, None]:
        """The result, band by band from the top.

        Parameters
        ----------
        read : callable
            Gives rows of the picture, from the top to the bottom; for ``--range stretch``, which has to know
            the extremes of the response first, twice.
        threads : int
            Threads to use; the result does not depend on it.
        height : int or None
            As for `run_by`.

        Yields
        ------
        Applied
            Of consecutive rows.
        """

        def run(part: Part, ranges: Sequence[tuple[int, int]]) -> Generator[Applied, None, None]:
            for rows in ranges:
                yield self.band(part, rows, read, threads=threads)

        yield from self.run_by(run, height=height)

    def run_by(self, run: Run, *, height: int | None = None) -> Generator[Applied, None, None]:
        """The result, band by band from the top, whoever filters the bands.

        Parameters
        ----------
        run : callable
            Filters bands, each as `band` does; called twice for ``--range stretch``.
        height : int or None
            Rows of a band, about; None: as many as `BAND_BYTES` hold.

        Yields
        ------
        Applied
            Of consecutive rows.
        """
        stages = self.stages()
        part = Part(stages, (), self.opaque)
        step = self._rows_of_band(stages) if height is None else height
        together = stages[-1].blocks.rows
        step = max(1, step // together) * together
        if response_mapping(self.chain, self.options, self.source, self.target)[1].stretch:
            measured = run(replace(part, measures=True), self._ranges(stages, step))
            known = [each.ends for each in measured if each.ends is not None]
            ends = (min(low for low, _ in known), max(high for _, high in known)) if known else (0.0, 0.0)
            part = replace(part, ends=ends)
        yield from run(part, self._ranges(stages, step))

    def band(self, part: Part, rows: tuple[int, int], read: Read, *, threads: int) -> Applied:
        """Some rows of the result, of all that they are computed from."""
        spans, (first, end) = spans_for(part.stages, self.options, rows)
        return apply_filters(
            read(first, end),
            self.filters,
            self.options,
            alpha=self.alpha,
            source=self.source,
            target=self.target,
            threads=threads,
            part=replace(part, spans=spans),
        )

    @staticmethod
    def _ranges(stages: Sequence[Stage], step: int) -> list[tuple[int, int]]:
        count = stages[-1].result[0]
        return [(start, min(start + step, count)) for start in range(0, count, step)]

    def _rows_of_band(self, stages: Sequence[Stage]) -> int:
        """Rows whose memory, with that of the rows around them, is `BAND_BYTES`."""
        channels = self.shape[2]
        extra = _COVERED if not self.opaque else _LINEAR if self.options.linear else _RESPONSES
        row = 2 * self.shape[1] * channels * self.source.dtype.itemsize
        row += 3 * stages[-1].result[1] * (self.colors + self.alpha) * self.target.dtype.itemsize
        row += extra * max(max(stage.source[1], stage.result[1]) for stage in stages) * channels
        height = stages[-1].result[0]
        middle = height // 2

        def read(count: int) -> int:
            rows = (middle, min(height, middle + count))
            spans, (start, stop) = spans_for(stages, self.options, rows)
            return max(stop - start, *(span.count for span in spans))

        if not any(isinstance(stage.filter, Move) for stage in stages):
            return min(_MOST, max(_FEWEST, BAND_BYTES // row - read(1)))
        # Where a picture becomes smaller, a row of the result stands for several of what it is made of.
        several = max(1.0, read(_PROBED) / min(_PROBED, height - middle))
        return min(_MOST, max(1, int(BAND_BYTES / (row * several))))
