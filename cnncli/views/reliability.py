"""A reliability diagram: accuracy by confidence, the probability of the predicted class."""

import numpy as np

from cnncli.images.canvas import Box, Canvas
from cnncli.tasks.scores import Calibration
from cnncli.views.plot import BLUE, FAINT, GRID, ORANGE, page_title

_SIDE = 560  # of the square, in pixels
_LEFT = 110
_COUNTS = 110  # height of the bars of how many there are
_TICKS = 5  # of each axis, besides 0
_OVER, _UNDER = "#f6d8bd", "#b9d0ec"  # from accuracy to confidence, where accuracy is lower and higher


def reliability_page(
    found: Calibration, *, title: str, split: str | None = None, noun: str = "images"
) -> Canvas:
    """Draw accuracy over confidence in bins, with the diagonal on which it should lie, and counts below.

    Parameters
    ----------
    found : Calibration
        Of one prediction at least.
    title : str
        What was trained on what.
    split : str or None
        Which split the images are; None: no split in particular.
    noun : str
        What they are: ``images`` or ``texts``.

    Returns
    -------
    Canvas
    """
    total = int(found.counts.sum())
    images = f"{split} {noun}" if split else noun
    canvas = Canvas(960)
    subtitle = f"calibration error (ECE) {found.error:.2%}, {len(found.counts)} bins, {total:,} {images}"
    top = page_title(canvas, title, subtitle) + 44
    box = Box(_LEFT, top, _LEFT + _SIDE, top + _SIDE)
    _grid(canvas, box)
    for k in np.flatnonzero(found.counts):
        _bin(canvas, box, found, int(k))
    canvas.line([(box.left, box.bottom), (box.right, box.top)], color=FAINT, width=1.5)
    canvas.rect(Box(box.left, box.bottom, box.right + 1, box.bottom + 1), fill=FAINT)
    _legend(canvas, (box.right + 36, box.top + 8), found)
    below = Box(box.left, box.bottom + 26, box.right, box.bottom + 26 + _COUNTS)
    _counts(canvas, below, found)
    for i in range(_TICKS + 1):
        x = box.left + i * _SIDE / _TICKS
        canvas.text((x, below.bottom + 11), f"{i / _TICKS:.0%}", size=15, color=FAINT, anchor="mt")
    canvas.text(
        (box.center[0], below.bottom + 38),
        "confidence: probability of the predicted class",
        size=16,
        color=FAINT,
        anchor="mt",
    )
    return canvas


def _grid(canvas: Canvas, box: Box) -> None:
    canvas.text((box.left, box.top - 16), "accuracy", size=16, color=FAINT, anchor="ls")
    for i in range(_TICKS + 1):
        y = round(box.bottom - i * box.height / _TICKS)
        canvas.rect(Box(box.left, y, box.right, y + 1), fill=GRID)
        canvas.text((box.left - 12, y), f"{i / _TICKS:.0%}", size=15, color=FAINT, anchor="rm")


def _span(box: Box, found: Calibration, k: int) -> tuple[int, int]:
    """Left and right of a bin's bar."""
    left, right = (box.left + round(float(edge) * box.width) for edge in found.edges[k : k + 2])
    return left + 2, right - 1


def _bin(canvas: Canvas, box: Box, found: Calibration, k: int) -> None:
    """A bar as high as the accuracy, and the gap to the mean confidence: above it, or narrower inside it."""
    left, right = _span(box, found, k)
    height, sure = (
        round(box.bottom - float(share) * box.height) for share in (found.accuracy[k], found.confidence[k])
    )
    canvas.rect(Box(left, height, right, box.bottom), fill=BLUE)
    canvas.rect(Box(left, sure, right, height), fill=_OVER)
    inset = (right - left) // 4
    canvas.rect(Box(left + inset, height + 4, right - inset, sure), fill=_UNDER)
    canvas.rect(Box(left, sure - 1, right, sure + 2), fill=ORANGE)


def _counts(canvas: Canvas, box: Box, found: Calibration) -> None:
    """How many predictions fall into each bin."""
    most = int(found.counts.max())
    for k in np.flatnonzero(found.counts):
        left, right = _span(box, found, int(k))
        height = max(1, round(int(found.counts[k]) / most * box.height))
        canvas.rect(Box(left, box.bottom - height, right, box.bottom), fill="#b9c6d6")
    canvas.text((box.left - 12, box.top), f"{most:,}", size=15, color=FAINT, anchor="rm")
    canvas.text((box.left - 12, box.bottom), "0", size=15, color=FAINT, anchor="rm")
    canvas.text((box.right + 36, box.center[1]), "predictions per bin", size=15, color=FAINT, anchor="lm")
    canvas.rect(Box(box.left, box.bottom, box.right + 1, box.bottom + 1), fill=FAINT)


def _legend(canvas: Canvas, at: tuple[int, int], found: Calibration) -> None:
    """What the colours mean, and what follows from them."""
    x, y = at
    for fill, height, text in (
        (BLUE, 16, "accuracy"),
        (ORANGE, 3, "mean confidence"),
        (_OVER, 16, "gap: overconfident"),
        (_UNDER, 16, "gap: underconfident"),
    ):
        middle = y + 8
        canvas.rect(Box(x, middle - height // 2, x + 22, middle - height // 2 + height), fill=fill)
        canvas.text((x + 34, middle), text, size=15, anchor="lm")
        y += 30
    canvas.line([(x, y + 15), (x + 22, y + 1)], color=FAINT, width=1.5)
    canvas.text((x + 34, y + 8), "perfect calibration", size=15, anchor="lm")
    total = max(1, int(found.counts.sum()))
    sure, right = (  # of all
        float((share * found.counts).sum()) / total for share in (found.confidence, found.accuracy)
    )
    canvas.text((x, y + 52), f"accuracy {right:.2%}", size=16, anchor="lm", bold=True)
    canvas.text((x, y + 78), f"mean confidence {sure:.2%}", size=16, anchor="lm", bold=True)
