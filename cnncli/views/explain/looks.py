"""How each kind of filter is explained: a literal table."""

from collections.abc import Callable
from dataclasses import dataclass

from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.bilateral import Bilateral
from cnncli.filters.kinds.canny import Canny
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.kuwahara import Kuwahara
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.kinds.median import Median
from cnncli.filters.kinds.morphology import Morphology
from cnncli.filters.kinds.unsharp import Unsharp
from cnncli.filters.kinds.zero_crossings import ZeroCrossings
from cnncli.filters.model import Filter
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome
from cnncli.views.explain.kinds import (
    bank,
    bilateral,
    canny,
    gradient,
    kuwahara,
    linear,
    median,
    morphology,
    plain,
    zero_crossings,
)
from cnncli.views.explain.model import Explanation, Grid, Place


@dataclass(frozen=True)
class Look:
    """What a page shows of a kind.

    Attributes
    ----------
    caption : callable
        Says in a few short sentences what the filter does with a window.
    draw : callable
        Draws what the filter is made of, centred across a room; returns the y below it.
    work_out : callable
        Works out the response from the pixels of a window, in the numbers and lines that the page shows.
        The last argument is the side of the cells that the numbers have to fit into, in pixels; 0: as large
        as they need.
    """

    caption: Callable[[Explanation], str]
    draw: Callable[[Canvas, Box, Explanation], int]
    work_out: Callable[[Explanation, Grid, Place, int], Outcome]


LOOKS: dict[type[Filter], Look] = {
    Linear: Look(linear.caption, linear.draw, linear.work_out),
    Unsharp: Look(linear.caption, linear.draw, linear.work_out),
    Gradient: Look(gradient.caption, gradient.draw, gradient.work_out),
    Bank: Look(bank.caption, bank.draw, bank.work_out),
    Median: Look(median.caption, median.draw, median.work_out),
    Bilateral: Look(bilateral.caption, bilateral.draw, bilateral.work_out),
    Kuwahara: Look(kuwahara.caption, kuwahara.draw, kuwahara.work_out),
    Morphology: Look(plain.caption, morphology.draw, plain.work_out),
    Canny: Look(canny.caption, canny.draw, canny.work_out),
    ZeroCrossings: Look(zero_crossings.caption, zero_crossings.draw, zero_crossings.work_out),
}
PLAIN = Look(plain.caption, plain.draw, plain.work_out)


def look_of(e: Explanation) -> Look:
    """Return the look of a filter's kind, or that of kinds without one of their own."""
    return LOOKS.get(type(e.filter), PLAIN)
