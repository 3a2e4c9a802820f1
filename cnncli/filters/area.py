"""Filter only a part of an image: a region, where a mask says so, or some channels. The rest is unchanged."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.filters.apply import Applied, Depth, apply_filters
from cnncli.filters.channels import filter_channels, places_of
from cnncli.filters.model import Filter
from cnncli.filters.options import Options, Region
from cnncli.filters.rgbx import as_rgbx
from cnncli.records import record, replace

Pixels = NDArray[Any]
Floats = NDArray[np.float32]


@record(eq=False)
class FilterArea:
    """The part of an image that is filtered.

    Attributes
    ----------
    region : (x, y, width, height) or None
        Filter only this region.
    mask : ndarray, shape (H, W), float32, or None
        Weight of the filtered image at each pixel, 0 to 1.
    channels : tuple of str
        Names from `cnncli.filters.channels.parse_channels`; none: all, together.
    """

    region: Region | None = None
    mask: Floats | None = None
    channels: tuple[str, ...] = ()


def apply_in_area(
    frame: Pixels,
    filters: Sequence[Filter],
    options: Options,
    part: FilterArea,
    *,
    alpha: bool,
    source: Depth,
    target: Depth,
    threads: int,
    rgbx: bool = False,
) -> Applied:
    """Filter a part of one frame, and leave the rest unchanged, bit for bit.

    Filters still read the pixels around the part. Where a mask is between 0 and 1, colours are blended,
    weighted by their opacity. A gray response is copied to all colours of a colour image.

    Parameters
    ----------
    part : FilterArea
        The part to filter.
    frame, filters, options, alpha, source, target, threads, rgbx
        As for `apply_filters`; ``options.roi`` is the region of the result to return. Every filter must
        keep the size of the frame.

    Returns
    -------
    Applied

    Raises
    ------
    CnncliError
        If the mask has another size, the region lies outside, a channel is not there, or an option does not
        fit.
    """
    height, width, channels = frame.shape
    if part.mask is not None and part.mask.shape != (height, width):
        rows, columns = part.mask.shape
        raise CnncliError(
            f"--mask is {columns} x {rows} pixels; expected {width} x {height} as the image",
            "Give a mask of the image's size.",
        )
    seen = options if part.region is None else replace(options, roi=part.region)
    kept = _in_depth(frame, source, target)
    rows, columns = _window(seen.roi, (height, width))
    places = places_of(part.channels, channels, alpha=alpha) if part.channels else list(range(channels))
    how: dict[str, Any] = {"alpha": alpha, "threads": threads}
    if part.channels:
        applied, responses = filter_channels(frame, filters, seen, places, depths=(source, target), **how)
        _check_size(applied, kept[rows, columns])
        filtered = kept[rows, columns].copy()
        for place, response in zip(places, responses, strict=True):
            filtered[..., place] = response
    else:
        applied = apply_filters(frame, filters, seen, source=source, target=target, **how)
        _check_size(applied, kept[rows, columns])
        filtered = _with_channels(applied.pixels, channels, alpha=alpha)
    if part.mask is not None:
        filtered = _blended(
            kept[rows, columns], filtered, part.mask[rows, columns], alpha=alpha, white=target.white
        )
        others = [place for place in range(channels) if place not in places]
        filtered[..., others] = kept[rows, columns][..., others]
    if part.region is not None:
        kept[rows, columns] = filtered
        filtered = kept
    pixels = np.ascontiguousarray(filtered)
    return replace(applied, pixels=as_rgbx(pixels, threads=threads) if rgbx else pixels)


def _check_size(applied: Applied, kept: Pixels) -> None:
    """Refuse a result that does not lie over what is kept."""
    (height, width), (rows, columns) = applied.pixels.shape[:2], kept.shape[:2]
    if (height, width) != (rows, columns):
        raise CnncliError(
            f"--mask, --inside and --channels keep pixels where they are, and the kernels make {width} x "
            f"{height} of {columns} x {rows}; expected kernels that keep the size",
            "Change the size in a command of its own.",
        )


def _window(region: Region | None, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a region, or all."""
    x, y, width, height = region or (0, 0, shape[1], shape[0])
    return slice(y, y + height), slice(x, x + width)


def _in_depth(frame: Pixels, source: Depth, target: Depth) -> Pixels:
    """A copy of the frame in the type of the result."""
    if (frame.dtype, source.white) == (target.dtype, target.white):
        return np.array(frame, order="C")
    levels = frame * (target.white / source.white)
    if target.dtype != np.float32:
        levels = np.clip(np.rint(levels), 0, target.white)
    return np.asarray(np.nan_to_num(levels) if target.dtype != np.float32 else levels, target.dtype)


def _with_channels(pixels: Pixels, channels: int, *, alpha: bool) -> Pixels:
    """A gray response repeated for as many colours as the image has."""
    if pixels.shape[2] == channels:
        return pixels
    color = np.repeat(pixels[..., :1], channels - alpha, axis=2)
    return np.concatenate([color, pixels[..., -1:]], axis=2) if alpha else color


def _blended(kept: Pixels, filtered: Pixels, mask: Floats, *, alpha: bool, white: float) -> Pixels:
    """Original pixels where the mask is 0, filtered ones where it is 1, and blends in between."""
    blended = np.where(mask[..., None] >= 1, filtered, kept)
    soft = (mask > 0) & (mask < 1)
    weight = mask[soft].astype(np.float64)[:, None]
    before, after = kept[soft].astype(np.float64), filtered[soft].astype(np.float64)
    between = before + weight * (after - before)
    if alpha:
        weights = np.concatenate([(1 - weight) * before[:, -1:], weight * after[:, -1:]], axis=1)
        total = weights.sum(axis=1, keepdims=True)
        colors = before[:, :-1] * weights[:, :1] + after[:, :-1] * weights[:, 1:]
        between[:, :-1] = np.divide(colors, total, out=between[:, :-1], where=total > 0)
    blended[soft] = between if blended.dtype == np.float32 else np.rint(np.clip(between, 0, white))
    return blended
