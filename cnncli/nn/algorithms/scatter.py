"""The gradient to a convolution's input by scattering kernel rows, where that is faster than gathering."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.choices import PANEL_BYTES, SCATTER_GAIN, SCATTER_STORE_STEPS
from cnncli.nn.algorithms.direct import filled_rows
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.memory import Tensor

LONGEST_SUM = PANEL_BYTES // (4 * BLOCK)  # steps: as of every register tile


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
    stride, _, dilation = lines
    blocks = -(-kw * channels // BLOCK)
    order = _row_order(kh, stride, dilation)
    panel = np.full((kh, blocks * BLOCK, outputs), -1, np.intp)
    panel[:, : kw * channels] = weight[1][:, :, order].transpose(2, 3, 1, 0).reshape(kh, -1, outputs)
    panel = panel.reshape(kh, blocks, BLOCK, outputs).transpose(1, 0, 3, 2)
    single = _groups(order, dy.shape.height, stride, dilation, most=1)
    joined = _groups(order, dy.shape.height, stride, dilation, most=kh)
    together = max(1, LONGEST_SUM // outputs)
    groups = min(joined, single, key=lambda each: _steps(each, plan.chunks.size, outputs, together))
    records = np.zeros(len(groups), nn_jobs.SCATTER_GROUP)
    places = [place for group in groups for place in group.places]
    records["row"] = [group.row for group in groups]
    records["rows"] = [group.rows for group in groups]
    records["lines"] = [len(group.places) for group in groups]
    records["line"] = np.cumsum(records["lines"]) - records["lines"]
    apart = dilation // gcd(stride, dilation)  # lines of dy from one kernel row of a group to the next
    job = plan.job(
        nn_jobs.SCATTER,
        width=dy.shape.width,
        dy_step=dy.pixel,
        dx_step=lines[1] * dx.pixel,
        x_height=dx.shape.height,
        row_floats=dx.shape.width * channels,
        groups=plan.constant(records),
        group_count=len(groups),
        lines=plan.constant(np.array(places, np.int64) * (dy.row, dx.row)),
        segments=plan.constant(
            np.array([(-row * apart * dy.row, outputs, 0) for row in range(kh)], np.int64)
        ),
        together=together,
        panel=plan.pack(weight[0], np.ascontiguousarray(panel)),
        panel_blocks=blocks,
        panel_pitch=4 * kh * outputs * BLOCK,
        row_pitch=4 * outputs * BLOCK,
        add=add,
    )
    plan.each_chunk("conv_scatter", job, {"dy": dy, "dx": dx})


class Group(NamedTuple):
    """Lines of dx that the same kernel rows reach.

    Attributes
    ----------
    row, rows : int
        The first of these kernel rows in their order in the panel, and how many they are.
    places : list of (int, int)
        The line of dy that the first one reaches from, and the line of dx.
    """

    row: int
    rows: int
    places: list[tuple[int, int]]


def _row_order(kh: int, stride: int, dilation: int) -> list[int]:
    """Kernel rows in an order in which those that reach the same line of dx follow one another."""
    return sorted(range(kh), key=lambda row: (row * dilation % stride, row))


def _groups(order: list[int], height: int, stride: int, dilation: int, *, most: int) -> list[Group]:
    """Lines of dx by the kernel rows that reach them from ``height`` lines of dy, ``most`` rows at once.

    A kernel row after the other in the panel reaches a line from a line of dy before the other.
    """
    groups: dict[tuple[int, int], Group] = {}
    for line in range((height - 1) * stride + max(order) * dilation + 1):
        reaching = [
            number
            for number, row in enumerate(order)
            if (line - row * dilation) % stride == 0 and 0 <= line - row * dilation < height * stride
        ]
        for start in range(0, len(reaching), most):
            first, count = reaching[start], len(reaching[start : start + most])
            group = groups.setdefault((first, count), Group(first, count, []))
            group.places.append(((line - order[first] * dilation) // stride, line))
    return list(groups.values())


def _steps(groups: list[Group], samples: int, outputs: int, together: int) -> int:
    """Steps that the tiles of a chunk take for one column, with those for loading and storing."""
    total = 0
    for group in groups:
        sums = -(-group.rows // together)
        rows = filled_rows(samples * len(group.places))
        total += rows * (group.rows * outputs + sums * SCATTER_STORE_STEPS)
    return total
