"""Runs a step: all its calls, by several threads, without Python in between.

A step is a list of phases, a phase a list of tasks, a task a list of calls of native functions. Every
thread runs this function at the same time: it takes tasks of the phase until there are none, waits
until the others have finished theirs, and continues with the next phase. Results do not depend on which
thread runs a task. A thread that has waited too long returns, so that Python can yield to others, and
continues where it was when called again. The gate holds the number of the step, 0 when it is over: late
threads, which find the gate closed or the next step begun, return at once.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import nn_jobs
from cnncli.core.native import processor
from cnncli.core.nn_jobs import CACHE_LINE
from cnncli.core.simd import I32, I64, load_i64, pointer, record, store_i64

JOB = nn_jobs.PROGRAM
CALL_BYTES = nn_jobs.CALL.itemsize
PAIR_BYTES = nn_jobs.TASK.itemsize
SEQUENTIAL = "seq_cst"
DONE = 8  # bytes from the count of tasks taken to that of tasks done
# Name and argument of the processor's pause instruction for spin loops.
_PAUSES = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.hint", (1,)),
    "arm64": ("llvm.aarch64.hint", (1,)),
}


@intrinsic
def fetch_add(typing_context, address, amount):
    """Atomically add to a shared number; returns the previous value."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", pointer(builder, args[0], I64), args[1], SEQUENTIAL)

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def look(typing_context, address):
    """Atomically load a shared number."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(pointer(builder, args[0], I64), SEQUENTIAL, 8)

    return types.intp(types.intp), codegen


@intrinsic
def pause(typing_context):
    """The processor's hint for a spin loop."""

    def codegen(context, builder, signature, args):
        name, numbers = _PAUSES.get(processor()[0].split("-")[0], (None, ()))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [I32] * len(numbers))
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.call(function, [ir.Constant(I32, number) for number in numbers])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def call(typing_context, function, job, scratch, lo, hi):
    """Call a native function by its address."""

    def codegen(context, builder, signature, args):
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, I64, I64, I64])
        function = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(function, [builder.inttoptr(args[1], byte), *args[2:]])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


def loop(job_pointer, scratch, lo, hi):
    """Phases lo to hi: ``scratch`` is that of the calling thread, and starts with its progress.

    The first number in scratch is the phase to go on with; it is hi when the step is done. The second is
    the step that the thread takes part in.
    """
    job = record(job_pointer)
    calls = job.calls
    tasks = job.tasks
    samples = job.samples
    fetch_add(job.gate + CACHE_LINE, 1)
    gate = look(job.gate)
    phase = load_i64(scratch) if gate != 0 and gate == load_i64(scratch + 8) else hi
    waited = 0
    while phase < hi and waited < job.patience:
        counters = job.counters + 2 * CACHE_LINE * phase
        first = load_i64(job.phases + PAIR_BYTES * phase)
        count = load_i64(job.phases + PAIR_BYTES * phase + 8)
        task = fetch_add(counters, 1)
        while task < count:
            at = tasks + PAIR_BYTES * (first + task)
            each = calls + CALL_BYTES * load_i64(at)
            end = each + CALL_BYTES * load_i64(at + 8)
            while each < end:
                start = load_i64(each + 16)
                stop = load_i64(each + 24)
                items = load_i64(each + 32)
                if items:
                    stop = min(stop, items * samples)
                if start < stop:
                    call(load_i64(each), load_i64(each + 8), scratch, start, stop)
                each += CALL_BYTES
            # Both are in one cache line: moving it between cores is the main cost of a small phase.
            fetch_add(counters + DONE, 1)
            task = fetch_add(counters, 1) if look(counters) < count else count
        waited = 0
        while look(counters + DONE) < count and waited < job.patience:
            pause()
            waited += 1
        if waited < job.patience:
            phase += 1
    store_i64(scratch, phase)
    fetch_add(job.gate + CACHE_LINE, -1)
