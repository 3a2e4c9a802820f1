"""A convolution, or its gradient to the input, as sums over segments of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.choices import (
    IMAGE_BYTES,
    MIN_BLOCKS,
    MIN_INPUTS,
    MIN_LINES,
    PANEL_BYTES,
    PIXEL_TILES,
    SETS_BYTES,
)
from cnncli.core.native import processor
from cnncli.core.nn_jobs import CACHE_LINE
from cnncli.nn.calls import Part
from cnncli.nn.graph import Shape
from cnncli.nn.layer import BLOCK, LANES, is_narrow, vector_parameter
from cnncli.nn.memory import Tensor, split_evenly

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit

ROWS = processor()[3].gemm_rows
MOST_ROWS = max(ROWS, processor()[3].gemm_narrow_rows)
PIXELS = PIXEL_TILES * ROWS


@dataclass(frozen=True)
class AxisPhase:
    """Along one axis, the input positions that are reached by the same taps in the backward pass.

    Position ``first + m * stride``, for m below ``count``, is reached through tap ``taps[n]`` by the output
    position ``m + offsets[n]``. Offsets ascend.
    """

    index: int
    first: int
    stride: int
    count: int
    taps: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def consecutive(self) -> bool:
        """The taps belong to adjacent output positions."""
        return all(b - a == 1 for a, b in zip(self.offsets, self.offsets[1:], strict=False))


def axis_phases(size: int, *, kernel: int, stride: int, dilation: int, padding: int) -> list[AxisPhase]:
    """The phases of a convolution's stride along an axis of ``size`` input positions."""
    phases = []
    for index in range(stride):
        first = (index - padding) % stride
        taps = [tap for tap in reversed(range(kernel)) if (index - tap * dilation) % stride == 0]
        offsets = [(first + padding - tap * dilation) // stride for tap in taps]
        count = max(0, -(-(size - first) // stride))
        phases.append(AxisPhase(index, first, stride, count, tuple(taps), tuple(offsets)))
    return phases


def reach(phases: list[AxisPhase], size: int) -> int:
    """How far the offsets reach outside 0 to ``size``."""
    most = 0
    for phase in phases:
        if phase.count:
            for offset in phase.offsets:
                most = max(most, -offset, phase.count + offset - size)
    return most


def spill(outputs: int) -> int:
    """Floats beyond a pixel's outputs that the stores of its last block reach."""
    return -(-outputs // BLOCK) * BLOCK - LANES * is_narrow(outputs) - outputs


def restrict_blocks(job: NDArray[np.void], lo: int, hi: int, *, panel_bytes: int) -> None:
    """Restrict a record to the output blocks ``lo`` to ``hi``, each with a panel of ``panel_bytes``."""
    job["narrow"] *= hi == job["panel_blocks"]
    job["panel_blocks"] = hi - lo
    job["panel"] += lo * panel_bytes
    job["bias"] += lo * 4 * BLOCK


@dataclass
class Gather:
    """Sums over segments, prepared for the native loop.

    Attributes
    ----------
    segments : list of (offset, length)
        Offset in bytes from the output's position in the input, and length in floats.
    groups, inputs, outputs : int
        Number of groups, and input and output channels of one group.
    overlaps : bool
        The last block of a group is stored over values of the next group, which may already be there:
        the output is initialised with the bias, and every store adds.
    """

    segments: list[tuple[int, int]]
    groups: int
    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        self.overlaps = self.groups > 1 and self.outputs % BLOCK != 0
        self.blocks = -(-self.outputs // BLOCK)
        self.taps = sum(length for _, length in self.segments)
        self.sum_blocks = 1

    def job(self, plan: Emit, shape: Shape, *, panel: int, bias: int) -> NDArray[np.void]:
        """The record, with its segments split so that the weights of one partial sum stay in the cache."""
        longest = max(1, PANEL_BYTES // (4 * BLOCK))
        cut = [
            (offset + 4 * start, min(longest, length - start))
            for offset, length in self.segments
            for start in range(0, max(length, 1), longest)
        ]
        parts: list[list[tuple[int, int, int]]] = [[]]
        at = 0
        for offset, length in cut:
            if parts[-1] and sum(each[1] for each in parts[-1]) + length > longest:
                parts.append([])
            parts[-1].append((offset, length, at))
            at += length * 4 * BLOCK
        count = max(map(len, parts))
        table = [part + [(0, 0, 0)] * (count - len(part)) for part in parts]
        self.sum_blocks = len(parts)
        return plan.job(
            nn_jobs.GATHER,
            height=shape.height,
            width=shape.width,
            groups=self.groups,
            x_group=4 * self.inputs,
            y_group=4 * self.outputs,
            segments=plan.constant(np.array(table, np.int64)),
            segment_count=count,
            sum_blocks=len(parts),
            panel=panel,
            outputs=self.outputs,
            panel_blocks=self.blocks,
            panel_pitch=self.taps * 4 * BLOCK,
            narrow=is_narrow(self.outputs),
            bias=bias,
        )

    def list_together(self, job: NDArray[np.void], line_bytes: int) -> None:
        """Choose how many pixels are listed together; a line of inputs has ``line_bytes``."""
        affordable = IMAGE_BYTES * int(job["width"][0]) // max(line_bytes, 1)
        job["pixels"] = max(PIXELS, min(affordable, nn_jobs.LISTED_PIXELS)) // ROWS * ROWS

    def copies(self, plan: Emit, job: NDArray[np.void]) -> dict[str, Tensor]:
        """Memory for copies of inputs, if these would compete for a set of the L1 cache; the record says so.

        They are made for some hundreds of pixels and one part of their sums at a time.
        """
        competing = int(job["x_step"][0]) % SETS_BYTES == 0 and int(job["width"][0]) > 1
        length = max(min(each, PANEL_BYTES // (4 * BLOCK)) for _, each in self.segments)
        whole = all(each % LANES == 0 for _, each in self.segments)
        if (
            not (competing and whole and length >= MIN_INPUTS and self.blocks >= MIN_BLOCKS)
            or self.groups > 1
        ):
            return {}
        job["copy_pitch"] = PANEL_BYTES // BLOCK + CACHE_LINE
        table = CACHE_LINE + 8 * (nn_jobs.LISTED_PIXELS + 2 * MOST_ROWS)
        return {"copies": plan.chunk_scratch((table + int(job["pixels"][0] * job["copy_pitch"][0])) // 4)}

    def parts(
        self,
        job: NDArray[np.void],
        x: tuple[Tensor, int],
        y: tuple[Tensor, int],
        *,
        count: int,
        edge: Tensor | None,
        copies: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> list[Part]:
        """The record split by lines, or by blocks of channels if lines are few; empty if stores overlap.

        For all samples at once, without ``edge``, it is split by blocks, so that weights are read once. What
        the stores of a part's last pixel spill over belongs to the next part: it is computed in ``edge``.
        """
        height = int(job["height"][0])
        by_lines = edge is not None and height >= MIN_LINES * count
        spilled = spill(self.outputs)
        beyond = spilled and height * int(job["width"][0]) > 1
        shared = by_lines and spilled <= self.outputs  # by the last pixel alone
        if (count == 1 and edge is not None) or (beyond and not shared) or self.groups > 1:
            return []
        made = []
        for lo, hi in split_evenly(height if by_lines else self.blocks, count):
            part = job.copy()
            at, to = x[1], y[1] + lo * 4 * BLOCK
            if by_lines:
                part["height"] = hi - lo
                part["edge_floats"] = self.outputs if spilled else 0
                at, to = x[1] + lo * int(job["x_line"][0]), y[1] + lo * int(job["y_line"][0])
            else:
                restrict_blocks(part, lo, hi, panel_bytes=int(job["panel_pitch"][0]))
                part["outputs"] -= lo * BLOCK
            tensors: dict[str, Tensor | tuple[Tensor, int]] = {"x": (x[0], at), "y": (y[0], to), **copies}
            if edge is not None and part["edge_floats"]:
                tensors["edge"] = edge
            made.append(Part(part, tensors, (lo, hi) if by_lines else None))
        return made

    def pattern(self, plan: Emit, bias: int, width: int) -> int:
        """Address of the bias repeated for a row of pixels."""
        vector = vector_parameter("bias", self.groups * self.outputs, groups=self.groups)
        return plan.pack(bias, np.tile(vector.offsets(), width))
