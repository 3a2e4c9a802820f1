"""Layer 4: tasks: what is learned, what a network's outputs mean, how good they are and how they read.

The seam runs like this. A reader in `data` makes *targets* (`data.targets.Targets`): a column with one target
for each image, which says by name which task it is for. Everything between (splits, copies, batches, the list
of a run's images) carries the column without looking inside. The task of that name is looked up in `TASKS`,
and is the only one to look:

* it is made of the data set's targets (`Task.of`), and again of what a checkpoint keeps of it: its name under
  ``task`` and its settings beside it (`settings`, `from_fields`); checkpoints of the first release have no
  ``task``, and are of classification;
* training asks it for the width of the head (`outputs`), the objective (`loss`), a batch's targets for that
  (`encode`: mixup and moved pixels are in the batch), and the metrics of an epoch (`tally`, `metrics`), one
  of which is watched (`watched`: its name and which way is up);
* a network may have several outputs, each with a role: the task says which of them it reads (`read`), and
  gets them by role, in validation, evaluation and prediction; auxiliary heads only help training;
* commands ask it to decode outputs (`decode`: JSON, cells of CSV, bars) and to score them (`evaluation`: a
  headline, a report, JSON). Pages are drawn by `views`; `cli/train_report` names them by task.

A new task: a reader in `data` whose targets name it, a file here that implements `Task` (`task.py` says what
each method gives), and a row in `TASKS`. Nothing in `training` changes: `tests/tasks/test_another_task.py`
trains, resumes and evaluates one, boxes, that way.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cnncli.errors import CnncliError

if TYPE_CHECKING:
    from cnncli.tasks.task import Task


def _classification() -> "type[Task]":
    from cnncli.tasks.classification import Classification

    return Classification


def _text() -> "type[Task]":
    from cnncli.tasks.text import TextClassification

    return TextClassification


def _segmentation() -> "type[Task]":
    from cnncli.tasks.segmentation import Segmentation

    return Segmentation


def _video() -> "type[Task]":
    from cnncli.tasks.video import VideoClassification

    return VideoClassification


def _detection() -> "type[Task]":
    from cnncli.tasks.detection import Detection

    return Detection


def _localization() -> "type[Task]":
    from cnncli.tasks.localization import Localization

    return Localization


TASKS: "dict[str, Callable[[], type[Task]]]" = {
    "classification": _classification,
    "text": _text,
    "segmentation": _segmentation,
    "video": _video,
    "detection": _detection,
    "localization": _localization,
}
"""Name of each task to what imports it: a command needs only its own."""
WORDS = {
    "classify": ("classification", "text"),
    "segment": ("segmentation",),
    "detect": ("detection",),
    "localize": ("localization",),
    "video": ("video",),
}
"""What users write after ``--task``, and the tasks that it may be."""


FINDS_BOXES = ("boxes", "box")
"""What tasks have outputs for that find boxes."""


def word_of(name: str) -> str | None:
    """What users write after ``--task`` for a task; None where there is no word for it."""
    return next((word for word, names in WORDS.items() if name in names), None)


def task_named(name: str) -> "type[Task]":
    """A task by its name.

    Raises
    ------
    CnncliError
        Where there is none, as in a checkpoint of a later release.
    """
    if name not in TASKS:
        raise CnncliError(
            f"task is {name!r}; expected {', '.join(TASKS)}",
            "Use the release of cnncli that knows this task.",
        )
    return TASKS[name]()
