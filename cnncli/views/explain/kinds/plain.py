"""Any kind of filter that has no look of its own: its arithmetic is what ``cnncli kernels`` spells out."""

from cnncli.filters.worked import show
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, Result, result
from cnncli.views.explain.model import Explanation, Grid, Place


def caption(e: Explanation) -> str:
    """Say what the filter does with a window."""
    return e.filter.explained or "What it does with each window is shown below."


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw nothing; return the y below it."""
    return room.top


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Spell out what the filter makes of the pixels."""
    lines, value = e.filter.spell_out(patch.values.tolist(), e.full)
    text = show(value)  # as the lines have it
    found = result(value, value)
    if text.lstrip("-").replace(".", "", 1).isdigit():
        found = Result(float(text), value, len(text.partition(".")[2]))
    return Outcome((), tuple(lines), found)
