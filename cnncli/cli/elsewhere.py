"""Weights from elsewhere, as ``--weights`` and the options beside it ask for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report
from cnncli.files.faults import shown
from cnncli.images.resize import INTERPOLATIONS
from cnncli.training.checkpoint import Checkpoint
from cnncli.training.weights.classes import read_classes
from cnncli.training.weights.load import load_weights
from cnncli.training.weights.pixels import Choices


def checkpoint_elsewhere(model: str | None, given: Mapping[str, Any], *, quiet: bool) -> Checkpoint:
    """The weights that a command line asks for, as a checkpoint; what was assumed is said.

    Parameters
    ----------
    model : str or None
        The network's name, from ``-m``.
    given : mapping
        By name, what the options in `cnncli.cli.options.shared.WEIGHTS` say.
    quiet : bool
        Say nothing.

    Raises
    ------
    CnncliError
        As `load_weights`, and for options that need ``--weights``.
    """
    if given["weights"] is None:
        option = next(f"--{name}" for name, value in given.items() if value is not None)
        raise UsageError(
            f"{option} is given without --weights; expected both, as a checkpoint brings its own",
            f"Leave {option} out, or name weights from elsewhere with --weights.",
        )
    choices = Choices(
        values.numbers("--mean", given["mean"]),
        values.numbers("--std", given["std"]),
        values.within("--resize", given["resize"], 1),
        values.within("--crop", given["crop"], 1),
        values.choice("--interpolation", given["interpolation"], INTERPOLATIONS),
    )
    classes = None if given["classes"] is None else read_classes(given["classes"])
    found = load_weights(Path(given["weights"]), model, classes=classes, choices=choices)
    notes = list(found.notes)
    if found.checkpoint.is_numbered:
        outputs = len(found.checkpoint.task.outputs)
        notes.append(f"its {outputs:,} classes go by their numbers; --classes FILE names them")
    if not quiet and notes:
        report(*(f"note: {shown(given['weights'])}: {note}" for note in notes))
    return found.checkpoint
