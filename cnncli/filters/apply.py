"""Apply a chain of filters to one frame: colour and opacity, geometry, plan, and output range.

Nothing is rounded between filters. The result is the same as applying the filters one by one to float
images: stride, mode, dilation, border, anchor and normalisation apply to each filter; scale, bias, range
and the region of interest only to the last response.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.heap import aligned_empty
from cnncli.core.luma import LUMA, LUMINANCE
from cnncli.core.tiling import Surface, is_rgbx
from cnncli.filters.color import from_linear, to_linear
from cnncli.filters.execute import run_direct
from cnncli.filters.mapping import Mapping, map_range, response_ends, to_pixels
from cnncli.filters.model import Filter, Geometry, Move, Plan, View
from cnncli.filters.options import Options
from cnncli.filters.rgbx import as_rgbx, empty_rgbx
from cnncli.filters.run import axis_of, border_of, footprint, run_filter, window_of
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.spans import Span, Stage

Pixels = NDArray[Any]
Floats = NDArray[np.float32]


@record(eq=False)
class Applied:
    """A filtered frame.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C)
        Of the requested dtype.
    alpha : bool
        Whether the last channel is opacity.
    plans : tuple of Plan
        One for each filter.
    clipped : float
        Fraction of the colour samples that were outside the range of the output, 0 to 1.
    signed : bool
        Whether the response is centred on zero.
    ends : (low, high) or None
        Of a part that measures: its smallest and largest response, None if none is finite.
    """

    pixels: Pixels
    alpha: bool
    plans: tuple[Plan, ...]
    clipped: float
    signed: bool
    ends: tuple[float, float] | None = None


@record
class Depth:
    """The samples of an image: their type, the value of white, and whether they have their own units."""

    dtype: np.dtype[Any]
    white: float
    raw: bool = False


@record(eq=False)
class Part:
    """Rows of a result, of a frame of which only the rows under their windows lie in memory.

    Attributes
    ----------
    stages, spans : tuple
        From `cnncli.filters.spans`, one of each for every filter of the chain.
    opaque : bool
        Whether the whole frame has no opacity but white.
    measures : bool
        Find the ends of the responses instead of pixels.
    ends : (low, high) or None
        Of the responses of the whole frame, which ``--range stretch`` maps to black and white.
    """

    stages: "tuple[Stage, ...]"
    spans: "tuple[Span, ...]"
    opaque: bool = True
    measures: bool = False
    ends: tuple[float, float] | None = None


def apply_filters(
    frame: Pixels,
    filters: Sequence[Filter],
    options: Options,
    *,
    alpha: bool,
    source: Depth,
    target: Depth,
    threads: int,
    rgbx: bool = False,
    part: Part | None = None,
) -> Applied:
    """Filter one frame.

    Parameters
    ----------
    frame : ndarray, shape (H, W, C), uint8, uint16 or float32
        C is 1 to 4; with ``alpha`` the last channel is opacity, not premultiplied.
    filters : sequence of Filter
        Applied one after another, at least one.
    options : Options
        How filters are applied.
    alpha : bool
        Whether the last channel is opacity.
    source, target : Depth
        Type and full scale of the frame and of the result.
    threads : int
        Threads to use; the result does not depend on it.
    rgbx : bool
        Whether to return 8-bit colour as RGBX, four bytes per pixel, as Pillow stores it.
    part : Part or None
        The rows of the result to compute from a frame that holds some rows only; None: all from all.

    Returns
    -------
    Applied

    Raises
    ------
    CnncliError
        If an option does not fit a filter or the size of the frame.
    """
    filters = [filter.for_source(options, source) for filter in filters]
    chain = filters * options.repeat
    if options.roi is not None and chain[-1].from_whole:
        uncropped = replace(options, roi=None)
        whole = apply_filters(
            frame, filters, uncropped, alpha=alpha, source=source, target=target, threads=threads
        )
        return replace(whole, pixels=_cut(whole.pixels, options.roi))
    run = _Run(chain, options, source, threads=threads, part=part)
    signed, mapping = response_mapping(chain, options, source, target)
    opacity = None
    opaque = part.opaque if part else not alpha or is_opaque(frame, source.white)
    if alpha and not (opaque and not any(filter.makes_gaps for filter in chain)):
        opacity = frame[:, :, -1:]
    color = frame[:, :, :-1] if alpha else frame
    run.prepare(frame.shape)
    luma = luma_weights(filters, options, color.shape[2])
    if options.linear:
        color = to_linear(color, source.white, options.curve)
    if opacity is None and not options.linear and mapping.direct:
        pixels, clipped = run.to_pixels(color, luma, mapping, target, rgbx=rgbx and not alpha)
    else:
        responses, opacity = run.in_float32(color, opacity, luma)
        if options.linear and not signed:
            responses = from_linear(responses, source.white, options.curve)
        if part and part.measures:
            ends = response_ends(responses, mapping)
            return Applied(responses, alpha, tuple(run.plans), 0.0, signed, ends)
        if part and part.ends:
            mapping = replace(mapping, ends=part.ends)
        pixels, clipped = to_pixels(responses, mapping, target.dtype)
    share = clipped / max(1, pixels.size)
    if alpha:
        pixels = np.concatenate([pixels, _opacity_pixels(opacity, pixels, target)], axis=2)
    pixels = as_rgbx(pixels, threads=threads) if rgbx else np.ascontiguousarray(pixels)
    return Applied(pixels, alpha, tuple(run.plans), share, signed)


def response_mapping(
    chain: Sequence[Filter], options: Options, source: Depth, target: Depth
) -> tuple[bool, Mapping]:
    """Whether a chain's response is centred on zero, and how it becomes pixels."""
    signed, span = _response_range(chain, source.white, biased=options.bias != 0)
    return signed, map_range(
        options, signed=signed, span=span, out=target.dtype, raw=target.raw, white=target.white
    )


