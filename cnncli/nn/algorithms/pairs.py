"""Convolution of gray images to few channels: see ``core/loops/conv_pairs.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.nn.graph import Shape
from cnncli.nn.layer import LANES
from cnncli.nn.memory import Tensor

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit


def is_faster(x: Shape, y: Shape, stride: tuple[int, int]) -> bool:
    """Whether the outputs of two pixels fit into a vector, and those of one would waste too many lanes."""
    return x.channels == 1 and LANES // 8 < y.channels <= LANES // 2 and stride[1] == 1 and y.width > 1


def emit(
    plan: Emit,
    x: tuple[Tensor, int],
    y: Tensor,
    weight: tuple[int, NDArray[np.intp]],
    *,
    lines: tuple[int, int, int],
    bias: int,
    mode: int,
) -> None:
    """Add a convolution of x, starting at an offset, into y.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    x, y : Tensor
        The input, with an offset in bytes, and the output.
    weight : (address, order)
        The layer's packed weights, and the offset of each of (K, 1, kh, kw).
    lines : (stride, dilation, dilation)
        Stride of the lines; dilation of the kernel along rows and columns.
    bias : int
        Address of the outputs' biases.
    mode : int
        RELU or 0.
    """
    address, order = weight
    outputs, _, kh, kw = order.shape
    stride, dilation_y, dilation_x = lines
    # Lane 2 k + p is channel k of pixel p: both use the same weight.
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
