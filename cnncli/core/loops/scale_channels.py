"""Each channel times its own factor, as in squeeze-and-excitation."""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LANES,
    VECTOR_BYTES,
    fma,
    load_f32,
    record,
    splat,
    store_f32,
    vload,
    vmax,
    vstore,
    where_greater,
)

JOB = nn_jobs.SCALE
LANE_NUMBERS = 512  # in scratch: 0, 1, 2 …, then one vector
BUFFER = 640


@inline
def scale(job, x, scales, y, lanes):
    """The pixels of an image; what y holds is added, and a ReLU applied, as the job says."""
    pixel = 4 * job.channels
    zero = splat(np.float32(0))
    whole = pixel // VECTOR_BYTES * VECTOR_BYTES
    kept = splat(np.float32(job.channels % LANES)) - lanes
    for row in range(job.height):
        src = x + row * job.x_row
        dst = y + row * job.y_row
        for _ in range(job.width):
            for c in range(0, whole, VECTOR_BYTES):
                value = vload(src + c) * vload(scales + c)
                if job.add:
                    value = vload(dst + c) + value
                vstore(dst + c, vmax(zero, value) if job.relu else value)
            if whole < pixel:  # lanes that are not kept are those of the next pixel
                value = vload(src + whole) * vload(scales + whole)
                before = vload(dst + whole)
                if job.add:
                    value = before + value
                if job.relu:
                    value = vmax(zero, value)
                vstore(dst + whole, where_greater(kept, zero, value, before))
            src += pixel
            dst += pixel


@inline
def scale_row(src, dst, factor, width, pixel, add, kept):
    """One row times a vector of factors; with add, lanes that are not kept stay."""
    for _ in range(width):
        value = vload(src) * factor
        vstore(
            dst,
            vload(dst) + where_greater(kept, splat(np.float32(0)), value, splat(np.float32(0)))
            if add
            else value,
        )
        src += pixel
        dst += pixel


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    for i in range(LANES):
        store_f32(scratch + LANE_NUMBERS + 4 * i, np.float32(i))
    lanes = vload(scratch + LANE_NUMBERS)
    pixel = 4 * job.channels
    width = job.width
    blocks = (pixel + VECTOR_BYTES - 1) // VECTOR_BYTES
    for image in range(hi - lo):
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image
        y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image
        dx = place(job.dx, job.dx_chunk, scratch, chunk) + image * job.dx_image
        scales = place(job.scale, job.scale_chunk, scratch, chunk) + image * job.scale_image
        dscales = place(job.dscale, job.dscale_chunk, scratch, chunk) + image * job.dscale_image
        if not job.backward:
            scale(job, x, scales, y, lanes)
        for each in range(job.height * blocks if job.want_dx else 0):
            # Last channels first: their unused lanes overwrite the next pixel.
            row = each // blocks
            c = (blocks - 1 - (each - row * blocks)) * VECTOR_BYTES
            factor = vload(scales + c)
            kept = splat(np.float32(job.channels - c // 4)) - lanes
            to = dx + row * job.dx_row + c
            scale_row(y + row * job.y_row + c, to, factor, width, pixel, job.add_dx, kept)
        if job.want_dscale:
            for c in range(0, pixel, VECTOR_BYTES):
                total = splat(np.float32(0))
                for row in range(job.height):
                    at_x = x + row * job.x_row + c
                    at_y = y + row * job.y_row + c
                    for _ in range(width):
                        total = fma(vload(at_x), vload(at_y), total)
                        at_x += pixel
                        at_y += pixel
                vstore(scratch + BUFFER, total)
                for i in range(0, min(VECTOR_BYTES, pixel - c), 4):
                    value = load_f32(scratch + BUFFER + i)
                    if job.add_dscale:
                        value += load_f32(dscales + c + i)
                    store_f32(dscales + c + i, value)
