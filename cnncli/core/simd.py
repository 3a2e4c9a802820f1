"""Vectors of float32 as Numba values, and memory by address.

A vector has as many lanes as the target's registers, is a value like a number, and each operation
on it is one instruction, so that accumulators stay in registers for any loop length. Addresses are
plain integers, in bytes; loads and stores need no alignment. Imported only to compile.
"""

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    register_model,
    type_callable,
)

from cnncli.core.native import processor

ARCHITECTURE, _, _features, TARGET = processor()
LANES = TARGET.lanes
F32 = ir.FloatType()
I32 = ir.IntType(32)
I64 = ir.IntType(64)
VECTOR = ir.VectorType(F32, LANES)
VECTOR_BYTES = 4 * LANES
LINE = 64  # bytes of a cache line
#: Whether one instruction can combine two vectors into one that starts at any lane. It pays where vectors
#: are as long as a cache line, as then every unaligned load takes as long as two.
JOINS = VECTOR_BYTES == LINE and "avx512f" in _features.split()


class VectorType(types.Type):
    """A vector of `LANES` float32 values."""

    def __init__(self) -> None:
        super().__init__(name=f"f32x{LANES}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, VECTOR)


vector = VectorType()


def pointer(builder, address, element):
    """The address as a pointer to an element type."""
    return builder.inttoptr(address, ir.PointerType(element))


def splatted(builder, value, lanes=LANES):
    """A vector with one value in all lanes."""
    empty = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


def constant(value):
    """A vector constant."""
    return ir.Constant(VECTOR, [float(value)] * LANES)


def any_lane(builder, holds):
    """Whether a comparison of vectors holds in any lane."""
    bits = builder.bitcast(holds, ir.IntType(holds.type.count))
    return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))


def loaded(builder, address, kind, align):
    """Load a value of an IR type from an address with a known alignment."""
    value = builder.load(pointer(builder, address, kind), typ=kind)
    value.align = align
    return value


def stored(builder, address, value, align):
    """Store a value to an address with a known alignment."""
    builder.store(value, pointer(builder, address, value.type)).align = align


def streamed(builder, address, value, align=VECTOR_BYTES):
    """Store a vector to an aligned address, bypassing the caches."""
    store = builder.store(value, pointer(builder, address, value.type))
    store.align = align
    store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(I32, 1)]))


def prefetch(builder, address, *, to_write=False, level=1):
    """Prefetch the cache line at an address, which need not be valid, into a cache level."""
    to = pointer(builder, address, ir.IntType(8))
    numbers = [ir.Constant(I32, number) for number in (int(to_write), 4 - level, 1)]  # write, keep, data
    kind = ir.FunctionType(ir.VoidType(), [to.type, I32, I32, I32])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), [to, *numbers])


def fused(builder, a, b, c):
    """a * b + c of vectors or scalars: one instruction, or two if the processor has no FMA."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    lanes, number = "", a.type
    if isinstance(number, ir.VectorType):
        lanes, number = f"v{number.count}", number.element
    name = f"llvm.fmuladd.{lanes}f{32 if number == F32 else 64}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def joined(builder, first, second, lane):
    """`LANES` lanes of two concatenated vectors, starting at lane 0 to `LANES`; requires `JOINS`."""
    lanes = ir.VectorType(I32, LANES)
    order = builder.add(splatted(builder, lane), ir.Constant(lanes, list(range(LANES))))
    kind = ir.FunctionType(VECTOR, [VECTOR, lanes, VECTOR])
    name = "llvm.x86.avx512.vpermi2var.ps.512"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [first, order, second])


def _fetching(to_write):
    @intrinsic
    def fetch(typing_context, address, size):
        def codegen(context, builder, signature, args):
            with cgutils.for_range_slice(
                builder, ir.Constant(I64, 0), args[1], ir.Constant(I64, LINE), inc=True
            ) as (line, _):
                prefetch(builder, builder.add(args[0], line), to_write=to_write)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), codegen

    return fetch


fetch_to_read, fetch_to_write = _fetching(False), _fetching(True)  # prefetch a range of bytes, valid or not


def transposed(builder, rows):
    """The columns of a square: as many vectors as each has lanes, of any type."""
    rows, count, step = list(rows), len(rows), 1
    while step < count:  # exchange one bit of the number of the row with that of the lane
        lanes = range(count)
        low = [count + lane - step if lane & step else lane for lane in lanes]
        high = [count + lane if lane & step else lane + step for lane in lanes]
        orders = [ir.Constant(ir.VectorType(I32, count), each) for each in (low, high)]
        for first in (row for row in lanes if not row & step):
            pair = rows[first], rows[first + step]
            rows[first], rows[first + step] = (builder.shuffle_vector(*pair, order) for order in orders)
        step *= 2
    return rows


@intrinsic
def record(typing_context, address):
    """The record that a pointer points to."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(address.dtype))

    return address.dtype(address), codegen


