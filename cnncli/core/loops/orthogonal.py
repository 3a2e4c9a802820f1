"""One step of Muon for one matrix: momentum, made orthogonal by an iteration of Newton and Schulz.

The gradient of a layer's weights is a matrix, of inputs by outputs. The nearest matrix with orthonormal
columns has the same singular vectors and all singular values 1, so that rare directions of the gradient move
the weights as far as common ones. An odd polynomial of the matrix, applied some times, takes its singular
values there without computing them: X becomes X P with P = a I + b A + c A^2 and A = X' X.

All of these are polynomials of the first A, so the iteration goes on with A alone, which is smaller: A
becomes A P P, the product of all P so far Q P, and only at the end X is multiplied, by Q. For convolutions of
3x3 with as many outputs as inputs that is a third of the multiply-adds. X lies as weights do, in blocks of
columns, or transposed where it has more columns than rows. The small matrices are symmetric and commute, so
that a product is one of columns with columns, as X' X is, and symmetric as well: only tiles on one side of
the diagonal are computed. Each stage is a phase of the step, whose items threads share; no item adds to what
another has written.
"""

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.loops.gemm import BLOCK, BLOCK_BYTES, ROWS, gemm_tile, outer_tile
from cnncli.core.loops.optimise import clip_factor
from cnncli.core.loops.rows import inline
from cnncli.core.nn_jobs import ORTHOGONAL_STAGES
from cnncli.core.simd import (
    VECTOR_BYTES,
    fma,
    load_f32,
    record,
    splat,
    store_f32,
    store_i64,
    vload,
    vstore,
    zeros,
)

JOB = nn_jobs.ORTHOGONAL
START, PRODUCT, NORMALISE, POLYNOMIAL, MULTIPLY, END = (np.intp(i) for i in range(len(ORTHOGONAL_STAGES)))
ONE = np.float32(1)
LEAST = np.float32(1e-14)  # of the square of the norm by which a matrix is divided, as in PyTorch
# In scratch: addresses of a tile's inputs and of some more to be fetched, as many of its outputs, and a row
# that is to be written elsewhere, one value at a time.
OUTPUTS = 8 * 4 * ROWS
TURNED = 2 * OUTPUTS
assert TURNED + BLOCK_BYTES <= nn_jobs.TABLE_BYTES


@inline
def turned_place(job, row, lane):
    """Address of a packed weight's value in the transposed matrix: its row is an output, its column a tap."""
    block = row // job.taps
    tap = row - block * job.taps
    output = block * BLOCK + lane
    column_block = tap // BLOCK
    at = (column_block * job.rows + output) * BLOCK_BYTES + 4 * (tap - column_block * BLOCK)
    return job.x + at


