"""Integers by address, and the bits in them, for loops that count and look up."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core.simd import I64, loaded, pointer, stored

_BYTE = ir.IntType(8)


def _load(width, extend):
    @intrinsic
    def load(typing_context, address):
        def codegen(context, builder, signature, args):
            return getattr(builder, extend)(loaded(builder, args[0], ir.IntType(width), 1), I64)

        return types.intp(types.intp), codegen

    return load


def _store(width):
    @intrinsic
    def store(typing_context, address, value):
        def codegen(context, builder, signature, args):
            stored(builder, args[0], builder.trunc(args[1], ir.IntType(width)), 1)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), codegen

    return store


load_u8, load_u16, load_u32, load_i32 = (
    _load(8, "zext"),
    _load(16, "zext"),
    _load(32, "zext"),
    _load(32, "sext"),
)
store_8, store_16, store_32 = _store(8), _store(16), _store(32)


def _bits(name, *more):
    @intrinsic
    def count(typing_context, value):
        def codegen(context, builder, signature, args):
            constants = [ir.Constant(ir.IntType(1), flag) for flag in more]
            kind = ir.FunctionType(I64, [I64, *[constant.type for constant in constants]])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.i64")
            return builder.call(function, [args[0], *constants])

        return types.intp(types.intp), codegen

    return count


ones = _bits("ctpop")
lowest_one = _bits("cttz", 0)  # number of zeros below it


@intrinsic
def clear(typing_context, dst, length):
    """Set bytes to 0."""

    def codegen(context, builder, signature, args):
        dst, length = args
        at = builder.inttoptr(dst, ir.PointerType(ir.IntType(8)))
        cgutils.memset(builder, at, length, 0)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen


@intrinsic
def copy_bytes(typing_context, dst, src, length):
    """Copy bytes between places that do not overlap."""

    def codegen(context, builder, signature, args):
        dst, src, length = args
        cgutils.raw_memcpy(builder, pointer(builder, dst, _BYTE), pointer(builder, src, _BYTE), length, 1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), codegen
