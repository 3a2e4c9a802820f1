"""How alike two pictures are, a tile at a time, in float64: sums of differences, and the SSIM of windows.

The samples of a tile and of what its windows reach over become float64 first. Of each row of windows the
sums down the columns are taken once, of both pictures' samples, their squares and their products; sums of
these along the row are those of the windows. Sums of integers are exact.

Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image Quality Assessment: From Error Visibility
to Structural Similarity, 2004, eq. 13.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.elements import (
    BYTE,
    COLORS,
    ELEMENTS,
    RGBX_BYTES,
    U8,
    address_of,
    steps,
    switch_on_type,
)
from cnncli.core.jobs import RGBX
from cnncli.core.loops.doubles import DOUBLE, DOUBLES, doubles, magnitude
from cnncli.core.loops.integers import load_u8
from cnncli.core.loops.tile_io import HEADER_BYTES, inline
from cnncli.core.simd import (
    I32,
    I64,
    LANES,
    fused,
    lanes_below,
    load_f64,
    loaded,
    record,
    splatted,
    store_f64,
    stored,
)

JOB = jobs.SIMILARITY
SIZE = 8  # bytes of a value
CHUNK_BYTES = SIZE * LANES
MOMENTS = 5  # sums of x, y, x x, y y and x y
LINES = 4  # of totals, a vector each: squares, magnitudes, the largest, similarities
FLAGS = ir.VectorType(BYTE, LANES)


def _loading(lanes):
    """An intrinsic: so many samples, from the index-th on, as float64 at ``dst``."""

    @intrinsic
    def load(typing_context, base, index, kind, dst):
        def codegen(context, builder, signature, args):
            base, index, kind, dst = args

            def emit(element):
                at = builder.add(base, builder.mul(index, ir.Constant(I64, SIZE)))
                if element != DOUBLE:
                    at = address_of(builder, base, index, element)
                samples = loaded(builder, at, ir.VectorType(element, lanes), 1)
                numbers = ir.VectorType(DOUBLE, lanes)
                if isinstance(element, ir.IntType):
                    samples = builder.uitofp(samples, numbers)
                elif element != DOUBLE:
                    samples = builder.fpext(samples, numbers)
                stored(builder, dst, samples, SIZE)

            kinds = ELEMENTS | {jobs.DOUBLES: DOUBLE}
            cases = {code: (lambda element=element: emit(element)) for code, element in kinds.items()}
            switch_on_type(builder, kind, cases, None)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), codegen

    return load


load_chunk, load_one = _loading(LANES), _loading(1)


@intrinsic
def load_colors(typing_context, src, dst):
    """The colours of a chunk of RGBX pixels as float64 at ``dst``."""

    def codegen(context, builder, signature, args):
        src, dst = args
        pixels = loaded(builder, src, ir.VectorType(BYTE, RGBX_BYTES * LANES), 1)
        picked = [RGBX_BYTES * pixel + color for pixel in range(LANES) for color in range(COLORS)]
        colors = builder.shuffle_vector(pixels, pixels, ir.Constant(ir.VectorType(I32, len(picked)), picked))
        stored(builder, dst, builder.uitofp(colors, ir.VectorType(DOUBLE, len(picked))), SIZE)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 2), codegen


@intrinsic
def add_differences(typing_context, x, y, here, totals, flags):
    """Add the differences of ``here`` samples, a chunk at most, to the totals.

    A byte of each goes to ``flags``: 1 where it is not 0, or no number.
    """

    def codegen(context, builder, signature, args):
        x, y, here, totals, flags = args
        apart = builder.fsub(loaded(builder, x, DOUBLES, SIZE), loaded(builder, y, DOUBLES, SIZE))
        apart = builder.select(lanes_below(builder, here), apart, doubles(0))
        sizes = magnitude(builder, apart)
        squares, magnitudes, largest = (_line(builder, totals, line) for line in range(3))
        _add(builder, squares, builder.fmul(apart, apart))
        _add(builder, magnitudes, sizes)
        most = loaded(builder, largest, DOUBLES, SIZE)
        above = builder.fcmp_ordered(">", sizes, most)
        stored(builder, largest, builder.select(above, sizes, most), SIZE)
        differs = builder.fcmp_unordered("!=", apart, doubles(0))
        stored(builder, flags, builder.zext(differs, FLAGS), 1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@intrinsic
def sum_columns(typing_context, x, y, pitch, taps, count, dst, apart):
    """Weighted sums down columns, of a chunk: the `MOMENTS`, each ``apart`` bytes from the one before."""

    def codegen(context, builder, signature, args):
        x, y, pitch, taps, count, dst, apart = args
        totals = [cgutils.alloca_once_value(builder, doubles(0)) for _ in range(MOMENTS)]
        with steps(builder, count) as (row, _):
            weight = _weight(builder, taps, row)
            below = builder.mul(row, pitch)
            a, b = (loaded(builder, builder.add(each, below), DOUBLES, SIZE) for each in (x, y))
            products = [builder.fmul(*pair) for pair in ((a, a), (b, b), (a, b))]
            for total, value in zip(totals, (a, b, *products), strict=True):
                builder.store(fused(builder, weight, value, builder.load(total)), total)
        for number, total in enumerate(totals):
            at = builder.add(dst, builder.mul(apart, ir.Constant(I64, number)))
            stored(builder, at, builder.load(total), SIZE)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), codegen


@intrinsic
def add_similarities(typing_context, src, apart, step, taps, count, share, unbiased, c1, c2, here, totals):
    """Add the SSIM of ``here`` windows, a chunk at most, to the totals.

    The sums of `sum_columns` are at ``src``; neighbours along a row are ``step`` bytes apart. A window's sums
    times ``share`` are means.
    """

    def codegen(context, builder, signature, args):
        src, apart, step, taps, count, share, unbiased, c1, c2, here, totals = args
        share, unbiased, c1, c2 = (splatted(builder, each) for each in (share, unbiased, c1, c2))
        sums = [cgutils.alloca_once_value(builder, doubles(0)) for _ in range(MOMENTS)]
        with steps(builder, count) as (column, _):
            weight = _weight(builder, taps, column)
            at = builder.add(src, builder.mul(column, step))
            for number, each in enumerate(sums):
                value = builder.add(at, builder.mul(apart, ir.Constant(I64, number)))
                value = loaded(builder, value, DOUBLES, SIZE)
                builder.store(fused(builder, weight, value, builder.load(each)), each)
        ux, uy, xx, yy, xy = (builder.fmul(builder.load(each), share) for each in sums)

        def add(a, b):
            return builder.fadd(a, b)

        def covariance(mean, a, b):
            return builder.fmul(unbiased, builder.fsub(mean, builder.fmul(a, b)))

        vx, vy, vxy = covariance(xx, ux, ux), covariance(yy, uy, uy), covariance(xy, ux, uy)
        product = builder.fmul(ux, uy)
        above = builder.fmul(add(add(product, product), c1), add(add(vxy, vxy), c2))
        squares = add(builder.fmul(ux, ux), builder.fmul(uy, uy))
        below = builder.fmul(add(squares, c1), add(add(vx, vy), c2))
        alike = builder.select(lanes_below(builder, here), builder.fdiv(above, below), doubles(0))
        _add(builder, _line(builder, totals, LINES - 1), alike)
        return context.get_dummy_value()

    numbers = [types.intp] * 5 + [types.float64] * 4 + [types.intp] * 2
    return types.void(*numbers), codegen


def _weight(builder, taps, number):
    at = builder.add(taps, builder.mul(number, ir.Constant(I64, SIZE)))
    return splatted(builder, loaded(builder, at, DOUBLE, SIZE))


def _line(builder, totals, line):
    return builder.add(totals, ir.Constant(I64, line * CHUNK_BYTES))


def _add(builder, address, value):
    stored(builder, address, builder.fadd(loaded(builder, address, DOUBLES, SIZE), value), SIZE)


@inline
def load_samples(job, src, first, samples, dst):
    """A row's samples from the first on, of whole pixels, as float64."""
    if job.type == RGBX:
        pixels = samples // COLORS
        src += first // COLORS * RGBX_BYTES
        whole = pixels - pixels % LANES
        for i in range(0, whole, LANES):
            load_colors(src + RGBX_BYTES * i, dst + SIZE * COLORS * i)
        for i in range(whole, pixels):
            for color in range(COLORS):
                load_one(src + RGBX_BYTES * i, color, U8, dst + SIZE * (COLORS * i + color))
        return
    whole = samples - samples % LANES
    for i in range(0, whole, LANES):
        load_chunk(src, first + i, job.type, dst + SIZE * i)
    for i in range(whole, samples):
        load_one(src, first + i, job.type, dst + SIZE * i)


