"""The gradient of such a convolution's weights: of each text and output, one window times one number.

A call computes all of a block of outputs over the whole batch, in the order of the samples.
"""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK, BLOCK_BYTES
from cnncli.core.loops.text_rows import ZERO, add_scaled, clear
from cnncli.core.simd import load_f32, load_i64, record, store_f32

JOB = nn_jobs.OVER_TIME


def loop(job_pointer, scratch, lo, hi):
    """Blocks lo to hi of outputs."""
    job = record(job_pointer)
    samples = load_i64(job.samples)
    taps = job.kernel * job.floats
    for block in range(lo, hi):
        first = block * BLOCK
        outputs = min(BLOCK, job.outputs - first)
        for k in range(first, first + outputs):
            sums = job.sums + 4 * k * taps
            clear(sums, taps)
            bias = ZERO
            for sample in range(samples):
                chunk = sample // job.chunk
                place = sample - chunk * job.chunk
                window = int(load_f32(job.winners + 4 * (BLOCK * sample * job.panel_blocks + k)))
                gradient = load_f32(job.dy + chunk * job.dy_chunk + place * job.dy_image + 4 * k)
                if window >= 0 and gradient != ZERO:
                    x = job.x + chunk * job.x_chunk + place * job.x_image
                    add_scaled(sums, x + 4 * (window - job.kernel + 1) * job.floats, taps, gradient)
                    bias += gradient
            store_f32(job.dbias + 4 * k, bias)
        for tap in range(taps):
            out = job.dweight + (block * taps + tap) * BLOCK_BYTES
            for lane in range(outputs):
                store_f32(out + 4 * lane, load_f32(job.sums + 4 * ((first + lane) * taps + tap)))
