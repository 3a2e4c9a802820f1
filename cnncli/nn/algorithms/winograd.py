"""Winograd convolution: 3 x 3 with stride 1, in tiles of 4 x 4 outputs, where that is faster than direct.

For its accuracy, and for the tiles that are convolved directly, see ``core/loops/conv_winograd.py``. The
gradient of the weights has no such tiles: its error is about 1e-6 of the sum, over all tiles, of the
largest magnitude of a tile's inputs times that of its gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.choices import (
    SMALL_WEIGHTS,
    WINOGRAD_FEW_TILES,
    WINOGRAD_MIN_CHANNELS,
    WINOGRAD_MIN_OUTPUTS,
    WINOGRAD_MIN_TILES,
    WINOGRAD_MIN_USED,
    WINOGRAD_MOST_TILES,
    WINOGRAD_SUM_TILES,
    WINOGRAD_TILES,
    WINOGRAD_TRANSFORMS,
    WINOGRAD_TURN_ROWS,
)
from cnncli.core.native import processor
from cnncli.core.nn_jobs import CACHE_LINE
from cnncli.nn.algorithms.direct import filled_rows
from cnncli.nn.algorithms.gather import restrict_blocks
from cnncli.nn.calls import Part
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK, is_narrow
from cnncli.nn.memory import Tensor, split_evenly

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit

LANES = processor()[3].lanes
ROWS = processor()[3].gemm_rows
HALF = processor()[3].gemm_half_rows
PLACES = 36  # values of a transformed tile
TILE = 4  # outputs on a side
TILES = WINOGRAD_TILES // ROWS * ROWS  # processed together, at most: whole register tiles
BUFFER = 2 * 36 * 16  # floats, on the widest processor
SUMS = 36 * 16 * 32 + BUFFER  # floats, on the widest processor
FEW_TILES = WINOGRAD_FEW_TILES * ROWS


def is_faster(channels: int, outputs: int, shape: Shape, *, samples: int) -> bool:
    """Whether the transforms cost less than they save.

    Weights of four times the size are read for each chunk of ``samples``.
    """
    tiles = _tiles(shape)
    used = shape.height * shape.width >= WINOGRAD_MIN_USED * tiles * TILE**2
    enough = tiles * samples >= WINOGRAD_MIN_TILES or channels * outputs <= SMALL_WEIGHTS
    rows = -(-tiles * samples // HALF) * HALF
    fewer = PLACES * rows * WINOGRAD_TRANSFORMS <= 9 * TILE**2 * tiles * samples
    fits = channels >= WINOGRAD_MIN_CHANNELS and outputs >= WINOGRAD_MIN_OUTPUTS
    return used and enough and fewer and fits


def sums_weights(channels: int, outputs: int, shape: Shape, *, samples: int) -> bool:
    """Whether `is_faster`, and the gradient of the weights can be summed so: it takes whole vectors."""
    return outputs % LANES == 0 and is_faster(channels, outputs, shape, samples=samples)


def _tiles(shape: Shape) -> int:
    """Number of tiles in a sample."""
    return -(-shape.height // TILE) * -(-shape.width // TILE)


def tiles_together(total: int, *, weights: int) -> int:
    """How many of all tiles are best processed together, so that the last ones waste little."""
    most = TILES if weights <= SMALL_WEIGHTS else WINOGRAD_MOST_TILES

    def cost(tiles: int) -> int:
        whole, rest = divmod(total, tiles)
        turns = [(whole, tiles), (1, rest)] if rest else [(whole, tiles)]
        return sum(count * (filled_rows(each) + WINOGRAD_TURN_ROWS) for count, each in turns)

    return min(range(min(total, most), 0, -1), key=cost)


def emit(
    plan: Emit, name: str, x: tuple[Tensor, int], y: Tensor, *, panel: int, bias: int, mode: int
) -> None:
    """Add a 3 x 3 convolution of x, starting at an offset, into y.

    ``panel`` is the address of the weights as packed for a direct convolution, ``bias`` that of the outputs'
    biases. Both passes of the layer ``name`` use the same memory for their transformed weights.
    """
    channels, outputs = x[0].shape.channels, y.shape.channels
    blocks = -(-outputs // BLOCK)
    # A line more, so that a weight's values, which are written together, do not compete for a cache set.
    of_either_pass = max(outputs * -(-channels // BLOCK), channels * blocks) * BLOCK + CACHE_LINE // 4
    weights = plan.buffer(f"{name} transformed", PLACES * of_either_pass, np.float32)
    pitch = channels * blocks * 4 * BLOCK + CACHE_LINE
    transform = plan.job(nn_jobs.WINOGRAD_WEIGHTS, src=panel, out=weights, channels=channels, pitch=pitch)
    plan.transform("winograd_weights", transform, blocks * channels)
    padded, padded_outputs = (-(-each // LANES) * LANES for each in (channels, outputs))
    job = plan.job(
        nn_jobs.WINOGRAD,
        height=y.shape.height,
        width=y.shape.width,
        channels=channels,
        input_pitch=4 * padded,
        outputs=outputs,
        panel_blocks=blocks,
        narrow=is_narrow(outputs),
        panel=weights,
        panel_pitch=pitch,
        y_pixel=y.pixel,
        segments=plan.constant(np.array([0, channels, 0], np.int64)),
        bias=bias,
        zeros=plan.constant(np.zeros(BLOCK, np.float32)),
        mode=mode,
        direct=panel,
        window=plan.constant(np.array([[i * x[0].row, 3 * channels, 0] for i in range(3)], np.int64)),
    )
    joined = plan.joins(PLACES * channels * outputs, x[0].shape.size + y.shape.size)
    count = plan.parts(9 * channels * y.shape.size, joined=joined)
    # With few tiles, reading the weights dominates: then each thread reads those of its own outputs.
    by_blocks = joined or (_tiles(y.shape) <= FEW_TILES and blocks >= count)
    cut = split_evenly(blocks, count) if by_blocks else split_evenly(y.shape.height, count, unit=TILE)
    lines = y.shape.height if by_blocks else cut[0][1]
    images = plan.chunks.batch if joined else plan.chunks.size
    tiles = tiles_together(images * _tiles(Shape(lines, y.shape.width, 1)), weights=channels * outputs)
    job["tiles"] = tiles
    # A line more, as of the weights: those of a tile are written together, too.
    job["input_step"], job["output_step"] = (
        4 * tiles * each + CACHE_LINE for each in (padded, padded_outputs)
    )
    scratch: dict[str, Tensor | tuple[Tensor, int]] = {
        "inputs": plan.chunk_scratch(PLACES * int(job["input_step"][0]) // 4),
        "products": plan.chunk_scratch(PLACES * int(job["output_step"][0]) // 4 + BUFFER),
    }
    parts = []
    for lo, hi in cut:
        part = job.copy()
        at, to = x[1], lo * 4 * BLOCK
        if by_blocks:
            restrict_blocks(part, lo, hi, panel_bytes=channels * 4 * BLOCK)
            part["direct"] += lo * 9 * channels * 4 * BLOCK
            part["outputs"] = min(hi * BLOCK, outputs) - lo * BLOCK
        else:
            part["height"] = hi - lo
            at, to = x[1] + lo * x[0].row, lo * y.row
        tensors = {"x": (x[0], at), "y": (y, to), **scratch}
        parts.append(Part(part, tensors, None if by_blocks else (lo, hi)))
    if joined or len(parts) > 1:
        plan.split("conv_winograd", parts, y, joined=joined)
    else:
        plan.each_chunk("conv_winograd", parts[0].job, parts[0].tensors)


def emit_weight_gradient(plan: Emit, x: tuple[Tensor, int], dy: Tensor, dweight: int) -> None:
    """Add the gradient of the weights, into the slots that start at the address ``dweight``."""
    channels, outputs = x[0].shape.channels, dy.shape.channels
    blocks = -(-outputs // BLOCK)
    padded = -(-channels // LANES) * LANES
    job = plan.job(
        nn_jobs.WINOGRAD_OUTER,
        height=dy.shape.height,
        width=dy.shape.width,
        channels=channels,
        panel_blocks=blocks,
        narrow=is_narrow(outputs),
        tiles=WINOGRAD_SUM_TILES,
        dweight=dweight,
        slot_pitch=plan.slot_pitch,
        slot_chunks=plan.chunks.per_slot,
    )
    tensors: dict[str, Tensor | tuple[Tensor, int]] = {
        "x": x,
        "dy": dy,
        "inputs": plan.chunk_scratch(PLACES * WINOGRAD_SUM_TILES * padded),
        "slopes": plan.chunk_scratch(PLACES * WINOGRAD_SUM_TILES * blocks * BLOCK + SUMS),
    }
    plan.each_chunk("winograd_backward", job, tensors)
