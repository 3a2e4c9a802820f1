"""The gradient of a convolution's weights and bias: outer products of inputs and gradients, summed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.choices import LINE_PIXELS
from cnncli.core.native import processor
from cnncli.nn.layer import BLOCK, is_narrow

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.memory import Tensor
    from cnncli.nn.window import Window

ROWS = processor()[3].gemm_rows
MAX_ROWS = max(ROWS, processor()[3].gemm_narrow_rows)


def emit(
    plan: Emit,
    x: tuple[Tensor, int],
    dy: Tensor,
    window: Window,
    *,
    groups: tuple[int, int],
    dweight: int,
    dbias: int,
    pairs: bool,
) -> None:
    """Add the sums, into the slots that start at the addresses ``dweight`` and ``dbias``.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    x, dy : Tensor
        The input, with an offset in bytes, and the gradient of the output.
    window : Window
        Its sizes, strides and dilations.
    groups : (int, int)
        Groups of channels, and those that start a block of their own in memory.
    dweight, dbias : int
        Addresses; 0 for what is not to be summed.
    pairs : bool
        The outputs of two pixels fit into a vector.
    """
    tensor, (rows, columns) = x[0], window
    each = tensor.shape.channels // groups[0]
    i, j, c = np.ogrid[: rows.size, : columns.size, :each]
    taps = (i * rows.dilation * tensor.row + j * columns.dilation * tensor.pixel + 4 * c).ravel()
    outputs = dy.shape.channels // groups[1]
    job = plan.job(
        nn_jobs.OUTER,
        height=dy.shape.height,
        width=dy.shape.width,
        x_step=columns.stride * tensor.pixel,
        x_line=rows.stride * tensor.row,
        dy_step=dy.pixel,
        lines=max(1, LINE_PIXELS // dy.shape.width),
        groups=groups[1],
        x_group=4 * each,
        dy_group=4 * outputs,
        taps=plan.constant(np.concatenate([taps, np.repeat(taps[-1:], MAX_ROWS)]).astype(np.int64)),
        tap_count=taps.size if dweight else 0,
        dweight=dweight,
        slot_pitch=plan.slot_pitch,
        slot_chunks=plan.chunks.per_slot,
        panel_blocks=-(-outputs // BLOCK),
        narrow=is_narrow(outputs),
        pairs=pairs and dy.shape.width % 2 == 0,
        dbias=dbias,
    )
    plan.each_chunk("conv_backward", job, {"x": x, "dy": dy})


def emit_dense(plan: Emit, x: Tensor, dy: Tensor, dweight: int) -> None:
    """Add the gradient of the weights of a fully connected layer, over the whole batch at once."""
    taps = x.shape.channels
    job = plan.job(
        nn_jobs.DENSE,
        taps=taps,
        panel_blocks=-(-dy.shape.channels // BLOCK),
        dweight=dweight,
        samples=plan.samples_address(x.shape),
    )
    plan.after_all_chunks("dense_backward", job, -(-taps // ROWS), {"x": x, "dy": dy})
