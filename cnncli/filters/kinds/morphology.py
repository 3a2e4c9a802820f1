"""Morphology with flat structuring elements: erosion, dilation, and what is made of them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.elements import Element, Mask, cross, diamond, disk, line, square
from cnncli.filters.entry import Entry, Example, Parameter, spec_of
from cnncli.filters.execute import dense_shape, run_direct, store_responses
from cnncli.filters.extremes import Base, compared_type, run_extremes
from cnncli.filters.model import TYPICAL, Filter, Floats, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.filters.rgbx import run_on_rgb
from cnncli.filters.smoothing import ANGLE_MEANING
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame

Operation = Literal["erode", "dilate", "open", "close", "tophat", "blackhat", "morph-gradient"]
Covered = Literal["filtered", "kept"] | None
Numbers = NDArray[np.float64]

MAX_SIDE, MAX_RADIUS, MAX_LENGTH = 1025, 255, 511
_SHOWN = 25  # values of a window that are spelled out
#: Whether the largest is taken first, and then the smallest: an opening erodes, then dilates.
_TWICE = {"open": False, "tophat": False, "close": True, "blackhat": True}
_DIFFERENCES = ("tophat", "blackhat", "morph-gradient")
_EXPLAINED = {
    "erode": "No weights: the smallest of the pixels under the element is taken; bright shapes shrink.",
    "dilate": "No weights: the largest of the pixels under the element is taken; bright shapes grow.",
    "open": "An erosion, then a dilation of it: bright shapes that the element does not fit into vanish.",
    "close": "A dilation, then an erosion of it: dark gaps that the element does not fit into are filled.",
    "tophat": "The pixel minus its opening: bright details that the element does not fit into.",
    "blackhat": "The closing minus the pixel: dark details that the element does not fit into.",
    "morph-gradient": "The largest minus the smallest of the pixels under the element.",
}


@record(kw_only=True, eq=False)
class Morphology(Filter):
    """An operation with a flat structuring element.

    Attributes
    ----------
    operation : str
        A name of the catalog.
    cells : ndarray of bool, shape (kh, kw), both odd
        The element's cells, symmetric about the middle one.
    """

    operation: Operation
    cells: Mask

    leaves_out = True

    @property
    def element(self) -> Element:
        """The structuring element."""
        return Element(self.cells)

    @property
    def explained(self) -> str:  # type: ignore[override]
        """What is done with the pixels under the window."""
        return _EXPLAINED[self.operation]

    @property
    def reach(self) -> int:
        """Of the element, twice where a second pass follows the first."""
        return max(self.element.reach) * (2 if self.operation in _TWICE else 1)

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """A flat area keeps its value, and has no differences."""
        return 0.0 if self.operation in _DIFFERENCES else 1.0

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``morphology``: one pass or two, by blocks of columns or run by run."""
        height, width = self.cells.shape
        how = "columns in blocks" if self.element.is_tall_rectangle else "by runs"
        passes = "two passes" if self.operation in (*_TWICE, "morph-gradient") else "one pass"
        return Plan(
            "morphology", f"{np.count_nonzero(self.cells)} cells of {width} x {height}, {passes}, {how}"
        )

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Compare the pixels under the element."""
        return plan, run_on_rgb(
            lambda rgb: run_morphology(self, rgb, threads=threads), surface, threads=threads
        )

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Transparent pixels do not count; opacity is eroded and dilated too, but stays with differences.

        A mask of data that are there is no shape with edges that move: it stays where anything is seen.
        """
        color = np.where(frame.cover > 0, frame.color, np.float32(np.nan))
        if self.operation not in _DIFFERENCES:
            found, after = self._moved(frame, color, self.operation)
            if not frame.run.options.masked:
                return found, after
            return found, np.asarray(~np.isnan(found).all(axis=2, keepdims=True), np.float32)
        after = frame.unchanged_cover(self)
        if self.operation == "morph-gradient":
            high, low = (self._moved(frame, color, each)[0] for each in ("dilate", "erode"))
        else:
            unchanged = frame.run.unfiltered(self, frame.color, last=frame.last)
            moved, _ = self._moved(frame, color, "open" if self.operation == "tophat" else "close")
            high, low = (unchanged, moved) if self.operation == "tophat" else (moved, unchanged)
        return np.where(np.isnan(high), np.float32(0), high) - np.where(
            np.isnan(low), np.float32(0), low
        ), after

    def _moved(self, frame: "CoveredFrame", color: Floats, operation: str) -> tuple[Floats, Floats]:
        """Colours and opacity of an operation that moves shapes' edges."""
        pixels = replace(frame, color=color)
        surface = frame.run.surface(
            self, np.concatenate([color, frame.cover], axis=2, dtype=np.float32), None, last=frame.last
        )
        if not np.isnan(surface.fill):
            surface = pixels.interleaved(self)
        moved = replace(self, operation=operation)
        spare = self.reach - moved.reach
        if spare:
            surface = _trimmed(surface, (spare, spare))
        stays = self.operation in _DIFFERENCES or frame.run.options.masked
        covered: Covered = "kept" if stays else "filtered"
        run_morphology(moved, surface, threads=frame.run.threads, covered=covered)
        found = np.asarray(surface.out, np.float32)
        return found[..., :-1], found[..., -1:]

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixels under the element, and which of them is taken."""
        values = np.array(patch, np.float64)
        y, x = values.shape[0] // 2, values.shape[1] // 2
        if self.operation == "morph-gradient":
            (low_line, low), (high_line, high) = (self._extreme(values, y, x, most) for most in (False, True))
            told, value = _difference(high, low)
            return [low_line, high_line, told], value
        if self.operation not in _TWICE:
            told, value = self._extreme(values, y, x, self.operation == "dilate")
            return [told], value
        first = _TWICE[self.operation]
        down, across = (side // 2 for side in self.cells.shape)
        middle = np.full(values.shape, np.nan)
        for row, column in np.argwhere(self.cells):
            place = y + row - down, x + column - across
            middle[place] = self._extreme(values, *place, first)[1]
        told, value = self._extreme(middle, y, x, not first)
        lines = [
            f"{'largest' if first else 'smallest'} around each cell: {_listed(middle[~np.isnan(middle)])}"
        ]
        lines.append(told)
        if self.operation in ("tophat", "blackhat"):
            pair = (values[y, x], value) if self.operation == "tophat" else (value, values[y, x])
            told, value = _difference(*pair)
            lines.append(told)
        return lines, float(value)

    def _extreme(self, values: Numbers, y: int, x: int, largest: bool) -> tuple[str, float]:
        """The smallest or largest value under the element at a place, in words too."""
        from cnncli.filters.worked import show

        down, across = (side // 2 for side in self.cells.shape)
        seen = values[y - down : y + down + 1, x - across : x + across + 1][self.cells]
        value = float(seen.max() if largest else seen.min())
        return f"{'largest' if largest else 'smallest'} of {_listed(seen)}: {show(value)}", value


def _difference(high: float, low: float) -> tuple[str, float]:
    """A difference of the numbers that are shown, in words and as a number."""
    from cnncli.filters.worked import show

    value = float(show(high)) - float(show(low))
    return f"the difference: {show(high)} - {show(low)} = {show(value)}", value


def _listed(values: Numbers) -> str:
    from cnncli.filters.worked import show

    shown = " ".join(show(value) for value in values[:_SHOWN].tolist())
    return shown if len(values) <= _SHOWN else f"{shown} … ({len(values)})"


def run_morphology(filter: Morphology, surface: Surface, *, threads: int, covered: Covered = None) -> int:
    """Run an operation over a surface.

    NaN does not count, nor do pixels at -1 in the maps if the fill is NaN, in either pass.

    Parameters
    ----------
    filter : Morphology
        The operation and its element.
    surface : Surface
        Maps as long as `Morphology.reach` asks for; not RGBX.
    threads : int
        Threads to use; the result does not depend on it.
    covered : str or None
        The last channel is opacity, ``filtered`` too or ``kept``: after the first of two passes, colours
        without any do not count.

    Returns
    -------
    int
        Values that the output's type clipped.

    Source
    ------
    P. Soille: Morphological Image Analysis, 2nd ed., 2003, ch. 3 and 4 (flat elements).
    """
    if surface.stride != (1, 1):
        across, down = surface.stride
        side = 2 * filter.reach + 1
        responses = aligned_empty(dense_shape(surface, (side, side)), np.float32)
        dense = replace(surface, out=responses, stride=(1, 1), absolute=False, scale=1.0, bias=0.0)
        run_morphology(filter, dense, threads=threads, covered=covered)
        return store_responses(np.ascontiguousarray(responses[::down, ::across]), surface)
    element, operation = filter.element, filter.operation
    spare = tuple(filter.reach - each for each in element.reach)
    if operation not in _TWICE:
        seen = _trimmed(surface, spare)
        if operation != "morph-gradient":
            return run_extremes(element, seen, largest=operation == "dilate", threads=threads)
        low = aligned_empty(surface.out.shape, compared_type(surface))
        run_extremes(element, _plain(seen, low), largest=False, threads=threads)
        return run_extremes(element, seen, largest=True, threads=threads, base=Base(low, less_result=False))
    first = _TWICE[operation]
    base = None
    if operation in _DIFFERENCES:
        base = Base(_center(surface, filter.reach), less_result=operation == "tophat")
    second = _first_pass(element, surface, filter.reach, largest=first, threads=threads, covered=covered)
    return run_extremes(element, second, largest=not first, threads=threads, base=base)


def _first_pass(
    element: Element, surface: Surface, reach: int, *, largest: bool, threads: int, covered: Covered
) -> Surface:
    """The surface over the first pass's result that the second one reads."""
    seen = _trimmed(surface, tuple(reach - 2 * each for each in element.reach))
    maps, inner = [], []
    for wide, each in zip((seen.xmap, seen.ymap), element.reach, strict=True):
        places = wide[each : wide.size - each]
        inside = np.flatnonzero(places >= 0) if np.isnan(surface.fill) else np.arange(places.size)
        low, high = int(inside[0]), int(inside[-1]) + 1
        maps.append(wide[low : high + 2 * each])
        inner.append(np.where((at := np.arange(places.size)) >= high, -1, np.maximum(at - low, -1)))
    width, height = (int(each.max()) + 1 for each in inner)
    middle = aligned_empty((height, width, surface.channels), compared_type(surface))
    run_extremes(
        element,
        replace(_plain(seen, middle), xmap=maps[0], ymap=maps[1]),
        largest=largest,
        threads=threads,
    )
    if covered:
        if covered == "kept":
            down, across = (
                each[at : each.size - at] for each, at in zip(maps[::-1], element.reach[::-1], strict=True)
            )
            middle[..., -1] = surface.src[..., -1][down][:, across]
        middle[..., :-1][middle[..., -1] <= 0] = np.nan
    return replace(surface, src=middle, xmap=inner[0], ymap=inner[1], luma=None)


