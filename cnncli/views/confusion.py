"""The confusion matrix as a picture: rows are true classes, columns predicted ones."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import INK, Box, Canvas, measure, shorten
from cnncli.views.plot import FAINT, page_title

_NAME = 150  # pixels of a class's name, at most
_MOST = 1000  # pixels of the matrix, at most, while a cell has 4
_WIDEST = 12_000  # pixels of the matrix in any case
_SMALL = 14  # cells below are pixels of one picture, without counts
_RIGHT, _WRONG = np.array([39, 104, 176]), np.array([217, 112, 28])


def confusion_page(
    counts: NDArray[np.integer],
    classes: Sequence[str],
    *,
    title: str,
    split: str | None = None,
    noun: str = "images",
) -> Canvas:
    """Draw a confusion matrix with its counts, recall of each class to the right.

    Parameters
    ----------
    counts : ndarray, shape (K, K), int
        Rows are true classes, columns predicted ones.
    classes : sequence of str
        K labels.
    title : str
        What was trained on what.
    split : str or None
        Which split the images are; None: no split in particular.
    noun : str
        What they are: ``images`` or ``texts``.

    Returns
    -------
    Canvas
        Counts are written while cells have room for them.
    """
    k = len(classes)
    cell = max(4, min(72, _MOST // k)) if 4 * k <= _WIDEST else _WIDEST / k
    size = 13 if cell < 34 else 16
    step = max(1, ceil(18 / cell))  # every how many-th name has room
    room = min(_NAME, max(measure(name, size=size)[0] for name in classes)) + 24
    left = 96 + room
    side = round(k * cell)
    canvas = Canvas(max(760, left + side + 130), background="#ffffff")
    right, total = int(np.trace(counts)), int(counts.sum())
    share = f"{right / total:.2%}" if total else "none"
    accuracy = f"{split} accuracy" if split else "accuracy"
    top = page_title(canvas, title, f"{accuracy} {share} ({right:,} of {total:,} {noun})") + 60
    canvas.text((left + side / 2, top), "predicted class", size=17, color=FAINT, anchor="mb")
    names_height = _column_names(canvas, classes, (left, top + 10), cell, step)
    top += 10 + names_height
    canvas.text((left - room - 14, top + side / 2 - 12), "true", size=17, color=FAINT, anchor="rm")
    canvas.text((left - room - 14, top + side / 2 + 12), "class", size=17, color=FAINT, anchor="rm")
    canvas.text((left + side + 16, top - 8), "recall", size=15, color=FAINT, anchor="lb")
    sums = counts.sum(axis=1)
    colors, strengths = _colors(counts)
    for i in range(k):
        middle = top + i * cell + cell / 2
        if i % step == 0:
            canvas.text((left - 12, middle), shorten(classes[i], _NAME, size=size), size=size, anchor="rm")
            recall = f"{counts[i, i] / sums[i]:.1%}" if sums[i] else "-"
            canvas.text((left + side + 16, middle), recall, size=min(size, 15), color=FAINT, anchor="lm")
        for j in range(k) if cell >= _SMALL else ():
            x, y, size_of = left + j * int(cell), top + i * int(cell), int(cell)
            box = Box(x, y, x + size_of, y + size_of)
            _cell(canvas, box, int(counts[i, j]), colors[i, j], strengths[i, j])
    if cell < _SMALL:
        canvas.image(Box(left, top, left + side, top + side), colors)
    canvas.rect(Box(left, top, left + side, top + side), outline="#b8c0c9")
    return canvas


def _column_names(canvas: Canvas, classes: Sequence[str], at: tuple[int, int], cell: float, step: int) -> int:
    """Write the names above the columns, in as many rows as keep them apart; returns the height.

    The lowest row ends where the matrix does, for the word above the column to its right stands there.
    """
    left, top = at
    right = left + len(classes) * cell
    limit = max(int(cell) - 6, 40)
    ends = [-1e9]
    placed = []
    for j in range(0, len(classes), step):
        name = shorten(classes[j], min(_NAME, limit * 2), size=14)
        width = measure(name, size=14)[0]
        x = left + j * cell + cell / 2
        fits = (end + 8 <= x - width / 2 and (r > 0 or x + width / 2 <= right) for r, end in enumerate(ends))
        row = next((r for r, fit in enumerate(fits) if fit), len(ends))
        if row == len(ends):
            ends.append(-1e9)
        ends[row] = x + width / 2
        placed.append((x, row, name))
    for x, row, name in placed:
        canvas.text((x, top + 22 * (len(ends) - 1 - row)), name, size=14, anchor="mt")
    return 22 * len(ends) + 4


def _colors(counts: NDArray[np.integer]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Colours (K, K, 3) and their strengths: darker for a larger share of the row.

    Mistakes are orange, and seen from one on.
    """
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    wrong = np.where(counts > 0, np.minimum(1.0, 0.12 + (4 * share) ** 0.6), 0.0)
    right = np.eye(len(counts), dtype=bool)
    strength = np.where(right, share**0.5, wrong)
    tone = np.where(right[..., None], _RIGHT, _WRONG)
    return np.rint(255 + (tone - 255) * strength[..., None]).astype(np.uint8), strength


def _cell(canvas: Canvas, box: Box, count: int, color: NDArray[np.uint8], strength: float) -> None:
    """One count on its colour."""
    canvas.rect(box, fill="#{:02x}{:02x}{:02x}".format(*color))
    canvas.rect(box, outline="#eef1f4")
    cell = box.width
    text = str(count)
    size = min(18, cell // 2)
    while size >= 8 and measure(text, size=size)[0] > cell - 4:
        size -= 1
    if count and size >= 8:
        dark = strength > 0.55
        canvas.text(box.center, text, size=size, color="#ffffff" if dark else INK, anchor="mm")
