"""Runs a step: all its calls, by several threads, without Python in between.

A step is a list of phases, a phase a list of tasks, a task a list of calls of native functions. Every
thread runs this function at the same time: it takes tasks of the phase until there are none, waits
until the others have finished theirs, and continues with the next phase. Results do not depend on which
thread runs a task. A thread that has waited too long returns, so that Python can yield to others, and
continues where it was when called again. The gate holds the number of the step, 0 when it is over: late
threads, which find the gate closed or the next step begun, return at once.

A helper that has come to the end of a step waits some microseconds for the next one of the same program: to
be woken, and to get the interpreter's lock from the caller, would take it as long. It is not inside
meanwhile, holds no lock, and leaves at once where the helpers are called to another program.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline
from cnncli.core.native import processor
from cnncli.core.nn_jobs import CACHE_LINE
from cnncli.core.simd import I32, I64, load_i64, pointer, record, store_i64

JOB = nn_jobs.PROGRAM
CALL_BYTES = nn_jobs.CALL.itemsize
PAIR_BYTES = nn_jobs.TASK.itemsize
SEQUENTIAL = "seq_cst"
MOST_STEPS = 64  # of a helper, before it looks in Python whether it is on its caller's core
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


@inline
def work(job, scratch, phase, step):
    """The phases from ``phase`` on, as long as the step lasts, and the thread's patience: where to go on."""
    calls = job.calls
    tasks = job.tasks
    fetch_add(job.gate + CACHE_LINE, 1)
    gate = look(job.gate)
    samples = job.samples
    after = job.after
    if gate == 0 or gate != step:
        phase = after
    waited = 0
    while phase < after and waited < job.patience:
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
    fetch_add(job.gate + CACHE_LINE, -1)
    return phase


@inline
def next_step(job, own, step):
    """Wait for a step of the program other than ``step``: its number, or 0 if none came."""
    waited = 0
    gate = look(job.gate)
    while (gate == 0 or gate == step) and waited < job.linger and look(job.called) == own:
        pause()
        waited += 1
        gate = look(job.gate)
    return gate if gate != step else 0


@inline
def close(job, number):
    """End a call or a step, by its number: nobody comes inside any more; who is inside may leave."""
    fetch_add(job.gate, -number)
    waited = 0
    while look(job.gate + CACHE_LINE) > 0 and waited < job.patience:
        pause()
        waited += 1


def loop(job_pointer, scratch, lo, hi):
    """Work of a thread: ``scratch`` is its own, and starts with where it is, which calls overwrite.

    The first number in scratch is the phase to go on with, that behind the last of the run when it is done;
    the second is the step that the thread takes part in. ``lo`` is 1 for the caller, who closes the gate once
    its run is done. ``hi`` is the address of the job for a helper that lingers, and 0 for others.
    """
    job = record(job_pointer)
    phase = load_i64(scratch)
    step = load_i64(scratch + 8)
    steps = 0
    goes_on = True
    while goes_on:
        phase = work(job, scratch, phase, step)
        goes_on = False
        steps += 1
        if hi != 0 and phase >= job.after and steps < MOST_STEPS:
            following = next_step(job, hi, step)
            if following != 0:
                step = following
                phase = job.first
                goes_on = True
    if lo != 0 and phase >= job.after:
        close(job, step)
    store_i64(scratch, phase)
    store_i64(scratch + 8, step)
