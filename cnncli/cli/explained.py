"""``--explain``: the real run on one image, handed to the picture that explains it."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA, LUMINANCE
from cnncli.files.faults import shown
from cnncli.filters.apply import Applied, Depth, apply_filters, filters_luma
from cnncli.filters.color import to_linear
from cnncli.filters.mapping import Mapping, map_range
from cnncli.filters.model import Filter
from cnncli.filters.options import Options, place_kernels
from cnncli.filters.run import footprint
from cnncli.images.encode import encode_picture
from cnncli.images.picture import Metadata, Picture, with_depth
from cnncli.records import record, replace
from cnncli.views.explain import Explanation, animate_explanation, draw_explanation

_EIGHT_BITS = Depth(np.dtype(np.uint8), 255.0)
_NAMED = 3  # more filters before the last are counted
_GREEN = 1  # the channel that is explained where each is filtered
_RULES = {
    "clip": "rounded, clipped to 0..255",
    "abs": "magnitude, rounded, clipped to 0..255",
    "offset": "halved, plus 128, rounded, clipped to 0..255",
}


@record
class FilterRun:
    """What was filtered, and how."""

    picture: Picture
    filters: tuple[Filter, ...]
    options: Options
    source: Depth
    name: str
    threads: int


def encode_explanation(run: FilterRun, suffix: str) -> bytes:
    """Draw how the last filter of a run makes its first frame.

    Parameters
    ----------
    run : FilterRun
        Its filters are run again, with 8 bits.
    suffix : str
        ``.png`` or ``.gif``, in any case.

    Returns
    -------
    bytes
        The whole file.
    """
    explanation = explain(run)
    if suffix.lower() == ".gif":
        from cnncli.images.flipbook import encode_flipbook

        return encode_flipbook(*animate_explanation(explanation))
    page = draw_explanation(explanation)
    return encode_picture(Picture(frames=(page,), alpha=False, format="PNG", metadata=Metadata()), "PNG")


def explain(run: FilterRun) -> Explanation:
    """Run the filters and gather what the picture shows.

    Where each colour channel is filtered, the green one is shown, else the only one: gray or luma.

    Parameters
    ----------
    run : FilterRun
        What was filtered, and how.

    Returns
    -------
    Explanation
        Its image is what the last filter reads; its feature map is the run's own, of 8 bits.
    """
    chain = list(run.filters) * run.options.repeat
    last, plain = chain[-1], _plain_options(run)
    channel = _GREEN if _keeps_colors(run) else 0
    read, image = _read_by_last(run, chain[:-1], replace(plain, roi=None), channel)
    whole = whole_run(run)
    mapping = map_range(
        run.options,
        signed=whole.signed,
        span=last.span or run.source.white,
        out=_EIGHT_BITS.dtype,
        raw=False,
        white=_EIGHT_BITS.white,
    )
    placed_kernels = place_kernels(last, plain)
    return Explanation(
        image=image,
        gray=np.ascontiguousarray(read[:, :, channel]),
        response=_responses(read, [last], plain, run)[:, :, channel],
        shown=whole.pixels[:, :, channel],
        filter=last,
        taps=np.stack(placed_kernels.kernels) if placed_kernels.kernels else np.empty((0, 1, 1)),
        anchor=placed_kernels.anchor,
        title=f"{_called(last)} on {_title(run.name)}{_after(chain[:-1])}{_light(run.options)}",
        rule=_rule(run.options, mapping, signed=whole.signed),
        gain=None if mapping.stretch else mapping.pre_scale * mapping.scale,
        offset=mapping.pre_bias * mapping.scale + mapping.bias,
        rectified=mapping.absolute,
        linear_light=run.options.linear and not whole.signed,
        curve=run.options.curve,
        colors=read if _keeps_colors(run) else None,
        has_opacity=run.picture.alpha,
        origin=_origin(last, plain),
        stride=run.options.stride,
        dilation=(run.options.dilation, run.options.dilation),
        border=plain.border.mode,
        border_value=plain.border.value,
        full=run.source.white,
        before=tuple(_called(filter) for filter in chain[:-1]),
        source=_display(run.picture) if chain[:-1] else None,
    )


def _plain_options(run: FilterRun) -> Options:
    """Options for the raw responses to a frame that is linear already, if it is to be."""
    options = replace(run.options, repeat=1, scale=1.0, bias=0.0, range=None, linear=False)
    if not run.options.linear:
        return options
    value = to_linear(np.array([options.border.value], np.float32), run.source.white, options.curve)
    return replace(options, border=replace(options.border, value=float(value[0])))


def _read_by_last(
    run: FilterRun, before: Sequence[Filter], options: Options, channel: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """What the last filter reads, (H, W, C) in the image's units, and how the channel looks."""
    frame = _filtered_frame(run)
    if not before:
        return frame, _display(run.picture)
    read = _responses(frame, before, options, run)
    image = apply_filters(
        frame, before, options, alpha=False, source=_floats(run), target=_EIGHT_BITS, threads=run.threads
    )
    return read, image.pixels[:, :, channel]


