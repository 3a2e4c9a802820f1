"""One window of an explained convolution, multiplied out: its grids, sums, bars and the pixel it leads to."""

from dataclasses import dataclass
from math import isfinite

from cnncli.images.canvas import INK, Box, Canvas, measure, shorten
from cnncli.views.explain.grids import (
    LINE,
    MUTED,
    OWN_CELL,
    cell_texts,
    draw_grid,
    draw_lines,
    lines_height,
)
from cnncli.views.explain.model import Branch, Grid, Place, Working, decimals_of, number

MARKS = ("#b0268a", "#008a67")
"""The colours of windows A and B, away from the blue and orange of the numbers."""

_SIGN_GAP = 46
_CAPTION = 48
_SWATCH = 64
_SLOT = 104
_BRANCH_GAP = 4


@dataclass(frozen=True)
class Sheet:
    """The measures of a page in pixels.

    Attributes
    ----------
    width, margin : int
        Of the page.
    numbered : int
        Kernels of at most so many cells a side get cells large enough for numbers.
    heat : int
        The longer side of larger kernels.
    largest_cell : int
        Side of the largest cell.
    left, middle, right : int
        Columns for the close-up, for the sums of several kernels, for the result.
    text : int
        Font size of the arithmetic.
    still : bool
        Nothing may move from one window to the next: lines start at the top instead of centred.
    """

    width: int = 1600
    margin: int = 56
    numbered: int = 7
    heat: int = 360
    largest_cell: int = 72
    left: int = 200
    middle: int = 230
    right: int = 290
    text: int = 17
    still: bool = False


def draw_badge(canvas: Canvas, center: Place, label: str, color: str, radius: int = 14) -> Box:
    """Draw a filled disc with a white letter or digit."""
    box = canvas.disc(center, radius, fill=color)
    canvas.text(center, label, size=round(1.15 * radius), color="#ffffff", anchor="mm", bold=True)
    return box