@inline
def load_row(job, src, first, samples, dst):
    """The same, colours weighted by opacity, and zeros behind them."""
    load_samples(job, src, first, samples, dst)
    for i in range(samples, samples + LANES):
        store_f64(dst + SIZE * i, 0.0)
    if job.alpha:
        colors = job.channels - 1
        for pixel in range(samples // job.channels):
            at = dst + SIZE * pixel * job.channels
            share = load_f64(at + SIZE * colors) / job.white
            for color in range(colors):
                place = at + SIZE * color
                store_f64(place, load_f64(place) * share)


@inline
def total_of(totals, line):
    """The sum of the lanes of a line."""
    total = 0.0
    for lane in range(LANES):
        total += load_f64(totals + line * CHUNK_BYTES + SIZE * lane)
    return total


@inline
def largest_of(totals):
    """The largest lane of the line of largest differences."""
    most = 0.0
    for lane in range(LANES):
        most = max(most, load_f64(totals + 2 * CHUNK_BYTES + SIZE * lane))
    return most


@inline
def count_pixels(flags, pixels, channels):
    """Pixels of which any channel is flagged."""
    found = 0
    for pixel in range(pixels):
        differs = 0
        for channel in range(channels):
            differs |= load_u8(flags + pixel * channels + channel)
        found += differs
    return found


def loop(job_pointer, scratch, lo, hi):
    """Tiles lo to hi: their sums, five numbers each.

    Those of squared and of absolute differences, the largest, the pixels that differ, the sum of SSIM.
    """
    job = record(job_pointer)
    channels, reach = job.channels, job.reach
    side = 2 * reach + 1
    totals = scratch + HEADER_BYTES
    flags = totals + LINES * CHUNK_BYTES
    columns = flags + job.pitch // SIZE
    x_rows = columns + MOMENTS * job.pitch
    y_rows = x_rows + (job.tile_rows + 2 * reach) * job.pitch
    for tile in range(lo, hi):
        tile_y = tile // job.tiles_x
        tile_x = tile - tile_y * job.tiles_x
        top, left = job.top + tile_y * job.tile_rows, tile_x * job.tile_columns
        bottom, right = min(top + job.tile_rows, job.bottom), min(left + job.tile_columns, job.width)
        above, below = max(top - reach, 0), min(bottom + reach, job.height)
        start, stop = max(left - reach, 0), min(right + reach, job.width)
        for line in range(LINES * LANES):
            store_f64(totals + SIZE * line, 0.0)
        for row in range(below - above):
            at = above + row - job.first_row
            samples = (stop - start) * channels
            place = row * job.pitch
            x, y = job.x + at * job.x_pitch, job.y + at * job.y_pitch
            load_row(job, x, start * channels, samples, x_rows + place)
            load_row(job, y, start * channels, samples, y_rows + place)
        differing = 0
        own, samples = (left - start) * channels, (right - left) * channels
        for row in range(top - above, bottom - above):
            for i in range(0, samples, LANES):
                at = row * job.pitch + SIZE * (own + i)
                add_differences(x_rows + at, y_rows + at, samples - i, totals, flags + i)
            differing += count_pixels(flags, right - left, channels)
        first, last = max(left, reach), min(right, job.width - reach)
        loaded_samples, windows = (stop - start) * channels, (last - first) * channels
        for y in range(max(top, reach), min(bottom, job.height - reach)):
            place = (y - reach - above) * job.pitch
            for i in range(0, loaded_samples, LANES):
                at = place + SIZE * i
                sum_columns(
                    x_rows + at, y_rows + at, job.pitch, job.taps, side, columns + SIZE * i, job.pitch
                )
            begin = columns + SIZE * (first - reach - start) * channels
            for i in range(0, windows, LANES):
                add_similarities(
                    begin + SIZE * i,
                    job.pitch,
                    SIZE * channels,
                    job.taps,
                    side,
                    job.share,
                    job.unbiased,
                    job.c1,
                    job.c2,
                    windows - i,
                    totals,
                )
        out = job.out + tile * MOMENTS * SIZE
        store_f64(out, total_of(totals, 0))
        store_f64(out + SIZE, total_of(totals, 1))
        store_f64(out + 2 * SIZE, largest_of(totals))
        store_f64(out + 3 * SIZE, float(differing))
        store_f64(out + 4 * SIZE, total_of(totals, LINES - 1))
