"""Convolution of gray images into a few channels: see ``core/loops/conv_pairs.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.nn.graph import Shape
from cnncli.nn.layer import LANES
from cnncli.nn.memory import Tensor

if TYPE_CHECKING:
    from cnncli.nn.plan import Plan


def pays(x: Shape, y: Shape, stride: tuple[int, int]) -> bool:
    """The channels of two pixels fit a vector, and of one fill so little of it that it pays to join them."""
    return x.channels == 1 and LANES // 8 < y.channels <= LANES // 2 and stride[1] == 1 and y.width > 1


def emit(
    plan: Plan,
    x: tuple[Tensor, int],
    y: Tensor,
    weight: tuple[int, NDArray[np.intp]],
    *,
    lines: tuple[int, int, int],
    bias: int,
    mode: int,
) -> None:
    """Emit a convolution of x, from an offset on, into y.

    Parameters
    ----------
    plan : Plan
        Where to.
    x, y : Tensor
        The input, with an offset in bytes, and the output.
    weight : (address, order)
        Weights as the layer keeps them, and where each of (K, 1, kh, kw) lies.
    lines : (stride, dilation, dilation)
        From line to line of the output; of the kernel, down and along.
    bias : int
        Address of a number for each output.
    mode : int
        RELU or 0.
    """
    address, order = weight
    outputs, _, kh, kw = order.shape
    stride, dilation_y, dilation_x = lines
    # Lane 2 k + p is channel k of pixel p: both have the same weight.
    panel = np.full((kh, kw, LANES), -1, np.intp)
    for lane in range(2 * outputs):
        panel[:, :, lane] = order[lane // 2, 0]
    row, pixel = x[0].row, x[0].pixel
    steps = [(i, 0, kw) for i in range(kh)]
    if dilation_x > 1:
        steps = [(i, j, 1) for i in range(kh) for j in range(kw)]
    segments = [(i * dilation_y * row + j * dilation_x * pixel, length, 0) for i, j, length in steps]
    job = plan.job(
        nn_jobs.PAIRS,
        height=y.shape.height,
        width=y.shape.width,
        x_line=stride * row,
        y_step=y.pixel,
        y_line=y.row,
        segments=plan.constant(np.array(segments, np.int64)),
        segment_count=len(segments),
        panel=plan.pack(address, panel),
        bias=bias,
        mode=mode,
    )
    plan.each_chunk("conv_pairs", job, {"x": x, "y": y})
