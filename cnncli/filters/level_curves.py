"""Values of pixels along a curve: integers by a table of their levels, floats by a native loop."""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import STREAMED_BYTES
from cnncli.core.heap import address_of, aligned_empty
from cnncli.core.threads import movers
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.filters.execute import clipped_in
from cnncli.filters.histogram import Numbers, dense_rows, is_dense
from cnncli.records import record

Floats = NDArray[np.float32]


@record(kw_only=True, eq=False)
class Curve:
    """How values become others, in one of the forms of ``jobs.CURVES``.

    What is no number stays so, but that a step makes it ``least``.

    Attributes
    ----------
    form : str
        ``line``: (x - low) * gain + offset, not below ``least`` nor above ``most``. ``step``: ``most``
        above ``low``, else ``least``. ``power``: ``most`` times the share of it, to the ``exponent``;
        0 below 0. ``table``: the entry at (x - low) * gain, rounded down, or the nearest that there is.
    table : ndarray, shape (N,)
        Entries.
    """

    form: Literal["line", "step", "power", "table"] = "line"
    low: float = 0.0
    gain: float = 1.0
    offset: float = 0.0
    least: float = -math.inf
    most: float = math.inf
    exponent: float = 1.0
    table: Numbers = np.zeros(0)

    def __eq__(self, other: object) -> bool:
        """Whether all numbers are the same."""
        return isinstance(other, Curve) and self._numbers() == other._numbers()

    def __hash__(self) -> int:
        """By all numbers."""
        return hash(self._numbers())

    def _numbers(self) -> tuple[object, ...]:
        line = self.form, self.low, self.gain, self.offset, self.least, self.most, self.exponent
        return *line, self.table.tobytes()

    def __call__(self, values: Numbers) -> Numbers:
        """Of values in float64, of any shape."""
        match self.form:
            case "line":
                return np.clip((values - self.low) * self.gain + self.offset, self.least, self.most)
            case "step":
                return np.where(values > self.low, self.most, self.least)
            case "power":
                return np.asarray(self.most * np.maximum(values / self.most, 0) ** self.exponent)
        places = np.clip((values - self.low) * self.gain, 0, self.table.size - 1)
        return np.where(np.isnan(values), values, self.table[np.nan_to_num(places).astype(np.intp)])


def run_curve(curve: Curve, surface: Surface, *, threads: int) -> int:
    """Map all pixels of a surface.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    job = lay_out(jobs.CURVE, surface, extent=(1, 1))
    job.record["form"], job.record["entries"] = jobs.CURVES[curve.form], curve.table.size
    for name in ("low", "gain", "offset", "least", "most", "exponent"):
        job.record[name] = getattr(curve, name)
    job.point("table", curve.table.astype(np.float32))
    floats = surface.src.dtype == surface.out.dtype == np.float32
    plain = surface.luma is None and surface.stride == (1, 1) and not surface.absolute
    job.record["direct"] = floats and plain
    count = job.cut_into_rows()
    size = HEADER_BYTES + 4 * job.pitch
    return clipped_in(native.run("curve", job.record, count, threads=threads, scratch_bytes=size))


def along(curve: Curve, values: Floats, *, threads: int) -> Floats:
    """Values (H, W, C), mapped."""
    values = np.ascontiguousarray(values)
    out = aligned_empty(values.shape, np.float32)
    height, width, _ = values.shape
    surface = Surface(src=values, out=out, xmap=np.arange(width), ymap=np.arange(height))
    run_curve(curve, surface, threads=threads)
    return out


def map_levels(pixels: NDArray[Any], table: NDArray[Any], out: NDArray[Any], *, threads: int) -> None:
    """Write the table's entries of integers (H, W, C) to an array of its type."""
    rows = dense_rows(pixels)
    written = out if is_dense(out) else np.empty(out.shape, out.dtype)
    table = np.ascontiguousarray(table)
    job = jobs.filled(
        jobs.LEVELS,
        src=address_of(rows),
        src_type=jobs.ELEMENT_TYPES[rows.dtype],
        src_pitch=rows.strides[0],
        samples=rows.shape[1] * rows.shape[2],
        out=address_of(written),
        out_type=jobs.ELEMENT_TYPES[written.dtype],
        out_pitch=written.strides[0],
        table=address_of(table),
        streams=written.nbytes >= STREAMED_BYTES,
    )
    if rows.itemsize == written.itemsize == 1:
        threads = movers(rows.nbytes + written.nbytes, threads)
    native.run("level_table", job, len(rows), threads=threads)
    if written is not out:
        out[...] = written
