"""Operators that move values: reshapes, transpositions, slices, joins and paddings."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.nn.layers.combine import Concat
from cnncli.nn.layers.views import Take, View
from cnncli.onnx.layout import Value, merged, steps_of, transposed, value_of
from cnncli.onnx.read import Operator

if TYPE_CHECKING:
    from cnncli.onnx.translation import Translation

Array = NDArray[Any]
_JOINED = 64  # branches of a layer


def reshape(t: Translation, op: Operator) -> Value:
    """Reshape: 0 copies a dim, unless allowzero says otherwise, and -1 is what is left."""
    x = t.value(op)
    wanted = list(t.whole(op, "shape", 1) or ())
    if not op.attributes.get("allowzero", 0):
        wanted = [x.dims[at] if dim == 0 else dim for at, dim in enumerate(wanted)]
    if wanted.count(-1) == 1:
        known = prod(dim for dim in wanted if dim != -1)
        if known < 1 or prod(x.dims) % known:
            raise t.fault(f"reshapes {list(x.dims)} to {wanted}; expected dims that divide it")
        wanted[wanted.index(-1)] = prod(x.dims) // known
    if min(wanted, default=1) < 1:
        raise t.fault(f"reshapes {list(x.dims)} to {wanted}; expected 1 or more")
    return t.reshape(x, tuple(wanted))


def flatten(t: Translation, op: Operator) -> Value:
    """Flatten to two dims."""
    x = t.value(op)
    axis = int(op.attributes.get("axis", 1))
    axis = axis + len(x.dims) if axis < 0 else axis
    return t.reshape(x, (prod(x.dims[:axis]), prod(x.dims[axis:])))


def squeeze(t: Translation, op: Operator) -> Value:
    """Squeeze: dims of 1 are left out."""
    x = t.value(op)
    axes = t.whole(op, "axes", 1)
    gone = (
        {a % len(x.dims) for a in axes} if axes is not None else {at for at, d in enumerate(x.dims) if d == 1}
    )
    if any(x.dims[at] != 1 for at in gone):
        raise t.fault(f"leaves out axes {sorted(gone)} of {list(x.dims)}; expected dims of 1")
    return t.reshape(x, tuple(dim for at, dim in enumerate(x.dims) if at not in gone))


def unsqueeze(t: Translation, op: Operator) -> Value:
    """Unsqueeze: dims of 1 are put in."""
    x = t.value(op)
    axes = t.whole(op, "axes", 1) or ()
    rank = len(x.dims) + len(axes)
    new = {axis % rank for axis in axes}
    rest = iter(x.dims)
    return t.reshape(x, tuple(1 if at in new else next(rest) for at in range(rank)))


def transpose(t: Translation, op: Operator) -> Value:
    """Transpose."""
    x = t.value(op)
    order = tuple(op.attributes.get("perm") or range(len(x.dims))[::-1])
    if sorted(order) != list(range(len(x.dims))):
        raise t.fault(f"has perm {list(order)} for {len(x.dims)} axes")
    return transposed(x, order)


def shape(t: Translation, op: Operator) -> Array:
    """Shape, which is known."""
    dims = t.value(op).dims
    first, last = op.attributes.get("start", 0), op.attributes.get("end", len(dims))
    return np.asarray(dims[first:last], np.int64)


def size(t: Translation, op: Operator) -> Array:
    """Size, which is known."""
    return np.asarray(prod(t.value(op).dims), np.int64)


def sliced(t: Translation, x: Value, parts: dict[int, tuple[int, int, int]]) -> Value:
    """Of some dims the first number, how many, and the step between them."""
    parts = {at: each for at, each in parts.items() if each != (0, x.dims[at], 1)}
    if not parts:
        return x
    if min(count for _, count, _ in parts.values()) < 1:
        raise t.fault(f"takes nothing of {list(x.dims)}; expected 1 or more")
    x = t.single(x)
    steps, start = steps_of(x), 0
    sizes, strides = list(x.parts), list(steps)
    for at, (first, count, step) in parts.items():
        (part,) = x.groups[at] or (None,)
        if part is None:
            continue
        start += first * steps[part]
        sizes[part], strides[part] = count, step * steps[part]
    rows, columns, channels = (merged([(sizes[p], strides[p]) for p in axis]) for axis in x.places)
    node = t.add(View(start, rows, columns, channels), x.node)
    dims = tuple(parts[at][1] if at in parts else dim for at, dim in enumerate(x.dims))
    kept = {part: number for number, part in enumerate(p for p in range(len(sizes)) if sizes[p] > 1)}
    places = tuple(tuple(kept[part] for part in axis if part in kept) for axis in x.places)
    return Value(node, dims, tuple(sizes[part] for part in kept), (places[0], places[1], places[2]))


def slice_(t: Translation, op: Operator) -> Value:
    """Slice: starts and ends may be negative or beyond the end."""
    x = t.value(op)
    starts, ends = t.whole(op, "starts", 1), t.whole(op, "ends", 2)
    axes = t.whole(op, "axes", 3) or tuple(range(len(starts or ())))
    steps = t.whole(op, "steps", 4) or (1,) * len(axes)
    if starts is None or ends is None:
        raise t.fault("does not say what it takes")
    parts = {}
    for axis, first, last, step in zip(axes, starts, ends, steps, strict=True):
        at = range(len(x.dims))[axis]
        lines = range(x.dims[at])[_clipped(first, last, step)]
        parts[at] = (lines.start, len(lines), lines.step)
    return sliced(t, x, parts)


def _clipped(first: int, last: int, step: int) -> slice:
    """A slice of Python: the smallest number that there is means beyond the first when it goes backwards."""
    return slice(first, None if step < 0 and last < -(1 << 30) else last, step)


def split(t: Translation, op: Operator) -> list[Value]:
    """Split into parts of given sizes, or into as many as there are outputs."""
    x = t.value(op)
    axis = range(len(x.dims))[int(op.attributes.get("axis", 0))]
    total, outputs = x.dims[axis], len(op.outputs)
    sizes = t.whole(op, "split", 1)
    if sizes is None:
        outputs = int(op.attributes.get("num_outputs", outputs))
        each = -(-total // outputs)
        sizes = tuple(min(each, total - at * each) for at in range(outputs))
    if sum(sizes) != total or min(sizes) < 1:
        raise t.fault(f"divides {total} into {list(sizes)}")
    starts = np.cumsum((0, *sizes[:-1])).tolist()
    return [sliced(t, x, {axis: (first, count, 1)}) for first, count in zip(starts, sizes, strict=True)]


def gather(t: Translation, op: Operator) -> Value:
    """Gather of constant numbers."""
    x, numbers = t.value(op), t.needed(op, 1)
    axis = range(len(x.dims))[int(op.attributes.get("axis", 0))]
    total = x.dims[axis]
    lines = [range(total)[int(each)] for each in numbers.ravel()]
    found = lines_of(t, x, axis, lines)
    return t.reshape(found, (*x.dims[:axis], *numbers.shape, *x.dims[axis + 1 :]))


def lines_of(t: Translation, x: Value, axis: int, lines: Sequence[int], fill: float = 0.0) -> Value:
    """Lines of a dim by their numbers; -1 for a line of ``fill``."""
    step = lines[1] - lines[0] if len(lines) > 1 else 1
    if min(lines) >= 0 and step and list(lines) == list(range(lines[0], lines[0] + step * len(lines), step)):
        return sliced(t, x, {axis: (lines[0], len(lines), step)})
    x = t.single(x)
    group = x.groups[axis]
    place = next((at for at, each in enumerate(x.places) if each == group), None)
    if place is None or not group:
        before, after = range(axis), range(axis + 1, len(x.dims))
        x, place = t.arrange(x, tuple(before), (axis,), tuple(after)), 1
    taken = Take(**{("rows", "columns", "channels")[place]: tuple(lines)}, fill=fill)
    node = t.add(taken, x.node)
    dims = (*x.dims[:axis], len(lines), *x.dims[axis + 1 :])
    numbers = {g[0]: at for at, g in enumerate(x.groups) if g}
    axes = [[numbers[part] for part in each] for each in x.places]
    axes[place] = [axis]
    return value_of(node, dims, axes)


def concat(t: Translation, op: Operator) -> Value:
    """Concat of computed tensors and constants."""
    given = [t.given(op, at) for at in range(len(op.inputs))]
    values = [each for each in given if isinstance(each, Value)]
    rank = len(values[0].dims)
    axis = range(rank)[int(op.attributes.get("axis", 1))]
    others = [at for at in range(rank) if at != axis]
    lead = values[0]
    if any(each.dims[at] != lead.dims[at] for each in values for at in others):
        raise t.fault(f"joins {' and '.join(str(list(each.dims)) for each in values)} along axis {axis}")
    places = _joinable(values, axis)
    nodes, total = [], 0
    for each in given:
        if not isinstance(each, Value):
            if each is None or not each.size:
                continue
            like = value_of("", each.shape, places or (others[:-1], others[-1:], (axis,)))
            node = t.fixed(each, like)
            total += each.shape[axis]
        else:
            laid = t.arrange(each, *(places or (others[:-1], others[-1:], (axis,))))
            node, total = laid.node, total + each.dims[axis]
        nodes.append(node)
    dims = (*lead.dims[:axis], total, *lead.dims[axis + 1 :])
    while len(nodes) > 1:
        nodes = [
            t.add(Concat(), *nodes[at : at + _JOINED]) if len(nodes) > at + 1 else nodes[at]
            for at in range(0, len(nodes), _JOINED)
        ]
    return value_of(nodes[0], dims, places or (others[:-1], others[-1:], (axis,)))


def _joinable(values: Sequence[Value], axis: int) -> list[list[int]] | None:
    """The dims that are rows, columns and channels of the first, if its channels are those of the axis."""
    lead = values[0]
    if any(len(group) > 1 for group in lead.groups):
        return None
    numbers = {group[0]: at for at, group in enumerate(lead.groups) if group}
    rows, columns, channels = ([numbers[part] for part in each] for each in lead.places)
    if set(channels) - {axis} or axis in (*rows, *columns):
        return None
    missing = [at for at in range(len(lead.dims)) if at not in (*rows, *columns, *channels) and at != axis]
    return [rows + missing, columns, [axis]]


def pad(t: Translation, op: Operator) -> Value:
    """Pad with a number, or with what is at the edges; negative paddings cut off."""
    x = t.value(op)
    pads = t.whole(op, "pads", 1) or ()
    value = t.constant(op, 2)
    fill = (
        float(op.attributes.get("value", 0.0)) if value is None or not value.size else float(value.ravel()[0])
    )
    axes = t.whole(op, "axes", 3) or tuple(range(len(x.dims)))
    mode = {"edge": "edge", "reflect": "reflect", "wrap": "wrap", "constant": ""}[
        op.attributes.get("mode", "constant")
    ]
    if len(pads) != 2 * len(axes):
        raise t.fault(f"has {len(pads)} pads for {len(axes)} axes")
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        at = range(len(x.dims))[axis]
        lines = list(range(x.dims[at]))[max(-before, 0) : x.dims[at] - max(-after, 0)]
        if not lines or max(before, after) > (1 << 20):
            raise t.fault(f"pads {x.dims[at]} lines by {before} and {after}")
        sides = max(before, 0), max(after, 0)
        if sides == (0, 0) and len(lines) == x.dims[at]:
            continue
        wide = np.pad(lines, sides, mode) if mode else np.pad(lines, sides, constant_values=-1)  # type: ignore[call-overload]
        x = lines_of(t, x, at, wide.tolist(), fill)
    return x


def expand(t: Translation, op: Operator) -> Value:
    """Expand."""
    x = t.value(op)
    dims = tuple(np.broadcast_shapes(x.dims, tuple(t.whole(op, "", 1) or ())))
    return x if dims == x.dims else t.repeated(x, dims)[0]


def tile(t: Translation, op: Operator) -> Value:
    """Tile."""
    x = t.value(op)
    repeats = t.whole(op, "", 1) or ()
    if len(repeats) != len(x.dims) or min(repeats) < 1:
        raise t.fault(f"repeats {list(x.dims)} by {list(repeats)}")
    inner = t.reshape(x, tuple(each for dim in x.dims for each in (1, dim)))
    wide = tuple(each for repeat, dim in zip(repeats, x.dims, strict=True) for each in (repeat, dim))
    found = inner if wide == inner.dims else t.repeated(inner, wide)[0]
    return t.reshape(found, tuple(repeat * dim for repeat, dim in zip(repeats, x.dims, strict=True)))


def depth_to_space(t: Translation, op: Operator) -> Value:
    """DepthToSpace and SpaceToDepth: parts of channels and of pixels change places."""
    x, block = t.value(op), int(op.attributes["blocksize"])
    n, c, h, w = x.dims
    if op.kind == "SpaceToDepth":
        apart = t.reshape(x, (n, c, h // block, block, w // block, block))
        return t.reshape(transposed(apart, (0, 3, 5, 1, 2, 4)), (n, c * block**2, h // block, w // block))
    c //= block**2
    if op.attributes.get("mode", "DCR") == "DCR":
        apart = transposed(t.reshape(x, (n, block, block, c, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        apart = transposed(t.reshape(x, (n, c, block, block, h, w)), (0, 1, 4, 2, 5, 3))
    return t.reshape(apart, (n, c, h * block, w * block))
