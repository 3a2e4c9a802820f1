"""The kernels that a network has learned: colours of the first layer, weights of the others."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.models.stages import stages
from cnncli.nn import Conv, Graph, Linear, Node
from cnncli.views.colors import Colors, scale_around, short
from cnncli.views.featuremaps.model import Drawing, Request, Subject
from cnncli.views.featuremaps.words import kind_of, shape_words
from cnncli.views.sections import ROOM, Section, Tile, in_a_row, scaled_size

Floats = NDArray[np.float32]
_ROWS, _COLUMNS = 8, 24  # kernels of a layer with many: outputs, and inputs of each
_MATRIX = ROOM - 150  # pixels of a picture of all weights, at most
_MATRIX_ROWS = 64
_FRAME = (201, 208, 214)  # around each kernel
_EVERY = 12  # layers up to which all are drawn
_BANK_ROWS = 2  # of kernels of the first layer, unless it is named
_SIDE, _NAMED_SIDE = 70, 98  # pixels of a kernel of the first layer
_READING = (
    "Negative weights are blue, positive ones orange. The number under a kernel of the first layer is the "
    "root of the sum of its squared weights; the strongest come first. Sizes are height × width."
)


def has_kernels(node: Node) -> bool:
    """Whether a layer has learned kernels."""
    return isinstance(node.layer, Conv | Linear)


def overview(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """All layers with kernels, or of a deep network one a stage, which looks around, and the last."""
    if len(names) <= _EVERY:
        return names
    chosen = {names[0], names[-1]}
    for stage in stages(graph):
        held = [name for name in stage.layers if name in names]
        chosen.update(held[:1] if (wide := _that_looks_around(graph, held)) is None else [wide])
    return [name for name in names if name in chosen]


def _that_looks_around(graph: Graph, names: Sequence[str]) -> str | None:
    """The first whose kernels are larger than one pixel."""
    windows = {name: graph.nodes[name].layer.window(graph.nodes[name].input_shapes[0]) for name in names}
    return next((name for name, (rows, columns) in windows.items() if rows.size * columns.size > 1), None)


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw the kernels of layers."""
    every = learned_arrays(subject.graph, subject.network.export())
    learned = {name: every[name] for name in request.layers}
    sections = kernel_sections(
        learned,
        subject.classes,
        rows=None if request.named else _BANK_ROWS,
        side=_NAMED_SIDE if request.named else _SIDE,
    )
    about = [{"name": name, "shape": list(weight.shape)} for name, (_, weight) in learned.items()]
    return Drawing(
        sections, {"layers": about}, {name: weight for name, (_, weight) in learned.items()}, _READING
    )


def learned_arrays(graph: Graph, arrays: Mapping[str, Floats]) -> dict[str, tuple[Node, Floats]]:
    """Kernels by layer: (K, C, kh, kw), or (K, C) of a fully connected layer that reads a list.

    Parameters
    ----------
    graph : Graph
        The network.
    arrays : mapping of str to ndarray
        As ``Network.export`` gives them.
    """
    found = {}
    for name, node in graph.nodes.items():
        weight = arrays.get(f"{name}.weight")
        if weight is None or not isinstance(node.layer, Conv | Linear):
            continue
        origin = node.input_shapes[0].origin
        if isinstance(node.layer, Linear) and origin is not None and origin[:2] != (1, 1):
            height, width, channels = origin
            weight = weight.reshape(len(weight), channels, height, width)
        elif weight.ndim == 4 and weight.shape[2:] == (1, 1):
            weight = weight[..., 0, 0]
        found[name] = (node, weight)
    return found


def kernel_sections(
    learned: Mapping[str, tuple[Node, Floats]], classes: Sequence[str], *, rows: int | None, side: int
) -> list[Section]:
    """Turn kernels into sections.

    Parameters
    ----------
    learned : mapping
        From `learned_arrays`.
    classes : sequence of str
        Names of the outputs of the last layer.
    rows : int or None
        Rows of kernels that a layer gets, about; None: more of them.
    side : int
        Pixels of a kernel of the first layer, about.
    """
    sections = []
    for name, (node, weight) in learned.items():
        if weight.ndim == 2:
            sections.append(_matrix_section(node, weight, classes if name == "head" else ()))
        elif weight.shape[1] in (1, 3):
            sections.append(_bank_section(node, weight, rows=rows, side=side))
        else:
            named = classes if name == "head" else ()
            sections.append(_stack_section(node, weight, named, brief=rows is not None))
    return sections


def _lines(node: Node, weight: Floats) -> tuple[str, ...]:
    count = f"{weight.size:,} weights"
    return kind_of(node), f"to {shape_words(node.shape)}", count


def _strengths(weight: Floats) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((weight.astype(np.float64) ** 2).sum(axis=tuple(range(1, weight.ndim)))))


