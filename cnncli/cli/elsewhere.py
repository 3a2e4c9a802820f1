"""Weights from elsewhere, as ``--weights`` and the options beside it ask for them."""

from pathlib import Path

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report
from cnncli.cli.options.shared import NetworkSettings
from cnncli.files.faults import shown
from cnncli.images.resize import INTERPOLATIONS
from cnncli.records import fields
from cnncli.training.checkpoint import Checkpoint
from cnncli.training.weights.classes import read_classes
from cnncli.training.weights.load import load_weights
from cnncli.training.weights.pixels import Choices


def checkpoint_elsewhere(settings: NetworkSettings, *, quiet: bool) -> Checkpoint:
    """The weights that a command line asks for, as a checkpoint; what was assumed is said.

    Parameters
    ----------
    settings : NetworkSettings
        ``model`` is the network's name.
    quiet : bool
        Say nothing.

    Raises
    ------
    CnncliError
        As `load_weights`, and for options that need ``--weights``.
    """
    weights = settings.weights
    if weights is None:
        others = (name for name in fields(NetworkSettings) if name != "model")
        option = next(f"--{name}" for name in others if getattr(settings, name) is not None)
        raise UsageError(
            f"{option} is given without --weights; expected both, as a checkpoint brings its own",
            f"Leave {option} out, or name weights from elsewhere with --weights.",
        )
    choices = Choices(
        values.numbers("--mean", settings.mean),
        values.numbers("--std", settings.std),
        values.within("--resize", settings.resize, 1),
        values.within("--crop", settings.crop, 1),
        values.choice("--interpolation", settings.interpolation, INTERPOLATIONS),
    )
    classes = None if settings.classes is None else read_classes(settings.classes)
    found = load_weights(Path(weights), settings.model, classes=classes, choices=choices)
    notes = list(found.notes)
    if found.checkpoint.is_numbered:
        outputs = len(found.checkpoint.task.outputs)
        notes.append(f"its {outputs:,} classes go by their numbers; --classes FILE names them")
    if not quiet and notes:
        report(*(f"note: {shown(weights)}: {note}" for note in notes))
    return found.checkpoint