def fit(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height of a picture shown in a room: whole enlargements from 3 times up."""
    scale = min(room[0] / size[0], room[1] / size[1])
    if scale >= 3:
        scale = float(min(64, int(scale)))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def draw_window(
    canvas: Canvas, picture: Box, part: tuple[float, float, float, float], mark: int | str
) -> Box:
    """Outline a part (left, top, right, bottom, as shares of the picture) and give it its letter.

    ``mark`` is 0 for window A, 1 for B; a colour draws no letter.
    """
    color = MARKS[mark] if isinstance(mark, int) else mark
    w, h = picture.width, picture.height
    left, top = picture.left + part[0] * w, picture.top + part[1] * h
    right, bottom = picture.left + part[2] * w, picture.top + part[3] * h
    dx, dy = max(0.0, (14 - (right - left)) / 2), max(0.0, (14 - (bottom - top)) / 2)
    box = Box(round(left - dx), round(top - dy), round(right + dx), round(bottom + dy))
    canvas.rect(box.grown(4), outline="#ffffff", width=1)
    canvas.rect(box.grown(3), outline=color, width=3)
    canvas.rect(box, outline="#ffffff", width=1)
    if isinstance(mark, int):
        draw_badge(canvas, _beside(canvas, box, picture), "AB"[mark], color, 12)
    return box


def _beside(canvas: Canvas, box: Box, picture: Box) -> Place:
    """Return where a letter stands free: diagonally off a corner, inside the picture if it can."""
    taken = [mark.box for mark in canvas.marks if mark.kind == "disc"]
    away = 17
    corners = [
        (box.right + away, box.top - away),
        (box.left - away, box.top - away),
        (box.right + away, box.bottom + away),
        (box.left - away, box.bottom + away),
        (box.left + away, box.top + away),
        (box.right - away, box.bottom - away),
    ]

    def cost(corner: Place) -> tuple[bool, bool]:
        disc = Box(corner[0] - 12, corner[1] - 12, corner[0] + 12, corner[1] + 12)
        return any(disc.grown(2).overlaps(b) for b in taken), not picture.contains(disc)

    return min(corners, key=cost)


def draw_working(canvas: Canvas, at: Place, working: Working, sheet: Sheet, color: str) -> int:
    """Draw one window multiplied out, from ``at`` (left, top) to the page's right margin.

    Returns
    -------
    int
        The y below it.
    """
    x, top = at
    cell = cell_size(working, sheet, sheet.width - sheet.margin - x)
    several = _has_middle(working)
    heights = [_branch_height(branch, cell, working) for branch in working.branches]
    side = int(working.patch.values.shape[0]) * cell
    body = max(sum(heights) + _BRANCH_GAP * (len(heights) - 1), side + _CAPTION)
    patch_top = top + (body - _CAPTION - side) // 2
    slot = _slot(working.patch, cell)
    patch = _draw_captioned(canvas, (x, patch_top), working.patch, cell)
    canvas.rect(patch.grown(3), outline=color, width=3)
    y, right = top, x + slot
    for branch, height in zip(working.branches, heights, strict=True):
        end = _draw_branch(canvas, (x + slot, y), branch, (cell, height), working)
        right = max(right, end)
        y += height + _BRANCH_GAP
    right += 34
    if several:
        _draw_middle(canvas, (right, top), working, (heights, sheet))
        right += sheet.middle
    room = (right, top, sheet.width - sheet.margin - right, body - _CAPTION)
    return max(top + body, _draw_result(canvas, room, working, (sheet, color)))


def cell_size(working: Working, sheet: Sheet, room: int) -> int:
    """Return the side of a cell, in pixels, with which a working fits into ``room`` pixels across."""
    h, w = (int(n) for n in working.patch.values.shape)
    taken = sheet.right + (sheet.middle if _has_middle(working) else 0) + 34
    across = sheet.largest_cell
    for branch in working.branches:
        others = [g.values.shape[1] for _, g in branch.steps if g.values.shape != (h, w)]
        grids = 1 + len(branch.steps) - len(others)
        gaps = len(branch.steps) * _SIGN_GAP + sum(others) * OWN_CELL
        across = min(across, max(room - taken - gaps, 0) // (grids * w))
    if max(h, w) > sheet.numbered:
        return max(1, min(across, sheet.heat // max(h, w)))
    return max(1, across)


def _has_middle(working: Working) -> bool:
    """Tell whether sums or bars stand in a column of their own before the result."""
    return bool(working.bars) or sum(bool(branch.lines) for branch in working.branches) > 1


def _own_cell(grid: Grid, cell: int, working: Working) -> int:
    return cell if grid.values.shape == working.patch.values.shape else OWN_CELL


def _branch_height(branch: Branch, cell: int, working: Working) -> int:
    sides: list[int] = [grid.values.shape[0] * _own_cell(grid, cell, working) for _, grid in branch.steps]
    return max(sides) + _CAPTION


def _draw_captioned(canvas: Canvas, at: Place, grid: Grid, cell: int) -> Box:
    """Draw a grid and its caption below it, centred; a heat map's caption gives its size and range."""
    slot = _slot(grid, cell)
    box = draw_grid(canvas, (at[0] + (slot - int(grid.values.shape[1]) * cell) // 2, at[1]), grid, cell)
    captions = ["pale: outside the image" if grid.faint is not None else grid.caption]
    if not cell_texts(grid, cell)[1]:
        h, w = grid.values.shape
        low, high = float(grid.values.min()), float(grid.values.max())
        d = decimals_of([low, high])
        span = f"all {number(low, d)}" if low == high else f"{number(low, d)} to {number(high, d)}"
        captions = [f"{w} × {h} {grid.caption}", span]
    room = slot + _SIGN_GAP - 12
    for i, caption in enumerate(captions):
        fitted = shorten(caption, room, size=14)
        canvas.text((box.center[0], box.bottom + 8 + 19 * i), fitted, size=14, color=MUTED, anchor="mt")
    return box


def _draw_branch(canvas: Canvas, at: Place, branch: Branch, size: tuple[int, int], working: Working) -> int:
    """Draw sign, grid, sign, grid from ``at`` (left, top); return the right end."""
    (x, top), (cell, height) = at, size
    for sign, grid in branch.steps:
        side = _own_cell(grid, cell, working)
        rows = grid.values.shape[0] * side
        y = top + (height - _CAPTION - rows) // 2
        small = len(sign) > 1
        canvas.text(
            (x + _SIGN_GAP // 2, y + rows // 2), sign, size=15 if small else 28, color=MUTED, anchor="mm"
        )
        _draw_captioned(canvas, (x + _SIGN_GAP, y), grid, side)
        x += _SIGN_GAP + _slot(grid, side)
    return x


def _slot(grid: Grid, cell: int) -> int:
    """Return the width that a grid takes up, which has room for its caption."""
    return max(int(grid.values.shape[1]) * cell + 1, _SLOT)


def _draw_middle(canvas: Canvas, at: Place, working: Working, style: tuple[list[int], Sheet]) -> None:
    """Fill the column between products and result: the bank's bars, or each kernel's own sum."""
    (x, y), (heights, sheet) = at, style
    if working.bars:
        _draw_bars(canvas, (x, y, sheet.middle - 30, sum(heights) - _CAPTION), working.bars)
        return
    width, size = sheet.middle - 30, sheet.text - 1
    for branch, height in zip(working.branches, heights, strict=True):
        need = height - _CAPTION if sheet.still else lines_height(branch.lines, width, size)
        draw_lines(canvas, (x, y + (height - _CAPTION - need) // 2), branch.lines, width, size)
        y += height + _BRANCH_GAP


def _draw_bars(
    canvas: Canvas, room: tuple[int, int, int, int], bars: tuple[tuple[str, float, bool], ...]
) -> None:
    """Draw one bar for each kernel of a bank in ``room`` (left, top, width, height)."""
    left, top, width, height = room
    step = max(17, min(26, height // len(bars)))
    top += max(0, (height - step * len(bars)) // 2)
    d = decimals_of([value for _, value, _ in bars])
    names = max(measure(name, size=13)[0] for name, _, _ in bars)
    values = max(measure(number(value, d), size=13)[0] for _, value, _ in bars)
    lengths = [value if isfinite(value) else 0.0 for _, value, _ in bars]
    lowest, highest = min(0.0, *lengths), max(0.0, *lengths)
    scale = (width - names - values - 24) / max(highest - lowest, 1e-3)
    zero = left + names + 12 - round(lowest * scale)
    for i, (name, value, wins) in enumerate(bars):
        y = top + i * step + step // 2
        canvas.text((left + names, y), name, size=13, color=INK if wins else MUTED, anchor="rm", bold=wins)
        tip = zero + round(lengths[i] * scale)
        fill = "#f08c2e" if value >= 0 else "#4b8fd6"
        bar = Box(min(zero, tip), y - step // 3, max(zero, tip) + 1, y + step // 3)
        canvas.rect(bar, fill=fill if wins else LINE)
        canvas.text((left + width, y), number(value, d), size=13, color=INK, anchor="rm", bold=wins)
    canvas.rect(Box(zero, top, zero + 1, top + step * len(bars)), fill=MUTED)


def _draw_result(
    canvas: Canvas, room: tuple[int, int, int, int], working: Working, style: tuple[Sheet, str]
) -> int:
    """Write the last lines and the pixel they lead to, centred in ``room``; return the y below."""
    (x, top, width, height), (sheet, color) = room, style
    lines = working.lines
    if len(working.branches) == 1 or not _has_middle(working):
        lines = (*(line for branch in working.branches for line in branch.lines), *lines)
    need = lines_height(lines, width, sheet.text) + 16 + _SWATCH
    y = top if sheet.still else top + max(0, (height - need) // 2)
    y = draw_lines(canvas, (x, y), lines, width, sheet.text).bottom + 16
    y = max(y, top + height - _SWATCH - 3) if sheet.still else y
    swatch = Box(x + 3, y, x + 3 + _SWATCH, y + _SWATCH)
    g = working.pixel
    canvas.rect(swatch, fill=f"#{g:02x}{g:02x}{g:02x}")
    canvas.rect(swatch.grown(3), outline=color, width=3)
    ink = INK if g > 128 else "#ffffff"
    canvas.text(swatch.center, str(g), size=24, color=ink, anchor="mm")
    note_x = swatch.right + 16
    canvas.text((note_x, y + 20), "in the feature map", size=14, color=MUTED, anchor="lm")
    canvas.text(
        (note_x, y + 42), f"at ({working.place[0]}, {working.place[1]})", size=14, color=MUTED, anchor="lm"
    )
    return swatch.bottom + 3
