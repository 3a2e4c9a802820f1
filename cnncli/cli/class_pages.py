"""What an evaluation of classes writes: confusion matrix, reliability diagram, the misclassified images."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnncli.cli.page_files import write_page
from cnncli.files.atomic import write_atomic
from cnncli.tasks.softmax import probabilities

if TYPE_CHECKING:
    from cnncli.data.model import Dataset
    from cnncli.images.canvas import Canvas
    from cnncli.tasks.class_evaluation import ClassEvaluation


def write_class_pages(
    files: list[Path], dataset: "Dataset", evaluation: "ClassEvaluation", *, title: str, split: str | None
) -> None:
    """Write the matrix, the diagram, the table of mistakes and the page of them; arguments as above them."""
    *others, pictures = files
    write_text_pages(others, dataset, evaluation, title=title, split=split)
    write_page(pictures, _mistakes_page(dataset, evaluation, title, split))


def write_text_pages(
    files: list[Path], dataset: "Dataset", evaluation: "ClassEvaluation", *, title: str, split: str | None
) -> None:
    """Write what there is without pictures: the matrix, the diagram and the table of mistakes."""
    from cnncli.views.confusion import confusion_page
    from cnncli.views.reliability import reliability_page

    matrix, reliability, table = files
    noun = dataset.noun
    page = confusion_page(evaluation.confusion, evaluation.classes, title=title, split=split, noun=noun)
    write_page(matrix, page)
    write_page(reliability, reliability_page(evaluation.calibration, title=title, split=split, noun=noun))
    write_atomic(table, mistakes_csv(dataset, evaluation).encode("utf-8", "surrogateescape"))


def mistakes_csv(dataset: "Dataset", evaluation: "ClassEvaluation") -> str:
    """Misclassified images as a table: image, label, predicted, probability; the most confident first.

    Of texts also their words.
    """
    import csv
    import io

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    words_at = getattr(dataset.test, "words_at", None) if dataset.noun == "texts" else None
    table.writerow((*(("row", "text") if words_at else ("image",)), "label", "predicted", "probability"))
    shares, predicted = probabilities(evaluation.outputs), evaluation.predicted
    for i in evaluation.mistakes():
        at = int(evaluation.indices[i])
        table.writerow(
            (
                dataset.test.name(at),
                *((" ".join(words_at(at)),) if words_at else ()),
                evaluation.classes[evaluation.labels[i]],
                evaluation.classes[predicted[i]],
                f"{shares[i].max():.6f}",
            )
        )
    return text.getvalue()


def _mistakes_page(
    dataset: "Dataset", evaluation: "ClassEvaluation", title: str, split: str | None
) -> "Canvas":
    from cnncli.views.mistakes import MOST, Mistake, mistakes_page

    wrong = evaluation.mistakes()
    shown = wrong[:MOST]
    pixels = np.empty((len(shown), *dataset.shape), np.uint8)
    if len(shown):
        dataset.test.read(evaluation.indices[shown], pixels)
    shares = probabilities(evaluation.outputs[shown]).max(axis=1) if len(shown) else ()
    tiles = [
        Mistake(
            image,
            evaluation.classes[evaluation.labels[i]],
            evaluation.classes[evaluation.predicted[i]],
            float(p),
        )
        for image, i, p in zip(pixels, shown, shares, strict=True)
    ]
    return mistakes_page(tiles, wrong=len(wrong), total=len(evaluation), title=title, split=split)