def _plain(surface: Surface, out: NDArray[np.generic]) -> Surface:
    """The same surface with another output, whose values are not mapped."""
    return replace(surface, out=out, absolute=False, scale=1.0, bias=0.0)


def _trimmed(surface: Surface, spare: Sequence[int]) -> Surface:
    """The same surface with maps that are shorter by so many (x, y) at either end."""
    x, y = spare
    return replace(
        surface,
        xmap=surface.xmap[x : surface.xmap.size - x],
        ymap=surface.ymap[y : surface.ymap.size - y],
    )


def _center(surface: Surface, reach: int) -> NDArray[np.generic]:
    """The source at the output's positions, in the type that is compared."""
    seen = _trimmed(surface, (reach, reach))
    out = np.empty(surface.out.shape, compared_type(surface))
    run_direct(np.ones((1, 1)), _plain(seen, out), dilation=1, threads=1)
    return out


def _build(operation: Operation, values: Mapping[str, float | str]) -> Filter:
    """Make a filter of the parameters that were given."""
    named = {key.replace("_", "-"): value for key, value in values.items()}
    shape = str(named.pop("shape", "square"))
    full = {key: named.get(key, _DEFAULTS[key]) for key in FORMS[shape] if key != "size-y"}
    if "size-y" in named and named["size-y"] != full["size"]:
        full["size-y"] = named["size-y"]
    numbers = {key: float(value) for key, value in full.items()}
    spec = spec_of(operation, shape=shape, **{key.replace("-", "_"): value for key, value in numbers.items()})
    return Morphology(
        name=operation,
        spec=spec,
        signed=False if operation in _DIFFERENCES else None,
        operation=operation,
        cells=_cells(shape, numbers),
    )


