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
        Distance in input pixels from one pixel of the result to the next; negative where it is mirrored.
    skew : (x, y)
        How far x moves with each row of the result, and y with each column: not 0 where it is rotated.
    turned : bool
        Whether the input was not upright in its file, so that positions in its metadata are wrong anyway.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    offset: tuple[float, float] = (0, 0)
    step: tuple[float, float] = (1, 1)
    skew: tuple[float, float] = (0, 0)
    turned: bool = False

    @property
    def unmoved(self) -> bool:
        """Whether every pixel keeps its position."""
        moved = any(self.offset) or any(self.skew) or any(step != 1 for step in self.step)
        return self.before == self.after and not moved and not self.turned

    @property
    def upright(self) -> bool:
        """Whether rows are parts of rows of the input, and lie in the same order."""
        return not any(self.skew) and min(self.step) > 0 and not self.turned

    @property
    def swapped(self) -> bool:
        """Whether rows are columns of the input."""
        return abs(self.step[0]) < abs(self.skew[0])

    def spans(self, axis: int) -> bool:
        """Whether the result covers an axis from the first to the last pixel."""
        if self.offset[axis] == 0 and self.after[axis] == -(-self.before[axis] // self.step[axis]):
            return True
        edge = (
            self.offset[axis] - (self.step[axis] - 1) / 2
        )  # of the first pixel of a picture of another size
        return abs(edge) < 1e-6 and abs(self.after[axis] * self.step[axis] - self.before[axis]) < 1e-6
