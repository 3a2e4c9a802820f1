"""``cnncli export``: a network as an ONNX model."""

from pathlib import Path
from typing import Any

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM, overwritten
from cnncli.cli.options.export import Settings
from cnncli.cli.streams import write_line, write_stdout
from cnncli.cli.trained import load_named
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import in_unicode, shown
from cnncli.onnx.model import difference, onnx_model, sensitivity
from cnncli.text import printable
from cnncli.training.checkpoint import Checkpoint

MOST_APART = 5e-6  # of the largest output: what the same sums in another order make
ROUNDINGS = 8  # times what the last digit of the input alone makes, where that is more: all layers round


def run(settings: Settings) -> int:
    """Write the model, and return the exit code.

    Raises
    ------
    UsageError
        Where there is no such network, or no such model of it.
    CnncliError
        Where ONNX Runtime's outputs are not ours.
    """
    checkpoint = load_named(settings.model)
    target = (
        settings.output
        or f"{Path(settings.model).name.removesuffix('.safetensors').removesuffix('.onnx')}.onnx"
    )
    if target != STREAM and checkpoint.path and overwritten([target], [str(checkpoint.path)]):
        raise UsageError(
            f"the output {shown(target)} is also read; expected another file", "Choose another name with -o."
        )
    try:
        data = onnx_model(checkpoint, opset=settings.opset, with_preprocessing=settings.with_preprocessing)
        apart = _verified(checkpoint, data, settings) if settings.verify else None
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    if target == STREAM:
        write_stdout(data)
        return DONE
    write_atomic(Path(target), data)
    about = _about(checkpoint, settings, len(data), apart)
    if settings.json:
        write_line(as_json({"input": in_unicode(settings.model), "output": in_unicode(target), **about}))
    elif not settings.quiet:
        write_line(printable(target))
    return DONE


def _verified(checkpoint: Checkpoint, data: bytes, settings: Settings) -> float:
    """How far ONNX Runtime's outputs are from ours, as a share of the largest.

    Raises
    ------
    CnncliError
        Where that is more than rounding.
    """
    apart = difference(data, checkpoint, with_preprocessing=settings.with_preprocessing)
    if apart <= MOST_APART:
        return apart
    moved = sensitivity(checkpoint)
    most = max(MOST_APART, ROUNDINGS * moved)
    if not apart <= most:
        raise CnncliError(
            f"ONNX Runtime's outputs differ from ours by {apart:.2g} of the largest; expected at most "
            f"{most:.2g}",
            "Report this network: nothing was written.",
        )
    report(
        f"note: ONNX Runtime's outputs differ from ours by {apart:.2g} of the largest: this network enlarges "
        f"rounding, and the last digit of its input moves them by {moved:.2g}"
    )
    return apart


def _about(checkpoint: Checkpoint, settings: Settings, size: int, apart: float | None) -> dict[str, Any]:
    return {
        "model": checkpoint.architecture.name,
        "task": checkpoint.task.name,
        "opset": settings.opset,
        "preprocessing": settings.with_preprocessing,
        "bytes": size,
        "difference": apart,
    }
