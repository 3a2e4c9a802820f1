"""Convolution 3 x 3 with stride 1 by tiles of 4 x 4 outputs, where that is faster than direct.

What it loses in accuracy, and which tiles are convolved directly, stands in ``core/loops/conv_winograd.py``.
The gradient of the weights has no such tiles: it is off by about 1e-6 of the sum, over the tiles, of the
largest magnitude of a tile's inputs times that of its gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.native import processor
from cnncli.nn.gather import take_blocks
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK, is_narrow
from cnncli.nn.memory import Part, Tensor, shares

if TYPE_CHECKING:
    from cnncli.nn.plan import Plan

LANES = processor()[3].lanes
ROWS = processor()[3].gemm_rows
HALF = processor()[3].gemm_half_rows
PLACES = 36  # of a transformed tile
TILE = 4  # outputs on a side
TILES = 48 // ROWS * ROWS  # worked on together: whole register tiles
BUFFER = 2 * 36 * 16  # floats, on the widest processor
SUM_TILES = 64  # that a register tile of the weights' gradient sums over
SUMS = 36 * 16 * 32 + BUFFER  # floats, on the widest processor
LEAST_CHANNELS = 8  # below, the transforms cost more than they save …
LEAST_OUTPUTS = 16  # … and here too
LEAST_TILES = 8  # to read the weights of a large layer for
FEW_TILES = 2 * ROWS  # of a sample
SMALL_WEIGHTS = 1 << 16  # channels in times channels out, whose transformed weights stay in the caches
LEAST_USE = 0.6  # share of the tiles' outputs that exist
TRANSFORMS = 1.25  # that the whole takes as long as its multiply-adds, at least


def pays(channels: int, outputs: int, shape: Shape, *, samples: int) -> bool:
    """The transforms cost less than they save, and stores need no masks.

    Four times the weights are read for each chunk of so many ``samples``.
    """
    tiles = _tiles(shape)
    used = shape.height * shape.width >= LEAST_USE * tiles * TILE**2
    enough = tiles * samples >= LEAST_TILES or channels * outputs <= SMALL_WEIGHTS
    rows = -(-tiles * samples // HALF) * HALF
    fewer = PLACES * rows * TRANSFORMS <= 9 * TILE**2 * tiles * samples
    fits = channels >= LEAST_CHANNELS and outputs >= LEAST_OUTPUTS and outputs % LANES == 0
    return used and enough and fewer and fits


def _tiles(shape: Shape) -> int:
    """Of a sample."""
    return -(-shape.height // TILE) * -(-shape.width // TILE)


def emit(
    plan: Plan, name: str, x: tuple[Tensor, int], y: Tensor, *, panel: int, bias: int, mode: int
) -> None:
    """Emit a 3 x 3 convolution of x, from an offset on, into y.

    ``panel`` is the address of the weights as a direct convolution reads them, ``bias`` that of a
    number for each output. A layer of a name has the same memory for the transformed weights of both
    its passes.
    """
    channels, outputs = x[0].shape.channels, y.shape.channels
    blocks = -(-outputs // BLOCK)
    room = max(outputs * -(-channels // BLOCK), channels * blocks) * BLOCK  # of either pass
    weights = plan.room(f"{name} transformed", PLACES * room, np.float32)
    transform = plan.job(nn_jobs.WINOGRAD_WEIGHTS, src=panel, out=weights, channels=channels, blocks=blocks)
    plan.transform("winograd_weights", transform, blocks * channels)
    padded = -(-channels // LANES) * LANES
    job = plan.job(
        nn_jobs.WINOGRAD,
        height=y.shape.height,
        width=y.shape.width,
        channels=channels,
        input_pitch=4 * padded,
        panel_blocks=blocks,
        narrow=is_narrow(outputs),
        tiles=TILES,
        panel=weights,
        panel_pitch=channels * blocks * 4 * BLOCK,
        y_pixel=y.pixel,
        segments=plan.constant(np.array([0, channels, 0], np.int64)),
        bias=bias,
        zeros=plan.constant(np.zeros(BLOCK, np.float32)),
        mode=mode,
        direct=panel,
        window=plan.constant(np.array([[i * x[0].row, 3 * channels, 0] for i in range(3)], np.int64)),
    )
    count = plan.parts(9 * channels * y.shape.size)
    # Of few tiles the weights take the time: then each thread reads those of its own outputs.
    by_blocks = _tiles(y.shape) <= FEW_TILES and blocks >= count
    parts = []
    for lo, hi in shares(blocks, count) if by_blocks else shares(y.shape.height, count, unit=TILE):
        part = job.copy()
        at, to = x[1], lo * 4 * BLOCK
        if by_blocks:
            take_blocks(part, lo, hi, panel_bytes=channels * 4 * BLOCK)
            part["direct"] += lo * 9 * channels * 4 * BLOCK
        else:
            part["height"] = hi - lo
            at, to = x[1] + lo * x[0].row, lo * y.row
        tensors: dict[str, Tensor | tuple[Tensor, int]] = {
            "x": (x[0], at),
            "y": (y, to),
            "inputs": plan.spare_floats(PLACES * TILES * padded),
            "products": plan.spare_floats(PLACES * TILES * outputs + BUFFER),
        }
        parts.append(Part(part, tensors, None if by_blocks else (lo, hi)))
    if len(parts) > 1:
        plan.split("conv_winograd", parts, y)
    else:
        plan.each_chunk("conv_winograd", parts[0].job, parts[0].tensors)


def emit_weight_gradient(plan: Plan, x: tuple[Tensor, int], dy: Tensor, dweight: int) -> None:
    """Emit the gradient of the weights, into the slots from the address ``dweight`` on."""
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
        tiles=SUM_TILES,
        dweight=dweight,
        slot_pitch=plan.slot_pitch,
        slot_chunks=plan.slot_chunks,
    )
    tensors: dict[str, Tensor | tuple[Tensor, int]] = {
        "x": x,
        "dy": dy,
        "inputs": plan.spare_floats(PLACES * SUM_TILES * padded),
        "slopes": plan.spare_floats(PLACES * SUM_TILES * blocks * BLOCK + SUMS),
    }
    plan.each_chunk("winograd_backward", job, tensors)
