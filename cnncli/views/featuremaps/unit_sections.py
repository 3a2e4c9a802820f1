"""The sections that explain one unit: where it is, each channel multiplied out, the sum, and what follows."""

from collections.abc import Sequence

import numpy as np

from cnncli.images.canvas import Box, Canvas
from cnncli.models.fields import receptive_fields
from cnncli.views.colors import Colors, scale_of
from cnncli.views.explain.grids import SMALLEST_CELL, draw_grid
from cnncli.views.explain.model import Grid, Place, decimals_of
from cnncli.views.featuremaps.model import Drawing, Subject
from cnncli.views.featuremaps.unit import Numbers, Unit, bracketed, plain
from cnncli.views.featuremaps.words import kind_of, shape_words
from cnncli.views.sections import BarRow, Section, Tile, Window

CHANNELS = 8  # that are multiplied out; the others are one number
SIGNS = "patch", "× kernel", "= products"
_SIDE = 330  # pixels of a grid, at most
_CELL = 58
_MARK = "#d6214a"
_COLORS = ("red", "green", "blue")
_READING = (
    "A network's convolution lays each kernel on its channel as it is written, without turning it. The "
    "products of all channels are added up, with the bias; what follows is worked out to the value that the "
    "network computes. Blue is negative, orange positive; what lies outside the map counts as 0."
)


def draw_unit(subject: Subject, unit: Unit) -> Drawing:
    """Draw a unit.

    Parameters
    ----------
    subject : Subject
        Network and image.
    unit : Unit
        From `cnncli.views.featuremaps.unit.unit_at`.
    """
    chosen, rest = unit.strongest(CHANNELS)
    sections = [
        _where(subject, unit),
        *_channels(subject, unit, chosen.tolist()),
        _sum(subject, unit, chosen.tolist(), rest),
    ]
    if unit.steps:
        sections.append(_after(unit))
    return Drawing(sections, _record(unit, chosen.tolist(), rest), _arrays(unit), _READING)


def _where(subject: Subject, unit: Unit) -> Section:
    """The unit, its map with the place marked, and what it looks at in the image."""
    node, (x, y) = unit.node, unit.at
    rows, columns = receptive_fields(subject.graph)[node.name]
    height, width = subject.graph.input_shape[:2]
    (top, bottom), (left, right) = rows.span(y, height), columns.span(x, width)
    scale = scale_of(unit.map)
    return Section(
        f"{node.name}:{unit.number}",
        (
            kind_of(node),
            f"unit {unit.number} of {shape_words(node.shape)}",
            f"at column {x}, row {y}",
            f"reads {unit.kernel.shape[2]} channels of {unit.kernel.shape[0]} × {unit.kernel.shape[1]}",
        ),
        (Tile(_marked(scale.colors(unit.map), unit.at), "its map", f"at the mark {plain(unit.value)}"),),
        side=_SIDE,
        scale=scale,
        window=Window(
            subject.seen.rgb,
            (left, top, right, bottom),
            f"sees {min(rows.size, height)} × {min(columns.size, width)} pixels",
        ),
    )