def _bank_section(node: Node, weight: Floats, *, rows: int | None, side: int) -> Section:
    """One kernel for each output: as weights of gray, or as the colours it responds to."""
    strengths = _strengths(weight)
    order = np.argsort(-strengths, kind="stable")
    across = in_a_row(scaled_size(weight.shape[3], weight.shape[2], side)[0])
    shown = order[: None if rows is None else rows * across]
    color = weight.shape[1] == 3
    scale = scale_around(weight)
    reach = float(np.abs(weight).max()) or 1.0
    tiles = []
    for k in shown:
        if color:
            pixels = np.rint(127.5 + 127.5 * weight[k].transpose(1, 2, 0) / reach).astype(np.uint8)
        else:
            pixels = scale.colors(weight[k, 0])
        tiles.append(Tile(pixels, f"#{k}", short(float(strengths[k]))))
    words = ["weights of red, green and blue as colours; gray is 0"] if color else []
    if len(shown) < len(order):
        words.append(f"{len(order) - len(shown)} weaker kernels are not shown")
    return Section(
        node.name,
        _lines(node, weight),
        tuple(tiles),
        side=side,
        scale=None if color else scale,
        note="; ".join(words),
    )


def _stack_section(node: Node, weight: Floats, classes: Sequence[str], *, brief: bool) -> Section:
    """A row for each of the strongest outputs, a column for each of the strongest inputs."""
    outputs, inputs = weight.shape[:2]
    rows = np.argsort(-_strengths(weight), kind="stable")[: _ROWS if brief else 4 * _ROWS]
    columns = np.argsort(-_strengths(weight[rows].swapaxes(0, 1)), kind="stable")[:_COLUMNS]
    scale = scale_around(weight)
    picture = _mosaic([[scale.colors(weight[k, c]) for c in columns] for k in rows])
    words = [f"a row for each {'class' if classes else 'output'}, a column for each input"]
    names = tuple(classes[k] for k in rows) if classes else _numbered(rows)
    if len(rows) < outputs or len(columns) < inputs:
        words.append(f"the strongest of {outputs} × {inputs} kernels")
    return Section(
        node.name,
        _lines(node, weight),
        (Tile(picture, "", rows=names, columns=_numbered(columns)),),
        side=max(picture.shape[:2]),
        scale=scale,
        note="; ".join(words),
    )


def _numbered(numbers: NDArray[np.intp]) -> tuple[str, ...]:
    mark = "#" if int(numbers.max()) < 1000 else ""  # a column has room for four signs
    return tuple(f"{mark}{number}" for number in numbers)


def _matrix_section(node: Node, weight: Floats, classes: Sequence[str]) -> Section:
    """All weights of a layer that reads a list: a row for each output, a column for each input."""
    outputs, inputs = weight.shape
    rows = weight[:_MATRIX_ROWS]
    columns = rows[:, :_MATRIX]
    cell = max(1, min(20, _MATRIX // columns.shape[1]))
    height = max(2, min(20, 640 // len(rows), 2 * cell + 4))
    scale = scale_around(weight)
    picture = np.repeat(np.repeat(scale.colors(columns), height, axis=0), cell, axis=1)
    words = [
        f"a row for each of {outputs} outputs, a column for each of {inputs} inputs, #0 to #{inputs - 1}"
    ]
    names = tuple(classes[: len(rows)]) or _numbered(np.arange(len(rows)))
    if rows.shape[0] < outputs or columns.shape[1] < inputs:
        words.append(f"the first {columns.shape[0]} × {columns.shape[1]} are shown")
    return Section(
        node.name,
        _lines(node, weight),
        (Tile(np.ascontiguousarray(picture), "", rows=names if height >= 16 else ()),),
        side=max(picture.shape[:2]),
        scale=scale,
        note="; ".join(words),
    )


def _mosaic(tiles: list[list[Colors]]) -> Colors:
    """Kernels enlarged, each with a frame, white between them; the same white around the whole."""
    height, width = tiles[0][0].shape[:2]
    gap = 6
    factor = max(1, min(36 // max(height, width), (_MATRIX // len(tiles[0]) - gap) // width))
    down, across = height * factor + gap, width * factor + gap
    out = np.full((down * len(tiles), across * len(tiles[0]), 3), 255, np.uint8)
    half = gap // 2
    for i, row in enumerate(tiles):
        for j, tile in enumerate(row):
            cell = out[i * down + half : (i + 1) * down - half, j * across + half : (j + 1) * across - half]
            cell[...] = np.repeat(np.repeat(tile, factor, axis=0), factor, axis=1)
            top, left = i * down + half - 1, j * across + half - 1
            bottom, right = (i + 1) * down - half, (j + 1) * across - half
            out[top, left : right + 1] = out[bottom, left : right + 1] = _FRAME
            out[top : bottom + 1, left] = out[top : bottom + 1, right] = _FRAME
    return out
