"""The sum of a gradient over all slots, in the order of the slots, and its sum of squares."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK, BLOCK_BYTES
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    lane_sum,
    load_i64,
    record,
    splat,
    store_f32,
    store_f64,
    vload,
    vstore,
)

JOB = nn_jobs.REDUCE
ZERO = np.float32(0)


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi of a parameter's panels."""
    job = record(job_pointer)
    count = load_i64(job.slot_count)
    pitch = job.slot_pitch
    taps = job.taps
    blocks = job.blocks
    squares = 0.0
    for row in range(lo, hi):
        block = row // taps
        out = job.out + row * BLOCK_BYTES
        at = job.slots + row * BLOCK_BYTES
        lanes = job.last if block % blocks == blocks - 1 else BLOCK
        squared = splat(ZERO)
        for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
            total = vload(at + v)
            for slot in range(1, count):
                total = total + vload(at + slot * pitch + v)
            vstore(out + v, total)
            for lane in range(max(lanes - v // 4, 0), LANES):  # padding lanes
                store_f32(out + v + 4 * lane, ZERO)
            total = vload(out + v)
            squared = squared + total * total
        squares += np.float64(lane_sum(squared))
    store_f64(job.squares + 8 * (lo // job.piece), squares)