def _scalar_load(kind, result):
    @intrinsic
    def load(typing_context, address):
        def codegen(context, builder, signature, args):
            return loaded(builder, args[0], kind, 1)

        return result(types.intp), codegen

    return load


def _scalar_store(argument):
    @intrinsic
    def store(typing_context, address, value):
        def codegen(context, builder, signature, args):
            stored(builder, args[0], args[1], 1)
            return context.get_dummy_value()

        return types.void(types.intp, argument), codegen

    return store


load_f32 = _scalar_load(F32, types.float32)
load_f64 = _scalar_load(ir.DoubleType(), types.float64)
load_i64 = _scalar_load(I64, types.intp)
store_f32 = _scalar_store(types.float32)
store_f64 = _scalar_store(types.float64)
store_i64 = _scalar_store(types.intp)


@intrinsic
def load_i32(typing_context, address):
    """A 32-bit integer from an address."""

    def codegen(context, builder, signature, args):
        return builder.sext(loaded(builder, args[0], I32, 4), I64)

    return types.intp(types.intp), codegen


@intrinsic
def vload(typing_context, address):
    """`LANES` float32 values from an address."""

    def codegen(context, builder, signature, args):
        return loaded(builder, args[0], VECTOR, 4)

    return vector(types.intp), codegen


@intrinsic
def vstore(typing_context, address, value):
    """Store `LANES` float32 values."""

    def codegen(context, builder, signature, args):
        stored(builder, args[0], args[1], 4)
        return context.get_dummy_value()

    return types.void(types.intp, vector), codegen


def lanes_below(builder, count):
    """Whether each lane's number is below a count."""
    numbers = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
    return builder.icmp_signed("<", numbers, splatted(builder, builder.trunc(count, I32)))


