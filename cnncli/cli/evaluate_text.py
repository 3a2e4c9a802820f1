"""How an evaluation reads: as text, and as one JSON object."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli import checked
from cnncli.cli.evaluate_choice import WORDS
from cnncli.cli.progress import columns_of, wrapped
from cnncli.files.faults import in_unicode, shown
from cnncli.tasks.classification import ClassScores, Evaluation
from cnncli.tasks.scores import BINS, accuracy_text, means, percent

if TYPE_CHECKING:
    from cnncli.cli.evaluate import Predictions
    from cnncli.cli.trained import Trained

_LABEL = 24  # characters of a class's name, at most
_COLUMNS = 100  # characters of a line where it does not go to a terminal
_SCORES = 38  # characters of a row of the report besides the name
_CONFUSED = 8  # most frequent mistakes that are listed where the matrix is too wide


def as_json(predictions: "Predictions", trained: "Trained", model: str | None) -> str:
    """One object: what was evaluated, accuracy and loss, scores of each class, the confusion matrix."""
    evaluation, checkpoint = predictions.evaluation, trained.checkpoint

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 6)

    scores = evaluation.by_class(checkpoint.classes)
    macro, weighted = means(scores)
    return checked.as_json(
        {
            "dataset": in_unicode(predictions.dataset.name),
            "provenance": in_unicode(predictions.dataset.provenance),
            "split": predictions.choice.split,
            "model": in_unicode(model or str(checkpoint.path)),
            "images": len(evaluation),
            "dataset_images": predictions.choice.total,
            "chosen": predictions.choice.reason,
            "trained_on": predictions.choice.trained_on,
            "accuracy": rounded(evaluation.accuracy),
            "loss": rounded(evaluation.loss),
            "log_loss": rounded(evaluation.log_loss),
            "top5_accuracy": rounded(evaluation.top5_accuracy),
            "auc": rounded(evaluation.auc),
            "ece": rounded(evaluation.calibration.error),
            "macro": {name: rounded(value) for name, value in macro._asdict().items()},
            "weighted": {name: rounded(value) for name, value in weighted._asdict().items()},
            "classes": [
                {
                    "label": each.label,
                    "precision": rounded(each.precision),
                    "recall": rounded(each.recall),
                    "f1": rounded(each.f1),
                    "support": each.support,
                }
                for each in scores
            ],
            "confusion": evaluation.confusion.tolist(),
            "skipped": len(predictions.dataset.skipped),
            "seconds": round(predictions.seconds, 3),
        }
    )


def as_text(predictions: "Predictions", trained: "Trained") -> str:
    """Accuracy, a report of each class, and the confusion matrix, or the worst of it where it is too wide."""
    evaluation, classes = predictions.evaluation, [shown(name) for name in trained.checkpoint.classes]
    counts = evaluation.confusion
    right = int(np.trace(counts))
    which = f"{WORDS[predictions.choice.split]} " if predictions.choice.split in WORDS else ""
    lines = [
        shown(predictions.dataset.provenance),
        f"{shown(trained.checkpoint.architecture.name)}: {which}accuracy "
        f"{accuracy_text(right, len(evaluation))}",
        _further(evaluation),
        f"evaluated on {len(evaluation):,} of {predictions.choice.total:,} images: "
        f"{in_unicode(predictions.choice.reason)}",
        "",
        *_report(evaluation.by_class(classes)),
        "",
        *_matrix(counts, classes),
    ]
    return "\n".join(wrapped(lines, columns_of(sys.stdout)))


def _further(evaluation: Evaluation) -> str:
    """What there is besides accuracy."""
    top, area = evaluation.top5_accuracy, evaluation.auc
    return ", ".join(
        ([] if top is None else [f"top-5 accuracy {percent(top)}"])
        + ([] if area is None else [f"AUC {area:.4f}"])
        + [f"cross-entropy (log loss) {evaluation.log_loss:.4f}"]
        + [f"calibration error (ECE, {BINS} bins) {percent(evaluation.calibration.error)}"]
    )


def _report(scores: Sequence[ClassScores]) -> list[str]:
    room = min(_LABEL, (columns_of(sys.stdout) or _COLUMNS) - _SCORES)
    width = max(len("weighted mean"), min(room, max(len(each.label) for each in scores)))
    lines = [f"{'class':{width}}  precision   recall       F1  support"]
    for each in scores:
        shares = "  ".join(_share(value) for value in (each.precision, each.recall, each.f1))
        lines.append(f"{_cut(each.label, width)}   {shares}  {each.support:7,}")
    total = sum(each.support for each in scores)
    for name, mean in zip(("macro", "weighted"), means(list(scores)), strict=True):
        lines.append(f"{f'{name} mean':{width}}   {'  '.join(map(_share, mean))}  {total:7,}")
    if any(None in (each.precision, each.recall) for each in scores):
        lines.append("-: undefined, counted as 0; means leave out absent classes")
    return lines


def _share(value: float | None) -> str:
    return f"{'-':>8}" if value is None else f"{value:8.2%}"


def _matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    width = min(_LABEL, max(len(name) for name in classes))
    cell = max(len(str(int(counts.max()))), min(8, max(len(name) for name in classes)))
    mistakes = _mistakes(counts, classes)
    if width + 4 + len(classes) * (cell + 1) > (columns_of(sys.stdout) or _COLUMNS):
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
    lines = ["most frequent mistakes (-o FOLDER draws the whole matrix)"]
    return lines + [f"{off[i, j]:7,} times  {classes[i]}, predicted as {classes[j]}" for i, j in worst]


def _cut(text: str, width: int, *, right: bool = False) -> str:
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)
