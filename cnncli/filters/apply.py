"""Apply a chain of filters to one frame: colour and opacity, geometry, plan, and the final range.

Between filters nothing is rounded. A result equals that of applying the filters one by one to float
images: stride, mode, dilation, border, anchor and normalisation hold for each filter; scale, bias and
range for the last answer; the region of interest for the last result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.tiling import Surface
from cnncli.errors import CnncliError
from cnncli.filters.borders import Axis
from cnncli.filters.color import LUMA, LUMINANCE, from_linear, premultiplied, to_linear, unmultiplied
from cnncli.filters.execute import NOISE, run_box, run_direct, run_responses, run_separable
from cnncli.filters.fft import run_fft
from cnncli.filters.mapping import Mapping, map_range, to_pixels
from cnncli.filters.model import (
    Bank,
    Bilateral,
    Canny,
    Filter,
    Gradient,
    Linear,
    Median,
    Weights,
    ZeroCrossings,
)
from cnncli.filters.options import Laid, Options, lay_kernels
from cnncli.filters.plan import Plan, loops_of, plan_filter

Pixels = NDArray[Any]
_FLOAT32: np.dtype[Any] = np.dtype(np.float32)
Floats = NDArray[np.float32]
_IDENTITY = Linear(name="identity", spec="identity", weights=np.ones((1, 1)))


@dataclass(frozen=True, eq=False)
class Applied:
    """What became of a frame.

    Attributes
    ----------
    pixels : ndarray, shape (H, W, C)
        Of the dtype asked for.
    alpha : bool
        Whether the last channel is opacity.
    plans : tuple of Plan
        One a filter.
    clipped : float
        Share of the colour samples that lay outside what the output can hold, 0 to 1.
    signed : bool
        Whether the answer lies around zero.
    """

    pixels: Pixels
    alpha: bool
    plans: tuple[Plan, ...]
    clipped: float
    signed: bool


@dataclass(frozen=True)
class Depth:
    """The numbers of an image: its type, what is white, and whether it is an array in units of its own."""

    dtype: np.dtype[Any]
    white: float
    raw: bool = False


def apply_filters(
    frame: Pixels,
    filters: Sequence[Filter],
    options: Options,
    *,
    alpha: bool,
    source: Depth,
    target: Depth,
    threads: int,
) -> Applied:
    """Filter one frame.

    Parameters
    ----------
    frame : ndarray, shape (H, W, C), uint8, uint16 or float32
        C is 1 to 4; with ``alpha`` the last channel is opacity, not premultiplied.
    filters : sequence of Filter
        Applied one after another, at least one.
    options : Options
        How.
    alpha : bool
        Whether the last channel is opacity.
    source, target : Depth
        What the numbers of the frame and of the result mean.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    Applied

    Raises
    ------
    CnncliError
        If an option does not fit a filter or the size of the frame.
    """
    chain = list(filters) * options.repeat
    signed, span = _answer(chain, source.white)
    gray = options.gray if options.gray is not None else any(filter.gray for filter in chain)
    mapping = map_range(
        options, signed=signed, span=span, out=target.dtype, raw=target.raw, white=target.white
    )
    color = frame[:, :, :-1] if alpha else frame
    opacity = frame[:, :, -1:] if alpha else None
    if opacity is not None and _opaque(opacity, source.white):
        opacity = None
    fill = options.border.value
    if options.linear:
        fill = float(to_linear(np.array([fill], np.float32), source.white)[0])
    run = _Run(chain, options, source, threads, fill)
    run.prepare(frame.shape)
    luma = (LUMINANCE if options.linear else LUMA) if gray and color.shape[2] == 3 else None
    if options.linear:
        color = to_linear(color, source.white)
    if opacity is None and not options.linear and mapping.direct:
        pixels, clipped = run.straight(color, luma, mapping, target)
    else:
        responses, opacity = run.in_floats(color, opacity, luma)
        if options.linear and not signed:
            responses = from_linear(responses, source.white)
        pixels, clipped = to_pixels(responses, mapping, target.dtype)
    share = clipped / max(1, pixels.size)
    if alpha:
        pixels = np.concatenate([pixels, _opacity_pixels(opacity, pixels, target)], axis=2)
    return Applied(np.ascontiguousarray(pixels), alpha, tuple(run.plans), share, signed)


def _answer(chain: Sequence[Filter], white: float) -> tuple[bool, float]:
    """Whether the last response lies around zero, and which response is full scale."""
    signed, span = False, white
    for filter in chain:
        if filter.signed is not None:
            signed, span = filter.signed, filter.span or white
    return signed, span


def _opaque(opacity: Pixels, white: float) -> bool:
    return bool(np.min(opacity) >= white)


def _opacity_pixels(opacity: Floats | None, pixels: Pixels, target: Depth) -> Pixels:
    """Opacity, 0 to 1, in the type of the result."""
    height, width, _ = pixels.shape
    if opacity is None:
        return np.full((height, width, 1), target.white, target.dtype)
    levels = np.clip(opacity, 0, 1) * np.float32(target.white)
    return (levels if target.dtype == np.float32 else np.rint(levels)).astype(target.dtype)


@dataclass
class _Run:
    """One chain over one frame; collects the plans that were used."""

    chain: list[Filter]
    options: Options
    source: Depth
    threads: int
    fill: float

    def __post_init__(self) -> None:
        self.plans: list[Plan] = []

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Compile what the chain needs at once, where it needs more than one loop."""
        if len(self.chain) > 1 or isinstance(self.chain[0], Canny | ZeroCrossings):
            options = self.options
            plans = [
                plan_filter(
                    filter, dilation=options.dilation, stride=options.stride, shape=(shape[0], shape[1])
                )
                for filter in self.chain
            ]
            loops = [loop for pair in zip(self.chain, plans, strict=True) for loop in loops_of(*pair)]
            native.prepare(loops, processes=self.threads)

    def straight(
        self, color: Pixels, luma: tuple[float, float, float] | None, mapping: Mapping, target: Depth
    ) -> tuple[Pixels, int]:
        """All filters on the colours, the last one writing the result's own type."""
        clipped = 0
        absolute, scale, bias = mapping.folded()
        for number, filter in enumerate(self.chain):
            if number < len(self.chain) - 1:
                color, _ = self.one(filter, color, luma)
            else:
                color, clipped = self.one(
                    filter,
                    color,
                    luma,
                    out=target.dtype,
                    absolute=absolute,
                    scale=scale,
                    bias=bias,
                    last=True,
                )
            luma = None
        return color, clipped

    def in_floats(
        self, color: Pixels, opacity: Pixels | None, luma: tuple[float, float, float] | None
    ) -> tuple[Floats, Floats | None]:
        """All filters, in float32: the last response, and opacity from 0 to 1 if there is any."""
        cover = None if opacity is None else np.asarray(opacity / np.float32(self.source.white), np.float32)
        for number, filter in enumerate(self.chain):
            last = number == len(self.chain) - 1
            if cover is None:
                color, _ = self.one(filter, color, luma, last=last)
            elif _weighs_opacity(filter):
                weighted, _ = self.one(filter, premultiplied(color, cover), luma, last=last)
                blurred, _ = self.one(filter, cover, None, last=last, white=1.0)
                self.plans.pop()
                cover = np.asarray(blurred, np.float32)
                color = unmultiplied(np.asarray(weighted, np.float32), cover)
            else:
                color, _ = self.one(filter, color, luma, last=last)
                cover = self.moved(filter, cover, last=last)
            luma = None
        return np.asarray(color, np.float32), None if cover is None else np.asarray(cover, np.float32)

    def moved(self, filter: Filter, cover: Floats, *, last: bool) -> Floats:
        """Opacity as it was, at the places that the filter's result has."""
        surface = self.surface(filter, cover, None, last=last, out=np.dtype(np.float32))
        surface = replace(surface, fill=1.0)
        extent, (x, y) = _extent(filter, self.options)
        one = np.zeros((extent[1], extent[0]))
        one[y, x] = 1
        run_direct(one, surface, dilation=1, threads=self.threads)
        return np.asarray(surface.out, np.float32)

    def surface(
        self,
        filter: Filter,
        color: Pixels,
        luma: tuple[float, float, float] | None,
        *,
        last: bool,
        out: np.dtype[Any],
    ) -> Surface:
        """The frame seen through the border, and room for the filter's answer."""
        options = self.options
        extent, anchor = _extent(filter, options)
        roi = options.roi if last else None
        maps, counts = [], []
        for axis, (size, name) in enumerate(((color.shape[1], "width"), (color.shape[0], "height"))):
            line = Axis(size, extent[axis], anchor[axis])
            dense = line.positions(options.mode)[1]
            if dense < 1:
                raise CnncliError(
                    f"--mode valid: the kernel of {filter.name} has a {name} of {extent[axis]} pixels, "
                    f"the image {size}; expected a kernel that lies inside the image",
                    "use --mode same, or a smaller kernel",
                )
            whole = -(-dense // options.stride[axis])
            window = _window(roi, axis, whole) if roi else None
            positions, count = line.input_map(
                options.mode, options.border.mode, stride=options.stride[axis], window=window
            )
            maps.append(positions)
            counts.append(count)
        if color.strides[2] != color.itemsize or color.strides[1] != color.itemsize * color.shape[2]:
            color = np.ascontiguousarray(color)
        channels = 1 if luma else color.shape[2]
        return Surface(
            src=color,
            out=np.empty((counts[1], counts[0], channels), out),
            xmap=maps[0],
            ymap=maps[1],
            fill=self.fill,
            luma=luma,
            stride=options.stride,
            full_scale=self.source.white,
        )

    def one(
        self,
        filter: Filter,
        color: Pixels,
        luma: tuple[float, float, float] | None,
        *,
        out: np.dtype[Any] = _FLOAT32,
        absolute: bool = False,
        scale: float = 1.0,
        bias: float = 0.0,
        last: bool = False,
        white: float | None = None,
    ) -> tuple[Pixels, int]:
        """One filter on all channels: its answer, and how many samples were clipped."""
        surface = self.surface(filter, color, luma, last=last, out=out)
        surface = replace(
            surface, absolute=absolute, scale=scale, bias=bias, full_scale=white or self.source.white
        )
        if white is not None:  # opacity: a constant border is opaque
            surface = replace(surface, fill=white)
        plan, clipped = run_filter(filter, surface, self.options, threads=self.threads)
        self.plans.append(plan)
        return surface.out, clipped


def _weighs_opacity(filter: Filter) -> bool:
    """Blurs, named or written: colour counts as far as it is seen."""
    if isinstance(filter, Linear) and filter.flips:
        return bool((filter.weights >= 0).all())
    return filter.premultiply


def _window(roi: tuple[int, int, int, int], axis: int, whole: int) -> tuple[int, int]:
    """The part of an axis that a region covers."""
    first, count = roi[axis], roi[axis + 2]
    if first < 0 or count < 1 or first + count > whole:
        side = ("width", "height")[axis]
        raise CnncliError(
            f"--roi is {','.join(map(str, roi))}; expected X,Y,W,H inside the result, "
            f"whose {side} is {whole}",
            "give a region of at least one pixel that lies inside",
        )
    return first, count


def _extent(filter: Filter, options: Options) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels (x, y) under the filter, and which of them is the output pixel."""
    match filter:
        case Median(size=size) | Bilateral(size=size):
            lay_kernels(filter, options)
            return (size, size), (size // 2, size // 2)
        case Canny():
            lay_kernels(filter, options)
            from cnncli.filters.edgemaps import canny_reach

            reach = canny_reach(filter)
            return (2 * reach + 1, 2 * reach + 1), (reach, reach)
        case ZeroCrossings(weights=weights):
            lay_kernels(filter, options)
            kh, kw = weights.shape
            return (kw, kh), (kw // 2, kh // 2)
    laid = lay_kernels(filter, options)
    kh, kw = laid.kernels[0].shape
    step = options.dilation
    return ((kw - 1) * step + 1, (kh - 1) * step + 1), (laid.anchor[0] * step, laid.anchor[1] * step)


def run_filter(filter: Filter, surface: Surface, options: Options, *, threads: int) -> tuple[Plan, int]:
    """Run one filter over a surface by the cheapest plan.

    Returns
    -------
    plan : Plan
        What was done.
    clipped : int
        Samples that the output's type clipped.
    """
    shape = surface.out.shape[:2]
    laid = lay_kernels(filter, options)
    plan = plan_filter(_as_laid(filter, laid), dilation=options.dilation, stride=options.stride, shape=shape)
    match filter:
        case Linear():
            return plan, run_linear(
                laid.kernels[0], plan, surface, dilation=options.dilation, threads=threads
            )
        case Gradient() if filter.answer == "magnitude":
            clipped = run_responses(
                laid.kernels, surface, combine="energy", dilation=options.dilation, threads=threads
            )
        case Gradient():
            clipped = run_responses(
                laid.kernels, surface, combine="angle", dilation=options.dilation, threads=threads
            )
        case Bank():
            clipped = _run_bank(filter, laid, plan, surface, dilation=options.dilation, threads=threads)
        case Median():
            from cnncli.filters.ranked import run_median

            clipped = run_median(filter, surface, threads=threads)
        case Bilateral():
            from cnncli.filters.ranked import run_bilateral

            clipped = run_bilateral(filter, surface, threads=threads)
        case Canny():
            from cnncli.filters.edgemaps import run_canny

            clipped = run_canny(filter, surface, threads=threads)
        case ZeroCrossings():
            from cnncli.filters.edgemaps import run_zero_crossings

            clipped = run_zero_crossings(filter, surface, threads=threads)
        case _:
            raise TypeError(f"no way to run {type(filter).__name__}")
    return plan, clipped


def _as_laid(filter: Filter, laid: Laid) -> Filter:
    """A linear filter with its kernel as it lies, which is what the plan factors."""
    return replace(filter, weights=laid.kernels[0]) if isinstance(filter, Linear) else filter


def run_linear(weights: Weights, plan: Plan, surface: Surface, *, dilation: int = 1, threads: int) -> int:
    """Run one kernel, as laid over the image, by a plan; the number of clipped samples."""
    match plan.way:
        case "box":
            return run_box(weights.shape, float(weights[0, 0]), surface, threads=threads)
        case "separable" if plan.columns is not None and plan.rows is not None:
            return run_separable(plan.columns, plan.rows, surface, dilation=dilation, threads=threads)
        case "fft":
            return run_fft(_dilated(weights, dilation), surface, threads=threads)
        case _:
            return run_direct(weights, surface, dilation=dilation, threads=threads)


def _dilated(weights: Weights, dilation: int) -> Weights:
    """Weights with zeros between them."""
    if dilation == 1:
        return weights
    kh, kw = weights.shape
    spread = np.zeros(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1))
    spread[::dilation, ::dilation] = weights
    return spread


def _run_bank(filter: Bank, laid: Laid, plan: Plan, surface: Surface, *, dilation: int, threads: int) -> int:
    """A bank in one pass over the pixels, or kernel by kernel where transforms are cheaper."""
    rectified = filter.rectified or filter.answer == "abs"
    combine = {"max": "max", "abs": "max", "energy": "energy", "direction": "direction"}[filter.answer]
    if plan.way == "bank":
        return run_responses(
            laid.kernels,
            surface,
            combine=combine,
            dilation=dilation,
            threads=threads,
            rectified=rectified,
            angles=filter.angles,
        )
    response = replace(
        surface, out=np.empty(surface.out.shape, np.float32), absolute=rectified, scale=1.0, bias=0.0
    )
    largest = max(float(np.abs(weights).sum()) for weights in laid.kernels)
    floor = NOISE * largest * surface.full_scale if combine == "direction" else 0.0
    best = np.full(surface.out.shape, floor, np.float32)
    angle = np.zeros(surface.out.shape, np.float32)
    for number, weights in enumerate(laid.kernels):
        run_fft(_dilated(weights, dilation), response, threads=threads)
        values = np.asarray(response.out, np.float32)
        if combine == "energy":
            best += values * values
            continue
        if combine == "direction":
            angle[values > best] = filter.angles[number]
        np.maximum(best, values, out=best)
    answer = angle if combine == "direction" else np.sqrt(best) if combine == "energy" else best
    mapping = Mapping(absolute=surface.absolute, scale=surface.scale, bias=surface.bias)
    pixels, clipped = to_pixels(answer, mapping, surface.out.dtype)
    surface.out[:] = pixels
    return clipped
