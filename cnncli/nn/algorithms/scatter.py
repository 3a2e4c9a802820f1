"""The gradient to a convolution's input by scattering kernel rows, where that is faster than gathering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.choices import SCATTER_GAIN, SCATTER_STORE_STEPS
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.memory import Tensor


def is_faster(x: Shape, y: Shape, kernel: tuple[int, int], stride: tuple[int, int]) -> bool:
    """Whether kernel rows fill the vectors so well that it outweighs adding in memory."""
    blocks = -(-kernel[1] * x.channels // BLOCK)
    spread = y.height * y.width * kernel[0] * blocks * (y.channels + SCATTER_STORE_STEPS)
    taps = kernel[0] * kernel[1] / (stride[0] * stride[1])
    gathered = x.height * x.width * -(-x.channels // BLOCK) * taps * y.channels
    return spread * SCATTER_GAIN < gathered


def emit(
    plan: Emit,
    dy: Tensor,
    dx: Tensor,
    weight: tuple[int, NDArray[np.intp]],
    *,
    lines: tuple[int, int, int],
    add: bool,
) -> None:
    """Add the gradient of an unpadded convolution without groups.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    dy, dx : Tensor
        Gradients of the output and of the input.
    weight : (int, ndarray of intp, shape (K, C, kh, kw))
        Address of the packed weights, and the offset of each.
    lines : (int, int, int)
        Stride along the rows, stride along the columns, dilation of the rows.
    add : bool
        Add to dx instead of overwriting it.
    """
    outputs, channels, kh, kw = weight[1].shape
    blocks = -(-kw * channels // BLOCK)
    panel = np.full((kh, blocks * BLOCK, outputs), -1, np.intp)
    panel[:, : kw * channels] = weight[1].transpose(2, 3, 1, 0).reshape(kh, kw * channels, outputs)
    panel = panel.reshape(kh, blocks, BLOCK, outputs).transpose(0, 1, 3, 2)
    job = plan.job(
        nn_jobs.SCATTER,
        height=dy.shape.height,
        width=dy.shape.width,
        dy_step=dy.pixel,
        dx_step=lines[1] * dx.pixel,
        dx_line=lines[0] * dx.row,
        dx_tap=lines[2] * dx.row,
        window_y=kh,
        x_height=dx.shape.height,
        row_floats=dx.shape.width * channels,
        segments=plan.constant(np.array([0, outputs, 0], np.int64)),
        panel=plan.pack(weight[0], np.ascontiguousarray(panel)),
        panel_blocks=blocks,
        panel_pitch=4 * outputs * BLOCK,
        add=add,
    )
    plan.each_chunk("conv_scatter", job, {"dy": dy, "dx": dx})