def _marked(colors: Colors, at: Place) -> Colors:
    """A map, enlarged, with a mark around a place."""
    height, width = colors.shape[:2]
    cell = max(1, _SIDE // max(height, width))
    canvas = Canvas(width * cell, height * cell, margin=0)
    canvas.image(Box(0, 0, width * cell, height * cell), colors)
    x, y = (position * cell for position in at)
    mark = Box(x, y, x + cell, y + cell).grown(2)
    canvas.rect(mark, outline=_MARK, width=3)
    return np.ascontiguousarray(canvas.array()[: height * cell, : width * cell])


def _channels(subject: Subject, unit: Unit, chosen: Sequence[int]) -> list[Section]:
    """Each channel in numbers; of kernels of one weight in one list."""
    if unit.kernel.shape[:2] != (1, 1):
        return [_channel(subject, unit, channel) for channel in chosen]
    patch, kernel = unit.patch[0, 0], unit.kernel[0, 0]
    rows = [
        (
            f"{channel_name(subject, unit, c)}: {plain(float(patch[c]))} × {bracketed(float(kernel[c]))}",
            float(unit.sums[c]),
        )
        for c in chosen
    ]
    lines = (f"of {unit.node.inputs[0]}", "value × weight, the strongest")
    return [Section("products", lines, bars=_bars(rows))]


def _channel(subject: Subject, unit: Unit, channel: int) -> Section:
    """One channel: patch, kernel, products."""
    grids = channel_grids(unit, channel)
    tiles = tuple(Tile(grid, sign) for grid, sign in zip(grids, SIGNS, strict=True))
    name = channel_name(subject, unit, channel)
    side = max(tiles[0].pixels.shape[:2])
    return Section(
        name,
        (f"of {unit.node.inputs[0]}", f"sum of products: {plain(float(unit.sums[channel]))}"),
        tiles,
        side=side,
    )


def channel_grids(
    unit: Unit, channel: int, *, side: int = _SIDE, reach: float | None = None
) -> tuple[Colors, Colors, Colors]:
    """Patch, kernel and products of a channel as pictures.

    Parameters
    ----------
    unit : Unit
        What is explained.
    channel : int
        Of those that it reads.
    side : int
        Pixels of a picture, at most.
    reach : float or None
        The value of the patch with the strongest colour; None: its largest.
    """
    weight = float(np.abs(unit.kernel).max()) or 1.0
    patch = reach or float(np.abs(unit.patch).max()) or 1.0
    product = weight * reach if reach else float(np.abs(unit.products).max()) or 1.0
    return (
        _grid(unit.patch[:, :, channel], patch, unit, side),
        _grid(unit.kernel[:, :, channel], weight, unit, side),
        _grid(unit.products[:, :, channel], product, unit, side),
    )


def channel_name(subject: Subject, unit: Unit, channel: int) -> str:
    """``channel 7``, or with its colour where the image is read."""
    channels = subject.graph.input_shape[2]
    if unit.node.inputs[0] == "input" and channels == 3 and unit.kernel.shape[2] == 3:
        return f"channel {channel}, {_COLORS[channel]}"
    return f"channel {unit.first + channel}"


def _grid(values: Numbers, reach: float, unit: Unit, side: int) -> Colors:
    """A grid of numbers as a picture, as small as its numbers can be read; large ones without numbers."""
    height, width = values.shape
    cell = min(_CELL, side // max(height, width))
    cell = cell if cell >= SMALLEST_CELL else max(4, cell)
    canvas = Canvas(width * cell + 1, height * cell + 1, margin=0)
    faint = unit.outside if unit.outside.any() else None
    decimals = min(3, max(2, decimals_of(values))) if decimals_of(values) else 0
    draw_grid(canvas, (0, 0), Grid(values, "signed", reach, decimals, "", faint=faint), cell)
    return np.ascontiguousarray(canvas.array()[: height * cell + 1, : width * cell + 1])


def _sum(subject: Subject, unit: Unit, chosen: Sequence[int], rest: float) -> Section:
    """All sums and the bias, to the value of the layer."""
    terms = [(channel_name(subject, unit, channel), float(unit.sums[channel])) for channel in chosen]
    others = unit.kernel.shape[2] - len(chosen)
    if others:
        terms.append((f"{others} other channels", rest))
    if unit.bias is not None:
        terms.append(("bias", unit.bias))
    return Section(
        "sum",
        (f"{unit.kernel.size:,} products", "and no bias" if unit.bias is None else "and the bias"),
        bars=_bars([*terms, ("the value", unit.value)]),
        note=f"{' + '.join(bracketed(value) for _, value in terms)} = {plain(unit.value)}",
    )


def _bars(values: Sequence[tuple[str, float]]) -> tuple[BarRow, ...]:
    largest = max((abs(value) for _, value in values), default=0.0) or 1.0
    return tuple(BarRow(name, plain(value), value / largest) for name, value in values)


def _after(unit: Unit) -> Section:
    """Batch norm, activation and pooling."""
    values = [(unit.node.name, unit.value), *((step.layer, step.value) for step in unit.steps)]
    return Section(
        "then",
        tuple(f"{step.layer}: {step.kind}" for step in unit.steps),
        bars=_bars(values),
        note="; ".join(f"{step.layer}: {step.formula}" for step in unit.steps),
    )


def _record(unit: Unit, chosen: Sequence[int], rest: float) -> dict[str, object]:
    return {
        "layer": unit.node.name,
        "unit": unit.number,
        "at": list(unit.at),
        "channels": [{"channel": unit.first + c, "sum": float(unit.sums[c])} for c in chosen],
        "others": {"count": unit.kernel.shape[2] - len(chosen), "sum": rest},
        "bias": unit.bias,
        "value": unit.value,
        "then": [{"layer": step.layer, "value": step.value} for step in unit.steps],
    }


def _arrays(unit: Unit) -> dict[str, np.ndarray]:
    return {
        "patch": unit.patch.astype(np.float32),
        "kernel": unit.kernel.astype(np.float32),
        "products": unit.products.astype(np.float32),
    }
