"""Sorting networks that find the median of a window, sharing work between neighbours.

The columns of a window are sorted one by one, neighbouring sorted columns are merged into lists of
2, 4, 8 columns, and the lists that form the window are merged last. As the list that starts one pixel
further right is the same list, shifted, each is computed once per pixel. A list keeps only the ranks that
the median can have: for a list of m values in a window of N with the median at rank k (from 1), the ranks
m - k + 1 to k; those below already have k values above them in the list.

Values are numbered; the first are the rows of the window. A reference is a value and the column, to
the right, at which it is read.

Source: K. E. Batcher: Sorting Networks and Their Applications, 1968 (the merge); A. Adams: Fast
Median Filters Using Separable Sorting Networks, 2021 (sorting columns once and merging them).
"""

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reference(NamedTuple):
    """A value, read ``shift`` pixels to the right."""

    value: int
    shift: int


LOW = Reference(-1, 0)  # below and …
HIGH = Reference(-2, 0)  # … above every value: placeholders for ranks that cannot matter


class Operation(NamedTuple):
    """The smaller or the larger of two values, as a new value."""

    kind: Literal["min", "max"]
    a: Reference
    b: Reference
    value: int


@dataclass(frozen=True)
class Network:
    """Operations in order, the last of which gives the median.

    Attributes
    ----------
    size : int
        Side of the window, and the number of initial values: its rows.
    operations : tuple of Operation
    """

    size: int
    operations: tuple[Operation, ...]


class _Builder:
    """Collects operations, each once."""

    def __init__(self, size: int) -> None:
        self.operations: list[Operation] = []
        self.known: dict[tuple[str, Reference, Reference], Reference] = {}
        self.next = size

    def pick(self, kind: Literal["min", "max"], a: Reference, b: Reference) -> Reference:
        """The smaller or larger of two, without an operation if one is `LOW` or `HIGH`."""
        if a < b:
            a, b = b, a  # LOW and HIGH last
        if b in (LOW, HIGH):
            return b if (b == LOW) == (kind == "min") else a
        common = min(a.shift, b.shift)
        a, b = Reference(a.value, a.shift - common), Reference(b.value, b.shift - common)
        key = (kind, a, b)
        if key not in self.known:
            self.operations.append(Operation(kind, a, b, self.next))
            self.known[key] = Reference(self.next, 0)
            self.next += 1
        return Reference(self.known[key].value, common)

    def merge(self, a: list[Reference], b: list[Reference]) -> list[Reference]:
        """Merge two sorted lists of any length by Batcher's odd-even merge."""
        if not a or not b:
            return a + b
        if len(a) == len(b) == 1:
            return [self.pick("min", a[0], b[0]), self.pick("max", a[0], b[0])]
        even = self.merge(a[::2], b[::2])
        odd = self.merge(a[1::2], b[1::2])
        merged = [even[0]]
        for i in range(max(len(even) - 1, len(odd))):
            if i + 1 < len(even) and i < len(odd):
                merged += [self.pick("min", odd[i], even[i + 1]), self.pick("max", odd[i], even[i + 1])]
            else:
                merged.append(even[i + 1] if i + 1 < len(even) else odd[i])
        return merged

    def sort(self, values: list[Reference]) -> list[Reference]:
        """Sort by merging halves."""
        half = len(values) // 2
        return self.merge(self.sort(values[:half]), self.sort(values[half:])) if half else values

    def select(self, a: list[Reference], b: list[Reference], rank: int) -> Reference:
        """The value at a rank, from 1, in two sorted lists: the minimum of max(a[i], b[rank - i])."""
        best = HIGH
        for i in range(max(0, rank - len(b)), min(len(a), rank) + 1):
            left = a[i - 1] if i else LOW
            right = b[rank - i - 1] if i < rank else LOW
            best = self.pick("min", best, self.pick("max", left, right))
        return best


