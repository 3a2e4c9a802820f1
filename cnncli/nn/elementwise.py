"""Calls that go over the values of tensors one by one, or over their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnncli.core import nn_jobs
from cnncli.nn.calls import Part

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.memory import Tensor


def apply(
    plan: Emit, kind: str, a: Tensor, b: Tensor, out: Tensor, *, add: bool = False, alpha: float = 0.0
) -> None:
    """Add an elementwise function of two tensors.

    Parameters
    ----------
    plan : Emit
        The step to add it to.
    kind : str
        A key of `nn_jobs.KINDS`; functions of one tensor get it twice.
    a, b, out : Tensor
        Of one shape; ``out`` may be one of the others.
    add : bool
        Add to ``out`` instead of overwriting it.
    alpha : float
        Setting of the function, such as a slope.
    """

    def part_of(lo: int, hi: int) -> Part:
        rows, floats = hi - lo, out.shape.width * out.shape.channels
        if a.dense and b.dense and out.dense:
            rows, floats = 1, rows * floats
        job = plan.job(
            nn_jobs.APPLY, kind=nn_jobs.KINDS[kind], rows=rows, floats=floats, add=add, alpha=alpha
        )
        return Part(job, {"a": (a, lo * a.row), "b": (b, lo * b.row), "out": (out, lo * out.row)}, (lo, hi))

    plan.by_lines("elementwise", part_of, a, b, out)


def copy(plan: Emit, source: Tensor, out: Tensor, *, add: bool = False) -> None:
    """Copy a tensor into another one of its shape, or add it to that."""
    apply(plan, "copy", source, source, out, add=add)


def copy_rows(plan: Emit, source: tuple[Tensor, int], out: tuple[Tensor, int], *, add: bool = False) -> None:
    """Copy parts of tensors, each given with its first byte, into parts of the same shape, or add to them."""
    shape = out[0].shape
    job = plan.job(
        nn_jobs.APPLY,
        kind=nn_jobs.KINDS["copy"],
        rows=shape.height,
        floats=shape.width * shape.channels,
        add=add,
    )
    plan.each_chunk("elementwise", job, {"a": source, "b": source, "out": out})


def repeat(plan: Emit, row: int, out: Tensor) -> None:
    """Write the same row of values, given by its address, into all rows of a tensor."""
    whole = repeated(plan, row, out, (0, out.shape.height))
    plan.each_chunk("elementwise", whole.job, whole.tensors)


def repeated(plan: Emit, row: int, out: Tensor, lines: tuple[int, int]) -> Part:
    """The part of `repeat` for some rows."""
    first, last = lines
    floats = out.shape.width * out.shape.channels
    job = plan.job(nn_jobs.APPLY, kind=nn_jobs.KINDS["copy"], rows=last - first, floats=floats, a=row, b=row)
    return Part(job, {"out": (out, first * out.row)}, lines)


def zero_halo(plan: Emit, tensor: Tensor) -> None:
    """Write zeros around the images of a tensor, after it has been written."""
    if tensor.halo == (0, 0):
        return
    job = plan.job(
        nn_jobs.FRAME,
        height=tensor.shape.height,
        row_floats=tensor.shape.width * tensor.shape.channels,
        lines_above=tensor.halo[0],
        lines_below=tensor.halo[0],
        side_floats=tensor.halo[1] * tensor.shape.channels,
    )

    def part_of(lo: int, hi: int) -> Part:
        part = job.copy()
        part["height"] = hi - lo
        part["lines_above"] *= lo == 0
        part["lines_below"] *= hi == tensor.shape.height
        return Part(part, {"out": (tensor, lo * tensor.row)}, (lo, hi))

    plan.around("frame", part_of, tensor)
