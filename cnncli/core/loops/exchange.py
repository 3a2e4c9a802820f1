"""Sorting networks over rows of integers, a vector of neighbours at a time.

Small networks are compiled to straight-line code on registers, in stages that end where a neighbour's
values are needed. Large ones are interpreted from a table, one step per row.
"""

import contextlib

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.networks import median_network, network_stages
from cnncli.core.simd import I64, VECTOR_BYTES, loaded, prefetch, stored

BYTE, WORD, KEY = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_GROUP = 4  # vectors per iteration of a step


def _choose(builder, kind, a, b):
    """The smaller or larger, lane by lane; 32-bit integers are signed, narrower ones are not."""
    element = a.type.element
    name = f"llvm.{'s' if element == KEY else 'u'}{kind}.v{a.type.count}i{element.width}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 2), name)
    return builder.call(function, [a, b])


def _vector_of(element):
    return ir.VectorType(element, 8 * VECTOR_BYTES // element.width)


def _span(builder, length, step):
    return cgutils.for_range_slice(
        builder, ir.Constant(I64, 0), length, ir.Constant(I64, step), intp=I64, inc=True
    )


@contextlib.contextmanager
def _cover(builder, length):
    """Starts of vectors that cover a length, the last one ending with it unless it is shorter than one."""
    step = ir.Constant(I64, VECTOR_BYTES)
    spare = builder.sub(length, step)
    zero = ir.Constant(I64, 0)
    last = builder.select(builder.icmp_signed(">", spare, zero), spare, zero)
    with _span(builder, length, VECTOR_BYTES) as (i, _):
        yield builder.select(builder.icmp_signed("<", i, last), i, last)


def three_by_three(element):
    """An intrinsic that writes the medians of windows of 3 x 3 for two rows.

    Its arguments: address of the first row, bytes from row to row and from pixel to pixel, length of a
    result in bytes, and addresses of the results; addresses of two rows to read and two to write that are
    prefetched. Results shorter than a vector are written as a whole vector. The two rows in the middle are
    sorted once for both windows. The median of three sorted columns is the median of the maximum of their
    minima, the median of their medians, and the minimum of their maxima.
    """

    @intrinsic
    def medians(typing_context, rows, pitch, step, length, upper, lower, read0, read1, write0, write1):
        def codegen(context, builder, signature, args):
            rows, pitch, step, length, *addresses = args
            targets, to_read, to_write = addresses[:2], addresses[2:4], addresses[4:]
            vector = _vector_of(element)

            def least(a, b):
                return _choose(builder, "min", a, b)

            def most(a, b):
                return _choose(builder, "max", a, b)

            def middle(a, b, c):
                return most(least(a, b), least(most(a, b), c))

            starts = [builder.add(rows, builder.mul(pitch, ir.Constant(I64, row))) for row in range(4)]
            shifts = [builder.mul(step, ir.Constant(I64, column)) for column in range(3)]
            with _cover(builder, length) as i:
                for addresses, written in ((to_read, False), (to_write, True)):
                    for address in addresses:
                        prefetch(builder, builder.add(address, i), to_write=written)
                columns = ([], [])
                for shift in shifts:
                    at = builder.add(i, shift)
                    top, a, b, bottom = (loaded(builder, builder.add(row, at), vector, 1) for row in starts)
                    low, high = least(a, b), most(a, b)
                    for third, column in zip((top, bottom), columns, strict=True):
                        rest = most(low, third)
                        column.append((least(low, third), least(rest, high), most(rest, high)))
                for column, target in zip(columns, targets, strict=True):
                    small, mid, large = zip(*column, strict=True)
                    median = middle(
                        most(most(*small[:2]), small[2]), middle(*mid), least(least(*large[:2]), large[2])
                    )
                    stored(builder, builder.add(target, i), median, 1)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), codegen

    return medians


