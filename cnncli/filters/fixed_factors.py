"""Separable blurs of bytes with weights as 16-bit integers, rounded to the bytes of float32.

As in `fixed_point`: integers give all sums that are further from a half than they, and the float32 arithmetic
of ``core/loops/separable.py``, can be off, and the rest is summed in floats.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import OPEN_BY_FACTORS
from cnncli.core.native import processor
from cnncli.core.tiling import HEADER_BYTES, Surface, TileJob, lay_out, sliding_tiles
from cnncli.filters.fixed_point import (
    MOST,
    MOST_SHIFT,
    ROUNDINGS,
    SHARE_BITS,
    WHITE,
    gave_up,
    lean_and_spread,
    mapped_error,
    most_open,
    on_a_half,
    rounded_off,
)
from cnncli.filters.model import Weights
from cnncli.records import record

COLUMN_BITS = 16  # of the fraction of weights down columns, at most: sums then fill 32
SCALES, SCALE_STEPS = 64, 4096  # factors that are tried, from 1 down
SUM_BITS, MIDDLE = 8, 128  # of the fraction of sums along a row, and their middle, which 16 bits have at 0
MOST_SUM = 2**16 - 2  # of such a sum
ROOM = 0.4  # levels below black and above white that still are bytes


@record(eq=False)
class FixedFactors:
    """A column and a symmetric row of weights in 16 bits each, and how far sums of bytes may be off.

    Attributes
    ----------
    row_shift : int
        Bits of the fraction of the row's weights.
    row : ndarray of int16, shape (ceil(kw / 2),)
        The row's weights up to the middle, which is halved, as it is its own other end.
    column : ndarray of int16, shape (kh,)
        The column's weights, times the scale of the surface.
    shift : int
        Bits of the fraction of sums of sums: those of the column's weights, and 8.
    start, error, lean, spread : int
        As in `FixedPoint`, of sums of sums less 128.
    """

    row_shift: int
    row: NDArray[np.int16]
    column: NDArray[np.int16]
    shift: int
    start: int
    error: int
    lean: int
    spread: int

    @property
    def doubt(self) -> float:
        """The share of sums that is open, at most."""
        return 2 * (self.error + (WHITE * self.spread >> SHARE_BITS)) / 2.0**self.shift


def fixed_factors(column: Weights, row: Weights, surface: Surface) -> FixedFactors | None:
    """The weights of a separable blur from bytes to bytes, or None where floats do it as well or better.

    None also where the row is not symmetric, a weight is negative, or a sum may be no byte.

    Parameters
    ----------
    column, row : ndarray, shapes (kh,) and (kw,)
        As applied to the image.
    surface : Surface
        Source and output.
    """
    factors = (each.astype(np.float32).tobytes() for each in (column, row))
    return _fixed_factors(*factors, float(np.float32(surface.scale)), float(np.float32(surface.bias)))


@functools.lru_cache(maxsize=16)
def _fixed_factors(column_bytes: bytes, row_bytes: bytes, scale: float, bias: float) -> FixedFactors | None:
    """`fixed_factors` of float32: it takes as long as a picture of some 400,000 samples."""
    column, row = (np.frombuffer(each, np.float32).astype(np.float64) for each in (column_bytes, row_bytes))
    total = float(row.sum())
    gain = float(column.sum()) * total * scale
    blurs = bool((row == row[::-1]).all() and (row >= 0).all() and (column >= 0).all())
    if not (blurs and gain > 0 and abs(bias) < ROOM and WHITE * gain + bias < WHITE + ROOM):
        return None
    halves, exact = row[: -(-len(row) // 2)] / total, column * total * scale
    if len(row) % 2:
        halves[-1] /= 2
    halves, exact, row_shift, column_shift = _scaled(halves, exact)
    shift = column_shift + SUM_BITS
    unit = 2.0**shift
    along, down = np.rint(halves * 2.0**row_shift), np.rint(exact * 2.0**column_shift)
    whole = np.zeros(len(row))
    whole[: len(along)] = along
    whole += whole[::-1]
    if WHITE * whole.sum() > MOST_SUM * 2.0 ** (row_shift - SUM_BITS):
        return None
    lacking = np.outer(column, row * scale) * unit - np.outer(down, whole) * 2.0 ** (SUM_BITS - row_shift)
    # What rows carry to those below counts as often as weights of neighbouring rows differ.
    carried = float(np.abs(np.diff(down, prepend=0, append=0)).sum()) / 2
    error = factored_error(column, row, scale, bias)
    found = FixedFactors(
        row_shift,
        along.astype(np.int16),
        down.astype(np.int16),
        shift,
        round((bias + 0.5 - MIDDLE) * unit) + round(MIDDLE * 2**SUM_BITS * float(down.sum())),
        math.ceil(error * unit + carried) + ROUNDINGS,
        *lean_and_spread(lacking),
    )
    return None if found.doubt > OPEN_BY_FACTORS or on_a_half(gain, bias, found.error / unit) else found


def _scaled(halves: Weights, column: Weights) -> tuple[Weights, Weights, int, int]:
    """A row and a column times and over the factor whose roundings to 16 bits lack least, and their bits."""
    factors = 1 - np.arange(SCALES)[:, None] / SCALE_STEPS
    halves, column = halves * factors, column / factors
    row_shift, column_shift = _bits(halves, MOST_SHIFT), _bits(column, COLUMN_BITS)
    lacking = 0
    for weights, bits, times in ((halves, row_shift, 2), (column, column_shift, 1)):
        fine = weights * 2.0**bits
        lacking = lacking + np.abs(fine - np.rint(fine)).sum(axis=1) * times / 2.0**bits
    best = int(np.argmin(lacking))
    return halves[best], column[best], row_shift, column_shift


def _bits(weights: Weights, most: int) -> int:
    """Bits of the fraction with which weights that are not negative fit 16 bits."""
    return min(most, math.floor(math.log2(MOST / float(weights.max()))))


def factored_error(column: Weights, row: Weights, scale: float, bias: float) -> float:
    """As `float_error`, of sums along a row and then down a column; no weight is negative."""
    own = float(column.sum()) * rounded_off(row, WHITE) + rounded_off(column, WHITE * float(row.sum()))
    return mapped_error(own, scale, bias)


def run_fixed_factors(column: Weights, row: Weights, surface: Surface, *, threads: int) -> bool:
    """Run a separable blur from bytes to bytes in 16-bit integers; nothing is clipped.

    Returns False, and leaves the filter to floats, where weights do not suit or too many sums are close to a
    half.

    Parameters
    ----------
    column, row : ndarray, shapes (kh,) and (kw,)
        As applied to the image.
    surface : Surface
        Source and output.
    threads : int
        Threads to use.
    """
    factors = fixed_factors(column, row, surface)
    if factors is None:
        return False
    kh, kw = len(column), len(row)
    target, channels = processor()[3], surface.channels
    job = lay_out(
        jobs.SEPARABLE_BYTES,
        surface,
        extent=(kw, kh),
        slides=sliding_tiles(threads),
        in_place=np.uint8,
        unit=12 * target.lanes,  # whole vectors of bytes, and pixels of up to four samples but two
    )
    record = job.record
    _set_slots(job, factors)
    pairs = (kh + 2) // 2
    table = np.zeros((2 * pairs, 2), np.int16)
    for each in range(2):
        table[each : each + kh, each] = factors.column
    record["pairs"] = pairs
    job.point("places", np.tile(4 * job.pitch * np.arange(pairs), 2).astype(np.intp))
    job.point("pair_weights", np.ascontiguousarray(table.reshape(pairs, 2, 2).transpose(0, 2, 1)))
    for name in ("shift", "start", "error", "lean", "spread"):
        record[name] = getattr(factors, name)
    record["blocks"] = blocks = -(-(channels * (kw - 1) + 1) // 8)
    job.point("columns", np.pad(column, (0, -kh % jobs.FACTOR_CHAINS)).astype(np.float32))
    job.point("rows", row.astype(np.float32))
    record["most_doubtful"] = most_open(surface)
    held = -(-(int(record["tile_height"][0]) + kh - 1) // 4)  # rows of floats
    scratches = native.run(
        "separable_bytes",
        record,
        job.count,
        threads=threads,
        scratch_bytes=HEADER_BYTES
        + 4 * (12 + 2 * pairs + held) * job.pitch
        + jobs.FACTOR_CHAINS * 8 * target.lanes * blocks,
    )
    return not gave_up(scratches, surface)


def _set_slots(job: TileJob, factors: FixedFactors) -> None:
    """Set the weights along rows, each for the two bytes as far from the middle, two in a slot."""
    kw, channels = int(job.record["extent_x"][0]), job.surface.channels
    slots = -(-len(factors.row) // 2)
    weights = np.zeros((slots, 2), np.int16)
    weights.reshape(-1)[: len(factors.row)] = factors.row
    offsets = np.zeros((2 * slots, 2), np.intp)
    first = np.arange(len(factors.row))
    offsets[: len(first)] = channels * np.stack([first, kw - 1 - first], axis=1)
    job.record["slots"] = slots
    job.point("slot_offsets", offsets)
    job.point("slot_weights", weights)
    shift = factors.row_shift
    job.record["row_shift"] = shift - SUM_BITS
    job.record["row_start"] = -MIDDLE * 2**shift
