"""The film of one unit: its window moves over the image, the map fills in, and each value is worked out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np

from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.models.fields import receptive_fields
from cnncli.nn import INPUT
from cnncli.views.colors import Colors, scale_of
from cnncli.views.explain.grids import MUTED, draw_lines
from cnncli.views.explain.panels import draw_picture
from cnncli.views.explain.window import draw_window
from cnncli.views.featuremaps.frames import Part
from cnncli.views.featuremaps.model import Progress, Subject
from cnncli.views.featuremaps.unit import Place, Unit, bracketed, plain, unit_at
from cnncli.views.featuremaps.unit_sections import SIGNS, channel_grids, channel_name
from cnncli.views.featuremaps.words import kind_of

_WIDTH, _MARGIN = 1000, 26
_PICTURE = 452, 340  # pixels of the image and of the map, at most
_COLUMNS, _ROWS = 7, 5  # stops of the window
_CHANNELS = 3  # that are multiplied out; the others are one number
_GRID = 176  # pixels of a grid, at most
_EMPTY = 236  # gray of what is not computed yet
_MARK = "#d6214a"
_SECONDS, _LAST_SECONDS = 0.45, 4.0


def unit_film(
    subject: Subject, unit: Unit, progress: Callable[[int, str], AbstractContextManager[Progress]]
) -> tuple[list[Colors], list[float]]:
    """Draw the frames of a unit whose window moves over the image.

    Parameters
    ----------
    subject : Subject
        Network and image.
    unit : Unit
        From `unit_at`; its own place is the last frame.
    progress : callable
        As in a `Request`.

    Returns
    -------
    list of ndarray, shape (height, 1000, 3), uint8; list of float
        At most 36 frames of one size, and how long each is seen, in seconds.
    """
    channels = unit.strongest(_CHANNELS)[0].tolist()
    frames = []
    stops = list(_stops(*unit.map.shape))
    with progress(len(stops), "frames") as bar:
        for number, (at, filled) in enumerate(stops, 1):
            here = unit_at(subject, unit.node.name, unit.number, at)
            frames.append(_frame(subject, here, channels, filled, f"stop {number} of {len(stops)}"))
            bar.draw(number)
    whole = np.ones(unit.map.shape, bool)
    frames.append(_frame(subject, unit, channels, whole, f"at column {unit.at[0]}, row {unit.at[1]}"))
    height = max(frame.height for frame in frames)
    pages = []
    for frame in frames:
        page = Canvas(_WIDTH, height)
        page.marks = frame.marks
        pages.append(page.array())
    return pages, [_SECONDS] * (len(pages) - 1) + [_LAST_SECONDS]


def _stops(height: int, width: int) -> Iterator[tuple[Place, np.ndarray]]:
    """Places of the map, row by row, and what of it is computed by then, (H, W)."""
    rows, columns = min(_ROWS, height), min(_COLUMNS, width)
    for row in range(rows):
        top, bottom = row * height // rows, (row + 1) * height // rows
        for column in range(columns):
            right = (column + 1) * width // columns
            filled = np.zeros((height, width), bool)
            filled[:top] = True
            filled[top:bottom, :right] = True
            yield (right - 1, bottom - 1), filled


def _frame(subject: Subject, unit: Unit, channels: Sequence[int], filled: np.ndarray, where: str) -> Canvas:
    """The image with the window and the map so far, and the arithmetic below."""
    canvas = Canvas(_WIDTH, margin=28)
    room = _WIDTH - 2 * _MARGIN
    title = f"{unit.node.name}:{unit.number} of {subject.checkpoint.architecture.name}, {kind_of(unit.node)}"
    canvas.text((_MARGIN, 24), shorten(title, room, size=24), size=24, bold=True)
    left, right = _MARGIN, _WIDTH - _MARGIN - _PICTURE[0]
    y = 72
    image = draw_picture(canvas, Box(left, y, left + _PICTURE[0], y + _PICTURE[1]), subject.seen.rgb)
    colors = np.where(filled[..., None], scale_of(unit.map).colors(unit.map), np.uint8(_EMPTY))
    drawn = draw_picture(canvas, Box(right, y, right + _PICTURE[0], y + _PICTURE[1]), colors.astype(np.uint8))
    draw_window(canvas, image, _field(subject, unit), _MARK)
    (x, row), (height, width) = unit.at, unit.map.shape
    draw_window(canvas, drawn, (x / width, row / height, (x + 1) / width, (row + 1) / height), _MARK)
    y = max(image.bottom, drawn.bottom) + 12
    canvas.text((left, y), f"what the value sees of the image, {where}", size=15, color=MUTED)
    canvas.text((right, y), f"map {unit.number}, blue below 0, orange or bright above", size=15, color=MUTED)
    y = _draw_channels(canvas, subject, unit, channels, y + 40)
    draw_lines(canvas, (_MARGIN, y), _sentences(unit, channels), room)
    return canvas


def _field(subject: Subject, unit: Unit) -> Part:
    """The receptive field as shares of the image."""
    rows, columns = receptive_fields(subject.graph)[unit.node.name]
    height, width = subject.graph.input_shape[:2]
    (top, bottom), (left, right) = rows.span(unit.at[1], height), columns.span(unit.at[0], width)
    return left, top, right, bottom


def _draw_channels(canvas: Canvas, subject: Subject, unit: Unit, channels: Sequence[int], top: int) -> int:
    """Patch, kernel and products of each channel in a row; returns the y below."""
    y = top
    reach = _reach(subject, unit)
    for channel in channels:
        x = _MARGIN + 176
        name = channel_name(subject, unit, channel)
        canvas.text((_MARGIN, y), name, size=16, bold=True)
        canvas.text((_MARGIN, y + 24), f"sum {plain(float(unit.sums[channel]))}", size=15, color=MUTED)
        grids = channel_grids(unit, channel, side=_GRID, reach=reach)
        for sign, pixels in zip(SIGNS, grids, strict=True):
            height, width = pixels.shape[:2]
            canvas.image(Box(x, y, x + width, y + height), pixels)
            canvas.text((x, y + height + 3), sign, size=14, color=MUTED)
            x += max(width, _GRID) + 40
        y += grids[0].shape[0] + 34
    return y + 4


def _reach(subject: Subject, unit: Unit) -> float:
    """The largest magnitude that the layer reads: colours mean the same in all frames."""
    source = unit.node.inputs[0]
    read = subject.seen.x if source == INPUT else subject.activations([source])[source]
    return float(np.abs(read).max()) or 1.0


def _sentences(unit: Unit, channels: Sequence[int]) -> tuple[str, ...]:
    """The sum, and what follows it, in numbers."""
    terms = [float(unit.sums[channel]) for channel in channels]
    others = unit.kernel.shape[2] - len(channels)
    said = [bracketed(term) for term in terms]
    if others:
        said.append(f"{bracketed(float(unit.sums.sum()) - sum(terms))} of {others} other channels")
    if unit.bias is not None:
        said.append(f"bias {bracketed(unit.bias)}")
    return (
        f"{' + '.join(said)} = {plain(unit.value)}",
        *(f"{step.layer}: {step.formula}" for step in unit.steps),
    )
