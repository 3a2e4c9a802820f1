"""Levels: each pixel's value is mapped by itself, by a curve that may depend on all values of the picture."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA
from cnncli.core.tiling import Surface
from cnncli.filters.entry import Entry, Example, Parameter, spec_of
from cnncli.filters.execute import run_direct, store_responses, unmapped
from cnncli.filters.histogram import Values, counts_of, values_of
from cnncli.filters.level_curves import Curve, along, map_levels, run_curve
from cnncli.filters.luma_change import change_by_luma, keeps_type, luma_of
from cnncli.filters.mapping import FULL_SCALE, to_pixels
from cnncli.filters.mapping import Mapping as Mapped
from cnncli.filters.model import TYPICAL, Filter, Floats, Geometry, Patch, PlacedKernels, Plan, Weights
from cnncli.filters.rgbx import as_rgb
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.opacity import CoveredFrame


@record(kw_only=True, eq=False)
class Levels(Filter):
    """Base class of filters that map each pixel by itself."""

    by_all = False  # the curve depends on all values …
    by_ends = False  # … but only on the smallest and the largest

    @property
    def from_whole(self) -> bool:  # type: ignore[override]
        """Whether all pixels are needed."""
        return self.by_all

    @property
    def explained_alone(self) -> bool:  # type: ignore[override]
        """Whether a window is enough to work a pixel out."""
        return not self.by_all

    def curve(self, values: Values) -> Curve:
        """The curve of a picture; without `by_all`, of any picture with this white."""
        raise NotImplementedError(f"{type(self).__name__} has no curve")

    def told(self, values: Values, here: float) -> str:
        """In words, how a pixel is mapped."""
        raise NotImplementedError(f"{type(self).__name__} is not told")

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """Values change."""
        return 0.0

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``levels``: by a table of integers, or value by value."""
        return Plan("levels", "by all values of the picture" if self.by_all else "")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """Those of integers: levels are counted, and looked up."""
        if not self.by_all:
            return ("level_table",)
        return ("level_ends" if self.by_ends else "level_counts", "level_table")

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Map all pixels."""
        return plan, run_levels(self, surface, threads=threads)

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Only colours that can be seen count; opacity stays."""
        after = frame.unchanged_cover(self)
        values = frame.run.unfiltered(self, frame.color, last=frame.last)
        seen = frame.color[frame.cover[..., 0] > 0] if self.by_all else frame.color[:0, 0]
        return self.respond(values, seen, frame.run.white, threads=frame.run.threads), after

    def respond(self, values: Floats, seen: Floats, white: float, *, threads: int) -> Floats:
        """Map values (H, W, C) by the curve of the colours that are seen, (N, C)."""
        return along(self.curve(self.found(seen, white, threads=threads)), values, threads=threads)

    def found(self, seen: NDArray[Any], white: float, *, threads: int) -> Values:
        """Of the pixels that are seen what the curve depends on."""
        if not self.by_all:
            return _nothing_seen(white)
        return values_of(seen, white, threads=threads, counted=not self.by_ends)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """The pixel, by the curve of the patch."""
        found = self.found(np.array(patch, np.float32).reshape(-1, 1), white, threads=1)
        here = float(patch[len(patch) // 2][len(patch[0]) // 2])
        return [self.told(found, here)], float(self.curve(found)(np.array([here]))[0])


@functools.lru_cache(maxsize=4)
def _nothing_seen(white: float) -> Values:
    """No values."""
    return values_of(np.zeros(0, np.float32), white, counted=False)


def run_levels(filter: Levels, surface: Surface, *, threads: int) -> int:
    """Map all pixels of a surface; integers by a table.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    if surface.channels > 1 and filter.weighs_colors:
        values = _unmapped_pixels(surface, threads)
        seen = values.reshape(-1, values.shape[2])
        return store_responses(filter.respond(values, seen, surface.full_scale, threads=threads), surface)
    if surface.luma is not None and filter.by_all:
        values = _unmapped_pixels(surface, threads)
        across, down = np.arange(values.shape[1]), np.arange(values.shape[0])
        surface = replace(surface, src=values, luma=None, stride=(1, 1), xmap=across, ymap=down)
    src = surface.src if surface.luma is not None else as_rgb(surface.src, threads=threads)
    pixels = src[every(surface.ymap, surface.stride[1]), every(surface.xmap, surface.stride[0])]
    curve = filter.curve(filter.found(pixels, surface.full_scale, threads=threads))
    if surface.luma is not None or src.dtype == np.float32:
        return run_curve(curve, surface, threads=threads)
    return _run_table(curve, pixels, surface, threads)


def _unmapped_pixels(surface: Surface, threads: int) -> Floats:
    """The pixels of a surface, or their luma, as floats."""
    plain = unmapped(surface)
    run_direct(np.ones((1, 1)), plain, dilation=1, threads=threads)
    return np.asarray(plain.out, np.float32)


def _run_table(curve: Curve, pixels: NDArray[Any], surface: Surface, threads: int) -> int:
    """Map integers (H, W, C); how many the output's type clipped."""
    mapping = surface.absolute, surface.scale, surface.bias
    table, beyond = _table(curve, int(surface.full_scale), mapping, surface.out.dtype)
    map_levels(pixels, table, surface.out, threads=threads)
    return 0 if beyond is None else int(counts_of(pixels, threads=threads)[beyond].sum())


@functools.lru_cache(maxsize=4)
def _table(
    curve: Curve, white: int, mapping: tuple[bool, float, float], out: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """What levels up to white become, and which of them the output's type clips, if any.

    Kept for the next picture: where one of 11 megapixels has just passed the caches, it takes 45 us, a
    quarter of what mapping takes (Zen 4).
    """
    responses = curve(np.arange(white + 1, dtype=np.float64)).astype(np.float32)
    absolute, scale, bias = mapping
    mapped = Mapped(absolute=absolute, scale=scale, bias=bias)
    table, clips = to_pixels(responses.copy(), mapped, out)
    beyond = _beyond(responses, mapped, out) if clips else None
    return table, beyond if beyond is not None and beyond.any() else None


def _beyond(responses: Floats, mapping: Mapped, out: np.dtype[Any]) -> NDArray[np.bool_]:
    """Which responses an integer type clips by more than rounding."""
    values = np.abs(responses) if mapping.absolute else responses
    values = values * np.float32(mapping.scale) + np.float32(mapping.bias)
    return np.asarray((values < -0.5) | (values > FULL_SCALE[out] + 0.5))


def every(positions: NDArray[np.intp], stride: int) -> slice:
    """The rows or columns of a map without border, as a slice."""
    return slice(int(positions[0]), int(positions[-1]) + 1, stride)


@record(kw_only=True, eq=False)
class Invert(Levels):
    """White minus the pixel."""

    explained = "White minus the pixel: dark becomes bright."

    def curve(self, values: Values) -> Curve:
        """White minus the value."""
        return Curve(gain=-1.0, offset=values.white)

    def told(self, values: Values, here: float) -> str:
        """The difference."""
        from cnncli.filters.worked import show

        return f"as {show(values.white)} minus {show(here)}: {show(values.white - here)}"


@record(kw_only=True, eq=False)
class Gamma(Levels):
    """Powers of the share of white: the exponent is 1 over gamma."""

    gamma: float

    explained = "The pixel's share of white, to the power of 1 over gamma: above 1 it becomes brighter."

    def curve(self, values: Values) -> Curve:
        """Values below 0 stay 0."""
        return Curve(form="power", most=values.white, exponent=1 / self.gamma)

    def told(self, values: Values, here: float) -> str:
        """The power."""
        from cnncli.filters.worked import show

        result = show(float(self.curve(values)(np.array([here]))[0]))
        white = show(values.white)
        return f"as {white} × ({show(here)} ÷ {white})^(1 ÷ {show(self.gamma)}): {result}"


@record(kw_only=True, eq=False)
class Gray(Levels):
    """The luma of colours, and gray as it is."""

    explained = "0.299 red + 0.587 green + 0.114 blue: what is seen above is gray already."

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """Gray stays gray."""
        return 1.0

    def curve(self, values: Values) -> Curve:
        """Luma is made before."""
        return Curve()

    def told(self, values: Values, here: float) -> str:
        """The pixel."""
        from cnncli.filters.worked import show

        return f"as it is: {show(here)}"


@record(kw_only=True, eq=False)
class Normalize(Levels):
    """The smallest value becomes black, the largest white, all channels alike.

    Attributes
    ----------
    cutoff : float
        Share of the values at either end that may be clipped.
    """

    cutoff: float

    by_all = True
    clips = True

    explained = "All values are stretched so that the smallest becomes black and the largest white."

    @property
    def by_ends(self) -> bool:  # type: ignore[override]
        """Whether nothing is clipped, so that no value needs to be counted."""
        return self.cutoff == 0

    def ends(self, values: Values) -> tuple[float, float]:
        """The values that become black and white."""
        if self.cutoff == 0 or not values.counts.any():
            return values.ends
        share = np.cumsum(values.counts) / values.counts.sum()
        low = int(np.searchsorted(share, self.cutoff, side="right"))
        high = int(np.searchsorted(share, 1 - self.cutoff, side="left"))
        return float(values.levels[low]), float(values.levels[high])

    def curve(self, values: Values) -> Curve:
        """A straight line; a flat picture stays as it is."""
        low, high = self.ends(values)
        if high <= low:
            return Curve()
        return Curve(low=low, gain=values.white / (high - low), least=0.0, most=values.white)

    def told(self, values: Values, here: float) -> str:
        """The ends and the result."""
        from cnncli.filters.worked import show

        low, high = self.ends(values)
        result = float(self.curve(values)(np.array([here]))[0])
        return f"as {show(low)} becomes 0 and {show(high)} {show(values.white)}, {show(here)}: {show(result)}"


@record(kw_only=True, eq=False)
class Equalize(Levels):
    """Every level as often as any other, as far as there are levels; colours change as their luma does."""

    by_all = True
    weighs_colors = True
    explained = "Levels are spread so that each is about as frequent; colours change as their luma does."

    def curve(self, values: Values) -> Curve:
        """The share of values up to a level, those of the darkest left out; a flat picture stays."""
        counts = values.counts
        first = int(np.argmax(counts > 0))
        rest = counts.sum() - counts[first]
        if rest <= 0:
            return Curve()
        shares = np.maximum(np.cumsum(counts) - counts[first], 0) / rest
        low, gain = (0.0, 1.0) if values.bins_per_unit is None else (values.ends[0], values.bins_per_unit)
        return Curve(form="table", low=low, gain=gain, table=values.white * shares)

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Colours of integers by integers of their luma."""
        if surface.channels == 3 and keeps_type(surface):
            return plan, change_by_luma(self._mapped, surface, threads=threads)
        return plan, run_levels(self, surface, threads=threads)

    def _mapped(self, luma: NDArray[Any], threads: int) -> NDArray[Any]:
        """Luma (H, W) of integers, mapped."""
        found = values_of(luma, float(np.iinfo(luma.dtype).max), threads=threads)
        table = np.rint(self.curve(found)(np.arange(found.white + 1))).astype(luma.dtype)
        after = np.empty_like(luma)
        map_levels(luma[..., None], table, after[..., None], threads=threads)
        return after

    def respond(self, values: Floats, seen: Floats, white: float, *, threads: int) -> Floats:
        """Map luma, and add its change to all colours."""
        if values.shape[2] != 3:
            return super().respond(values, seen, white, threads=threads)
        if white in FULL_SCALE.values() and white > 1:
            return self._respond_whole(values, seen, white)
        luma = np.asarray(values @ np.array(LUMA, np.float32), np.float32)[..., None]
        counted = np.asarray(seen @ np.array(LUMA, np.float32), np.float32)
        curve = self.curve(values_of(counted, white, threads=threads))
        return np.asarray(values + (along(curve, luma, threads=threads) - luma), np.float32)

    def _respond_whole(self, values: Floats, seen: Floats, white: float) -> Floats:
        """As colours of integers of this white are mapped: by whole levels of luma."""
        kind = np.dtype(np.uint8 if white == FULL_SCALE[np.dtype(np.uint8)] else np.uint16)
        luma = np.rint(luma_of(np.ascontiguousarray(values), np.dtype(np.float32), 1))
        counted = np.rint(luma_of(seen[None], np.dtype(np.float32), 1)) if seen.size else np.zeros((1, 0))
        known = np.clip(counted[np.isfinite(counted)], 0, white).astype(kind)
        curve = self.curve(values_of(known.reshape(1, -1, 1), white))
        mapped = np.rint(curve(np.nan_to_num(luma).astype(np.float64)))
        change = np.where(np.isnan(luma), luma, mapped - luma)
        return np.asarray(values + change[..., None], np.float32)

    def told(self, values: Values, here: float) -> str:
        """The share."""
        from cnncli.filters.worked import show

        result = show(float(self.curve(values)(np.array([here]))[0]))
        return f"as the share of values up to {show(here)}: {result}"


def invert() -> Filter:
    """Make the inversion of all levels."""
    return Invert(name="invert", spec="invert", signed=False)


def gamma(*, gamma: float = 2.2) -> Filter:
    """Make a gamma correction."""
    return Gamma(name="gamma", spec=spec_of("gamma", gamma=gamma), signed=False, gamma=gamma)


def gray() -> Filter:
    """Make the conversion to gray."""
    return Gray(name="gray", spec="gray", gray=True)


def normalize(*, cutoff: float = 0.0) -> Filter:
    """Make a stretch of all levels."""
    spec = spec_of("normalize", cutoff=cutoff)
    return Normalize(name="normalize", spec=spec, signed=False, cutoff=cutoff, clips=True)


def equalize() -> Filter:
    """Make the equalization of a histogram."""
    return Equalize(name="equalize", spec="equalize", signed=False, clips=True)


INVERT = Entry(
    name="invert",
    family="levels",
    summary="white minus the image: a negative",
    build=invert,
    source="R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, section 3.2",
    example=Example(spec="invert", patch=((0.2,),), expected=0.8, note="1 - 0.2"),
)

GAMMA = Entry(
    name="gamma",
    family="levels",
    summary="gamma correction: above 1 brightens (ImageMagick's; 1/G is scikit-image's)",
    parameters=(
        Parameter(
            name="gamma", meaning="1 over the exponent", default="2.2", low=0.01, high=100, aliases=("g",)
        ),
    ),
    build=gamma,
    source="C. Poynton: Digital Video and HD, 2nd ed., 2012, ch. 27",
    example=Example(spec="gamma:gamma=2", patch=((0.25,),), expected=0.5, note="the square root of 0.25"),
)

GRAY = Entry(
    name="gray",
    family="levels",
    summary="luma of colours, made before the first kernel of a chain",
    build=gray,
    source="ITU-R Recommendation BT.601-7, 2011, section 2.5.1",
    example=Example(spec="gray", patch=((0.3,),), expected=0.3, note="gray stays gray"),
)

NORMALIZE = Entry(
    name="normalize",
    family="levels",
    summary="stretch: the smallest value becomes black, the largest white",
    parameters=(
        Parameter(
            name="cutoff",
            meaning="share of the values clipped at either end, as 0.01 or 1%",
            default="0",
            low=0,
            high=0.49,
        ),
    ),
    build=normalize,
    source="R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, section 3.2",
    example=Example(
        spec="normalize:cutoff=0",
        patch=((0.2, 0.4, 0.6),),
        expected=0.5,
        note="0.4 lies in the middle between 0.2, which becomes 0, and 0.6",
    ),
)

EQUALIZE = Entry(
    name="equalize",
    family="levels",
    summary="histogram equalization, of the luma of colours",
    build=equalize,
    source="R. C. Gonzalez, R. E. Woods: Digital Image Processing, 4th ed., 2018, section 3.3",
    example=Example(
        spec="equalize",
        patch=((0.25, 0.5, 0.75),),
        expected=0.5,
        note="of the two values above the darkest, one is not above 0.5",
    ),
)

ENTRIES = {entry.name: entry for entry in (INVERT, GAMMA, GRAY, NORMALIZE, EQUALIZE)}
