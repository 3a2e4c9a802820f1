"""Convolution by sums over segments of memory, and its gradient to the input: what always works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.core.choices import DENSE_PARTS, VALUE_WORK
from cnncli.core.native import processor
from cnncli.nn.algorithms.gather import AxisPhase, Gather
from cnncli.nn.elementwise import apply, repeat
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.memory import Tensor
    from cnncli.nn.window import Window

ADD, BIASED = 1, 8  # modes of the register tile …
RELUS = {"": 0, "relu": 2, "relu6": 6}  # … and of the ReLU that it applies
ROWS, HALF = processor()[3].gemm_rows, processor()[3].gemm_half_rows


def filled_rows(count: int) -> int:
    """Rows of the register tiles that so many rows fill, as `gemm.rows_of` chooses them."""
    rows = 0
    while count > 0:
        each = HALF if count <= HALF or ROWS < count <= 2 * HALF else ROWS
        rows, count = rows + each, count - each
    return rows


def emit(
    plan: Emit,
    x: tuple[Tensor, int],
    y: Tensor,
    window: Window,
    *,
    groups: int,
    weights: tuple[int, int],
    adds: bool,
    relu: str,
) -> None:
    """Add a convolution of x, starting at an offset, into y.

    A sum runs over the rows of the window, or over single taps if they are not adjacent in memory.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    x, y : Tensor
        The input, with an offset in bytes, and the output.
    window : Window
        Its sizes, strides and dilations.
    groups : int
        Of channels.
    weights : (int, int)
        Addresses of the packed weights and biases.
    adds : bool
        Add to what y holds.
    relu : str
        Kind of the ReLU that is applied; empty for none.
    """
    tensor, (rows, columns), (panel, bias) = x[0], window, weights
    each = tensor.shape.channels // groups
    joined = columns.dilation == 1 and groups == 1
    length = columns.size * each if joined else each
    segments = [
        (i * rows.dilation * tensor.row + j * columns.dilation * tensor.pixel, length)
        for i in range(rows.size)
        for j in range(1 if joined else columns.size)
    ]
    outputs = y.shape.channels // groups
    gather = Gather(segments, groups, each, outputs)
    job = gather.job(plan, y.shape, panel=panel, bias=bias)
    job["x_step"], job["x_line"] = columns.stride * tensor.pixel, rows.stride * tensor.row
    job["y_step"], job["y_line"] = y.pixel, y.row
    if gather.overlaps:
        repeat(plan, gather.pattern(plan, bias, y.shape.width), y)
        job["mode"] = ADD
    elif adds:
        job["mode"] = ADD | BIASED
    partial = adds or gather.sum_blocks > 1
    late = relu and (gather.overlaps or (partial and y.shape.channels % BLOCK != 0))
    if not late:
        job["mode"] |= RELUS[relu]
    gather.list_together(job, rows.stride * tensor.row)
    work = y.shape.size * rows.size * columns.size * each
    single = y.shape.height * y.shape.width == 1
    joined = plan.joins(gather.taps * outputs, tensor.shape.size + y.shape.size, single=single)
    edge = None if joined else plan.chunk_scratch(gather.blocks * BLOCK)
    count = _shares_of_one(plan, work, joined=joined) if single else plan.parts(work, joined=joined)
    copies = gather.copies(plan, job)
    cut = gather.parts(job, x, (y, 0), count=count, edge=edge, copies=copies)
    if cut:
        plan.split("conv_forward", cut, y, joined=joined)
    else:
        plan.each_chunk("conv_forward", job, {"x": x, "y": y, **copies})
    if late:
        apply(plan, relu, y, y, y)


def _shares_of_one(plan: Emit, work: int, *, joined: bool) -> int:
    """Parts of a layer of a single pixel: each weight is read for one multiply-add of a sample."""
    count = plan.parts(VALUE_WORK * work, joined=joined)
    return DENSE_PARTS * count if count > 1 else 1


def emit_input_gradient(
    plan: Emit,
    weight: tuple[int, tuple[int, ...]],
    phases: tuple[AxisPhase, AxisPhase],
    dy: Tensor,
    dx: Tensor,
    *,
    groups: int,
    add: bool,
    shares: int = 1,
) -> None:
    """Add the gradient of one phase of the stride: pixels of dx that are reached by the same taps.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    weight : (address, shape)
        The layer's packed weights, and (K, C / groups, kh, kw).
    phases : (AxisPhase, AxisPhase)
        Of rows and of columns.
    dy, dx : Tensor
        Gradients of the output and of the input.
    groups : int
        Of channels.
    add : bool
        Add to dx instead of overwriting it.
    shares : int
        Tasks of the split that was just added, each of which goes on with its lines; 1: of every chunk.
    """
    rows, columns = phases
    outputs, each = dy.shape.channels // groups, dx.shape.channels // groups
    segments = [(oy * dy.row + ox * dy.pixel, outputs) for oy in rows.offsets for ox in columns.offsets]
    if groups == 1 and columns.consecutive:
        step = max(len(columns.taps), 1)
        segments = [(offset, outputs * step) for offset, _ in segments[::step]]
    gather = Gather(segments or [(0, 0)], groups, outputs, each)
    shape = Shape(rows.count, columns.count, dx.shape.channels)
    panel, zeros = pack_mirrored(plan, weight, phases, groups=groups)
    job = gather.job(plan, shape, panel=panel, bias=zeros)
    job["x_step"], job["x_line"] = dy.pixel, dy.row
    job["y_step"], job["y_line"] = columns.stride * dx.pixel, rows.stride * dx.row
    job["mode"] = ADD if add else 0
    gather.list_together(job, dy.row)
    first = rows.first * dx.row + columns.first * dx.pixel
    copies = gather.copies(plan, job)
    weights, single = gather.taps * each, dy.shape[:2] == dx.shape[:2] == (1, 1)
    if single and groups == 1 and plan.joins(weights, dy.shape.size + dx.shape.size, single=True):
        count = _shares_of_one(plan, weights, joined=True)
        parts = gather.parts(job, (dy, 0), (dx, first), count=count, edge=None, copies=copies)
        plan.split("conv_forward", parts, dx, joined=True)
    elif shares == 1:
        plan.each_chunk("conv_forward", job, {"x": dy, "y": (dx, first), **copies})
    else:
        edge = plan.chunk_scratch(gather.blocks * BLOCK)
        parts = gather.parts(job, (dy, 0), (dx, first), count=shares, edge=edge, copies=copies)
        plan.go_on("conv_forward", parts)


def pack_mirrored(
    plan: Emit,
    weight: tuple[int, tuple[int, ...]],
    phases: tuple[AxisPhase, AxisPhase],
    *,
    groups: int,
) -> tuple[int, int]:
    """Addresses of a phase's weights, in a panel for the gradient of the input, and of zeros as biases."""
    address, (outputs, each, kh, kw) = weight
    taps = [i * kw + j for i in phases[0].taps for j in phases[1].taps]
    packed = plan.mirror(address, taps, of=kh * kw, groups=groups, inputs=each, outputs=outputs // groups)
    blocks = -(-each // BLOCK)
    return packed, plan.constant(np.zeros(groups * blocks * BLOCK, np.float32))
