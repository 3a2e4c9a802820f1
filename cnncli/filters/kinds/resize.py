"""Another size: antialiased where a picture becomes smaller."""

from collections.abc import Sequence

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.errors import CnncliError
from cnncli.filters.entry import Entry, Example, Parameter, spec_of
from cnncli.filters.geometry import MAX_SIDE, Size, parse_size
from cnncli.filters.model import TYPICAL, Filter, Geometry, Move, Patch, Place, Plan, View, Weights
from cnncli.filters.moves import nearest, run_moved, run_resize, taps_for
from cnncli.images.resize import INTERPOLATIONS
from cnncli.records import record, replace

WAYS = (*INTERPOLATIONS, "area")


@record(kw_only=True, eq=False)
class Resize(Move):
    """A picture of another size.

    Attributes
    ----------
    size : Size
        Of the result.
    interpolation : str
        One of `WAYS`.
    """

    size: Size
    interpolation: str

    def result_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """By the size that is asked for."""
        height, width = self.size.of(shape)
        if max(height, width) > MAX_SIDE:
            raise CnncliError(
                f"resize: {self.size} of {shape[1]} x {shape[0]} pixels is {width} x {height}; "
                f"expected at most {MAX_SIDE:,} a side",
                "Give a smaller size.",
            )
        return height, width

    def place(self, shape: tuple[int, int]) -> Place:
        """The outer edges stay."""
        after = self.result_shape(shape)
        across, down = shape[1] / after[1], shape[0] / after[0]
        return Place(((across - 1) / 2, (down - 1) / 2), (across, down))

    def source_rows(self, shape: tuple[int, int], rows: tuple[int, int]) -> tuple[int, int]:
        """Those under the taps."""
        height = self.result_shape(shape)[0]
        if self.interpolation == "nearest":
            found = nearest(shape[0], height, rows)
            return int(found[0]), int(found[-1]) + 1
        taps = taps_for(shape[0], height, self.interpolation, rows)
        return int(taps.first.min()), int(taps.beyond.max())

    def unmixed(self) -> "Resize":
        """By the nearest pixel."""
        return replace(self, interpolation="nearest")

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``resize``: rows, then columns; or copies of the nearest pixels."""
        how = (
            "nearest pixels"
            if self.interpolation == "nearest"
            else f"{self.interpolation}, rows, then columns"
        )
        return Plan("resize", how)

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """One, by whether the picture becomes larger; nearest pixels are copied."""
        return ("move_pixels",) if self.interpolation == "nearest" else ()

    def move(self, surface: Surface, view: View, *, threads: int) -> int:
        """Sums of rows, then of columns."""
        sides = list(zip(view.source, view.result, (view.rows, view.columns), strict=True))
        if self.interpolation == "nearest":
            rows, columns = (nearest(*side) for side in sides)
            return run_moved(
                surface, lambda pixels: pixels[rows - view.top].take(columns, axis=1), threads=threads
            )
        down, across = (
            taps_for(before, after, self.interpolation, window) for before, after, window in sides
        )
        return run_resize(surface, (replace(down, first=down.first - view.top), across), threads=threads)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixels that the middle of the result is made of."""
        from cnncli.filters.worked import show

        pixels = np.array(patch, np.float64)
        height, width = self.result_shape((pixels.shape[0], pixels.shape[1]))
        made = f"{pixels.shape[1]} x {pixels.shape[0]} pixels become {width} x {height}"
        middle = (height // 2, width // 2)
        windows = zip(pixels.shape, (height, width), middle, strict=True)
        if self.interpolation == "nearest":
            row, column = (int(nearest(before, after, (at, 1))[0]) for before, after, at in windows)
            return [f"{made}: column {column}, row {row}"], float(pixels[row, column])
        down, across = (taps_for(before, after, self.interpolation, (at, 1)) for before, after, at in windows)
        part = pixels[down.first[0] : down.beyond[0], across.first[0] : across.beyond[0]]
        weights = np.outer(down.weights, across.weights)
        terms = " + ".join(
            f"{show(weight)}×{show(pixel)}"
            for weight, pixel in zip(weights.ravel().tolist(), part.ravel().tolist(), strict=True)
        )
        return [f"{made}: {terms}"], float((weights * part).sum())


def resize(*, size: str = "50%", interpolation: str = "bilinear") -> Filter:
    """Make a change of size."""
    return Resize(
        name="resize",
        spec=spec_of("resize", size=size, interpolation=interpolation),
        clips=interpolation in ("bicubic", "lanczos"),
        size=parse_size(size, "resize"),
        interpolation=interpolation,
    )


RESIZE = Entry(
    name="resize",
    family="geometry",
    summary="another size, antialiased where it becomes smaller",
    parameters=(
        Parameter(
            name="size",
            meaning="of the result, as ImageMagick writes it; the aspect stays but with ! and 50%x30%",
            default="50%",
            kind="size",
            aliases=("scale", "width"),
        ),
        Parameter(
            name="interpolation",
            meaning="between pixels; area is the mean of those under a pixel",
            default="bilinear",
            kind="choice",
            choices=WAYS,
            synonyms={
                **dict.fromkeys(("linear", "triangle"), "bilinear"),
                **dict.fromkeys(("cubic", "catrom"), "bicubic"),
                **dict.fromkeys(("lanczos3", "antialias"), "lanczos"),
                **dict.fromkeys(("point", "neighbor", "nearest-neighbor", "none"), "nearest"),
                **dict.fromkeys(("box", "mean", "average"), "area"),
            },
            aliases=("filter", "method", "resample"),
        ),
    ),
    build=resize,
    source="R. G. Keys: Cubic Convolution Interpolation for Digital Image Processing, 1981",
    example=Example(
        spec="resize:size=50%,interpolation=area",
        patch=((0.1, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.1), (0.2, 0.2, 0.4, 0.8), (0.2, 0.2, 0.4, 0.8)),
        expected=0.6,
        note="the mean of the four pixels at the lower right",
    ),
    colons=True,
)

ENTRIES = {RESIZE.name: RESIZE}
