"""What an evaluation writes: confusion matrix, reliability diagram, and the misclassified images."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnncli.files.atomic import write_atomic
from cnncli.images.write import write_picture
from cnncli.training.folder import TEST_FILES

if TYPE_CHECKING:
    from cnncli.data.model import Dataset
    from cnncli.images.canvas import Canvas
    from cnncli.tasks.classification import Evaluation


def write_page(path: Path, page: "Canvas") -> None:
    """Write a canvas as a PNG."""
    from cnncli.images.picture import Picture

    write_picture(Picture((page.array(),)), path)


def write_test_files(
    folder: Path, dataset: "Dataset", evaluation: "Evaluation", *, title: str, split: str | None = None
) -> None:
    """Write `TEST_FILES`.

    Parameters
    ----------
    folder : Path
        Where to.
    dataset : Dataset
        Whose test split was evaluated.
    evaluation : Evaluation
        Of the network on it.
    title : str
        Of the pages.
    split : str or None
        What the pages call the images' split; None: nothing.
    """
    from cnncli.views.confusion import confusion_page
    from cnncli.views.reliability import reliability_page

    matrix, reliability, table, pictures = (folder / name for name in TEST_FILES)
    write_page(matrix, confusion_page(evaluation.confusion, dataset.classes, title=title, split=split))
    write_page(reliability, reliability_page(evaluation.calibration, title=title, split=split))
    write_atomic(table, mistakes_csv(dataset, evaluation).encode("utf-8", "surrogateescape"))
    write_page(pictures, _mistakes_page(dataset, evaluation, title, split))


def mistakes_csv(dataset: "Dataset", evaluation: "Evaluation") -> str:
    """Misclassified images as a table: image, label, predicted, probability; the most confident first."""
    import csv
    import io

    from cnncli.tasks.classification import probabilities

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("image", "label", "predicted", "probability"))
    shares, predicted = probabilities(evaluation.outputs), evaluation.predicted
    for i in evaluation.mistakes():
        table.writerow(
            (
                dataset.test.name(int(evaluation.indices[i])),
                dataset.classes[evaluation.labels[i]],
                dataset.classes[predicted[i]],
                f"{shares[i].max():.6f}",
            )
        )
    return text.getvalue()


def _mistakes_page(dataset: "Dataset", evaluation: "Evaluation", title: str, split: str | None) -> "Canvas":
    from cnncli.tasks.classification import probabilities
    from cnncli.views.mistakes import MOST, Mistake, mistakes_page

    wrong = evaluation.mistakes()
    shown = wrong[:MOST]
    pixels = np.empty((len(shown), *dataset.shape), np.uint8)
    if len(shown):
        dataset.test.read(evaluation.indices[shown], pixels)
    shares = probabilities(evaluation.outputs[shown]).max(axis=1) if len(shown) else ()
    tiles = [
        Mistake(
            image, dataset.classes[evaluation.labels[i]], dataset.classes[evaluation.predicted[i]], float(p)
        )
        for image, i, p in zip(pixels, shown, shares, strict=True)
    ]
    return mistakes_page(tiles, wrong=len(wrong), total=len(evaluation), title=title, split=split)