def compiled_network(size, element):
    """An intrinsic that writes the medians of windows of ``size`` x ``size``, from rows through places.

    Its arguments, all in bytes: address of the first row, pitch of rows, address of the places, pitch of
    places, size of a pixel, length of the result, and its address. Results shorter than a vector are
    written as a whole vector.
    """
    network = median_network(size)
    stages = network_stages(size)
    stage, place = stages.number, stages.place
    answer = network.operations[-1].value

    @intrinsic
    def medians(typing_context, rows, pitch, places, place_pitch, step, length, dst):
        def codegen(context, builder, signature, args):
            rows, pitch, places, place_pitch, step, length, dst = args
            vector = _vector_of(element)

            def base(reference):
                value = reference.value
                start, stride, number = (
                    (rows, pitch, value) if value < size else (places, place_pitch, place[value])
                )
                at = builder.add(start, builder.mul(stride, ir.Constant(I64, number)))
                return builder.add(at, builder.mul(step, ir.Constant(I64, reference.shift)))

            def emit(number):
                here = [operation for operation in network.operations if stage[operation.value] == number]
                reach = ir.Constant(I64, 0 if number == stage[answer] else size - 1)
                with _cover(builder, builder.add(length, builder.mul(step, reach))) as i:
                    ready = {}

                    def fetch(reference):
                        if reference not in ready:
                            ready[reference] = loaded(builder, builder.add(base(reference), i), vector, 1)
                        return ready[reference]

                    for operation in here:
                        value = _choose(builder, operation.kind, fetch(operation.a), fetch(operation.b))
                        ready[operation.a._replace(value=operation.value, shift=0)] = value
                        if operation.value in place:
                            to = base(operation.a._replace(value=operation.value, shift=0))
                            stored(builder, builder.add(to, i), value, 1)
                        elif operation.value == answer:
                            stored(builder, builder.add(dst, i), value, 1)

            for number in range(stage[answer] + 1):
                emit(number)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), codegen

    return medians


def exchange_rows(element):
    """An intrinsic for one step: rows at a and b, their length in bytes, where the smaller and larger go.

    A target of 0 is left out. Rows are read and written in groups of vectors.
    """

    @intrinsic
    def exchange(typing_context, a, b, length, smaller, larger):
        def codegen(context, builder, signature, args):
            a, b, length, smaller, larger = args
            zero = ir.Constant(I64, 0)
            vector = _vector_of(element)

            def walk(targets):
                with _span(builder, length, _GROUP * VECTOR_BYTES) as (i, _):
                    offsets = [builder.add(i, ir.Constant(I64, v * VECTOR_BYTES)) for v in range(_GROUP)]
                    pairs = [
                        [loaded(builder, builder.add(row, offset), vector, 1) for row in (a, b)]
                        for offset in offsets
                    ]
                    for kind, to in targets:
                        for offset, pair in zip(offsets, pairs, strict=True):
                            stored(builder, builder.add(to, offset), _choose(builder, kind, *pair), 1)

            wants_smaller = builder.icmp_signed("!=", smaller, zero)
            wants_larger = builder.icmp_signed("!=", larger, zero)
            with builder.if_else(builder.and_(wants_smaller, wants_larger)) as (both, one):
                with both:
                    walk([("min", smaller), ("max", larger)])
                with one, builder.if_else(wants_smaller) as (least, greatest):
                    with least:
                        walk([("min", smaller)])
                    with greatest:
                        walk([("max", larger)])
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), codegen

    return exchange


def _rekeying(collapse):
    """An intrinsic that converts floats to integers of the same order, or back, in place."""

    @intrinsic
    def rekey(typing_context, row, length):
        def codegen(context, builder, signature, args):
            row, length = args
            vector = _vector_of(KEY)

            def every(number):
                return ir.Constant(vector, [number] * vector.count)

            with _span(builder, length, VECTOR_BYTES) as (i, _):
                at = builder.add(row, i)
                bits = loaded(builder, at, vector, 4)
                magnitude = builder.and_(bits, every(0x7FFFFFFF))
                key = builder.xor(bits, builder.and_(builder.ashr(bits, every(31)), every(0x7FFFFFFF)))
                if collapse:
                    nan = builder.icmp_signed(">", magnitude, every(0x7F800000))
                    key = builder.select(nan, every(0x7FC00000), key)
                stored(builder, at, key, 4)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 2), codegen

    return rekey


# Every NaN gets the same key, above those of all numbers.
floats_to_keys = _rekeying(collapse=True)
keys_to_floats = _rekeying(collapse=False)