def _masked(builder, name, result, arguments):
    """Call an LLVM intrinsic that leaves out lanes of memory."""
    kind = ir.FunctionType(result, [each.type for each in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.v{LANES}f32.p0")
    return builder.call(function, arguments)


def loaded_where(builder, address, mask, fill):
    """A vector of float32 from an address; lanes that are left out are not read, but filled."""
    given = pointer(builder, address, VECTOR), ir.Constant(I32, 4), mask, fill
    return _masked(builder, "load", VECTOR, given)


def stored_where(builder, address, value, mask):
    """Store lanes of a vector; nothing is written for those that are left out."""
    given = value, pointer(builder, address, VECTOR), ir.Constant(I32, 4), mask
    _masked(builder, "store", ir.VoidType(), given)


@intrinsic
def vload_first(typing_context, address, count, fill):
    """The first ``count`` float32 values from an address, the other lanes filled; nothing else is read."""

    def codegen(context, builder, signature, args):
        address, count, fill = args
        return loaded_where(builder, address, lanes_below(builder, count), fill)

    return vector(types.intp, types.intp, vector), codegen


@intrinsic
def vstore_first(typing_context, address, count, value):
    """Store the first ``count`` lanes; nothing else is written."""

    def codegen(context, builder, signature, args):
        address, count, value = args
        stored_where(builder, address, value, lanes_below(builder, count))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, vector), codegen


@intrinsic
def first_lanes(typing_context, a, count):
    """The first ``count`` lanes, and 0 in the others."""

    def codegen(context, builder, signature, args):
        return builder.select(lanes_below(builder, args[1]), args[0], constant(0))

    return vector(vector, types.intp), codegen


@intrinsic
def splat(typing_context, x):
    """A vector with ``x`` in all lanes."""

    def codegen(context, builder, signature, args):
        return splatted(builder, args[0])

    return vector(types.float32), codegen


@intrinsic
def zeros(typing_context):
    """A vector of zeros."""

    def codegen(context, builder, signature, args):
        return constant(0)

    return vector(), codegen


@intrinsic
def fma(typing_context, a, b, c):
    """a * b + c, rounded once if the processor has FMA."""

    def codegen(context, builder, signature, args):
        return fused(builder, *args)

    return vector(vector, vector, vector), codegen


@intrinsic
def fma_f32(typing_context, a, b, c):
    """`fma` of scalars, with the same rounding."""

    def codegen(context, builder, signature, args):
        return fused(builder, *args)

    return types.float32(types.float32, types.float32, types.float32), codegen


def _by_halves(builder, a, combine):
    """One value of all lanes: the upper half is combined with the lower, again and again."""
    count = LANES
    while count > 1:
        count //= 2
        lower, upper = (
            builder.shuffle_vector(a, a, ir.Constant(ir.VectorType(I32, count), [*range(at, at + count)]))
            for at in (0, count)
        )
        a = combine(lower, upper)
    return builder.extract_element(a, ir.Constant(I32, 0))


@intrinsic
def lane_max(typing_context, a):
    """The greatest of the lanes, none of which is NaN."""

    def codegen(context, builder, signature, args):
        def greater(x, y):
            return builder.select(builder.fcmp_ordered(">", x, y), x, y)

        return _by_halves(builder, args[0], greater)

    return types.float32(vector), codegen


@intrinsic
def lane_total(typing_context, a):
    """Sum of the lanes, by halves: in fewer steps than `lane_sum`, one after the other."""

    def codegen(context, builder, signature, args):
        return _by_halves(builder, args[0], builder.fadd)

    return types.float32(vector), codegen


@intrinsic
def lane_sum(typing_context, a):
    """Sum of the lanes, first to last."""

    def codegen(context, builder, signature, args):
        total = builder.extract_element(args[0], ir.Constant(I32, 0))
        for lane in range(1, LANES):
            total = builder.fadd(total, builder.extract_element(args[0], ir.Constant(I32, lane)))
        return total

    return types.float32(vector), codegen


def _unary(name):
    @intrinsic
    def apply(typing_context, a):
        def codegen(context, builder, signature, args):
            kind = ir.FunctionType(VECTOR, [VECTOR])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
            return builder.call(function, args)

        return vector(vector), codegen

    return apply


vsqrt = _unary("sqrt")
vabs = _unary("fabs")
vfloor = _unary("floor")


@intrinsic
def root_f64(typing_context, a):
    """Square root of a float64."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(args[0].type, [args[0].type])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.sqrt.f64"), args)

    return types.float64(types.float64), codegen


def polynomial(coefficients):
    """An intrinsic: the polynomial of a vector with these coefficients, highest power first."""

    @intrinsic
    def evaluate(typing_context, x):
        def codegen(context, builder, signature, args):
            value = constant(coefficients[0])
            for coefficient in coefficients[1:]:
                value = fused(builder, value, args[0], constant(coefficient))
            return value

        return vector(vector), codegen

    return evaluate


def _choosing(comparison):
    """a where the comparison with b holds, else b: one instruction, and b where either is NaN."""

    @intrinsic
    def choose(typing_context, a, b):
        def codegen(context, builder, signature, args):
            return builder.select(builder.fcmp_ordered(comparison, *args), *args)

        return vector(vector, vector), codegen

    return choose


vmax = _choosing(">")
vmin = _choosing("<")


@intrinsic
def where_greater(typing_context, a, b, x, y):
    """x in the lanes where a > b, else y."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    return vector(vector, vector, vector, vector), codegen


@intrinsic
def any_greater(typing_context, a, b):
    """Whether a > b in any lane."""

    def codegen(context, builder, signature, args):
        return any_lane(builder, builder.fcmp_ordered(">", *args))

    return types.boolean(vector, vector), codegen


@intrinsic
def where_equal(typing_context, a, b, x, y):
    """x in the lanes where a equals b, else y."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("==", args[0], args[1]), args[2], args[3])

    return vector(vector, vector, vector, vector), codegen


def _binary(operation, method):
    @type_callable(operation)
    def typing(context):
        def typer(a, b):
            return vector if isinstance(a, VectorType) and isinstance(b, VectorType) else None

        return typer

    @lower_builtin(operation, VectorType, VectorType)
    def lower(context, builder, signature, args):
        return getattr(builder, method)(*args)


_binary(operator.add, "fadd")
_binary(operator.sub, "fsub")
_binary(operator.mul, "fmul")
_binary(operator.truediv, "fdiv")
