"""Pages of a run: what an evaluation writes besides its numbers, by the name of its task."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cnncli.data.model import Dataset
    from cnncli.tasks.task import Evaluation, Task


class Pages(NamedTuple):
    """Names of the files of a task, and what writes them."""

    files: tuple[str, ...]
    write: Callable[..., None]


def _class_pages(*given: Any, **named: Any) -> None:
    from cnncli.cli.class_pages import write_class_pages

    write_class_pages(*given, **named)


def _text_pages(*given: Any, **named: Any) -> None:
    from cnncli.cli.class_pages import write_text_pages

    write_text_pages(*given, **named)


PAGES = {
    "classification": Pages(
        ("confusion_matrix.png", "reliability.png", "misclassified.csv", "misclassified.png"), _class_pages
    ),
    "video": Pages(
        ("confusion_matrix.png", "reliability.png", "misclassified.csv", "misclassified.png"), _class_pages
    ),
    "text": Pages(("confusion_matrix.png", "reliability.png", "misclassified.csv"), _text_pages),
}
"""By the name of a task; one without a row writes none."""


def files_of(task: "Task") -> tuple[str, ...]:
    """Names of the files that an evaluation of a task writes."""
    return PAGES[task.name].files if task.name in PAGES else ()


def write_test_files(
    folder: Path,
    dataset: "Dataset",
    evaluation: "Evaluation",
    task: "Task",
    *,
    title: str,
    split: str | None = None,
) -> None:
    """Write the files of `files_of`.

    Parameters
    ----------
    folder : Path
        Where to.
    dataset : Dataset
        Whose test split was evaluated.
    evaluation : Evaluation
        Of the network on it.
    task : Task
        What the network does.
    title : str
        Of the pages.
    split : str or None
        What the pages call the images' split; None: nothing.
    """
    if task.name in PAGES:
        pages = PAGES[task.name]
        pages.write([folder / name for name in pages.files], dataset, evaluation, title=title, split=split)
