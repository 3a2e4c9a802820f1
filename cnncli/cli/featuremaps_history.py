"""``cnncli featuremaps RUN --view history``: how a run has learned, as an animated picture."""

import os
from collections.abc import Sequence
from pathlib import Path

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.featuremaps_outputs import FOLDER, encoded_film, write_arrays
from cnncli.cli.names import STREAM
from cnncli.cli.options.featuremaps import Settings
from cnncli.cli.outputs import made_folder
from cnncli.cli.streams import write_stdout
from cnncli.cli.trained import load_trained, names_network
from cnncli.files.atomic import is_device, write_atomic
from cnncli.files.faults import shown
from cnncli.files.numbered import write_numbered
from cnncli.records import record, replace
from cnncli.training.recording import read_history
from cnncli.views.featuremaps.model import Drawing, Request, Subject
from cnncli.views.featuremaps.table import VIEWS

NAME = "history"
_EXAMPLE = "cnncli featuremaps runs/mnist-compact --view history -o learning.gif"
_ONLY = ("text", "layer", "all", "unit", "target", "data", "explain", "at")  # what is of other views


@record(eq=False)
class Moving:
    """A run, where its film goes, and what was drawn."""

    run: str
    target: str
    drawing: Drawing


def drawn_history(settings: Settings, views: Sequence[str]) -> Moving:
    """Draw what the run that is INPUT has recorded, and write it.

    Raises
    ------
    UsageError
        Where INPUT is no such run, or something stands beside it that does not belong there.
    CnncliError
        Where the record is damaged, or the film cannot be written.
    """
    run = _run_of(settings, views)
    target, suffix = _target(settings, run)
    history = read_history(Path(run))
    trained = load_trained(replace(settings, model=run), quiet=settings.quiet)
    subject = Subject(trained.checkpoint, trained.network, threads=1)
    drawing = VIEWS[NAME].draw(subject, Request(history=history))
    data = encoded_film(drawing, suffix)
    if target == STREAM:
        write_stdout(data)
    elif settings.output is None:
        made_folder(Path(FOLDER))
        target = str(write_numbered(Path(target), data))
    else:
        write_atomic(Path(target), data)
    if settings.raw is not None:
        write_arrays(settings.raw, drawing.arrays)
    return Moving(run, target, drawing)


def _run_of(settings: Settings, views: Sequence[str]) -> str:
    """The one INPUT, which must be a folder."""
    inputs = settings.inputs or []
    if list(views) != [NAME]:
        raise UsageError(
            f"--view {','.join(views)}: {NAME} is a film of a run; expected it alone", f"Use --view {NAME}."
        )
    said = [name for name in _ONLY if getattr(settings, name)]
    if said or names_network(settings):
        option = said[0] if said else "model"
        raise UsageError(
            f"--{option} is given with --view {NAME}; expected the folder of a run alone",
            f"Leave --{option} out.",
        )
    if len(inputs) != 1 or not os.path.isdir(inputs[0]):  # noqa: PTH112
        what = f"{shown(inputs[0])} is no folder" if len(inputs) == 1 else f"{len(inputs)} inputs are given"
        raise UsageError(
            f"{what}; expected the folder of a run that was trained with --record-features",
            f"Run, for example: {_EXAMPLE}",
        )
    return inputs[0]


def _target(settings: Settings, run: str) -> tuple[str, str]:
    """Where the film goes, and the suffix of its format."""
    stem = os.path.basename(os.path.abspath(run))  # noqa: PTH100, PTH119
    target = settings.output or os.path.join(FOLDER, f"{stem}-{NAME}.gif")  # noqa: PTH118
    if target == STREAM:
        if os.isatty(1):
            raise UsageError(
                "the film would go to the terminal; expected a file or a pipe", "Name an output with -o."
            )
        return target, ".gif"
    if is_device(target):
        return target, ".gif"
    suffix = os.path.splitext(target)[1].lower()  # noqa: PTH122
    if suffix not in (".gif", ".png") or os.path.isdir(target):  # noqa: PTH112
        raise UsageError(
            f"-o {shown(target)} with --view {NAME}; expected .gif, or .png for an animated PNG",
            "Name a file, for example: -o learning.gif",
        )
    return target, suffix
