"""``--explain``: the real run on one image, handed to the picture that explains it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.apply import Applied, Depth, apply_filters
from cnncli.filters.color import LUMA, LUMINANCE, to_linear
from cnncli.filters.mapping import Mapping, map_range
from cnncli.filters.model import Filter
from cnncli.filters.options import Laid, Options, lay_kernels
from cnncli.images.faults import shown
from cnncli.images.picture import Metadata, Picture, with_depth
from cnncli.images.write import encode_picture, write_atomic
from cnncli.records import record, replace
from cnncli.views.explain import Explanation, animate_explanation, draw_explanation

_EIGHT_BITS = np.dtype(np.uint8)
_RULES = {"clip": "clip to 0..255", "abs": "magnitude, clip to 0..255", "offset": "half, around 128"}


@record
class Run:
    """What was filtered, and how."""

    picture: Picture
    filters: tuple[Filter, ...]
    options: Options
    source: Depth
    name: str
    threads: int


def write_explanation(path: Path, run: Run) -> None:
    """Draw how the last filter of a run makes its first frame.

    Parameters
    ----------
    path : Path
        Ends in ``.png`` or ``.gif``.
    run : Run
        Its filters are run again, on luma and with 8 bits.
    """
    explanation = explain(run)
    if path.suffix.lower() == ".gif":
        from cnncli.images.flipbook import encode_flipbook

        write_atomic(path, encode_flipbook(*animate_explanation(explanation)))
        return
    page = draw_explanation(explanation)
    picture = Picture(frames=(page,), alpha=False, format="PNG", metadata=Metadata())
    write_atomic(path, encode_picture(picture, "PNG"))


def explain(run: Run) -> Explanation:
    """Run the filters on luma and gather what the picture shows."""
    frame, last = _gray_frame(run), run.filters[-1]
    chain = list(run.filters) * run.options.repeat
    before = frame
    if len(chain) > 1:
        plain = replace(run.options, repeat=1, roi=None, scale=1.0, bias=0.0, range=None)
        before = _answered(before, chain[:-1], plain, run).pixels
    once = replace(run.options, repeat=1)
    response = _answered(before, [last], replace(once, scale=1.0, bias=0.0, range=None), run).pixels
    eight = Depth(_EIGHT_BITS, 255.0)
    whole = apply_filters(
        frame, run.filters, run.options, alpha=False, source=_floats(run), target=eight, threads=run.threads
    )
    mapping = map_range(
        run.options,
        signed=whole.signed,
        span=last.span or run.source.white,
        out=_EIGHT_BITS,
        raw=False,
        white=255.0,
    )
    laid = lay_kernels(last, once)
    rectified, gain, offset = mapping.folded()
    return Explanation(
        image=_display(run.picture),
        gray=before[:, :, 0],
        response=response[:, :, 0],
        shown=whole.pixels[:, :, 0],
        filter=last,
        taps=np.stack(laid.kernels) if laid.kernels else np.empty((0, 1, 1)),
        anchor=laid.anchor,
        title=f"{last.name} on {_title(run.name)}",
        rule=_rule(run.options, mapping, signed=whole.signed),
        gain=None if mapping.stretch else gain,
        offset=offset,
        rectified=rectified,
        origin=_origin(run.options, laid),
        stride=run.options.stride,
        dilation=(run.options.dilation, run.options.dilation),
        border=run.options.border.mode,
        border_value=run.options.border.value,
        full=run.source.white,
    )


def _floats(run: Run) -> Depth:
    return Depth(np.dtype(np.float32), run.source.white, raw=True)


def _answered(frame: NDArray[Any], filters: Sequence[Filter], options: Options, run: Run) -> Applied:
    """Raw responses of filters."""
    floats = _floats(run)
    return apply_filters(
        frame, filters, options, alpha=False, source=floats, target=floats, threads=run.threads
    )


def _gray_frame(run: Run) -> NDArray[np.float32]:
    """The first frame as (H, W, 1) float32 in its own units."""
    frame = run.picture.frames[0]
    color = frame[:, :, :-1] if run.picture.alpha else frame
    values = to_linear(color, run.source.white) if run.options.linear else color.astype(np.float32)
    if values.shape[2] == 3:
        values = values @ np.array(LUMINANCE if run.options.linear else LUMA, np.float32)[:, None]
    return np.ascontiguousarray(values, np.float32)


def _display(picture: Picture) -> NDArray[np.uint8]:
    """The first frame as it looks, without opacity."""
    frame = picture.frames[0]
    color = frame[:, :, :-1] if picture.alpha else frame
    if picture.format == "NPY" and color.dtype == np.float32:
        low, high = float(np.nanmin(color)), float(np.nanmax(color))
        color = np.nan_to_num((color - low) / ((high - low) or 1.0))
    eight = with_depth(np.ascontiguousarray(color), 8)
    return np.asarray(eight[:, :, 0] if eight.shape[2] == 1 else eight, np.uint8)


def _title(name: str) -> str:
    return "standard input" if name == "-" else shown(os.path.basename(name))  # noqa: PTH119


def _rule(options: Options, mapping: Mapping, *, signed: bool) -> str:
    """How a response becomes a pixel, in words."""
    if mapping.stretch:
        return "smallest black, largest white"
    rule = _RULES.get(options.range or ("offset" if signed else "clip"), _RULES["clip"])
    if options.scale == 1 and not options.bias:
        return rule
    return f"times {options.scale:g} plus {options.bias:g}, {rule}"


def _origin(options: Options, laid: Laid) -> tuple[int, int]:
    """The input pixel under the anchor for the first output pixel, (x, y)."""
    if not laid.kernels:
        start = (0, 0)
    else:
        kh, kw = laid.kernels[0].shape
        step = options.dilation
        x, y = laid.anchor[0] * step, laid.anchor[1] * step
        start = {
            "same": (0, 0),
            "valid": (x, y),
            "full": (x - (kw - 1) * step, y - (kh - 1) * step),
        }[options.mode]
    left, top = (options.roi or (0, 0))[:2]
    return start[0] + left * options.stride[0], start[1] + top * options.stride[1]
