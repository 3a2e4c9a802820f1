"""One kernel: drawn as written and as applied to the image, multiplied out over a window."""

from cnncli.filters.kinds.unsharp import Unsharp
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, Result, result, settled, weigh
from cnncli.views.explain.kernels import draw_kernels
from cnncli.views.explain.model import Explanation, Grid, Place, decimals_of, number
from cnncli.views.explain.wording import rotated, scaled


def caption(e: Explanation) -> str:
    """Say how many weights there are and what they add up to."""
    taps = e.stack[0]
    total = round(float(taps.sum()), 6)
    start = "A single weight," if taps.size == 1 else f"{taps.size} weights, which add up to"
    s = f"{start} {number(total, decimals_of([total]))}"
    if total == 0:
        s += ": a flat area gives 0"
    elif total == 1 and taps.size > 1:
        s += ": a flat area stays as it is"
    return f"{s}.{rotated(e)}{scaled(e)}"


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the kernel; return the y below it."""
    return draw_kernels(canvas, room, e)


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Multiply the kernel out."""
    branch, found = weigh(patch, e.stack[0], "kernel", cell)
    lines, found = settled(found)
    if isinstance(e.filter, Unsharp) and e.filter.min_change > 0:
        kept, found = _kept_if_alike(e, e.filter, patch, found)
        lines = (*lines, *kept)
    return Outcome((branch,), lines, found)


def _kept_if_alike(e: Explanation, f: Unsharp, patch: Grid, found: Result) -> tuple[tuple[str, ...], Result]:
    """Compare the response with the pixel itself, which stays where they differ by less than a threshold."""
    x, y = e.pivot
    middle = Result(float(patch.printed[y, x]), float(patch.values[y, x]), patch.decimals)
    least = f.min_change * e.full
    change = result(abs(found.shown - middle.shown), abs(found.real - middle.real))
    small = change.real < least
    line = f"a change of {change.text}, threshold {number(least, decimals_of([least]))}: "
    return (line + ("the pixel stays" if small else "applied"),), middle if small else found