def luma_weights(
    filters: Sequence[Filter], options: Options, colors: int
) -> tuple[float, float, float] | None:
    """The weights that make gray of so many colours, if luma is filtered."""
    if colors != 3 or not filters_luma(filters, options):
        return None
    return LUMINANCE if options.linear else LUMA


def border_fill(options: Options, source: Depth) -> float:
    """The value of a constant border, in linear light if that is filtered."""
    fill = options.border.value
    if not options.linear:
        return fill
    return float(to_linear(np.array([fill], np.float32), source.white, options.curve)[0])


def filters_luma(filters: Sequence[Filter], options: Options) -> bool:
    """Whether luma is filtered: as the options say, else if a filter prefers it."""
    return options.gray if options.gray is not None else any(filter.gray for filter in filters)


def _response_range(chain: Sequence[Filter], white: float, *, biased: bool) -> tuple[bool, float]:
    """Whether the last response is centred on zero, and which response is full scale.

    A bias added to the response of a user's matrix already states how values around zero are displayed.
    """
    signed, span = False, white
    for filter in chain:
        if filter.signed is not None and not (biased and filter.flips):
            signed, span = filter.signed, filter.span or white
    return signed, span


def is_opaque(frame: Pixels, white: float) -> bool:
    """Whether no pixel of a frame, whose last channel is opacity, is transparent."""
    return bool(np.min(frame[..., -1]) >= white)


def _opacity_pixels(opacity: Floats | None, pixels: Pixels, target: Depth) -> Pixels:
    """Opacity, given from 0 to 1, in the type of the result."""
    height, width, _ = pixels.shape
    if opacity is None:
        return np.full((height, width, 1), target.white, target.dtype)
    levels = np.clip(opacity, 0, 1) * np.float32(target.white)
    return (levels if target.dtype == np.float32 else np.rint(levels)).astype(target.dtype)


@record
class _Store:
    """How a response is stored: its type and layout, and the mapping that the core applies."""

    dtype: np.dtype[Any] = np.dtype(np.float32)
    rgbx: bool = False
    absolute: bool = False
    scale: float = 1.0
    bias: float = 0.0


_RAW = _Store()


def _output_array(shape: tuple[int, int, int], store: _Store) -> Pixels:
    """Uninitialised memory for a response."""
    if store.rgbx and store.dtype == np.uint8 and shape[2] == 3:
        return empty_rgbx(*shape[:2])
    return aligned_empty(shape, store.dtype)


