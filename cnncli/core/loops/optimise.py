"""One step of an optimiser, as PyTorch defines them."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK_BYTES
from cnncli.core.loops.rows import inline
from cnncli.core.nn_jobs import OPTIMISERS
from cnncli.core.simd import VECTOR_BYTES, load_f64, record, splat, vload, vmin, vsqrt, vstore

JOB = nn_jobs.OPTIMISE
SGD, ADAM, ADAMW, RMSPROP = (np.intp(i) for i in OPTIMISERS.values())
ONE = np.float32(1)


@inline
def clip_factor(job):
    """Factor of the gradient that keeps its norm within the limit."""
    total = 0.0
    for i in range(job.square_count):
        total += load_f64(job.squares + 8 * i)
    norm = vsqrt(splat(np.float32(total)))
    return vmin(splat(job.limit) / (norm + splat(np.float32(1e-6))), splat(ONE))


def loop(job_pointer, scratch, lo, hi):
    """Rows lo to hi, of one block each."""
    job = record(job_pointer)
    kind = job.kind
    rate = splat(job.rate)
    decay = splat(job.decay)
    factor = clip_factor(job) if job.limit > np.float32(0) else splat(ONE)
    momentum = splat(job.momentum)
    rest = splat(ONE - job.momentum)
    damped = splat(ONE - job.dampening)
    second = splat(job.square_decay)
    second_rest = splat(ONE - job.square_decay)
    epsilon = splat(job.epsilon)
    step = rate * splat(job.correction)
    root = splat(job.square_correction)
    for at in range(lo * BLOCK_BYTES, hi * BLOCK_BYTES, VECTOR_BYTES):
        weight = vload(job.weight + at)
        gradient = vload(job.gradient + at) * factor
        if kind == ADAMW:
            weight = weight - weight * (rate * decay)
        else:
            gradient = gradient + weight * decay
        if kind == SGD:
            velocity = vload(job.first + at) * momentum + gradient * damped
            vstore(job.first + at, velocity)
            weight = weight - rate * (gradient + velocity * momentum if job.nesterov else velocity)
        elif kind == RMSPROP:
            square = vload(job.second + at) * second + gradient * gradient * second_rest
            velocity = vload(job.first + at) * momentum + gradient / (vsqrt(square) + epsilon)
            vstore(job.first + at, velocity)
            vstore(job.second + at, square)
            weight = weight - rate * velocity
        else:
            mean = vload(job.first + at) * momentum + gradient * rest
            square = vload(job.second + at) * second + gradient * gradient * second_rest
            vstore(job.first + at, mean)
            vstore(job.second + at, square)
            weight = weight - step * mean / (vsqrt(square) * root + epsilon)
        vstore(job.weight + at, weight)