def _cells(shape: str, numbers: Mapping[str, float]) -> Mask:
    """The cells of an element."""
    if shape == "square":
        return square(int(numbers["size"]), int(numbers.get("size-y", numbers["size"])))
    if shape == "cross":
        return cross(int(numbers["size"]))
    if shape == "line":
        return line(numbers["length"], numbers["angle"])
    return disk(numbers["radius"]) if shape == "disk" else diamond(int(numbers["radius"]))


#: The shapes of elements, and what follows each without a name.
FORMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "square": ("size", "size-y"),
        "disk": ("radius",),
        "diamond": ("radius",),
        "cross": ("size",),
        "line": ("length", "angle"),
    }
)
_DEFAULTS = {"size": 3.0, "radius": 3.0, "length": 9.0, "angle": 0.0}

PARAMETERS = (
    Parameter(
        name="shape",
        meaning="of the structuring element",
        default="square",
        kind="choice",
        choices=tuple(FORMS),
        synonyms={
            **dict.fromkeys(("rect", "rectangle", "box"), "square"),
            **dict.fromkeys(("disc", "circle", "ellipse", "round"), "disk"),
            **dict.fromkeys(("rhombus",), "diamond"),
            **dict.fromkeys(("plus",), "cross"),
        },
        aliases=("element", "kernel", "footprint"),
    ),
    Parameter(
        name="size", meaning="columns and rows of a square or a cross", default="3", kind="odd", low=1,
        high=MAX_SIDE, aliases=("ksize", "width"),
    ),
    Parameter(
        name="size-y", meaning="rows of a square", default="as size", kind="odd", low=1, high=MAX_SIDE,
        aliases=("height",),
    ),
    Parameter(
        name="radius", meaning="pixels, of a disk or a diamond", default="3 of a disk", low=0,
        high=MAX_RADIUS, aliases=("r",),
    ),
    Parameter(name="length", meaning="pixels, of a line", default="9 of a line", low=1, high=MAX_LENGTH),
    Parameter(name="angle", meaning=f"of a line: {ANGLE_MEANING}", default="0 of a line", low=-360, high=360),
)  # fmt: skip

