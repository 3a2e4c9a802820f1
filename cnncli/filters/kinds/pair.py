"""Arithmetic of two pictures, pixel by pixel: differences, products, blends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import PAIRED_BYTES
from cnncli.core.threads import spread
from cnncli.core.tiling import HEADER_BYTES, Surface, lay_out
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.filters.entry import Entry, Example, Parameter, see, spec_of
from cnncli.filters.execute import clipped_in, store_responses
from cnncli.filters.kinds.levels import every
from cnncli.filters.model import TYPICAL, Filter, Floats, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.filters.rgbx import as_rgb
from cnncli.filters.second import Second, read_second, settled
from cnncli.images.levels import MOST_OF_12_BITS
from cnncli.images.picture import Pixels
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.apply import Depth
    from cnncli.filters.opacity import CoveredFrame
    from cnncli.filters.options import Options

Operation = Literal["add", "subtract", "difference", "multiply", "screen", "darken", "lighten", "blend"]

#: Operations whose results lie around 0 where the first picture's values do.
_KEEPS_SIGN = ("multiply", "darken")
_LEVEL = 0.5


@record(kw_only=True, eq=False)
class Pair(Filter):
    """A picture and a second one of the same size, or a level in its place.

    Attributes
    ----------
    operation : str
        What is done with each pixel.
    share : float
        Of the second picture in a blend.
    level : float
        Share of white, where there is no second picture.
    picture : str
        The second picture's file; empty: the level is taken.
    second : Second or None
        As it was read.
    """

    operation: Operation
    share: float = 1.0
    level: float = _LEVEL
    picture: str = ""
    second: Second | None = None

    explained_alone = False

    @property
    def files(self) -> tuple[str, ...]:
        """The second picture."""
        return (self.picture,) if self.picture else ()

    @property
    def makes_gaps(self) -> bool:
        """Where the second picture has no data, nothing is known."""
        return self.second is not None and self.second.there is not None

    def opened(self, max_pixels: int | None = None) -> Filter:
        """With the second picture in memory, which all pictures share."""
        if not self.picture or self.second is not None:
            return self
        return replace(self, second=read_second(self.name, self.picture, max_pixels))

    @contextmanager
    def in_bands(self) -> Iterator[Filter]:
        """With a large second picture read in bands, too."""
        opened = self.opened()
        assert isinstance(opened, Pair)
        second = opened.second
        if second is None or second.held is None:
            yield opened
            return
        with second.held.in_bands() as held:
            yield replace(opened, second=replace(second, held=held))

    def notes(self, source: "Depth") -> list[str]:
        """That 16 bits of the second picture hold 12 or fewer, where their type says what is white."""
        second = self.second
        if second is None or second.pixels.dtype in (source.dtype, np.float32):
            return []
        if not 0 < second.top <= MOST_OF_12_BITS:
            return []
        return [f"note: {shown(second.name)} is almost black, pixels reach {int(second.top):,} of 65,535"]

    def for_source(self, options: "Options", source: "Depth") -> Filter:
        """With the second picture in the first one's units, and in linear light if that is filtered."""
        opened = self.opened()
        assert isinstance(opened, Pair)
        return replace(
            opened, second=None if opened.second is None else settled(opened.second, options, source)
        )

    def of_channel(self, place: int, colors: int) -> Filter:
        """With the same colour of the second picture, if it has as many; its luma for opacity."""
        opened = self.opened()
        assert isinstance(opened, Pair)
        second = opened.second
        if second is None or place >= colors:
            return opened
        opened.check_channels(colors, alpha=True)
        if second.pixels.shape[2] != colors:
            return opened
        return replace(opened, second=replace(second, channel=place))

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """Values stay in their units, with the same value for missing data."""
        return 1.0

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """Pixel by pixel."""
        return Plan("pixel by pixel", "with a level" if not self.picture else "with a second picture")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """In floats; integers of one type as such where that gives the same."""
        self.check_channels(surface.channels, alpha=False)
        here = self._over(surface)
        second = here.second
        if second is None or second.cover is not None:
            return plan, here._run_blocks(surface, threads)
        other = here._fitted(second.pixels, surface.channels)
        if other.shape[2] < surface.channels:
            other = np.repeat(other, surface.channels, axis=2)
        other = np.ascontiguousarray(other)
        if here._is_exact(surface, other):
            return plan, _run_integers(self.operation, other, surface, threads)
        return plan, here._run_floats(other, surface, threads)

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """Which of the two runs depends on the types of both."""
        return ()

    def _run_floats(self, other: Pixels, surface: Surface, threads: int) -> int:
        """All types, by floats; how many samples were clipped."""
        assert self.second is not None
        job = lay_out(jobs.PAIR, surface, extent=(1, 1))
        job.point("other", other)
        job.record["other_type"], job.record["other_pitch"] = (
            jobs.ELEMENT_TYPES[other.dtype],
            other.strides[0],
        )
        job.record["operation"], job.record["factor"] = jobs.PAIRS[self.operation], self.second.factor
        job.record["white_share"], job.record["share"] = 1 / self.second.white, self.share
        count = job.cut_into_rows()
        size = HEADER_BYTES + 8 * job.pitch
        return clipped_in(native.run("pair", job.record, count, threads=threads, scratch_bytes=size))

    def _is_exact(self, surface: Surface, other: Pixels) -> bool:
        """Whether integers of one type give what floats would, and lie densely."""
        assert self.second is not None
        kind = surface.out.dtype
        plain = (surface.absolute, surface.scale, surface.bias, surface.luma) == (False, 1, 0, None)
        same = surface.src.dtype == other.dtype == kind != np.float32 and self.second.factor == 1
        products = self.operation in ("multiply", "screen")
        known = self.operation != "blend" and (kind == np.uint8 or not products)
        dense = surface.stride == (1, 1) and all(
            each.strides[1:] == (surface.channels * each.itemsize, each.itemsize)
            for each in (surface.src, surface.out)
        )
        return plain and same and known and dense

    def _run_blocks(self, surface: Surface, threads: int) -> int:
        """With a level, or a second picture that is transparent in part; how many samples were clipped."""
        src = as_rgb(surface.src, threads=threads)
        rows = max(1, PAIRED_BYTES // max(1, surface.out[:1].size * 4))
        clipped = [0] * max(1, threads)

        def work(worker: int, lo: int, hi: int) -> None:
            for start in range(lo, hi, rows):
                clipped[worker] += self._block(src, surface, start, min(start + rows, hi))

        spread(work, len(surface.out), max(1, min(threads, len(surface.out))))
        return sum(clipped)

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Opacity stays, but that there is none where the second picture has no data."""
        after = frame.unchanged_cover(self)
        values = frame.run.unfiltered(self, frame.color, last=frame.last)
        surface = frame.run.surface(self, frame.color, None, last=frame.last)
        here, places = self._over(surface), _places(surface)
        response = here.respond(values, places, frame.run.white)
        if here.second is not None and here.second.there is not None:
            after = after * _at(here.second.there, places)
        return response, after

    def respond(self, values: Floats, places: tuple[slice, slice], white: float) -> Floats:
        """Combine values (H, W, C) with those of the second picture at some rows and columns."""
        second = self.second
        other: Any
        share: Any
        if second is None:
            other, share = np.float32(self.level * white), np.float32(self.level)
            return _OPERATIONS[self.operation](values, other, share, self)
        found = np.asarray(self._fitted(_at(second.pixels, places), values.shape[2]), np.float32)
        other, share = found * np.float32(second.factor), found * np.float32(1 / second.white)
        response = _OPERATIONS[self.operation](values, other, share, self)
        if second.cover is not None:
            response = values + _at(second.cover, places) * (response - values)
        return np.asarray(response, np.float32)

    def _block(self, src: Pixels, surface: Surface, lo: int, hi: int) -> int:
        """Rows of the output, in floats; how many were clipped."""
        rows, columns = _places(surface, lo, hi)
        values = np.asarray(src[rows][:, columns], np.float32)
        if surface.luma is not None:
            values = np.asarray(values @ np.array(surface.luma, np.float32)[:, None], np.float32)
        response = self.respond(values, (rows, columns), surface.full_scale)
        # A copy, as storing overwrites it.
        return store_responses(np.array(response, np.float32), replace(surface, out=surface.out[lo:hi]))

    def _fitted(self, pixels: Pixels, channels: int) -> Pixels:
        """The second picture's colours, for so many of the first: as many, one for all, or their luma."""
        assert self.second is not None
        if pixels.shape[2] in (1, channels):
            return pixels
        self.check_channels(channels, alpha=True)
        return np.asarray(pixels @ np.array(self.second.luma, np.float32)[:, None], np.float32)

    def check_size(self, height: int, width: int) -> None:
        """Refuse a second picture of another size."""
        if self.second is None or self.second.pixels.shape[:2] == (height, width):
            return
        rows, columns = self.second.pixels.shape[:2]
        raise CnncliError(
            f"{self.name}: {self.second.name} is {columns} x {rows} pixels, the picture {width} x {height}; "
            "expected the same size",
            "Give a second picture of that size.",
        )

    def check_channels(self, colors: int, *, alpha: bool) -> None:
        """Refuse a second picture whose colours do not fit, or whose missing data cannot be marked."""
        if self.makes_gaps and not alpha:
            raise CnncliError(
                f"{self.name}: {self.picture} has missing data, and the picture has no way to mark them; "
                "expected a picture with opacity, or with a value for missing data",
                "Convert the picture to one with opacity, or fill in the missing data first.",
            )
        if self.second is None or self.second.channel is not None:
            return
        found = self.second.pixels.shape[2]
        if found in (1, colors) or (found, colors) == (3, 1):
            return
        raise CnncliError(
            f"{self.name}: {self.picture} has {found} channels, the picture {colors}; "
            "expected as many, or one",
            "Give a second picture with one channel.",
        )

    def _over(self, surface: Surface) -> "Pair":
        """With the rows of the second picture that lie under a surface's source.

        Raises
        ------
        CnncliError
            Where the second picture has another size.
        """
        if self.second is None:
            return self
        self.check_size(surface.height or surface.src.shape[0], surface.src.shape[1])
        return replace(self, second=self.second.at(surface.top, len(surface.src)))

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The operation with the level."""
        from cnncli.filters.worked import show

        here = float(patch[len(patch) // 2][len(patch[0]) // 2])
        found = self.respond(np.full((1, 1, 1), here, np.float32), (slice(0, 1), slice(0, 1)), white)
        value = float(found[0, 0, 0])
        return [f"{self.operation} of {show(here)} and {show(self.level * white)}: {show(value)}"], value


def _places(surface: Surface, lo: int = 0, hi: int | None = None) -> tuple[slice, slice]:
    """The rows and columns of the source that are under some rows of the output."""
    rows, columns = every(surface.ymap, surface.stride[1]), every(surface.xmap, surface.stride[0])
    start, step = rows.start, rows.step
    return slice(start + lo * step, rows.stop if hi is None else start + (hi - 1) * step + 1, step), columns


def _at(pixels: NDArray[Any], places: tuple[slice, slice]) -> NDArray[Any]:
    return pixels[places[0]][:, places[1]]


#: Of values, the second picture's in the same units, its share of white, and the filter.
_OPERATIONS: Mapping[str, Callable[[Floats, Any, Any, Pair], Floats]] = MappingProxyType(
    {
        "add": lambda values, other, share, pair: values + other,
        "subtract": lambda values, other, share, pair: values - other,
        "difference": lambda values, other, share, pair: np.abs(values - other),
        "multiply": lambda values, other, share, pair: values * share,
        "screen": lambda values, other, share, pair: values + other - values * share,
        "darken": lambda values, other, share, pair: np.minimum(values, other),
        "lighten": lambda values, other, share, pair: np.maximum(values, other),
        "blend": lambda values, other, share, pair: values + np.float32(pair.share) * (other - values),
    }
)


def _run_integers(operation: Operation, other: Pixels, surface: Surface, threads: int) -> int:
    """Dense rows of one type; how many samples were cut off."""
    src, out = surface.src, surface.out
    top, left = int(surface.ymap[0]), int(surface.xmap[0])
    src, other = src[top:, left:], other[top:, left:]
    job = np.zeros(1, jobs.PAIR_INTEGERS)
    for name, array in (("src", src), ("other", other), ("out", out)):
        job[name], job[f"{name}_pitch"] = array.ctypes.data, array.strides[0]
    job["samples"], job["type"] = out.shape[1] * out.shape[2], jobs.ELEMENT_TYPES[out.dtype]
    job["operation"] = jobs.PAIRS[operation]
    return clipped_in(native.run("pair_integers", job, len(out), threads=threads, scratch_bytes=HEADER_BYTES))


def _build(
    operation: Operation, *, level: float | None = None, picture: str = "", share: float = 0.5
) -> Filter:
    """Make a filter of the values that a SPEC gives."""
    if picture and level is not None:
        raise CnncliError(
            f"{operation}: both a level and a picture are given; expected one of them", see(operation)
        )
    shared: dict[str, Any] = {"share": share} if operation == "blend" else {}
    level = _LEVEL if level is None else level
    spec = spec_of(operation, **shared, **({"picture": picture} if picture else {"level": level}))
    signed = None if operation in _KEEPS_SIGN else False
    return Pair(
        name=operation, spec=spec, signed=signed, operation=operation, level=level, picture=picture, **shared
    )


_SHARE = Parameter(name="share", meaning="of the second picture, as 0.3 or 30%", default="0.5", low=0, high=1)
_PARAMETERS = (
    Parameter(
        name="level", meaning="share of white, in place of a second picture", default="0.5", low=0, high=1
    ),
    Parameter(
        name="picture",
        meaning="second picture, of the same size; all the rest of the SPEC",
        default="the level",
        kind="file",
        aliases=("file", "other", "image"),
    ),
)
_PORTER = "W3C: Compositing and Blending Level 1, 2015, section 10"


def _entry(operation: Operation, summary: str, expected: float, note: str, source: str = _PORTER) -> Entry:
    parameters = (_SHARE, *_PARAMETERS) if operation == "blend" else _PARAMETERS
    shown = {"share": 0.25, "level": 0.4} if operation == "blend" else {"level": 0.4}
    return Entry(
        name=operation,
        family="two pictures",
        summary=summary,
        parameters=parameters,
        operand="picture",
        build=partial(_build, operation),
        source=source,
        example=Example(spec=spec_of(operation, **shown), patch=((0.3,),), expected=expected, note=note),
    )


_GONZALEZ = "R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, section 2.6"
_ENTRIES = (
    _entry("add", "sum of the picture and a second one", 0.7, "0.3 + 0.4", _GONZALEZ),
    _entry("subtract", "the picture minus a second one", -0.1, "0.3 - 0.4, shown as black", _GONZALEZ),
    _entry("difference", "absolute difference from a second picture", 0.1, "0.4 - 0.3"),
    _entry("multiply", "product with a second picture's share of white: a mask", 0.12, "0.3 times 0.4"),
    _entry("screen", "negative of the product of negatives: brighter", 0.58, "1 - 0.7 times 0.6"),
    _entry("darken", "the smaller of the picture's and a second one's value", 0.3, "0.3 is less than 0.4"),
    _entry("lighten", "the larger of the picture's and a second one's value", 0.4, "0.4 is more than 0.3"),
    _entry("blend", "mean of the picture and a second one by its share", 0.325, "3 parts 0.3, 1 part 0.4"),
)

ENTRIES = {entry.name: entry for entry in _ENTRIES}
