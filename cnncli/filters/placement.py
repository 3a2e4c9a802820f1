"""Positions of a result's pixels in the filtered image."""

from collections.abc import Sequence

from cnncli.filters.borders import Axis
from cnncli.filters.model import Filter
from cnncli.filters.options import Options, place_kernels
from cnncli.filters.run import footprint

_NEGLIGIBLE = 1e-6


def placed(
    size: tuple[int, int], filters: Sequence[Filter], options: Options
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Find the position of a chain's result.

    Parameters
    ----------
    size : (width, height)
        Of the image.
    filters, options
        As for ``apply_filters``.

    Returns
    -------
    offset, step : (x, y), (x, y)
        The position of the result's first pixel in the image, and the distance between neighbouring pixels
        of the result, in pixels of the image.
    """
    sides, offset, step = list(size), [0, 0], [1, 1]
    for filter in list(filters) * options.repeat:
        if options.mode == "same" and options.stride == (1, 1):
            break
        extent, anchor = footprint(filter, options)
        for axis in (0, 1):
            first, dense = Axis(sides[axis], extent[axis], anchor[axis]).positions(options.mode)
            offset[axis] += (first + anchor[axis]) * step[axis]
            step[axis] *= options.stride[axis]
            sides[axis] = -(-dense // options.stride[axis])
    if options.roi is not None:
        for axis in (0, 1):
            offset[axis] += options.roi[axis] * step[axis]
    return (offset[0], offset[1]), (step[0], step[1])


def keeps_values(filters: Sequence[Filter], options: Options) -> bool:
    """Whether a flat image keeps its value, so that the result is in the units of the image."""
    if (options.scale, options.bias) != (1, 0) or options.range not in (None, "clip", "none"):
        return False
    for filter in filters:
        kernels = place_kernels(filter, options).kernels if filter.kernels else ()
        if abs(filter.flat_gain(kernels) - 1) > _NEGLIGIBLE:
            return False
    return True
