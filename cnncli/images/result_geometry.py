"""How the pixels of a result lie in the picture that it was made from."""

from cnncli.records import record


@record
class ResultGeometry:
    """The place of a result.

    Attributes
    ----------
    before, after : (width, height)
        Of the picture as it lies upright, and of the result.
    offset : (x, y)
        The pixel of the picture on which the first pixel of the result lies; negative outside.
    step : (x, y)
        Pixels of the picture from one pixel of the result to the next.
    turned : bool
        Whether the picture did not lie upright in its file, so that what names places is wrong anyway.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    step: tuple[int, int] = (1, 1)
    turned: bool = False

    @property
    def unmoved(self) -> bool:
        """Whether every pixel lies where it lay."""
        return self.before == self.after and self.offset == (0, 0) and self.step == (1, 1) and not self.turned

    def spans(self, axis: int) -> bool:
        """Whether the result goes from the first to the last pixel of an axis."""
        return self.offset[axis] == 0 and self.after[axis] == -(-self.before[axis] // self.step[axis])
