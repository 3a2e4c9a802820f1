"""Convolution as sums over segments: forward, the gradient to the input, and fully connected.

Forward, a segment is one row of the window: kw * C consecutive floats of NHWC. Backward, the same over the
gradient of the output, with the kernel mirrored; with a stride, once for each phase of the stride, using
only the taps that reach it, so that there are no multiplications by inserted zeros. Pixels are listed some
hundreds at a time, across the ends of rows and images, and every block of output channels goes over the list
in register tiles: so a tile has nothing to find out, and the block's weights stay in the L1 cache.

Pixels a multiple of 4096 bytes apart share a set of the L1 cache, which has fewer lines than a tile has rows:
then the inputs that a part of the sums needs are copied side by side first. Layers with 1024 input channels
multiply 1.35 times as fast on a Zen 4.
"""

from cnncli.core import nn_jobs
from cnncli.core.choices import WEIGHTS_AHEAD
from cnncli.core.loops.gemm import (
    ADD,
    ALONE,
    BIASED,
    BLOCK,
    BLOCK_BYTES,
    HALF,
    NARROW,
    RELU,
    ROWS,
    SIX,
    USED,
    gemm_half,
    gemm_narrow,
    gemm_single,
    gemm_single_narrow,
    gemm_tile,
    rows_of,
)
from cnncli.core.loops.rows import inline, place
from cnncli.core.simd import (
    LINE,
    VECTOR_BYTES,
    load_f32,
    load_i64,
    record,
    store_f32,
    store_i64,
    vload,
    vstore,
)

JOB = nn_jobs.GATHER
MOST = 2 * max(ROWS, HALF, NARROW)  # pixels read beyond the listed ones: by the last tile, and as the next
OUTPUTS = 8 * (nn_jobs.LISTED_PIXELS + MOST)  # bytes from the list of inputs to that of outputs
assert 2 * OUTPUTS <= nn_jobs.TABLE_BYTES
SOURCES = OUTPUTS + LINE  # bytes before copies of inputs: their segment, and where they come from