def whole_run(run: FilterRun) -> Applied:
    """The run itself, with 8 bits."""
    return apply_filters(
        run.picture.frames[0],
        run.filters,
        replace(run.options, gray=not _keeps_colors(run)),
        alpha=run.picture.alpha,
        source=run.source,
        target=_EIGHT_BITS,
        threads=run.threads,
    )


def _keeps_colors(run: FilterRun) -> bool:
    """Whether each colour is filtered, so that the output is no gray picture."""
    return not filters_luma(run.filters, run.options) and run.picture.channels >= 3


def _floats(run: FilterRun) -> Depth:
    return Depth(np.dtype(np.float32), run.source.white, raw=True)


def _responses(
    frame: NDArray[Any], filters: Sequence[Filter], options: Options, run: FilterRun
) -> NDArray[np.float32]:
    """Raw responses of filters, (H', W', C)."""
    floats = _floats(run)
    applied = apply_filters(
        frame, filters, options, alpha=False, source=floats, target=floats, threads=run.threads
    )
    return np.asarray(applied.pixels, np.float32)


def _filtered_frame(run: FilterRun) -> NDArray[np.float32]:
    """What is filtered of the first frame, in its own units: (H, W, 3) colours, or (H, W, 1) gray or luma."""
    frame = run.picture.frames[0]
    color = frame[:, :, :-1] if run.picture.alpha else frame
    values = (
        to_linear(color, run.source.white, run.options.curve)
        if run.options.linear
        else color.astype(np.float32)
    )
    if values.shape[2] == 3 and not _keeps_colors(run):
        values = values @ np.array(LUMINANCE if run.options.linear else LUMA, np.float32)[:, None]
    return np.ascontiguousarray(values, np.float32)


def _display(picture: Picture) -> NDArray[np.uint8]:
    """The first frame as it looks, without opacity."""
    frame = picture.frames[0]
    color = frame[:, :, :-1] if picture.alpha else frame
    if picture.format == "NPY" and color.dtype == np.float32:
        finite = color[np.isfinite(color)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        color = (np.nan_to_num(color, nan=low, posinf=high, neginf=low) - low) / ((high - low) or 1.0)
    eight = with_depth(np.ascontiguousarray(color), 8)
    return np.asarray(eight[:, :, 0] if eight.shape[2] == 1 else eight, np.uint8)


def _title(name: str) -> str:
    return "standard input" if name == "-" else shown(os.path.basename(name))  # noqa: PTH119


def _after(before: Sequence[Filter]) -> str:
    """The filters that have run before the last one."""
    if len(before) > _NAMED:
        return f", after {len(before)} other filters"
    return f", after {' and '.join(_called(filter) for filter in before)}" if before else ""


def _called(filter: Filter) -> str:
    """A filter's name; a matrix that the user has written has none but its size."""
    if filter.name == "custom":
        kh, kw = filter.kernels[0].shape
        return f"a {kw} × {kh} matrix"
    return filter.name


def _light(options: Options) -> str:
    return ", in linear light" if options.linear else ""


def _rule(options: Options, mapping: Mapping, *, signed: bool) -> str:
    """How a response becomes a pixel, in words."""
    if mapping.stretch:
        return "the smallest response is black, the largest white"
    rule = _RULES.get(options.range or ("offset" if signed else "clip"), _RULES["clip"])
    if options.scale == 1 and not options.bias:
        return rule
    return f"times {options.scale:g}, plus {options.bias:g}, {rule}"


def _origin(filter: Filter, options: Options) -> tuple[int, int]:
    """The input pixel under the anchor for the first output pixel, (x, y)."""
    (width, height), (x, y) = footprint(filter, options)
    start = {"same": (0, 0), "valid": (x, y), "full": (x - width + 1, y - height + 1)}[options.mode]
    left, top = (options.roi or (0, 0))[:2]
    return start[0] + left * options.stride[0], start[1] + top * options.stride[1]
