"""The gradient to a convolution's input by kernel rows, where that is faster than by sums over the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK

if TYPE_CHECKING:
    from cnncli.nn.memory import Tensor
    from cnncli.nn.plan import Plan

STORE_STEPS = 6  # steps of a sum that loading and storing its tile take as long as
GAIN = 1.25  # in steps, at least


def pays(x: Shape, y: Shape, kernel: tuple[int, int], stride: tuple[int, int]) -> bool:
    """Kernel rows fill the vectors so much better that adding in memory costs less."""
    blocks = -(-kernel[1] * x.channels // BLOCK)
    spread = y.height * y.width * kernel[0] * blocks * (y.channels + STORE_STEPS)
    taps = kernel[0] * kernel[1] / (stride[0] * stride[1])
    gathered = x.height * x.width * -(-x.channels // BLOCK) * taps * y.channels
    return spread * GAIN < gathered


def emit(
    plan: Plan,
    dy: Tensor,
    dx: Tensor,
    weight: tuple[int, NDArray[np.intp]],
    *,
    lines: tuple[int, int, int],
    add: bool,
) -> None:
    """Emit the gradient of an unpadded convolution without groups.

    Parameters
    ----------
    plan : Plan
        Where.
    dy, dx : Tensor
        Gradients of the output and of the input.
    weight : (int, ndarray of intp, shape (K, C, kh, kw))
        Address of the weights, and where each lies from there on.
    lines : (int, int, int)
        Stride along the rows, stride along the columns, dilation of the rows.
    add : bool
        To what dx holds.
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
