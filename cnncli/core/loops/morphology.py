"""Extremes under flat structuring elements: what the loops for bytes, words and floats share.

Along a row, extremes of 4, 16 … neighbours are taken from those of fewer, and those of each run of the
element from the widest of them: windows may overlap, as the smallest of all is the same. Down the columns
the runs are compared one by one; those of a tall rectangle in blocks as tall as it is, so that each row takes
three comparisons whatever its height.

Source: M. van Herk: A fast algorithm for local minimum and maximum filters, 1992; J. Gil, M. Werman:
Computing 2-D min, median, and max filters, 1993; E. R. Urbach, M. H. F. Wilkinson: Efficient 2-D grayscale
morphological transformations with arbitrary flat structuring elements, 2008 (runs).
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.elements import FLOAT, size_of
from cnncli.core.loops.integers import copy_bytes
from cnncli.core.loops.median_network import row_copier
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import (
    F32,
    I64,
    VECTOR_BYTES,
    any_lane,
    fused,
    load_i64,
    loaded,
    prefetch,
    record,
    store_i64,
    stored,
    streamed,
)

_GROUP = 4  # vectors per iteration
_LAST = {"min": float("inf"), "max": float("-inf")}  # what never counts


def _number(value):
    return ir.Constant(I64, value)


def _vector_of(element):
    return ir.VectorType(element, VECTOR_BYTES // size_of(element))


def _each_group(builder, length, emit, *, dst=None):
    """Emit ``emit(offsets, aligned)`` for groups of vectors that cover a length; the last ends with it.

    A length shorter than a vector is covered by a whole one. Of a ``dst``, groups after the first vector
    start on cache lines.
    """
    size = _GROUP * VECTOR_BYTES
    start = _number(0)
    if dst is not None:
        start = builder.and_(builder.neg(dst), _number(VECTOR_BYTES - 1))
        emit([_number(0)], False)
    spare = builder.sub(length, start)
    whole = builder.add(start, builder.mul(builder.sdiv(spare, _number(size)), _number(size)))
    with cgutils.for_range_slice(builder, start, whole, _number(size), intp=I64, inc=True) as (i, _):
        emit([builder.add(i, _number(vector * VECTOR_BYTES)) for vector in range(_GROUP)], dst is not None)
    spare = builder.sub(length, _number(VECTOR_BYTES))
    last = builder.select(builder.icmp_signed(">", spare, _number(0)), spare, _number(0))
    with cgutils.for_range_slice(builder, whole, length, _number(VECTOR_BYTES), intp=I64, inc=True) as (i, _):
        emit([builder.select(builder.icmp_signed("<", i, last), i, last)], False)


def extremes_of(element, *, reads=False, writes=False, streams=False):
    """An intrinsic: dst = the smallest, or the largest, of rows whose addresses a table holds.

    Of floats that are read from an image (``reads``), NaN becomes what never counts, and zeros have no sign,
    so that the order of comparisons does not show. Memory ``ahead`` bytes behind the first row is fetched
    into the second cache, a line at a time: whole rows in the first one keep everything else waiting. Returns
    1 if a float that is written to an image (``writes``) is not finite, else 0. With ``streams``, stores
    bypass the caches.
    """
    vector = _vector_of(element)
    floats = element == F32

    @intrinsic
    def extremes(typing_context, table, count, length, dst, largest, ahead):
        def codegen(context, builder, signature, args):
            table, count, length, dst, largest, ahead = args
            zero = ir.Constant(vector, [0.0 if floats else 0] * vector.count)
            seen = cgutils.alloca_once_value(builder, zero)  # NaN where a value was not finite

            def address(part):
                return loaded(builder, builder.add(table, builder.mul(part, _number(8))), I64, 8)

            def choose(kind, a, b):
                if floats:
                    return builder.select(builder.fcmp_ordered("<" if kind == "min" else ">", a, b), a, b)
                name = f"llvm.u{kind}.v{vector.count}i{element.width}"
                function = ir.FunctionType(vector, [vector] * 2)
                return builder.call(cgutils.get_or_insert_function(builder.module, function, name), [a, b])

            def at(kind, row, offset):
                found = loaded(builder, builder.add(row, offset), vector, 1)
                if not (floats and reads):
                    return found
                last = ir.Constant(vector, [_LAST[kind]] * vector.count)
                return choose(kind, builder.fadd(found, zero), last)

            def fetch(row, offset):
                if reads:
                    prefetch(builder, builder.add(builder.add(row, offset), ahead), level=2)

            def put(offset, value, aligned):
                to = builder.add(dst, offset)
                if floats and writes:
                    builder.store(fused(builder, value, zero, builder.load(seen)), seen)
                if aligned:
                    streamed(builder, to, value)
                else:
                    stored(builder, to, value, 1)

            def few(kind, parts):
                rows = [address(_number(part)) for part in range(parts)]

                def emit(offsets, aligned):
                    for offset in offsets:
                        fetch(rows[0], offset)
                        found = at(kind, rows[0], offset)
                        for row in rows[1:]:
                            found = choose(kind, found, at(kind, row, offset))
                        put(offset, found, aligned)

                _each_group(builder, length, emit, dst=dst if streams else None)

            def many(kind):
                def emit(offsets, aligned):
                    found = [cgutils.alloca_once(builder, vector) for _ in offsets]
                    first = address(_number(0))
                    for each, offset in zip(found, offsets, strict=True):
                        fetch(first, offset)
                        builder.store(at(kind, first, offset), each)
                    with cgutils.for_range_slice(
                        builder, _number(1), count, _number(1), intp=I64, inc=True
                    ) as (part, _):
                        row = address(part)
                        for each, offset in zip(found, offsets, strict=True):
                            builder.store(choose(kind, builder.load(each), at(kind, row, offset)), each)
                    for each, offset in zip(found, offsets, strict=True):
                        put(offset, builder.load(each), aligned)

                _each_group(builder, length, emit, dst=dst if streams else None)

            def by_count(kind):
                others = builder.append_basic_block("others")
                done = builder.append_basic_block("done")
                switch = builder.switch(count, others)
                for parts in (2, 3, 4, 5):
                    block = builder.append_basic_block("few")
                    switch.add_case(_number(parts), block)
                    builder.position_at_end(block)
                    few(kind, parts)
                    builder.branch(done)
                builder.position_at_end(others)
                many(kind)
                builder.branch(done)
                builder.position_at_end(done)

            with builder.if_else(builder.icmp_signed("!=", largest, _number(0))) as (most, least):
                with most:
                    by_count("max")
                with least:
                    by_count("min")
            if not (floats and writes):
                return _number(0)
            value = builder.load(seen)
            return builder.zext(any_lane(builder, builder.fcmp_unordered("uno", value, value)), I64)

        return types.intp(*[types.intp] * 6), codegen

    return extremes


def difference_of(element, method):
    """An intrinsic: dst = a - b over rows; ``dst`` is neither of them."""
    vector = _vector_of(element)

    @intrinsic
    def difference(typing_context, a, b, length, dst):
        def codegen(context, builder, signature, args):
            a, b, length, dst = args

            def emit(offsets, aligned):
                for offset in offsets:
                    one, other = (loaded(builder, builder.add(row, offset), vector, 1) for row in (a, b))
                    stored(builder, builder.add(dst, offset), getattr(builder, method)(one, other), 1)

            _each_group(builder, length, emit)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 4), codegen

    return difference


def morphology_loop(element, load, aim, store):
    """A native loop over elements of an IR type.

    ``load(job, padded_row, padded_column, pixels, dst, length)`` returns the address of a row, at ``dst`` or
    in place. ``aim(job, row, column, length, answer)`` returns the address for results of ``length`` bytes:
    in the output, or ``answer`` in scratch. ``store(job, src, row, column, pixels, scratch, spare)`` stores
    those in scratch.
    """
    size_bytes = size_of(element)
    extremes = extremes_of(element)
    first_extremes = extremes_of(element, reads=True)
    last_extremes = extremes_of(element, writes=True)
    streamed_extremes = extremes_of(element, writes=True, streams=True)

    @inline
    def slot(job, number, raw, slots, planes, place):
        """Address of a slot of the row that is kept at a place of its plane."""
        if number == 0:
            return raw
        if number <= job.temporary:
            return slots + (number - 1) * job.row_bytes
        return planes + ((number - 1 - job.temporary) * job.kept_rows + place) * job.row_bytes

    @inline
    def widen(job, raw, slots, planes, place, tile_bytes, table):
        """The extremes of neighbours in a loaded row: all slots."""
        entry = job.stages
        for _ in range(job.stage_count):
            count = load_i64(entry + 16)
            for part in range(count):
                at = entry + 24 + 16 * part
                row = slot(job, load_i64(at), raw, slots, planes, place)
                store_i64(table + 8 * part, row + load_i64(at + 8))
            dst = slot(job, load_i64(entry), raw, slots, planes, place)
            length = tile_bytes + load_i64(entry + 8)
            if load_i64(entry + 24) == 0:  # of the loaded row
                first_extremes(table, count, length, dst, job.dilates, ROWS_AHEAD * job.src_pitch)
            else:
                extremes(table, count, length, dst, job.dilates, 0)
            entry += 24 + 16 * count

    @inline
    def pair(a, b, length, dst, largest, table):
        """The extremes of two rows."""
        store_i64(table, a)
        store_i64(table + 8, b)
        extremes(table, 2, length, dst, largest, 0)

    @inline
    def list_chords(job, top, planes, table):
        """The table of the runs of an element whose first row is kept at a place."""
        entry = job.chords
        for chord in range(job.chord_count):
            place = top + load_i64(entry + 8)
            if place >= job.kept_rows:
                place -= job.kept_rows
            at = (load_i64(entry) * job.kept_rows + place) * job.row_bytes
            store_i64(table + 8 * chord, planes + at + load_i64(entry + 16))
            entry += 24

    @inline
    def end_block(job, planes, last, length, table):
        """Turn the rows of a block into extremes from each to the block's end."""
        for back in range(1, job.height):
            row = planes + (last - back) * job.row_bytes
            pair(row, row + job.row_bytes, length, row, job.dilates, table)

    def loop(job_pointer, scratch, lo, hi):
        """Tiles lo to hi."""
        job = record(job_pointer)
        height, row_bytes, step = job.height, job.row_bytes, job.channels * size_bytes
        table = scratch + HEADER_BYTES
        raw = table + job.table_bytes
        answer = raw + row_bytes
        head = answer + row_bytes
        spare = head + row_bytes  # two rows
        slots = spare + 2 * row_bytes
        planes = slots + job.temporary * row_bytes
        not_finite = 0
        for tile in range(lo, hi):
            tile_y = tile // job.tiles_x
            x0 = (tile - tile_y * job.tiles_x) * job.tile_width
            y0 = tile_y * job.tile_height
            width = min(job.tile_width, job.out_width - x0)
            rows = min(job.tile_height, job.out_height - y0)
            length = width * step
            place = 0
            for have in range(rows + height - 1):
                row = load(job, y0 + have, x0, width + job.extent_x - 1, raw, length)
                widen(job, row, slots, planes, place, length, table)
                newest = place
                place += 1
                if place == job.kept_rows:
                    place = 0
                y = have + 1 - height
                if job.blocks:
                    within = newest if newest < height else newest - height
                    kept = planes + newest * row_bytes
                    if within == 0:
                        copy_bytes(head, kept, length)
                    else:
                        pair(head, kept, length, head, job.dilates, table)
                    if within == height - 1:
                        end_block(job, planes, newest, length, table)
                if y >= 0:
                    found = aim(job, y0 + y, x0, length, answer)
                    oldest = newest + 1 - height
                    if oldest < 0:
                        oldest += job.kept_rows
                    count = job.chord_count
                    if not job.blocks:
                        list_chords(job, oldest, planes, table)
                    else:
                        count = 1 if within == height - 1 else 2
                        store_i64(table, planes + oldest * row_bytes)
                        store_i64(table + 8, head)
                    if found != answer and job.streams:
                        beyond = streamed_extremes(table, count, length, found, job.dilates, 0)
                    else:
                        beyond = last_extremes(table, count, length, found, job.dilates, 0)
                    not_finite += beyond
                    store(job, found, y0 + y, x0, width, scratch, spare)
        store_i64(scratch, load_i64(scratch) + not_finite)

    return loop


