"""``cnncli weights``: weights of torchvision or timm, made into a checkpoint."""

from pathlib import Path

from cnncli.checked import as_json
from cnncli.cli.elsewhere import checkpoint_elsewhere
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.names import overwritten
from cnncli.cli.options.weights import Settings
from cnncli.cli.streams import write_line
from cnncli.errors import OptionError
from cnncli.files.faults import in_unicode, shown
from cnncli.text import listed
from cnncli.training.checkpoint import Checkpoint, save_checkpoint
from cnncli.training.weights.pixels import sentence


def run(settings: Settings) -> int:
    """Write the weights as a checkpoint, or say whether they fit; return the exit code."""
    output = settings.output
    try:
        checkpoint = checkpoint_elsewhere(settings, quiet=settings.quiet)
    except OptionError as error:
        raise UsageError(error.message, error.hint) from error
    if output is not None:
        if overwritten([output], [str(checkpoint.path)]):
            raise UsageError(
                f"the output {shown(output)} is also read; expected another file",
                "Choose another name with -o.",
            )
        save_checkpoint(Path(output), checkpoint)
    told = _as_text(checkpoint, output)
    for line in [_as_json(checkpoint, settings.weights, output)] if settings.json else told:
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
    height, width = pictures.size
    return as_json(
        {
            "input": in_unicode(weights),
            "output": None if output is None else in_unicode(output),
            "model": checkpoint.architecture.name,
            "arrays": len(checkpoint.arrays),
            "classes": len(checkpoint.task.outputs),
            "named": not checkpoint.is_numbered,
            "resize": pictures.resize,
            "crop": width if width == height else [width, height],
            "interpolation": pictures.interpolation,
            "mean": pictures.mean,
            "std": pictures.std,
        }
    )
