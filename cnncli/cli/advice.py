"""What ``cnncli convolve`` advises about results that are cut off, or too dim to be seen."""

import numpy as np

from cnncli.cli.messages import report
from cnncli.cli.task import Task
from cnncli.files.faults import shown
from cnncli.images.picture import Picture

_DIM = 0.4  # of full scale; below it lie all but a hundredth of a result that is dim
_SAMPLED = 1 << 16  # pixels that brightness is measured on


def warn_of_clipping(clipped: list[tuple[float, str]], count: int, *, alone: bool) -> None:
    """Say what share of pixels was clipped, and how to keep them.

    Parameters
    ----------
    clipped : list of (share, name)
        Of the results that it is said of.
    count : int
        Results in all.
    alone : bool
        Whether there is one input.
    """
    share, target = max(clipped)
    if alone:
        text = f"{share:.1%} of the pixels were clipped"
    else:
        text = (
            f"pixels were clipped in {len(clipped)} of {count} images, {share:.1%} at most ({shown(target)})"
        )
    report(f"warning: {text}; --range stretch or a smaller --scale keeps them")


def gain_of(task: Task, result: Picture, white: float) -> float:
    """By how much a result of gradients may be brighter, as a whole number; 1 where it is bright enough.

    Edges of full contrast are white, and those of photographs have a fraction of it.
    """
    options = task.options
    edges = task.filters[-1].combines and task.filters[-1].signed is False
    if not edges or options.range is not None or options.scale != 1 or task.bias != "0":
        return 1
    frame = result.frames[0]
    step = max(1, int((frame.shape[0] * frame.shape[1] / _SAMPLED) ** 0.5))
    bright = float(np.percentile(frame[::step, ::step, : frame.shape[2] - result.alpha], 99)) / white
    return max(1, int(1 / bright)) if 0 < bright < _DIM else 1


def advise_on_scale(gains: list[tuple[float, str]], count: int) -> None:
    """Say which ``--scale`` makes the dim results, of so many in all, be seen."""
    gain, target = min(gains)
    who = f"{len(gains)} of {count} results {'is' if len(gains) == 1 else 'are'}"
    if count == 1:
        who = "the result is" if target == "-" else f"{shown(target)} is"
    report(f"note: {who} dim, as edges of photographs are; --scale {gain:g} shows them")
