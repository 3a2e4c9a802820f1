"""A part of a picture."""

from collections.abc import Sequence

from cnncli.core.tiling import Surface
from cnncli.errors import CnncliError
from cnncli.filters.entry import Entry, Example, Parameter, spec_of
from cnncli.filters.geometry import Area, parse_area
from cnncli.filters.model import TYPICAL, Filter, Geometry, Move, Patch, Place, Plan, View, Weights
from cnncli.filters.moves import run_moved
from cnncli.records import record

#: Where offsets are measured from: shares of what is left over (x, y), and the direction of offsets.
GRAVITIES = {
    "northwest": (0.0, 0.0), "north": (0.5, 0.0), "northeast": (1.0, 0.0),
    "west": (0.0, 0.5), "center": (0.5, 0.5), "east": (1.0, 0.5),
    "southwest": (0.0, 1.0), "south": (0.5, 1.0), "southeast": (1.0, 1.0),
}  # fmt: skip


@record(kw_only=True, eq=False)
class Crop(Move):
    """A part of a picture.

    Attributes
    ----------
    area : Area
        Its size, and how far it lies from where it is measured.
    gravity : str
        A key of `GRAVITIES`: where that is.
    """

    area: Area
    gravity: str

    def corner(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(x, y) of the part's first pixel."""
        height, width = self._size(shape)
        offset = self.area.offset or (0, 0)
        spare = (shape[1] - width, shape[0] - height)
        x, y = (
            int(share * left) + (-by if share == 1 else by)
            for share, left, by in zip(GRAVITIES[self.gravity], spare, offset, strict=True)
        )
        return x, y

    def _size(self, shape: tuple[int, int]) -> tuple[int, int]:
        if self.area.size.percent:
            return self.area.size.of(shape)
        return int(self.area.size.height or 0), int(self.area.size.width or 0)

    def result_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """The part's size; it has to lie in the picture."""
        height, width = self._size(shape)
        x, y = self.corner(shape)
        if min(x, y) < 0 or x + width > shape[1] or y + height > shape[0]:
            raise CnncliError(
                f"crop: {self.area} is {width} x {height} pixels from column {x} and row {y} on, and the "
                f"picture has {shape[1]} x {shape[0]}; expected a part that lies inside",
                "Give a smaller size or another offset.",
            )
        return height, width

    def place(self, shape: tuple[int, int]) -> Place:
        """Beginning at its corner."""
        return Place(self.corner(shape))

    def source_rows(self, shape: tuple[int, int], rows: tuple[int, int]) -> tuple[int, int]:
        """The same rows."""
        top = self.corner(shape)[1] + rows[0]
        return top, top + rows[1]

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``copy``."""
        return Plan("copy", "")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """One."""
        return ("move_pixels",)

    def move(self, surface: Surface, view: View, *, threads: int) -> int:
        """Copy the part."""
        x, y = self.corner(view.source)
        left, top = x + view.columns[0], y + view.rows[0] - view.top
        rows, columns = slice(top, top + view.rows[1]), slice(left, left + view.columns[1])
        return run_moved(surface, lambda pixels: pixels[rows, columns], threads=threads)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixel in the middle of the part."""
        shape = (len(patch), len(patch[0]))
        height, width = self.result_shape(shape)
        x, y = self.corner(shape)
        column, row = x + width // 2, y + height // 2
        part = f"{width} x {height} pixels from column {x} and row {y} on"
        return [f"the middle of {part}: column {column}, row {row}"], float(patch[row][column])


def crop(*, area: str = "50%", gravity: str | None = None) -> Filter:
    """Make a crop."""
    found = parse_area(area, "crop")
    chosen = gravity or ("center" if found.offset is None else "northwest")
    return Crop(name="crop", spec=spec_of("crop", area=area, gravity=chosen), area=found, gravity=chosen)


CROP = Entry(
    name="crop",
    family="geometry",
    summary="a part: its size, and the offset of its corner",
    parameters=(
        Parameter(
            name="area",
            meaning="width x height + x + y, as ImageMagick writes it",
            default="50%",
            kind="area",
            aliases=("size", "geometry", "region"),
        ),
        Parameter(
            name="gravity",
            meaning="where offsets are measured from, towards the middle; with some, northwest by itself",
            default="center",
            kind="choice",
            choices=tuple(GRAVITIES),
            synonyms={
                **dict.fromkeys(("centre", "middle"), "center"),
                **dict.fromkeys(("top-left", "topleft"), "northwest"),
                **dict.fromkeys(("top-right", "topright"), "northeast"),
                **dict.fromkeys(("bottom-left", "bottomleft"), "southwest"),
                **dict.fromkeys(("bottom-right", "bottomright"), "southeast"),
                "top": "north",
                "left": "west",
                "right": "east",
                "bottom": "south",
            },
            aliases=("anchor",),
        ),
    ),
    build=crop,
    source="ImageMagick: Command-line Processing, section Image Geometry, 2024",
    example=Example(
        spec="crop:area=1x1+2+0,gravity=northwest",
        patch=((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
        expected=0.3,
        note="one pixel at column 2, row 0",
    ),
    colons=True,
)

ENTRIES = {CROP.name: CROP}
