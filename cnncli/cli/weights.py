"""``cnncli weights``: weights of torchvision or timm, made into a checkpoint."""

from pathlib import Path
from typing import Any

from cnncli.checked import as_json
from cnncli.cli.elsewhere import checkpoint_elsewhere
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.names import overwritten
from cnncli.cli.streams import write_line
from cnncli.errors import OptionError
from cnncli.files.faults import in_unicode, shown
from cnncli.text import listed
from cnncli.training.checkpoint import Checkpoint, save_checkpoint
from cnncli.training.weights.pixels import sentence


def run(
    *,
    weights: str,
    model: str | None,
    output: str | None,
    json: bool,
    quiet: bool,
    debug: bool,
    **given: Any,
) -> int:
    """Run the command.

    Parameters
    ----------
    weights : str
        A file or a folder.
    model : str or None
        The network's name.
    output : str or None
        Where the checkpoint goes.
    json, quiet, debug
        As on the command line.
    **given
        The other options of weights from elsewhere.

    Returns
    -------
    int
        The exit code.
    """
    del debug  # the caller shows tracebacks
    try:
        checkpoint = checkpoint_elsewhere(model, {"weights": weights, **given}, quiet=quiet)
    except OptionError as error:
        raise UsageError(error.message, error.hint) from error
    if output is not None:
        if overwritten([output], [str(checkpoint.path)]):
            raise UsageError(
                f"the output {shown(output)} is also read; expected another file",
                "Choose another name with -o.",
            )
        save_checkpoint(Path(output), checkpoint)
    for line in [_as_json(checkpoint, weights, output)] if json else _as_text(checkpoint, output):
        write_line(line)
    return DONE


def _as_text(checkpoint: Checkpoint, output: str | None) -> list[str]:
    outputs = checkpoint.task.outputs
    lines = [
        f"network   {checkpoint.architecture.name}, {len(checkpoint.arrays):,} arrays, all of them fit",
        f"classes   {len(outputs):,}: {shown(listed(outputs, separator='; '))}",
        f"pictures  {sentence(checkpoint.preprocessing)}",
    ]
    return lines if output is None else [*lines, f"written   {shown(output)}"]


def _as_json(checkpoint: Checkpoint, weights: str, output: str | None) -> str:
    pictures = checkpoint.preprocessing
    return as_json(
        {
            "input": in_unicode(weights),
            "output": None if output is None else in_unicode(output),
            "model": checkpoint.architecture.name,
            "arrays": len(checkpoint.arrays),
            "classes": len(checkpoint.task.outputs),
            "named": not checkpoint.is_numbered,
            "resize": pictures.resize,
            "crop": pictures.size[0],
            "interpolation": pictures.interpolation,
            "mean": pictures.mean,
            "std": pictures.std,
        }
    )
