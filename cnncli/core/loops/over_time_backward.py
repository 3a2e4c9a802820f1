"""The gradient to the words of a text: each output's goes to the one window that its maximum is from."""

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK
from cnncli.core.loops.rows import place
from cnncli.core.loops.text_rows import ZERO, add_scaled, clear
from cnncli.core.simd import load_f32, record

JOB = nn_jobs.OVER_TIME


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    dy = place(job.dy, job.dy_chunk, scratch, chunk)
    dx = place(job.dx, job.dx_chunk, scratch, chunk)
    floats = job.floats
    for sample in range(lo, hi):
        if not job.add:
            clear(dx, job.words * floats)
        winners = job.winners + 4 * BLOCK * sample * job.panel_blocks
        for k in range(job.outputs):
            window = int(load_f32(winners + 4 * k))
            gradient = load_f32(dy + 4 * k)
            if window >= 0 and gradient != ZERO:
                first = max(0, window - job.kernel + 1)  # the window's words that the text has room for
                last = min(job.words, window + 1)
                weight = job.plain + 4 * floats * (k * job.kernel + first - window + job.kernel - 1)
                add_scaled(dx + 4 * first * floats, weight, (last - first) * floats, gradient)
        dy += job.dy_image
        dx += job.dx_image