@functools.cache
def median_network(size: int) -> Network:
    """Build the network for a window of ``size`` x ``size``.

    Parameters
    ----------
    size : int
        Odd, 3 or more.

    Returns
    -------
    Network
        Without operations whose result is unused.
    """
    builder = _Builder(size)
    middle = (size * size + 1) // 2

    def pruned(values: list[Reference]) -> list[Reference]:
        lowest = len(values) - middle
        return [LOW if i < lowest else HIGH if i >= middle else value for i, value in enumerate(values)]

    def shifted(values: list[Reference], shift: int) -> list[Reference]:
        return [
            value if value in (LOW, HIGH) else Reference(value.value, value.shift + shift) for value in values
        ]

    lists = {1: builder.sort([Reference(row, 0) for row in range(size)])}
    columns = 1
    while 2 * columns < size:
        lists[2 * columns] = pruned(builder.merge(lists[columns], shifted(lists[columns], columns)))
        columns *= 2
    largest, at = columns, size
    rest: list[Reference] = []
    for columns in sorted(lists):  # the rest of the window, from the right, small lists first
        if columns != largest and (size - largest) & columns:
            at -= columns
            rest = pruned(builder.merge(shifted(lists[columns], at), rest))
    builder.select(lists[largest], rest, middle)
    return Network(size, _needed(builder.operations))


@dataclass(frozen=True)
class Stages:
    """A network divided into stages where values of neighbours are needed; each stage runs in registers.

    Attributes
    ----------
    number : dict of int
        The stage of each value; rows are in stage 0.
    place : dict of int
        The storage place of each value that a later stage reads.
    """

    number: dict[int, int]
    place: dict[int, int]


@functools.cache
def network_stages(size: int) -> Stages:
    """Divide the network of a window into stages."""
    network = median_network(size)
    stage = dict.fromkeys(range(size), 0)
    crossing: dict[int, None] = {}
    for operation in network.operations:
        sources = (operation.a, operation.b)
        level = max(stage[reference.value] + (reference.shift > 0) for reference in sources)
        stage[operation.value] = level
        for value, _ in sources:
            if value >= size and stage[value] < level:
                crossing[value] = None
    return Stages(stage, {value: place for place, value in enumerate(crossing)})


def _needed(operations: list[Operation]) -> tuple[Operation, ...]:
    """Operations that the last one depends on."""
    needed = {operations[-1].value}
    kept = []
    for operation in reversed(operations):
        if operation.value in needed:
            needed |= {operation.a.value, operation.b.value}
            kept.append(operation)
    return tuple(reversed(kept))


@dataclass(frozen=True, eq=False)
class Steps:
    """A network as a table for an interpreting loop, with reused storage places for values.

    Attributes
    ----------
    table : ndarray of intp, shape (steps, 6)
        A step is: place of a, its shift, place of b, its shift, place for the smaller or -1, place for
        the larger or -1. Places below 0 are rows of the window: place -1 - row for a and b.
    places : int
        Number of places needed at the same time.
    median : int
        The place of the median at the end.
    """

    table: NDArray[np.intp]
    places: int
    median: int


@functools.cache
def network_steps(size: int) -> Steps:
    """Convert the network of a window to steps; the minimum and maximum of a pair are one step."""
    network = median_network(size)
    pairs: dict[tuple[Reference, Reference], list[int]] = {}  # values: the smaller, the larger
    for operation in network.operations:
        made = pairs.setdefault((operation.a, operation.b), [-1, -1])
        made[operation.kind == "max"] = operation.value
    last_use = {value: at for at, pair in enumerate(pairs) for value in (pair[0].value, pair[1].value)}
    place = {row: -1 - row for row in range(size)}
    free: list[int] = []
    places = 0
    table = []
    for at, ((a, b), made) in enumerate(pairs.items()):
        step = [place[a.value], a.shift, place[b.value], b.shift]
        free += [place[value] for value in {a.value, b.value} if last_use[value] == at and place[value] >= 0]
        for value in made:
            if value >= 0:
                if not free:
                    free.append(places)
                    places += 1
                place[value] = free.pop()
            step.append(place[value] if value >= 0 else -1)
        table.append(step)
    return Steps(np.array(table, np.intp), places, place[network.operations[-1].value])