class _Run:
    """Runs one chain over one frame, and collects the plans that were used."""

    def __init__(
        self, chain: list[Filter], options: Options, source: Depth, *, threads: int, part: Part | None
    ) -> None:
        self.chain = chain
        self.options = options
        self.source = source
        self.threads = threads
        self.fill = border_fill(options, source)
        self.plans: list[Plan] = []
        self.part = part
        self.span: Span | None = None  # of the filter that runs

    def filters(self) -> Iterator[tuple[int, Filter, bool]]:
        """Number and filter, and whether it is the last, of all of the chain, as they run."""
        for number, filter in enumerate(self.chain):
            self.span = self.part.spans[number] if self.part else None
            yield number, filter, number == len(self.chain) - 1

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Compile all loops of the chain together, if it needs more than one."""
        if len(self.chain) == 1 and self.chain[0].stages == 1:
            return
        loops: list[str] = []
        for number, filter in enumerate(self.chain):
            floats = number > 0 or self.source.dtype == np.float32
            size = self.part.stages[number].result if self.part else shape
            loops += filter.loops(filter.plan(self.geometry(size, floats=floats)))
        native.prepare(loops, processes=self.threads)

    def geometry(self, shape: tuple[int, ...], *, floats: bool) -> Geometry:
        """What plans depend on, for an output of about ``shape``."""
        return Geometry(self.options.dilation, self.options.stride, (shape[0], shape[1]), floats)

    def to_pixels(
        self,
        color: Pixels,
        luma: tuple[float, float, float] | None,
        mapping: Mapping,
        target: Depth,
        *,
        rgbx: bool,
    ) -> tuple[Pixels, int]:
        """All filters on the colours; the last one writes the type of the result."""
        clipped = 0
        shown = _Store(target.dtype, rgbx, *mapping.folded())
        for _, filter, last in self.filters():
            color, clipped = self.run_one(filter, color, luma, store=shown if last else _RAW, last=last)
            luma = None
        return color, clipped

    def in_float32(
        self, color: Pixels, opacity: Pixels | None, luma: tuple[float, float, float] | None
    ) -> tuple[Floats, Floats | None]:
        """All filters, in float32: the last response, and opacity from 0 to 1 if there is any."""
        if opacity is None:
            for _, filter, last in self.filters():
                color, _ = self.run_one(filter, color, luma, last=last)
                luma = None
            return np.asarray(color, np.float32), None
        from cnncli.filters.opacity import CoveredFrame

        cover = np.asarray(opacity / np.float32(self.source.white), np.float32)
        cover = np.where(np.isnan(cover), np.float32(0), cover)
        values = np.asarray(color, np.float32)
        if luma:
            values = np.asarray(values @ np.array(luma, np.float32)[:, None], np.float32)
        for number, filter, last in self.filters():
            done = len(self.plans)
            values, cover = CoveredFrame(self, values, cover, last).filtered(filter)
            shape = self.part.stages[number].result if self.part else values.shape
            self.plans[done:] = [self.plan_of(filter, shape)]
        return values, cover

    def plan_of(self, filter: Filter, shape: tuple[int, ...]) -> Plan:
        """The plan of a filter over colours weighted by opacity."""
        plan = filter.plan(self.geometry(shape, floats=True))
        words = f"{plan.detail}, beside opacity" if plan.detail else "beside opacity"
        return replace(plan, detail=words)

    @property
    def white(self) -> float:
        """Full scale of the colours."""
        return self.source.white

    def unfiltered(self, filter: Filter, pixels: Floats, *, last: bool, white: float | None = None) -> Floats:
        """The unfiltered pixels at the output positions of the filter."""
        if isinstance(filter, Move):
            plans = len(self.plans)
            moved, _ = self.run_one(filter.unmixed(), pixels, None, last=last, white=white)
            del self.plans[plans:]
            return np.asarray(moved, np.float32)
        surface = self.surface(filter, pixels, None, last=last)
        if white is not None:
            surface = replace(surface, fill=white)
        # One cell, not a kernel of zeros around it: zero times NaN, which borders may hold, is NaN.
        xmap, ymap = (
            places[before : len(places) - (size - 1 - before)]
            for places, size, before in zip(
                (surface.xmap, surface.ymap), *footprint(filter, self.options), strict=True
            )
        )
        middle = replace(surface, xmap=xmap, ymap=ymap)
        run_direct(np.ones((1, 1)), middle, dilation=1, threads=self.threads)
        return np.asarray(middle.out, np.float32)

    def surface(
        self,
        filter: Filter,
        color: Pixels,
        luma: tuple[float, float, float] | None,
        *,
        last: bool,
        store: _Store = _RAW,
    ) -> Surface:
        """The frame with its border, and memory for the filter's response."""
        options, span = self.options, self.span
        roi = options.roi if last else None
        border, leaves_out = border_of(filter, options)
        maps, counts, rows = [], [], 0
        for axis, size in enumerate((color.shape[1], span.height if span else color.shape[0])):
            line, whole = axis_of(filter, options, axis, size)
            window = window_of(roi, axis, whole) if roi else (0, whole)
            below = 0
            if axis == 1 and span:
                rows, below = window[1], span.below
                window = (window[0] + span.start, span.count)
            positions, count = line.input_map(
                options.mode, border, stride=options.stride[axis], window=window, below=below
            )
            maps.append(positions)
            counts.append(count)
        if span and span.first:
            maps[1] = np.where(maps[1] < 0, maps[1], maps[1] - span.first)
        if not is_rgbx(color):
            color = np.ascontiguousarray(color)
        channels = 1 if luma else color.shape[2]
        return Surface(
            src=color,
            out=_output_array((counts[1], counts[0], channels), store),
            xmap=maps[0],
            ymap=maps[1],
            rows=rows if span else None,
            top=span.first if span else 0,
            height=span.height if span else None,
            fill=np.nan if leaves_out else self.fill,
            luma=luma,
            stride=options.stride,
            full_scale=self.source.white,
            absolute=store.absolute,
            scale=store.scale,
            bias=store.bias,
        )

    def moved(
        self,
        filter: Move,
        color: Pixels,
        luma: tuple[float, float, float] | None,
        *,
        store: _Store,
        last: bool,
        cover: bool,
    ) -> tuple[Pixels, int]:
        """A filter that moves pixels, on all channels, or on opacity (``cover``): there is none beyond."""
        span = self.span
        source = (span.height if span else color.shape[0], color.shape[1])
        result = filter.result_shape(source)
        roi = self.options.roi if last else None
        columns, rows = (
            window_of(roi, axis, result[1 - axis]) if roi else (0, result[1 - axis]) for axis in (0, 1)
        )
        if span:
            rows = (rows[0] + span.start, span.count)
        view = View(source, result, rows, columns, span.first if span else 0)
        beyond = 0.0 if cover or filter.beyond is None else filter.beyond * self.source.white
        border = replace(self.options.border, value=beyond)
        surface = Surface(
            src=color if is_rgbx(color) else np.ascontiguousarray(color),
            out=_output_array((rows[1], columns[1], 1 if luma else color.shape[2]), store),
            xmap=np.arange(color.shape[1]),
            ymap=np.arange(color.shape[0]),
            fill=border_fill(replace(self.options, border=border), self.source),
            luma=luma,
            full_scale=1.0 if cover else self.source.white,
            absolute=store.absolute,
            scale=store.scale,
            bias=store.bias,
        )
        self.plans.append(filter.plan(self.geometry(result, floats=color.dtype == np.float32)))
        clipped = filter.move(surface, view, threads=self.threads)
        return surface.out, clipped if surface.out.dtype != np.float32 else 0

    def run_one(
        self,
        filter: Filter,
        color: Pixels,
        luma: tuple[float, float, float] | None,
        *,
        store: _Store = _RAW,
        last: bool = False,
        white: float | None = None,
    ) -> tuple[Pixels, int]:
        """One filter on all channels: its response, and how many samples were clipped."""
        if isinstance(filter, Move):
            return self.moved(filter, color, luma, store=store, last=last, cover=white is not None)
        surface = self.surface(filter, color, luma, last=last, store=store)
        if white is not None:  # of opacity: a constant border is opaque
            fill = surface.fill if np.isnan(surface.fill) else white
            surface = replace(surface, fill=fill, full_scale=white)
        plan, clipped = run_filter(filter, surface, self.options, threads=self.threads)
        self.plans.append(plan)
        return surface.out, clipped


def _cut(pixels: Pixels, roi: tuple[int, int, int, int]) -> Pixels:
    """Crop a region of an image."""
    (left, width), (top, height) = (window_of(roi, axis, pixels.shape[1 - axis]) for axis in (0, 1))
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])
