"""A thread's share of a job: ranges of its items, of decreasing size, until none is left.

All threads run this function at the same time. The gate holds the number of the call, 0 when it is over:
late threads, which find it closed, take nothing. The caller closes it once all items are taken, and returns
when no thread is inside. A helper waits some microseconds for the next call: to be woken, and to get the
interpreter's lock from the caller, would take it as long as many calls take. It is not inside meanwhile, and
holds no lock.
"""

from numba.core import types
from numba.extending import intrinsic

from cnncli.core import jobs
from cnncli.core.loops.program import MOST_STEPS, SEQUENTIAL, call, close, fetch_add, look, pause
from cnncli.core.loops.tile_io import inline
from cnncli.core.simd import I64, LINE, load_i64, pointer, record

JOB = jobs.SHARE


@intrinsic
def replaced(typing_context, address, old, new):
    """Atomically replace a shared number if it is still ``old``; whether it was."""

    def codegen(context, builder, signature, args):
        address, old, new = args
        found = builder.cmpxchg(pointer(builder, address, I64), old, new, SEQUENTIAL, SEQUENTIAL)
        return builder.extract_value(found, 1)

    return types.boolean(types.intp, types.intp, types.intp), codegen


@inline
def end_of(job, first):
    """The end of the range that begins with an item."""
    left = job.count - first
    return first + min(left, max(job.least, left // job.divisor))


@inline
def take_ranges(job, worker):
    """Process ranges until all are taken."""
    scratch = load_i64(job.scratches + 8 * worker)
    first = look(job.next)
    while first < job.count:
        end = end_of(job, first)
        if replaced(job.next, first, end):
            call(job.function, job.job, scratch, first, end)
        first = look(job.next)


@inline
def next_call(job, last):
    """Wait for a call other than the last one, for a while; whether one came."""
    waited = 0
    gate = look(job.gate)
    while (gate == 0 or gate == last) and waited < job.linger:
        pause()
        waited += 1
        gate = look(job.gate)
    return gate != 0 and gate != last


def loop(job_pointer, scratch, lo, hi):
    """Thread ``lo``, of which 0 is the caller."""
    job = record(job_pointer)
    calls, goes_on = 0, True
    while goes_on:
        fetch_add(job.gate + LINE, 1)
        number = look(job.gate)
        if number != 0 and lo < job.workers:
            take_ranges(job, lo)
        fetch_add(job.gate + LINE, -1)
        calls += 1
        if lo == 0:
            close(job, number)
            goes_on = False
        else:
            goes_on = calls < MOST_STEPS and next_call(job, number)
