"""Positions of a result's pixels in the image it was made from."""

from cnncli.records import record


@record
class ResultGeometry:
    """The position of a result in its input.

    Attributes
    ----------
    before, after : (width, height)
        Size of the upright input, and of the result.
    offset : (x, y)
        Position of the result's first pixel in the input; may be negative.
    step : (x, y)
        Distance in input pixels from one pixel of the result to the next.
    turned : bool
        Whether the input was not upright in its file, so that positions in its metadata are wrong anyway.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    step: tuple[int, int] = (1, 1)
    turned: bool = False

    @property
    def unmoved(self) -> bool:
        """Whether every pixel keeps its position."""
        return self.before == self.after and self.offset == (0, 0) and self.step == (1, 1) and not self.turned

    def spans(self, axis: int) -> bool:
        """Whether the result covers an axis from the first to the last pixel."""
        return self.offset[axis] == 0 and self.after[axis] == -(-self.before[axis] // self.step[axis])