def integer_loop(element):
    """A loop that reads and writes the same integer type, without range mapping or stride."""
    size_bytes = element.width // 8
    copy_row = row_copier(size_bytes)
    subtract = difference_of(element, "sub")

    @inline
    def load(job, padded_row, padded_column, pixels, dst, length):
        source_row = load_i64(job.ymap + 8 * padded_row)
        inside = job.inner_lo <= padded_column and padded_column + pixels <= job.inner_hi
        if source_row >= 0 and inside and length >= VECTOR_BYTES:
            first = load_i64(job.xmap + 8 * padded_column)
            return job.src + source_row * job.src_pitch + first * job.channels * size_bytes
        copy_row(job, padded_row, padded_column, pixels, dst)
        return dst

    @inline
    def aim(job, row, column, length, answer):
        if length < VECTOR_BYTES or job.minus:
            return answer
        return job.out + row * job.out_pitch + column * job.channels * size_bytes

    @inline
    def store(job, src, row, column, pixels, scratch, spare):
        offset = column * job.channels * size_bytes
        dst = job.out + row * job.out_pitch + offset
        if src == dst:
            return
        length = pixels * job.channels * size_bytes
        if not job.minus:
            copy_bytes(dst, src, length)
            return
        base, to = job.base + row * job.base_pitch + offset, dst
        if length < VECTOR_BYTES:
            copy_bytes(spare, base, length)
            base, to = spare, spare + job.row_bytes
        if job.minus == 1:
            subtract(base, src, length, to)
        else:
            subtract(src, base, length, to)
        if to != dst:
            copy_bytes(dst, to, length)

    return morphology_loop(element, load, aim, store)