@inline
def list_pixels(job, x, y, first, count, table):
    """Addresses of ``count`` output pixels from the ``first`` on, and of their inputs.

    Beyond the end the last one is repeated, for a tile that has more rows and fetches those of the next.
    """
    width = job.width
    x_step = job.x_step
    y_step = job.y_step
    row = first // width
    column = first - row * width
    image = row // job.height
    line = row - image * job.height
    at = table
    end = table + 8 * count
    while at < end:
        x_at = x + image * job.x_image + line * job.x_line + column * x_step
        y_at = y + image * job.y_image + line * job.y_line + column * y_step
        for _ in range(min(width - column, (end - at) // 8)):
            store_i64(at, x_at)
            store_i64(at + OUTPUTS, y_at)
            at += 8
            x_at += x_step
            y_at += y_step
        column = 0
        line += 1
        if line == job.height:
            line = 0
            image += 1
    for each in range(MOST):
        store_i64(at + 8 * each, load_i64(at - 8))
        store_i64(at + OUTPUTS + 8 * each, load_i64(at + OUTPUTS - 8))


@inline
def sweep(count, table, segments, segment_count, panel, ahead, bias, mode, shift, narrow):
    """One block of output channels of the listed pixels."""
    at = table
    end = table + 8 * count
    other = LINE  # tiles take turns in fetching even and odd lines of the panel ahead
    while at < end:
        to = at + OUTPUTS
        rows = NARROW if narrow else rows_of((end - at) // 8, ROWS, HALF)
        if narrow:
            gemm_narrow(at, to, segments, segment_count, panel, ahead, bias, mode, shift)
        elif rows == ROWS:
            gemm_tile(at, to, segments, segment_count, panel, ahead, bias, mode, shift)
        else:
            gemm_half(at, to, segments, segment_count, panel, ahead, bias, mode, shift)
        at += 8 * rows
        ahead += other
        other = -other


@inline
def panel_at(job, part, group, block):
    """Address of a panel of a part of the sums."""
    segments = job.segments + 24 * part * job.segment_count
    return job.panel + load_i64(segments + 16) + (group * job.panel_blocks + block) * job.panel_pitch


@inline
def following(job, part, group, block):
    """Address of the panel used next; any address after the last."""
    if block > 0:
        return panel_at(job, part, group, block - 1)
    if part + 1 < job.sum_blocks:
        return panel_at(job, part + 1, group, job.panel_blocks - 1)
    return panel_at(job, 0, min(group + 1, job.groups - 1), job.panel_blocks - 1)


@inline
def mode_of(job, part, block):
    """How the tiles of a part of the sums of a block start and end."""
    mode = job.mode & (RELU | SIX) if part == job.sum_blocks - 1 else 0
    used = min(job.outputs - block * BLOCK, BLOCK)
    return mode | (ADD if part > 0 else job.mode & (ADD | BIASED)) | (used << USED)


@inline
def list_copies(job, count, table, copies):
    """Let the listed pixels be copies, and note where they come from, before the first of the copies."""
    first = copies + SOURCES
    for each in range(count + MOST):
        store_i64(copies + LINE + 8 * each, load_i64(table + 8 * each))
        store_i64(table + 8 * each, first + min(each, count - 1) * job.copy_pitch)


@inline
def copy_inputs(job, segments, count, copies):
    """Copy what one part of the sums reads, whole vectors, pixel by pixel; it becomes one segment."""
    total = 0
    for each in range(job.segment_count):
        offset, length = load_i64(segments + 24 * each), load_i64(segments + 24 * each + 8)
        to = copies + SOURCES + 4 * total
        for pixel in range(count):
            src = load_i64(copies + LINE + 8 * pixel) + offset
            for at in range(0, 4 * length, VECTOR_BYTES):
                vstore(to + at, vload(src + at))
            to += job.copy_pitch
        total += length
    store_i64(copies, 0)
    store_i64(copies + 8, total)


@inline
def sum_up(job, group, count, table, copies):
    """One group of channels of the listed pixels, all parts of the sums."""
    blocks = job.panel_blocks
    alone = ALONE if count <= ROWS else 0
    if job.copy_pitch:
        list_copies(job, count, table, copies)
    for part in range(job.sum_blocks):
        segments = job.segments + 24 * part * job.segment_count
        segment_count = job.segment_count
        if job.copy_pitch:
            copy_inputs(job, segments, count, copies)
            segments, segment_count = copies, 1
        # The last block comes first: its unused lanes overwrite the next pixel, which is stored later.
        for each in range(blocks):
            block = blocks - 1 - each
            panel = panel_at(job, part, group, block)
            ahead = following(job, part, group, block) - panel
            bias = job.bias + (group * blocks + block) * BLOCK_BYTES
            narrow = job.narrow != 0 and each == 0
            shift = block * BLOCK_BYTES
            mode = mode_of(job, part, block) | alone
            sweep(count, table, segments, segment_count, panel, ahead, bias, mode, shift, narrow)


@inline
def sum_up_one(job, group, table):
    """One group of channels of a single pixel: memory is the limit, and is read in order."""
    blocks, count = job.panel_blocks, job.segment_count
    to = table + OUTPUTS
    for each in range(blocks):
        block = blocks - 1 - each
        bias = job.bias + (group * blocks + block) * BLOCK_BYTES
        shift = block * BLOCK_BYTES
        for part in range(job.sum_blocks):
            segments = job.segments + 24 * part * count
            panel, mode = panel_at(job, part, group, block), mode_of(job, part, block) | ALONE
            if job.narrow != 0 and each == 0:
                gemm_single_narrow(table, to, segments, count, panel, WEIGHTS_AHEAD, bias, mode, shift)
            else:
                gemm_single(table, to, segments, count, panel, WEIGHTS_AHEAD, bias, mode, shift)


@inline
def copy_floats(src, dst, floats):
    """Copy the values of a pixel."""
    for i in range(0, 4 * floats, 4):
        store_f32(dst + i, load_f32(src + i))


@inline
def sum_up_to_edge(job, count, table, edge, copies):
    """`sum_up` of pixels whose last one is computed elsewhere, as its stores spill over another's pixel."""
    last = table + OUTPUTS + 8 * (count - 1)
    own = load_i64(last)
    copy_floats(own, edge, job.edge_floats)
    for each in range(MOST + 1):
        store_i64(last + 8 * each, edge)
    sum_up(job, 0, count, table, copies)
    copy_floats(edge, own, job.edge_floats)


def loop(job_pointer, scratch, lo, hi):
    """Samples lo to hi, all of one chunk."""
    job = record(job_pointer)
    chunk = lo // job.chunk
    x = place(job.x, job.x_chunk, scratch, chunk)
    y = place(job.y, job.y_chunk, scratch, chunk)
    edge = place(job.edge, job.edge_chunk, scratch, chunk)
    copies = place(job.copies, job.copies_chunk, scratch, chunk)
    total = (hi - lo) * job.height * job.width
    first = 0
    while first < total:
        count = min(job.pixels, total - first)
        for group in range(job.groups):
            list_pixels(job, x + group * job.x_group, y + group * job.y_group, first, count, scratch)
            if job.edge_floats and first + count == total:
                sum_up_to_edge(job, count, scratch, edge, copies)
            elif total == 1:
                sum_up_one(job, group, scratch)
            else:
                sum_up(job, group, count, scratch, copies)
        first += count
