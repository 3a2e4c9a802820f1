"""How the scores of classes read as text: further scores, a row for each class, the confusion matrix."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.files.faults import shown
from cnncli.tasks.scores import BINS, means, percent

if TYPE_CHECKING:
    from cnncli.tasks.class_evaluation import ClassEvaluation, ClassScores

_LABEL = 24  # characters of a class's name, at most
_SHORTEST = len("weighted mean")
_CONFUSED = 8  # most frequent mistakes that are listed where the matrix is too wide


def report_lines(evaluation: "ClassEvaluation", columns: int) -> list[str]:
    """Lines of at most so many columns; where the matrix is too wide, its most frequent mistakes."""
    evaluation = replace(evaluation, classes=tuple(shown(name) for name in evaluation.classes))
    return [
        _further(evaluation),
        *_rows(evaluation.by_class(), columns),
        "",
        *_matrix(evaluation.confusion, evaluation.classes, columns),
    ]


def _further(evaluation: "ClassEvaluation") -> str:
    """What there is besides accuracy."""
    top, area = evaluation.top5_accuracy, evaluation.auc
    return ", ".join(
        ([] if top is None else [f"top-5 accuracy {percent(top)}"])
        + ([] if area is None else [f"AUC {area:.4f}"])
        + [f"cross-entropy (log loss) {evaluation.log_loss:.4f}"]
        + [f"calibration error (ECE, {BINS} bins) {percent(evaluation.calibration.error)}"]
    )


def _rows(scores: "Sequence[ClassScores]", columns: int) -> list[str]:
    """The table of classes; where it is too wide, with fewer decimals, then without the support."""
    total = sum(each.support for each in scores)
    rows = [(each.label, (each.precision, each.recall, each.f1), each.support) for each in scores]
    for name, mean in zip(("macro", "weighted"), means(list(scores)), strict=True):
        rows.append((f"{name} mean", mean, total))
    for decimals, count in ((2, 4), (1, 4), (1, 3)):
        cells = [[*(_share(value, decimals) for value in row[1]), f"{row[2]:,}"][:count] for row in rows]
        cells = [["precision", "recall", "F1", "support"][:count], *cells]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        room = columns - sum(widths) - 2 * count
        if room >= _SHORTEST:
            break
    label = max(_SHORTEST, min(_LABEL, room, max(len(row[0]) for row in rows)))
    lines = [
        "  ".join([_cut(name, label), *(cell.rjust(width) for cell, width in zip(row, widths, strict=True))])
        for name, row in zip(["class", *(row[0] for row in rows)], cells, strict=True)
    ]
    if any(None in (each.precision, each.recall) for each in scores):
        lines.append("-: undefined, counted as 0; means leave out absent classes")
    return lines


def _share(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}%}"


def _matrix(counts: NDArray[np.int64], classes: Sequence[str], columns: int) -> list[str]:
    width = min(_LABEL, max(len(name) for name in classes))
    cell = max(len(str(int(counts.max()))), min(8, max(len(name) for name in classes)))
    mistakes = _mistakes(counts, classes)
    if width + 4 + len(classes) * (cell + 1) > columns:
        return mistakes
    lines = ["rows: true class; columns: predicted class"]
    lines.append(" " * (width + 1) + "".join(f" {_cut(name, cell, right=True)}" for name in classes))
    for name, row in zip(classes, counts, strict=True):
        numbers = "".join(f" {count if count else '·':>{cell}}" for count in row)
        lines.append(f"{_cut(name, width)} {numbers}")
    return lines


def _mistakes(counts: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:_CONFUSED]
    worst = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, off.shape), strict=True) if off[i, j]]
    if not worst:
        return ["no mistakes"]
    lines = ["most frequent mistakes, in images (-o FOLDER draws the whole matrix)"]
    return lines + [f"{off[i, j]:7,}  {classes[i]} predicted as {classes[j]}" for i, j in worst]


def _cut(text: str, width: int, *, right: bool = False) -> str:
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)
