"""Pictures rotated, mirrored or transposed: copies for quarter turns, interpolated for other angles."""

import math
from collections.abc import Sequence

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.filters.entry import Entry, Example, Parameter, spec_of
from cnncli.filters.model import (
    TYPICAL,
    Filter,
    Geometry,
    Move,
    Patch,
    Place,
    Plan,
    View,
    Weights,
)
from cnncli.filters.moves import Pixels, run_affine, run_moved
from cnncli.records import record, replace

_TAPS = {"nearest": 1, "bilinear": 2, "bicubic": 4}
_WHOLE = 1e-9  # of a pixel, by which a side may be longer without another pixel


@record(kw_only=True, eq=False)
class Turn(Move):
    """Rows and columns in another order.

    Attributes
    ----------
    transposed : bool
        Rows become columns, first of all.
    upside_down, mirrored : bool
        Rows, and columns, of the result are in reverse.
    """

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    @property
    def why_whole(self) -> str:
        """Rows have to come in their order."""
        if self.transposed:
            return "makes rows of columns"
        return "begins with the last row" if self.upside_down else ""

    def result_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """The same, or the other way round."""
        return (shape[1], shape[0]) if self.transposed else shape

    def place(self, shape: tuple[int, int]) -> Place:
        """Each pixel on its own."""
        height, width = self.result_shape(shape)
        column = Place((width - 1 if self.mirrored else 0, 0), (-1 if self.mirrored else 1, 1))
        row = Place((0, height - 1 if self.upside_down else 0), (1, -1 if self.upside_down else 1))
        flipped = row.after(column)
        return flipped.after(Place((0, 0), (0, 0), (1, 1))) if self.transposed else flipped

    def source_rows(self, shape: tuple[int, int], rows: tuple[int, int]) -> tuple[int, int]:
        """The same rows, where they keep their order."""
        return (0, shape[0]) if self.why_whole else (rows[0], rows[0] + rows[1])

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``copy``."""
        return Plan("copy", "rows become columns" if self.transposed else "")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """One."""
        return ("move_pixels",)

    def turned(self, pixels: Pixels) -> Pixels:
        """A view of pixels (H, W, …)."""
        if self.transposed:
            pixels = pixels.swapaxes(0, 1)
        return pixels[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]

    def move(self, surface: Surface, view: View, *, threads: int) -> int:
        """Copy pixels."""
        first = 0 if self.why_whole else view.top
        rows = slice(view.rows[0] - first, view.rows[0] - first + view.rows[1])
        columns = slice(view.columns[0], view.columns[0] + view.columns[1])
        return run_moved(surface, lambda pixels: self.turned(pixels)[rows, columns], threads=threads)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixel that comes to lie in the middle."""
        height, width = self.result_shape((len(patch), len(patch[0])))
        x, y = (int(at) for at in self.place((len(patch), len(patch[0]))).of(width // 2, height // 2))
        told = f"the middle of {width} x {height} pixels was in column {x}, row {y}"
        return [told], float(patch[y][x])


@record(kw_only=True, eq=False)
class Rotation(Move):
    """A picture turned by any angle, on a canvas that holds all of it.

    Attributes
    ----------
    angle : float
        Degrees, clockwise.
    interpolation : str
        A key of ``_TAPS``.
    """

    angle: float
    interpolation: str

    @property
    def why_whole(self) -> str:
        """Rows are made of pixels of many."""
        return "makes each row of many others"

    def _turn(self) -> tuple[float, float]:
        turn = math.radians(self.angle)
        return math.cos(turn), math.sin(turn)

    def result_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """As large as all corners need."""
        height, width = shape
        across, down = (abs(each) for each in self._turn())
        sides = (width * down + height * across, width * across + height * down)
        tall, wide = (max(1, math.ceil(side - _WHOLE)) for side in sides)
        return tall, wide

    def place(self, shape: tuple[int, int]) -> Place:
        """About the middle."""
        height, width = self.result_shape(shape)
        cos, sin = self._turn()
        turn = Place((0, 0), (cos, cos), (sin, -sin))
        middle = turn.of((width - 1) / 2, (height - 1) / 2)
        return replace(turn, offset=((shape[1] - 1) / 2 - middle[0], (shape[0] - 1) / 2 - middle[1]))

    def unmixed(self) -> "Rotation":
        """By the nearest pixel."""
        return replace(self, interpolation="nearest")

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``affine``."""
        return Plan("affine", self.interpolation)

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """One."""
        return ("affine",)

    def move(self, surface: Surface, view: View, *, threads: int) -> int:
        """Take each pixel from its place."""
        place = self.place(view.source)
        start = place.of(view.columns[0], view.rows[0])
        steps = ((place.step[0], place.skew[1]), (place.skew[0], place.step[1]))
        return run_affine(surface, start, steps, _TAPS[self.interpolation], threads=threads)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixels around the place of the result's middle."""
        from cnncli.filters.worked import show

        pixels = np.array(patch, np.float64)
        shape = (pixels.shape[0], pixels.shape[1])
        height, width = self.result_shape(shape)
        x, y = self.place(shape).of(width // 2, height // 2)
        surface = Surface(
            src=pixels[..., None].astype(np.float32),
            out=np.empty((1, 1, 1), np.float32),
            xmap=np.arange(shape[1]),
            ymap=np.arange(shape[0]),
            fill=white * (self.beyond or 0.0),
        )
        self.move(surface, View(shape, (height, width), (height // 2, 1), (width // 2, 1)), threads=1)
        told = f"the middle of {width} x {height} pixels was in column {show(x)}, row {show(y)}"
        return [told], float(surface.out[0, 0, 0])


def rotate(*, angle: float = 90.0, interpolation: str = "bilinear", fill: float = 0.0) -> Filter:
    """Make a rotation: a copy for quarter turns."""
    spec = spec_of("rotate", angle=angle, interpolation=interpolation, fill=fill)
    quarters, rest = divmod(angle, 90)
    if rest:
        return Rotation(name="rotate", spec=spec, beyond=fill, angle=angle, interpolation=interpolation)
    transposed, upside_down, mirrored = _QUARTERS[int(quarters) % 4]
    return Turn(name="rotate", spec=spec, transposed=transposed, upside_down=upside_down, mirrored=mirrored)


#: Quarter turns clockwise: transposed, upside down, mirrored.
_QUARTERS = ((False, False, False), (True, False, True), (False, True, True), (True, True, False))


def flip(*, direction: str = "vertical") -> Filter:
    """Make a reversal of rows, columns or both."""
    spec = spec_of("flip", direction=direction)
    return Turn(
        name="flip", spec=spec, upside_down=direction != "horizontal", mirrored=direction != "vertical"
    )


def flop() -> Filter:
    """Make a reversal of columns."""
    return Turn(name="flop", spec="flop", mirrored=True)


def transpose() -> Filter:
    """Make columns of rows."""
    return Turn(name="transpose", spec="transpose", transposed=True)


_SOURCE = "R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, section 2.6"
_PATCH = ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))

ROTATE = Entry(
    name="rotate",
    family="geometry",
    summary="turned clockwise: exactly by quarters, else on a larger canvas",
    parameters=(
        Parameter(name="angle", meaning="degrees, clockwise", default="90", low=-3600, high=3600),
        Parameter(
            name="interpolation",
            meaning="between pixels, where the angle is no multiple of 90",
            default="bilinear",
            kind="choice",
            choices=tuple(_TAPS),
            synonyms={"linear": "bilinear", "cubic": "bicubic", "point": "nearest"},
            aliases=("filter", "method"),
        ),
        Parameter(
            name="fill",
            meaning="share of white in the corners; they are transparent where the picture has opacity",
            default="0",
            low=0,
            high=1,
            aliases=("background", "beyond"),
        ),
    ),
    build=rotate,
    source=_SOURCE,
    example=Example(
        spec="rotate:angle=90,interpolation=bilinear,fill=0",
        patch=_PATCH,
        expected=0.2,
        note="of 2 x 3 pixels, column 1 and row 1: the first row is the last column now",
    ),
    colons=True,
)

FLIP = Entry(
    name="flip",
    family="geometry",
    summary="upside down, or mirrored: flip:horizontal",
    parameters=(
        Parameter(
            name="direction",
            meaning="vertical turns columns upside down, horizontal mirrors rows",
            default="vertical",
            kind="choice",
            choices=("vertical", "horizontal", "both"),
            synonyms={
                **dict.fromkeys(("v", "y", "up-down", "ud", "upside-down"), "vertical"),
                **dict.fromkeys(("h", "x", "left-right", "lr", "mirror"), "horizontal"),
            },
            aliases=("axis",),
        ),
    ),
    build=flip,
    source=_SOURCE,
    example=Example(
        spec="flip:direction=vertical", patch=_PATCH, expected=0.2, note="row 1 of the result was row 0"
    ),
)

FLOP = Entry(
    name="flop",
    family="geometry",
    summary="mirrored: the first column becomes the last",
    build=flop,
    source=_SOURCE,
    example=Example(
        spec="flop", patch=((0.1, 0.2, 0.3, 0.4),), expected=0.2, note="column 2 of the result was column 1"
    ),
)

TRANSPOSE = Entry(
    name="transpose",
    family="geometry",
    summary="rows become columns: mirrored at the diagonal from the upper left",
    build=transpose,
    source=_SOURCE,
    example=Example(spec="transpose", patch=_PATCH, expected=0.5, note="column 1, row 1 stays"),
)

ENTRIES = {entry.name: entry for entry in (ROTATE, FLIP, FLOP, TRANSPOSE)}
