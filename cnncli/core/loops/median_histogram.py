"""Medians of bytes in constant time per pixel.

Each column of the window's height has a histogram, and that of a window is the sum over its columns: a step
to the right adds a column and removes one. A histogram has 16 coarse bins of 16 values each, and 16 fine
bins in each coarse one. The coarse bins are updated for every window; of the fine ones only those that
contain a median, from the position of their last update or from scratch.

Source: S. Perreault, P. Hebert: Median Filtering in Constant Time, 2007.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.integers import clear, load_u8, load_u16, store_8, store_16
from cnncli.core.loops.median_network import row_copier
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import I32, I64, load_i64, loaded, record, store_i64, stored

JOB = jobs.MEDIAN_HISTOGRAM
BINS = ir.VectorType(ir.IntType(16), 16)
BINS_BYTES = 32
NONE = -(1 << 40)  # a position so far to the left that it is never reused

copy_row = row_copier(1)


def _bins(builder, address):
    return loaded(builder, address, BINS, 2)


def _offset(builder, base, index):
    return builder.add(base, builder.mul(index, ir.Constant(I64, BINS_BYTES)))


def _running_sums(builder, bins):
    """Inclusive prefix sums of bins."""
    nothing = ir.Constant(BINS, [0] * 16)
    for distance in (1, 2, 4, 8):
        lanes = [lane - distance if lane >= distance else 16 for lane in range(16)]
        order = ir.Constant(ir.VectorType(I32, 16), lanes)
        bins = builder.add(bins, builder.shuffle_vector(bins, nothing, order))
    return bins


@intrinsic
def locate(typing_context, bins, rank, sums):
    """The bin that holds the value at a rank, from 0; at ``sums``, the number of values before each bin."""

    def codegen(context, builder, signature, args):
        bins, rank, sums = args
        running = _running_sums(builder, _bins(builder, bins))
        nothing = ir.Constant(BINS, [0] * 16)
        before = ir.Constant(ir.VectorType(I32, 16), [16, *range(15)])
        stored(builder, sums, builder.shuffle_vector(running, nothing, before), 2)
        wanted = builder.trunc(rank, ir.IntType(16))
        wanted = builder.insert_element(ir.Constant(BINS, ir.Undefined), wanted, ir.Constant(I32, 0))
        wanted = builder.shuffle_vector(wanted, nothing, ir.Constant(ir.VectorType(I32, 16), [0] * 16))
        beyond = builder.bitcast(builder.icmp_unsigned(">", running, wanted), ir.IntType(16))
        kind = ir.FunctionType(I64, [I64, ir.IntType(1)])
        zeros = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(zeros, [builder.zext(beyond, I64), ir.Constant(ir.IntType(1), 1)])

    return types.intp(types.intp, types.intp, types.intp), codegen


@intrinsic
def move(typing_context, bins, columns, reach, steps):
    """Bins of a window one column further, ``steps`` times: columns at ``reach`` enter, those here leave."""

    def codegen(context, builder, signature, args):
        bins, columns, reach, steps = args
        total = cgutils.alloca_once(builder, BINS)
        builder.store(_bins(builder, bins), total)
        with cgutils.for_range(builder, steps) as step:
            leaving = _offset(builder, columns, step.index)
            change = builder.sub(_bins(builder, _offset(builder, leaving, reach)), _bins(builder, leaving))
            builder.store(builder.add(builder.load(total), change), total)
        stored(builder, bins, builder.load(total), 2)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), codegen


@intrinsic
def gather(typing_context, bins, columns, count):
    """Bins as the sum of columns."""

    def codegen(context, builder, signature, args):
        bins, columns, count = args
        total = cgutils.alloca_once(builder, BINS)
        builder.store(ir.Constant(BINS, [0] * 16), total)
        with cgutils.for_range(builder, count) as column:
            here = _bins(builder, _offset(builder, columns, column.index))
            builder.store(builder.add(builder.load(total), here), total)
        stored(builder, bins, builder.load(total), 2)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen


@inline
def tally(coarse, fine, segment_bytes, column, value, change):
    """Add a value to a column's histogram, or remove it."""
    at = coarse + column * BINS_BYTES + 2 * (value >> 4)
    store_16(at, load_u16(at) + change)
    at = fine + (value >> 4) * segment_bytes + column * BINS_BYTES + 2 * (value & 15)
    store_16(at, load_u16(at) + change)


@inline
def line(coarse, fine, segment_bytes, size, width, step, window, dst):
    """Medians of one row of windows, from the histograms of the columns."""
    sums = window
    coarse_bins = window + BINS_BYTES
    fine_bins = coarse_bins + BINS_BYTES
    places = fine_bins + 16 * BINS_BYTES
    middle = size * size // 2
    gather(coarse_bins, coarse, size)
    for segment in range(16):
        store_i64(places + 8 * segment, NONE)
    for x in range(width):
        segment = locate(coarse_bins, middle, sums)
        rank = middle - load_u16(sums + 2 * segment)
        bins = fine_bins + segment * BINS_BYTES
        columns = fine + segment * segment_bytes
        place = load_i64(places + 8 * segment)
        if 2 * (x - place) < size:
            move(bins, columns + place * BINS_BYTES, size, x - place)
        else:
            gather(bins, columns + x * BINS_BYTES, size)
        store_i64(places + 8 * segment, x)
        store_8(dst + x * step, 16 * segment + locate(bins, rank, sums))
        move(coarse_bins, coarse + x * BINS_BYTES, size, 1)


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi."""
    job = record(job_pointer)
    size, channels, row_bytes = job.size, job.channels, job.row_bytes
    segment_bytes = job.columns * BINS_BYTES
    window = scratch + HEADER_BYTES
    coarse = window + 1024
    fine = coarse + segment_bytes + BINS_BYTES
    rows = fine + 16 * segment_bytes
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        x0 = (tile - tile_y * job.tiles_x) * job.tile_width
        y0 = tile_y * job.tile_height
        width = min(job.tile_width, job.out_width - x0)
        height = min(job.tile_height, job.out_height - y0)
        columns = width + size - 1
        for y in range(height + size - 1):
            copy_row(job, y0 + y, x0, columns, rows + y * row_bytes)
        for channel in range(channels):
            clear(coarse, 17 * segment_bytes + BINS_BYTES)
            first = rows + channel
            for y in range(size):
                row = first + y * row_bytes
                for x in range(columns):
                    tally(coarse, fine, segment_bytes, x, load_u8(row + x * channels), 1)
            for y in range(height):
                dst = job.out + (y0 + y) * job.out_pitch + x0 * channels + channel
                line(coarse, fine, segment_bytes, size, width, channels, window, dst)
                if y + 1 < height:
                    leaving = first + y * row_bytes
                    entering = leaving + size * row_bytes
                    for x in range(columns):
                        tally(coarse, fine, segment_bytes, x, load_u8(leaving + x * channels), -1)
                        tally(coarse, fine, segment_bytes, x, load_u8(entering + x * channels), 1)
