"""Local response norm, forward and backward: normalisation by the squares of neighbouring channels.

d = bias + alpha / size * sum of x squared over the window, y = x * d ** -beta. Each pixel's rows in
scratch have zeros at both ends, so that windows need no bounds.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.functions import vexp, vlog
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import LANES, fma, load_f32, record, splat, store_f32, vload, vstore

JOB = nn_jobs.RESPONSE
ZERO = np.float32(0)


@inline
def fill(row, src, channels, room, front):
    """Channels of a pixel into a row of scratch, zeros around them."""
    for i in range(room):
        inside = i >= front and i < front + channels
        store_f32(row + 4 * i, load_f32(src + 4 * (i - front)) if inside else ZERO)


@inline
def divisor(row, c, size, bias, share):
    """The logarithm of d of the channels from c on."""
    total = splat(ZERO)
    for i in range(size):
        value = vload(row + 4 * (c + i))
        total = fma(value, value, total)
    return vlog(fma(total, share, bias))


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    size = job.size
    front = size // 2
    back = size - 1 - front
    channels = job.channels
    room = 4 * job.room
    bias = splat(job.bias)
    share = splat(job.alpha / np.float32(size))
    minus_beta = splat(-job.beta)
    twice = splat(np.float32(-2) * job.alpha * job.beta / np.float32(size))
    row_x = place(job.rows, job.rows_chunk, scratch, chunk)
    row_y = row_x + room
    row_out = row_y + room
    whole = 4 * channels
    for each in range((hi - lo) * job.height * job.width):
        line = each // job.width
        column = each - line * job.width
        image = line // job.height
        row = line - image * job.height
        x = place(job.x, job.x_chunk, scratch, chunk) + image * job.x_image + row * job.x_row + column * whole
        fill(row_x, x, channels, job.room, front)
        if not job.backward:
            y = place(job.y, job.y_chunk, scratch, chunk) + image * job.y_image + row * job.y_row
            for c in range(0, channels, LANES):
                power = vexp(divisor(row_x, c, size, bias, share) * minus_beta)
                vstore(row_out + 4 * c, vload(row_x + 4 * (c + front)) * power)
            for i in range(0, whole, 4):
                store_f32(y + column * whole + i, load_f32(row_out + i))
        else:
            dy = place(job.dy, job.dy_chunk, scratch, chunk) + image * job.dy_image + row * job.dy_row
            dx = place(job.dx, job.dx_chunk, scratch, chunk) + image * job.dx_image + row * job.dx_row
            # First dy * x * d ** (-beta - 1), by channel, with room for the mirrored window.
            fill(row_y, dy + column * whole, channels, job.room, back)
            for c in range(0, channels, LANES):
                log = divisor(row_x, c, size, bias, share)
                slope = vload(row_y + 4 * (c + back)) * vexp(log * minus_beta)
                vstore(row_out + 4 * c, slope)
                crossed = slope * vload(row_x + 4 * (c + front)) * vexp(splat(ZERO) - log)
                vstore(row_out + room + 4 * c, crossed)
            fill(row_y, row_out + room, channels, job.room, back)
            for c in range(0, channels, LANES):
                total = splat(ZERO)
                for i in range(size):
                    total = total + vload(row_y + 4 * (c + i))
                value = fma(total * twice, vload(row_x + 4 * (c + front)), vload(row_out + 4 * c))
                vstore(row_out + 4 * c, value)
            for i in range(0, whole, 4):
                single = load_f32(row_out + i)
                at = dx + column * whole + i
                store_f32(at, single + load_f32(at) if job.add else single)
