"""Pictures of a larger size: weighted sums of rows, then of columns, a few of each.

A vector of neighbouring samples of the result is made of fewer samples of the source: they are loaded at once
and permuted, for each tap from one pixel further to the right. A row of the source is loaded once for a tile
and kept as long as rows of the result are made of it. Taps are added in ascending order, as in `resize`, so
that neither tiles nor bands show; one without weight does not count, whatever lies there.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import INTEGERS, address_of, steps
from cnncli.core.loops.kernel_rows import storing_chunks, tile_at
from cnncli.core.loops.resize import add_row
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row
from cnncli.core.native import processor
from cnncli.core.simd import (
    F32,
    I32,
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    constant,
    fused,
    load_f32,
    load_i64,
    loaded,
    record,
    splatted,
    store_i64,
    stored,
)
from cnncli.core.stores import store_as_pixels

JOB = jobs.ENLARGE
CHUNK = jobs.ENLARGED_VECTORS * LANES
_HAS = frozenset(processor()[2].split())
_PERMUTATIONS = {8: ("avx2", "llvm.x86.avx2.permps"), 16: ("avx512f", "llvm.x86.avx512.permvar.sf.512")}
_NEEDS, _PERMUTE = _PERMUTATIONS.get(LANES, ("", ""))


def _permuted(builder, address, places):
    """The floats behind an address that lie at the places, below `LANES`, in the lanes of a vector."""
    if _NEEDS in _HAS:
        kind = ir.FunctionType(VECTOR, [VECTOR, INTEGERS])
        function = cgutils.get_or_insert_function(builder.module, kind, _PERMUTE)
        return builder.call(function, [loaded(builder, address, VECTOR, 4), places])
    found = ir.Constant(VECTOR, ir.Undefined)
    for lane in range(LANES):
        number = ir.Constant(I32, lane)
        place = builder.zext(builder.extract_element(places, number), I64)
        found = builder.insert_element(
            found, loaded(builder, address_of(builder, address, place, F32), F32, 4), number
        )
    return found


def _columns(taps):
    """An intrinsic: a chunk of a row from the sums of rows, by so many taps each, stored as pixels."""

    @intrinsic
    def store_columns(
        typing_context, sums, pixel, starts, places, weights, plane, dst, element, absolute, scale, bias
    ):
        def codegen(context, builder, signature, args):
            sums, pixel, starts, places, weights, plane, dst, *mapping = args
            row = []
            for number in range(jobs.ENLARGED_VECTORS):
                offset = ir.Constant(I64, number * VECTOR_BYTES)
                start = builder.add(starts, ir.Constant(I64, 8 * number))
                at = builder.add(sums, loaded(builder, start, I64, 8))
                order = loaded(builder, builder.add(places, offset), INTEGERS, 4)
                share, total = builder.add(weights, offset), constant(0)
                for _ in range(taps):
                    weight = loaded(builder, share, VECTOR, 4)
                    counts = builder.fcmp_unordered("!=", weight, constant(0))
                    value = builder.select(counts, _permuted(builder, at, order), constant(0))
                    total = fused(builder, value, weight, total)
                    at, share = builder.add(at, pixel), builder.add(share, plane)
                row.append(total)
            return store_as_pixels(builder, [row], (dst,), *mapping)

        return types.intp(*[types.intp] * 9, types.float32, types.float32), codegen

    return store_columns


one_column, two_columns, four_columns, six_columns = map(_columns, jobs.ENLARGED_TAPS)


@intrinsic
def two_rows(typing_context, upper, lower, upper_weight, lower_weight, dst, size):
    """The sum of two rows of ``size`` bytes, in whole vectors."""

    def codegen(context, builder, signature, args):
        upper, lower, *weights, dst, size = args
        weights = [splatted(builder, each) for each in weights]
        with steps(builder, size, VECTOR_BYTES) as (i, _):
            total = constant(0)
            for row, weight in zip((upper, lower), weights, strict=True):
                total = fused(builder, loaded(builder, builder.add(row, i), VECTOR, 4), weight, total)
            stored(builder, builder.add(dst, i), total, 4)
        return context.get_dummy_value()

    kinds = [types.intp, types.intp, types.float32, types.float32, types.intp, types.intp]
    return types.void(*kinds), codegen


@inline
def sum_rows(job, first, start, taps, rows, samples, sums):
    """The sum of rows from a source row on, by weights from one on."""
    pitch = 4 * job.pitch
    weights = job.row_weights + 4 * start
    if taps == 2:
        upper, lower = rows + first % job.kept_rows * pitch, rows + (first + 1) % job.kept_rows * pitch
        two_rows(upper, lower, load_f32(weights), load_f32(weights + 4), sums, 4 * samples)
        return
    for tap in range(taps):
        row = rows + (first + tap) % job.kept_rows * pitch
        add_row(row, load_f32(weights + 4 * tap), samples, sums, tap == 0)


@inline
def sum_columns(job, sums, first, count, i, to, kind, absolute, scale, bias, final):
    """One chunk of a row, for `storing_chunks`: the sums of columns from the i-th sample of a tile on."""
    pixel, plane = 4 * job.channels, job.plane
    starts = job.starts + 8 * (first + i // LANES)
    offset = first * VECTOR_BYTES + 4 * i
    places, weights = job.places + offset, job.weights + offset
    if job.taps == 1:
        return one_column(sums, pixel, starts, places, weights, plane, to, kind, absolute, scale, bias)
    if job.taps == 2:
        return two_columns(sums, pixel, starts, places, weights, plane, to, kind, absolute, scale, bias)
    if job.taps == 4:
        return four_columns(sums, pixel, starts, places, weights, plane, to, kind, absolute, scale, bias)
    return six_columns(sums, pixel, starts, places, weights, plane, to, kind, absolute, scale, bias)


store_columns = storing_chunks(CHUNK, sum_columns)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    rows = scratch + HEADER_BYTES
    sums = rows + 4 * job.kept_rows * job.pitch
    line = sums + 4 * job.pitch
    clipped = 0
    for tile in range(lo, hi):
        x0, y0, width, height, _, _ = tile_at(job, tile)
        column = tile % job.tiles_x
        left, pixels = load_i64(job.lefts + 8 * column), load_i64(job.spans + 8 * column)
        samples = pixels * job.channels
        have = 0
        for y in range(y0, y0 + height):
            first, start = load_i64(job.row_first + 8 * y), load_i64(job.row_ends + 8 * y)
            taps = load_i64(job.row_ends + 8 * y + 8) - start
            have = max(have, load_i64(job.row_kept + 8 * y))
            while have < first + taps:
                load_row(job, have, left, pixels, rows + have % job.kept_rows * 4 * job.pitch)
                have += 1
            sum_rows(job, first, start, taps, rows, samples, sums)
            clipped += store_columns(
                job, sums, column * job.tile_vectors, job.taps, y, x0, width, line, scratch
            )
    store_i64(scratch, load_i64(scratch) + clipped)
