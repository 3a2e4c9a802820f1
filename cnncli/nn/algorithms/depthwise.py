"""Depthwise convolution, one kernel for each channel: see ``core/loops/depthwise.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.choices import IMAGE_BYTES, MIN_LINES, SUM_PIXELS
from cnncli.nn.algorithms.gather import AxisPhase
from cnncli.nn.calls import Part
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK, LANES
from cnncli.nn.memory import Tensor, split_evenly

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit


class Taps(NamedTuple):
    """The kernel, and how it moves over the input: everything in bytes.

    Attributes
    ----------
    rows : list of int
        Offset of each kernel row.
    columns : int
        Number of kernel columns.
    tap, step, line : int
        From one kernel column to the next; in the input, from one output column and line to the next.
    """

    rows: list[int]
    columns: int
    tap: int
    step: int
    line: int

    @property
    def panel_bytes(self) -> int:
        """Weights of one block of channels."""
        return len(self.rows) * self.columns * 4 * BLOCK


def emit(
    plan: Emit,
    x: tuple[Tensor, int],
    y: tuple[Tensor, int],
    taps: Taps,
    *,
    panel: int,
    bias: int,
    mode: int,
    grid: tuple[Shape, int, int] | None = None,
) -> None:
    """Add a depthwise convolution of x into y, each starting at an offset in bytes.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    x, y : (Tensor, int)
        Input and output.
    taps : Taps
        The kernel.
    panel, bias : int
        Addresses of the weights, [blocks][rows][columns][block], and of the biases.
    mode : int
        1 to add to the output, and bits of the ReLU that is applied.
    grid : (Shape, int, int) or None
        The outputs to compute, and the bytes from one column and line of them to the next; None: all.
    """
    shape, y_step, y_line = grid or (y[0].shape, y[0].pixel, y[0].row)
    job = plan.job(
        nn_jobs.DEPTHWISE,
        height=shape.height,
        width=shape.width,
        channels=shape.channels,
        y_step=y_step,
        y_line=y_line,
        panel=panel,
        panel_pitch=taps.panel_bytes,
        bias=bias,
        mode=mode,
        lines=max(1, min(shape.height, IMAGE_BYTES // max(taps.line, 1))),
        **_fields(plan, taps),
    )
    parts = _parts(job, x, y, shape, plan.parts(shape.size * len(taps.rows) * taps.columns))
    if len(parts) > 1:
        plan.split("depthwise", parts, y[0])
    else:
        plan.each_chunk("depthwise", job, {"x": x, "y": y})


def _fields(plan: Emit, taps: Taps) -> dict[str, int]:
    return {
        "rows": plan.constant(np.array(taps.rows, np.int64)),
        "row_count": len(taps.rows),
        "columns": taps.columns,
        "x_tap": taps.tap,
        "x_step": taps.step,
        "x_line": taps.line,
    }


def _parts(
    job: NDArray[np.void], x: tuple[Tensor, int], y: tuple[Tensor, int], shape: Shape, count: int
) -> list[Part]:
    """The record split by lines, or by blocks of channels if lines are few; empty if stores overlap."""
    if count == 1 or shape.channels % LANES:
        return []
    by_lines = shape.height >= MIN_LINES * count
    made = []
    for lo, hi in (
        split_evenly(shape.height, count) if by_lines else split_evenly(shape.channels, count, unit=BLOCK)
    ):
        part = job.copy()
        x_shift, y_shift = lo * int(job["x_line"][0]), lo * int(job["y_line"][0])
        if by_lines:
            part["height"], part["lines"] = hi - lo, min(int(job["lines"][0]), hi - lo)
        else:
            x_shift = y_shift = 4 * lo
            part["channels"] = hi - lo
            part["panel"] += lo // BLOCK * job["panel_pitch"]
            part["bias"] += y_shift
        tensors = {"x": (x[0], x[1] + x_shift), "y": (y[0], y[1] + y_shift)}
        made.append(Part(part, tensors, (lo, hi) if by_lines else None))
    return made


def emit_input_gradient(
    plan: Emit,
    weight: tuple[int, NDArray[np.intp]],
    phases: tuple[AxisPhase, AxisPhase],
    dy: Tensor,
    dx: Tensor,
    *,
    add: bool,
) -> None:
    """Add the gradient of one phase of the stride: pixels of dx that are reached by the same taps.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    weight : (address, order)
        The layer's packed weights, and the offset of each of (K, 1, kh, kw).
    phases : (AxisPhase, AxisPhase)
        Of rows and of columns.
    dy, dx : Tensor
        Gradients of the output and of the input.
    add : bool
        Add to dx instead of overwriting it.
    """
    rows, columns = phases
    near = columns.offsets[:2] or (0,)
    taps = Taps(
        [offset * dy.row + near[0] * dy.pixel for offset in rows.offsets],
        len(columns.offsets),
        (near[-1] - near[0]) * dy.pixel,
        dy.pixel,
        dy.row,
    )
    panel = _panel(weight[1], rows.taps, columns.taps)
    shape = Shape(rows.count, columns.count, dx.shape.channels)
    emit(
        plan,
        (dy, 0),
        (dx, rows.first * dx.row + columns.first * dx.pixel),
        taps,
        panel=plan.pack(weight[0], panel),
        bias=plan.constant(np.zeros(panel.shape[0] * BLOCK, np.float32)),
        mode=int(add),
        grid=(shape, columns.stride * dx.pixel, rows.stride * dx.row),
    )


def emit_weight_gradient(plan: Emit, x: tuple[Tensor, int], dy: Tensor, taps: Taps, dweight: int) -> None:
    """Add the gradient of the weights, into the slots that start at the address ``dweight``."""
    job = plan.job(
        nn_jobs.DEPTHWISE_OUTER,
        height=dy.shape.height,
        width=dy.shape.width,
        vectors=-(-dy.shape.channels // LANES),
        dy_step=dy.pixel,
        dweight=dweight,
        slot_pitch=plan.slot_pitch,
        slot_chunks=plan.chunks.per_slot,
        lines=max(1, SUM_PIXELS // dy.shape.width),
        **_fields(plan, taps),
    )
    plan.each_chunk("depthwise_backward", job, {"x": x, "dy": dy})


def _panel(order: NDArray[np.intp], rows: tuple[int, ...], columns: tuple[int, ...]) -> NDArray[np.intp]:
    """Indices of some taps' weights in a panel: of ``order`` (K, 1, kh, kw); -1 where there is none."""
    channels = order.shape[0]
    blocks = -(-channels // BLOCK)
    panel = np.full((blocks * BLOCK, len(rows), len(columns)), -1, np.intp)
    panel[:channels] = order[:, 0][:, list(rows)][:, :, list(columns)]
    panel = panel.reshape(blocks, BLOCK, len(rows), len(columns))
    return np.ascontiguousarray(panel.transpose(0, 2, 3, 1))
