"""Positions of a result's pixels in the filtered image."""

from collections.abc import Sequence

from cnncli.filters.borders import Axis
from cnncli.filters.model import Filter, Move, Place
from cnncli.filters.options import Options, place_kernels
from cnncli.filters.run import footprint, result_shape

_NEGLIGIBLE = 1e-6


def placed(size: tuple[int, int], filters: Sequence[Filter], options: Options) -> Place:
    """Find the position of a chain's result.

    Parameters
    ----------
    size : (width, height)
        Of the image.
    filters, options
        As for ``apply_filters``.

    Returns
    -------
    Place
        Of the result's pixels in the image.
    """
    place, shape = Place(), (size[1], size[0])
    for filter in list(filters) * options.repeat:
        place = _place(filter, options, shape).after(place)
        shape = result_shape(filter, options, shape)
    if options.roi is not None:
        place = Place(options.roi[:2]).after(place)
    return place


def _place(filter: Filter, options: Options, shape: tuple[int, int]) -> Place:
    """The position of one filter's result in what it reads, (height, width)."""
    if isinstance(filter, Move):
        return filter.place(shape)
    extent, anchor = footprint(filter, options)
    x, y = (
        Axis(shape[1 - axis], extent[axis], anchor[axis]).positions(options.mode)[0] + anchor[axis]
        for axis in (0, 1)
    )
    return Place((x, y), options.stride)


def keeps_values(filters: Sequence[Filter], options: Options) -> bool:
    """Whether a flat image keeps its value, so that the result is in the units of the image."""
    if (options.scale, options.bias) != (1, 0) or options.range not in (None, "clip", "none"):
        return False
    for filter in filters:
        kernels = place_kernels(filter, options).kernels if filter.kernels else ()
        if abs(filter.flat_gain(kernels) - 1) > _NEGLIGIBLE:
            return False
    return True
