"""Where the values of an ONNX tensor lie in the feature maps that we compute.

A tensor of ONNX has any number of axes in any order; ours have rows, columns and channels. A `Value` says
which is which: its dims are products of *parts*, each of which is one factor of our rows, columns or
channels. So most transpositions and reshapes cost nothing: only the names of parts change. What needs the
values in another order asks for it, and gets a `View`.

Dims of 1 have no parts. A model is read for one image, so its batch is such a dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnncli.nn.layers.views import Steps, View
from cnncli.records import record

Dims = tuple[int, ...]
Places = tuple[Dims, Dims, Dims]


@record
class Value:
    """An ONNX tensor as the output of a layer.

    Attributes
    ----------
    node : str
        The layer.
    dims : tuple of int
        Of the ONNX tensor.
    parts : tuple of int
        Sizes, 2 or more, in the order of the dims: each dim is the product of some that follow one another.
    places : (rows, columns, channels)
        Numbers of the parts that make up each of our axes, the slowest first.
    """

    node: str
    dims: Dims
    parts: Dims
    places: Places

    @property
    def shape(self) -> Dims:
        """(H, W, C) of the layer's output."""
        return tuple(prod(self.parts[part] for part in axis) for axis in self.places)

    @property
    def groups(self) -> tuple[Dims, ...]:
        """The numbers of each dim's parts."""
        return grouped(self.dims, self.parts)


def grouped(dims: Dims, parts: Dims) -> tuple[Dims, ...]:
    """The numbers of the parts of each dim."""
    groups, at = [], 0
    for dim in dims:
        start, size = at, 1
        while size < dim:
            size *= parts[at]
            at += 1
        groups.append(tuple(range(start, at)))
    return tuple(groups)


def value_of(node: str, dims: Sequence[int], axes: Sequence[Sequence[int]]) -> Value:
    """A value whose rows, columns and channels are dims, given by their numbers."""
    dims = tuple(dims)
    numbers: dict[int, int] = {}
    for at, dim in enumerate(dims):
        if dim > 1:
            numbers[at] = len(numbers)
    rows, columns, channels = (tuple(numbers[at] for at in axis if at in numbers) for axis in axes)
    return Value(node, dims, tuple(dims[at] for at in numbers), (rows, columns, channels))


def reshaped(value: Value, dims: Dims) -> Value | None:
    """The same values with other dims; None where a dim would need parts of others."""
    sizes: list[int] = list(value.parts)
    of: list[int] = list(range(len(sizes)))  # the part of the value that each is a piece of
    at = 0
    for dim in dims:
        left = dim
        while left > 1:
            if at == len(sizes):
                return None
            if left % sizes[at] == 0:
                left //= sizes[at]
            elif sizes[at] % left == 0:
                sizes[at : at + 1] = [left, sizes[at] // left]
                of.insert(at, of[at])
                left = 1
            else:
                return None
            at += 1
    pieces = {part: tuple(n for n, each in enumerate(of) if each == part) for part in range(len(value.parts))}
    rows, columns, channels = (tuple(n for part in axis for n in pieces[part]) for axis in value.places)
    return Value(value.node, tuple(dims), tuple(sizes), (rows, columns, channels))


def transposed(value: Value, order: Sequence[int]) -> Value:
    """The same values with their dims in another order."""
    groups = value.groups
    moved = [part for at in order for part in groups[at]]
    new = {part: number for number, part in enumerate(moved)}
    rows, columns, channels = (tuple(new[part] for part in axis) for axis in value.places)
    parts = tuple(value.parts[part] for part in moved)
    return Value(value.node, tuple(value.dims[at] for at in order), parts, (rows, columns, channels))


def steps_of(value: Value) -> list[int]:
    """How far apart two neighbours along each part are, in values of the layer's output."""
    steps, step = [0] * len(value.parts), 1
    for part in reversed([part for axis in value.places for part in axis]):
        steps[part] = step
        step *= value.parts[part]
    return steps


def merged(steps: Sequence[tuple[int, int]]) -> Steps:
    """The same steps in as few as possible."""
    found: list[tuple[int, int]] = []
    for count, step in steps:
        if count == 1:
            continue
        if found and found[-1][1] == count * step:
            found[-1] = (found[-1][0] * count, step)
        else:
            found.append((count, step))
    return tuple(found)


def view_of(value: Value, places: Places) -> View:
    """The layer that puts a value's parts into other places."""
    steps = steps_of(value)
    rows, columns, channels = (merged([(value.parts[part], steps[part]) for part in axis]) for axis in places)
    return View(0, rows, columns, channels)


def placed(array: NDArray[np.generic], value: Value) -> NDArray[np.generic]:
    """An array with the dims of a value as the layer's output would be: (H, W, C)."""
    order = [part for axis in value.places for part in axis]
    return array.reshape(value.parts).transpose(order).reshape(value.shape)


def unplaced(array: NDArray[np.generic], value: Value) -> NDArray[np.generic]:
    """The reverse of `placed`."""
    order = [part for axis in value.places for part in axis]
    held = array.reshape([value.parts[part] for part in order])
    return held.transpose(np.argsort(order, kind="stable")).reshape(value.dims)