_SPECK = ((0.2, 0.2, 0.3), (0.2, 0.9, 0.3), (0.2, 0.2, 0.3))
_WIDE = ((0.2,) * 5, (0.2, 0.3, 0.2, 0.2, 0.2), (0.2, 0.2, 0.9, 0.4, 0.2), (0.2,) * 5, (0.2,) * 5)


def _entry(
    operation: Operation, summary: str, *, source: str, patch: Patch, expected: float, note: str
) -> Entry:
    def build(**values: float | str) -> Filter:
        return _build(operation, values)

    spec = f"{operation}:shape=square,size=3"
    example = Example(spec=spec, patch=tuple(map(tuple, patch)), expected=expected, note=note)
    return Entry(
        name=operation,
        family="morphology",
        summary=summary,
        parameters=PARAMETERS,
        build=build,
        source=source,
        example=example,
        forms=FORMS,
    )


_SERRA = "J. Serra: Image Analysis and Mathematical Morphology, 1982, ch. 2 and 12"
_MEYER = "F. Meyer: Iterative Image Transformations for the Automatic Screening of Cervical Smears, 1979"
_DARK = tuple(tuple(round(1 - value, 3) for value in row) for row in _WIDE)
_ENTRIES = (
    _entry(
        "erode",
        "smallest pixel under an element: bright shapes shrink, dark ones grow",
        source=_SERRA,
        patch=_SPECK,
        expected=0.2,
        note="the smallest of nine",
    ),
    _entry(
        "dilate",
        "largest pixel under an element: bright shapes grow, dark ones shrink",
        source=_SERRA,
        patch=_SPECK,
        expected=0.9,
        note="the largest of nine",
    ),
    _entry(
        "open",
        "erosion, then dilation: removes bright specks and thin bright lines",
        source=_SERRA,
        patch=_WIDE,
        expected=0.2,
        note="every square of nine around here holds a 0.2",
    ),
    _entry(
        "close",
        "dilation, then erosion: fills dark specks and thin dark gaps",
        source=_SERRA,
        patch=_WIDE,
        expected=0.9,
        note="every square of nine around here holds the 0.9",
    ),
    _entry(
        "tophat",
        "the image minus its opening: small bright details",
        source=_MEYER,
        patch=_WIDE,
        expected=0.7,
        note="0.9 minus the opening, 0.2",
    ),
    _entry(
        "blackhat",
        "the closing minus the image: small dark details",
        source=_MEYER,
        patch=_DARK,
        expected=0.7,
        note="the closing, 0.8, minus 0.1",
    ),
    _entry(
        "morph-gradient",
        "dilation minus erosion: edges, by the spread under an element",
        source="S. Beucher: Segmentation d'images et morphologie mathematique, 1990, ch. 2",
        patch=_SPECK,
        expected=0.7,
        note="0.9 - 0.2",
    ),
)

ENTRIES = {entry.name: entry for entry in _ENTRIES}
