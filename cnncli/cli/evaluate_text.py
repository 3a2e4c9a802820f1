"""How an evaluation reads: as text, and as one JSON object."""

import sys
from typing import TYPE_CHECKING

from cnncli import checked
from cnncli.cli.evaluate_choice import WORDS
from cnncli.cli.messages import columns_of, wrapped
from cnncli.files.faults import in_unicode, shown

if TYPE_CHECKING:
    from cnncli.cli.evaluate import Predictions
    from cnncli.cli.trained import Trained

_COLUMNS = 100  # characters of a line where it does not go to a terminal


def as_json(predictions: "Predictions", trained: "Trained", model: str | None) -> str:
    """One object: what was evaluated, and all scores of the task."""
    evaluation = predictions.evaluation
    return checked.as_json(
        {
            "dataset": in_unicode(predictions.dataset.name),
            "provenance": in_unicode(predictions.dataset.provenance),
            "split": predictions.choice.split,
            "model": in_unicode(model or str(trained.checkpoint.path)),
            "images": len(evaluation),
            "dataset_images": predictions.choice.total,
            "chosen": predictions.choice.reason,
            "trained_on": predictions.choice.trained_on,
            **evaluation.scores(),
            "skipped": len(predictions.dataset.skipped),
            "seconds": round(predictions.seconds, 3),
        }
    )


def as_text(predictions: "Predictions", trained: "Trained") -> str:
    """The headline, which images they are, and the report of the task."""
    evaluation, columns = predictions.evaluation, columns_of(sys.stdout)
    which = f"{WORDS[predictions.choice.split]} " if predictions.choice.split in WORDS else ""
    first, *report = evaluation.report(columns or _COLUMNS)
    lines = [
        shown(predictions.dataset.provenance),
        f"{shown(trained.checkpoint.architecture.name)}: {which}{evaluation.headline()}",
        first,
        f"evaluated on {len(evaluation):,} of {predictions.choice.total:,} {predictions.dataset.noun}: "
        f"{in_unicode(predictions.choice.reason)}",
        "",
        *report,
    ]
    return "\n".join(wrapped(lines, columns))