@inline
def lanes_of(job, row):
    """Outputs in a packed row."""
    return min(BLOCK, job.outputs - row // job.taps * BLOCK)


@inline
def start(job, scratch, lo, hi):
    """Packed rows lo to hi: the momentum, and the matrix that is to be made orthogonal."""
    factor = clip_factor(job) if job.limit > np.float32(0) else splat(ONE)
    kept = splat(job.momentum)
    for row in range(lo, hi):
        at = row * BLOCK_BYTES
        to = scratch + TURNED if job.turned else job.x + at
        for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
            gradient = vload(job.gradient + at + v) * factor
            before = vload(job.moment + at + v)
            moment = gradient + kept * (before - gradient)
            vstore(job.moment + at + v, moment)
            vstore(to + v, gradient + kept * (moment - gradient))
        if job.turned:
            for lane in range(lanes_of(job, row)):
                store_f32(turned_place(job, row, lane), load_f32(to + 4 * lane))


@inline
def tile_of(item, rows):
    """The block of columns of a register tile of a product with so many rows, and its first row."""
    tiles = (rows + ROWS - 1) // ROWS
    block = item // tiles
    return block, (item - block * tiles) * ROWS


@inline
def symmetric_tile_of(job, item):
    """`tile_of` of a symmetric matrix: tiles that start below the diagonal are left out."""
    block = 0
    tiles = (min(BLOCK, job.columns) + ROWS - 1) // ROWS
    while item >= tiles:
        item -= tiles
        block += 1
        tiles = (min((block + 1) * BLOCK, job.columns) + ROWS - 1) // ROWS
    return block, item * ROWS


@inline
def mirror(job, block, first):
    """Write a tile's values on the other side of the diagonal as well, where that is in no tile."""
    for row in range(first, min(first + ROWS, job.columns)):
        own = row // BLOCK
        source = job.out + (block * job.columns + row) * BLOCK_BYTES
        to = job.out + own * job.columns * BLOCK_BYTES + 4 * (row - own * BLOCK)
        # The first row of a tile that starts below the values of this row's block.
        beyond = ((own + 1) * BLOCK + ROWS - 1) // ROWS * ROWS
        for column in range(max(beyond, block * BLOCK), min((block + 1) * BLOCK, job.columns)):
            store_f32(to + column * BLOCK_BYTES, load_f32(source + 4 * (column - block * BLOCK)))


@inline
def mirrored(job, lo, hi):
    """`mirror` of tiles lo to hi."""
    for item in range(lo, hi):
        block, first = symmetric_tile_of(job, item)
        mirror(job, block, first)


@inline
def products(job, scratch, lo, hi):
    """Tiles lo to hi of the transpose of ``left`` times ``right``, both of ``length`` rows."""
    pitch = job.length * BLOCK_BYTES
    for item in range(lo, hi):
        block, first = symmetric_tile_of(job, item)
        for r in range(ROWS):
            column = min(first + r, job.columns - 1)
            of = column // BLOCK
            store_i64(scratch + 8 * r, job.left + of * pitch + 4 * (column - of * BLOCK))
            store_i64(scratch + 8 * (ROWS + r), job.out + (block * job.columns + column) * BLOCK_BYTES)
        outer_tile(scratch, job.right + block * pitch, 1, job.length, 0, 0, BLOCK_BYTES, BLOCK_BYTES, 0)


@inline
def diagonal(job, matrix, index):
    """Address of a value of the diagonal of a square matrix of ``columns``."""
    block = index // BLOCK
    return matrix + (block * job.columns + index) * BLOCK_BYTES + 4 * (index - block * BLOCK)


@inline
def norm(job, gram):
    """What a matrix of products is to be divided by: its trace, the square of the norm of what it is of."""
    squares = np.float32(0)
    for index in range(job.columns):
        squares += load_f32(diagonal(job, gram, index))
    return LEAST if squares < LEAST else squares


@inline
def normalise(job, lo, hi):
    """Rows lo to hi, block after block, of ``left`` divided by its trace."""
    factor = splat(ONE / norm(job, job.left))
    for at in range(lo * BLOCK_BYTES, hi * BLOCK_BYTES, VECTOR_BYTES):
        vstore(job.out + at, vload(job.left + at) * factor)


@inline
def polynomial(job, scratch, lo, hi):
    """Tiles lo to hi of the polynomial of ``left``."""
    linear = splat(job.b)
    square = splat(job.c)
    products(job, scratch, lo, hi)
    for item in range(lo, hi):
        block, first = symmetric_tile_of(job, item)
        for row in range(first, min(first + ROWS, job.columns)):
            at = (block * job.columns + row) * BLOCK_BYTES
            for v in range(at, at + BLOCK_BYTES, VECTOR_BYTES):
                value = vload(job.out + v) * square
                vstore(job.out + v, fma(vload(job.left + v), linear, value))
            if row // BLOCK == block:
                place = diagonal(job, job.out, row)
                store_f32(place, load_f32(place) + job.a)
    mirrored(job, lo, hi)


@inline
def multiply(job, scratch, lo, hi):
    """Tiles lo to hi of the matrix ``left`` times ``right``."""
    bias = scratch + TURNED
    for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
        vstore(bias + v, zeros())
    ahead = job.columns * BLOCK_BYTES
    for item in range(lo, hi):
        block, first = tile_of(item, job.rows)
        for r in range(4 * ROWS):
            row = min(first + r, job.rows - 1) * BLOCK_BYTES
            store_i64(scratch + 8 * r, job.left + row)
            store_i64(scratch + OUTPUTS + 8 * r, job.out + block * job.rows * BLOCK_BYTES + row)
        panel = job.right + block * ahead
        gemm_tile(scratch, scratch + OUTPUTS, job.segments, job.blocks, panel, ahead, bias, 0, 0)


@inline
def end(job, scratch, lo, hi):
    """Packed rows lo to hi: the step."""
    rest = splat(ONE - job.rate * job.decay)
    step = splat(job.rate * job.scale / np.sqrt(norm(job, job.left)))
    for row in range(lo, hi):
        at = row * BLOCK_BYTES
        source = job.x + at
        if job.turned:
            source = scratch + TURNED
            for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
                vstore(source + v, zeros())
            for lane in range(lanes_of(job, row)):
                store_f32(source + 4 * lane, load_f32(turned_place(job, row, lane)))
        for v in range(0, BLOCK_BYTES, VECTOR_BYTES):
            vstore(job.weight + at + v, vload(job.weight + at + v) * rest - step * vload(source + v))


def loop(job_pointer, scratch, lo, hi):
    """Items lo to hi of a stage: rows of packed weights or of a square matrix, or tiles of a product."""
    job = record(job_pointer)
    if job.stage == START:
        start(job, scratch, lo, hi)
    elif job.stage == PRODUCT:
        products(job, scratch, lo, hi)
        mirrored(job, lo, hi)
    elif job.stage == NORMALISE:
        normalise(job, lo, hi)
    elif job.stage == POLYNOMIAL:
        polynomial(job, scratch, lo, hi)
    elif job.stage == MULTIPLY:
        multiply(job, scratch, lo, hi)
    else:
        end(job, scratch, lo, hi)