def float_loop():
    """A loop for any types in memory, with luma and range mapping, in float32; NaN does not count."""
    subtract = difference_of(F32, "fsub")

    @inline
    def load(job, padded_row, padded_column, pixels, dst, length):
        source_row = load_i64(job.ymap + 8 * padded_row)
        inside = job.inner_lo <= padded_column and padded_column + pixels <= job.inner_hi
        if source_row >= 0 and inside and length >= VECTOR_BYTES and job.src_type == FLOAT and not job.gray:
            first = load_i64(job.xmap + 8 * padded_column)
            return job.src + source_row * job.src_pitch + first * job.channels * 4
        load_row(job, padded_row, padded_column, pixels, dst)
        return dst

    @inline
    def aim(job, row, column, length, answer):
        if length < VECTOR_BYTES or not job.direct:
            return answer
        return job.out + row * job.out_pitch + column * job.channels * 4

    @inline
    def store(job, src, row, column, pixels, scratch, spare):
        length = pixels * job.channels * 4
        if job.direct and length >= VECTOR_BYTES:
            return
        if job.minus:
            base = job.base + row * job.base_pitch + column * job.channels * 4
            if length < VECTOR_BYTES:
                copy_bytes(spare, base, length)
                base = spare
            to = spare + job.row_bytes
            if job.minus == 1:
                subtract(base, src, length, to)
            else:
                subtract(src, base, length, to)
            src = to
        store_row(job, src, row, column, pixels, scratch)

    return morphology_loop(F32, load, aim, store)
