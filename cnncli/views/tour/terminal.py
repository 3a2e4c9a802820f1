"""Steps of the tour as lines for a terminal: pictures are half blocks of colours, or letters without them."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from cnncli.views.colors import Colors, scale_of
from cnncli.views.tour.model import Curve, Formula, Grid, Map, Maps, Part, Step, Table, Text, Working

_WIDEST = 100  # columns of text
_GAP = 3  # columns between pictures
_RISING = " .:-=+*#%@"  # dark to bright
_ABOVE, _BELOW = ".+#", ",=%"  # of signed values, small to large
_CURVE_ROWS, _CURVE_COLUMNS = 6, 60
_CUBE = np.array([0, 95, 135, 175, 215, 255])  # levels of the 256 colours' cube


def lines_of(step: Step, number: int, count: int, *, columns: int, color: bool) -> list[str]:
    """A step as lines.

    Parameters
    ----------
    step : Step
        What is shown.
    number, count : int
        Which step it is, from 1, of how many.
    columns : int
        Width of the terminal; numbers and pictures that are wider go below each other.
    color : bool
        Half blocks in the 256 colours of terminals; otherwise ASCII.
    """
    width = max(20, min(columns, _WIDEST) - 1)
    title = f"{number}/{count}  {step.title}"
    lines = [_bold(title, color=color), ("─" if color else "-") * min(width, len(title)), ""]
    for part in step.parts:
        lines += [*_part(part, width, color=color), ""]
    return [*lines, "Try next:", f"  {step.command}", ""]


def _part(part: Part, width: int, *, color: bool) -> list[str]:
    if isinstance(part, Text):
        return _wrapped(part.text, width, color=color)
    if isinstance(part, Formula):
        return [f"  {line}" for line in _wrapped(part.text, width - 2, color=color)]
    if isinstance(part, Working):
        return _working(part, width, color=color)
    if isinstance(part, Maps):
        return _side_by_side([_map(each, width, color=color) for each in part.maps], width, _GAP)
    if isinstance(part, Table):
        return _table(part, width)
    return _curve(part, width, color=color)


def _wrapped(text: str, width: int, *, color: bool) -> list[str]:
    """Lines that break at blanks, but not at no-break ones."""
    return [line.replace("\u00a0", " ") for line in wrap(_spelled(text, color=color), width)]


def _spelled(text: str, *, color: bool) -> str:
    """Text for a terminal that may know ASCII alone."""
    return text if color else text.replace("·", "*").replace("→", "->").replace("×", "x")


def _bold(text: str, *, color: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if color else text


Block = tuple[list[str], int]  # lines, and their width without colours


def _working(part: Working, width: int, *, color: bool) -> list[str]:
    blocks: list[Block] = []
    for number, grid in enumerate(part.grids):
        if number:
            sign = _spelled(part.signs[number - 1], color=color)
            middle = 1 + (len(grid.values) - 1) // 2
            blocks.append(([""] * middle + [sign], len(sign)))
        blocks.append(_grid(grid))
    return _side_by_side(blocks, width, 2)


def _grid(grid: Grid) -> Block:
    cells = grid.cells
    wide = max(len(cell) for row in cells for cell in row)
    lines = [grid.title, *(" ".join(cell.rjust(wide) for cell in row) for row in cells)]
    return lines, max(map(len, lines))


def _map(each: Map, width: int, *, color: bool) -> Block:
    """A picture: two rows of pixels in a line, or one of every two where there are only letters."""
    values = np.asarray(each.values, np.float64)
    if max(values.shape) <= 5:  # a kernel: every number is a square
        values = values.repeat(2, axis=0).repeat(2 if color else 4, axis=1)
    if len(values) % 2:
        values = np.concatenate([values, np.zeros_like(values[:1])])
    rows = _blocks(each, values) if color else _letters(each, values)
    wide = max(values.shape[1], len(each.title))
    return [*rows, each.title[:width]], wide


def _letters(each: Map, values: NDArray[np.float64]) -> list[str]:
    pairs = values.reshape(len(values) // 2, 2, -1).mean(axis=1)
    top = float(np.abs(pairs).max()) or 1.0
    signed = not each.gray and pairs.min() < 0
    return ["".join(_letter(value / top, signed=signed) for value in row) for row in pairs]


def _letter(share: float, *, signed: bool) -> str:
    if not signed:
        return _RISING[min(len(_RISING) - 1, int(max(0.0, share) * len(_RISING)))]
    letters = _ABOVE if share > 0 else _BELOW
    place = int(abs(share) * (len(letters) + 1))
    return " " if not place else letters[min(place, len(letters)) - 1]


def _blocks(each: Map, values: NDArray[np.float64]) -> list[str]:
    colors = _shades(values) if each.gray else scale_of(values).colors(values)
    codes = _codes(colors)
    return [
        "".join(f"\x1b[38;5;{up};48;5;{down}m▀" for up, down in zip(top, bottom, strict=True)) + "\x1b[0m"
        for top, bottom in zip(codes[::2], codes[1::2], strict=True)
    ]


def _shades(values: NDArray[np.float64]) -> Colors:
    top = float(values.max()) or 1.0
    return np.rint(255 * np.clip(values / top, 0, 1)).astype(np.uint8)[..., None].repeat(3, axis=2)


def _codes(colors: Colors) -> NDArray[np.intp]:
    """The nearest of the cube of 216 colours, by its number among the 256."""
    nearest = np.abs(colors[..., None].astype(np.intp) - _CUBE).argmin(axis=-1)
    return np.asarray(16 + nearest @ np.array([36, 6, 1]), np.intp)


def _side_by_side(blocks: Sequence[Block], width: int, gap: int) -> list[str]:
    """Blocks beside each other, as many as fit; the others below them."""
    lines: list[str] = []
    row: list[Block] = []
    for block in blocks:
        if row and sum(wide + gap for _, wide in row) + block[1] + 2 > width:
            lines += [*_joined(row, gap), ""]
            row = []
        row.append(block)
    return lines + _joined(row, gap)


def _joined(row: Sequence[Block], gap: int) -> list[str]:
    high = max(len(lines) for lines, _ in row)
    joined = []
    for number in range(high):
        parts = []
        for lines, wide in row:
            text = lines[number] if number < len(lines) else ""
            shown = wide if "\x1b[38" in text else len(text)
            parts.append(text + " " * (wide - shown))
        joined.append(f"  {(' ' * gap).join(parts)}".rstrip(" "))
    return joined


def _table(part: Table, width: int) -> list[str]:
    rows = [part.heads, *part.rows]
    wide = [max(len(row[column]) for row in rows) for column in range(len(part.heads))]
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(wide[0]),
            *(cell.rjust(size) for cell, size in zip(row[1:], wide[1:], strict=True)),
        ]
        lines.append(f"  {'  '.join(cells)}"[:width].rstrip())
    return lines


def _curve(part: Curve, width: int, *, color: bool) -> list[str]:
    """Values as columns of dots from left to right, the largest at the top."""
    columns = min(_CURVE_COLUMNS, width - 2, len(part.values))
    means = [float(each.mean()) for each in np.array_split(np.array(part.values), columns)]
    top = max(means)
    heights = [max(1, round(_CURVE_ROWS * mean / top)) for mean in means]
    dot = "█" if color else "#"
    rows = [
        "  " + "".join(dot if height >= level else " " for height in heights).rstrip()
        for level in range(_CURVE_ROWS, 0, -1)
    ]
    return [*rows, f"  {part.title}"]
