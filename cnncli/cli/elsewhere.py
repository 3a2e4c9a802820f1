"""Weights from elsewhere, as ``--weights`` and the options beside it ask for them."""

from pathlib import Path

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report
from cnncli.cli.options.shared import NetworkSettings
from cnncli.data.shipped import is_onnx
from cnncli.files.faults import shown
from cnncli.images.resize import INTERPOLATIONS
from cnncli.records import fields
from cnncli.training.checkpoint import Checkpoint
from cnncli.training.options import parse_size
from cnncli.training.weights.classes import read_classes
from cnncli.training.weights.load import Weights, load_weights
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
    if weights is not None and is_onnx(weights):
        if settings.model is not None:
            raise UsageError(
                f"-m {shown(settings.model)} is given with {shown(weights)}; expected the model of "
                "ONNX alone, which holds its layers",
                "Leave -m out.",
            )
        return checkpoint_of_onnx(weights, settings, quiet=quiet)
    if weights is None:
        others = (name for name in fields(NetworkSettings) if name != "model")
        option = next(f"--{name}" for name in others if getattr(settings, name) is not None)
        raise UsageError(
            f"{option} is given without --weights; expected both, as a checkpoint brings its own",
            f"Leave {option} out, or name weights from elsewhere with --weights.",
        )
    choices = _choices(settings)
    if choices.size is not None and choices.crop is None:
        raise UsageError(
            f"--crop is {settings.crop}; expected one side for {shown(weights)}, whose pictures are square",
            "Give --crop 224, or as it was in training.",
        )
    classes = None if settings.classes is None else read_classes(settings.classes)
    found = load_weights(Path(weights), settings.model, classes=classes, choices=choices)
    return _told(found, weights, quiet=quiet)


def checkpoint_of_onnx(model: str, settings: NetworkSettings, *, quiet: bool) -> Checkpoint:
    """A model of ONNX as a checkpoint, with what a command line says of pictures and classes.

    Raises
    ------
    CnncliError
        As `load_onnx`.
    """
    from cnncli.onnx.imported import load_onnx

    classes = None if settings.classes is None else read_classes(settings.classes)
    return _told(load_onnx(Path(model), classes=classes, choices=_choices(settings)), model, quiet=quiet)


def _choices(settings: NetworkSettings) -> Choices:
    crop = parse_size(settings.crop, "--crop")
    return Choices(
        values.numbers("--mean", settings.mean),
        values.numbers("--std", settings.std),
        values.within("--resize", settings.resize, 1),
        None if crop is None or crop[0] != crop[1] else crop[0],
        values.choice("--interpolation", settings.interpolation, INTERPOLATIONS),
        crop,
    )


def _told(found: Weights, weights: str, *, quiet: bool) -> Checkpoint:
    """The checkpoint, after saying what was assumed."""
    notes = list(found.notes)
    if found.checkpoint.is_numbered:
        outputs = len(found.checkpoint.task.outputs)
        notes.append(f"its {outputs:,} classes go by their numbers; --classes FILE names them")
    if not quiet and notes:
        report(*(f"note: {shown(weights)}: {note}" for note in notes))
    return found.checkpoint
