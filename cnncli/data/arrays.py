"""Splits whose images are arrays: brought to what a network takes in, by the rules of pictures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnncli.data.digits import are_digits
from cnncli.data.image_facts import SCALE_GAPS, ImageFacts, ImageOptions, scales_of
from cnncli.data.model import Images
from cnncli.data.prepare import InputSpec, as_gray, prepared
from cnncli.errors import CnncliError
from cnncli.images.levels import clipped, scale_for, to_bytes, value_range_of
from cnncli.images.picture import Picture
from cnncli.records import replace

_AT_ONCE = 1 << 22  # numbers that are scaled in one go
_HAIR = 1.01  # times what should be the greatest number: rounding

Raw = NDArray[np.generic]


def open_arrays(
    parts: Mapping[str, Raw], name: Callable[[str, int], str], asked: ImageOptions
) -> tuple[dict[str, Images], InputSpec, ImageFacts]:
    """Bring arrays of images to one shape and to 8 bits.

    Parameters
    ----------
    parts : mapping of str to ndarray, shape (N, H, W, C), uint8, uint16 or float32
        By split; all of one (H, W, C), C 1 or 3.
    name : callable
        From a split and a place in it, what an image is called.
    asked : ImageOptions
        Size, fit, or all that a network wants.

    Raises
    ------
    CnncliError
        Where it cannot be told what is black and white.
    """
    facts = ImageFacts(curious=asked.input_spec is None)
    if facts.curious:
        for part, array in parts.items():
            _see(array, facts, part, partial(name, part))
        _check_alike(parts)
    height, width, channels = next(iter(parts.values())).shape[1:]
    input_spec = asked.input_spec or InputSpec(
        (*(asked.size or (height, width)), asked.channels or channels),
        asked.fit,
        scales=scales_of(facts),
    )
    brought = {
        part: _brought(array, _of_one_camera(array, input_spec, part), partial(name, part), facts)
        for part, array in parts.items()
    }
    return brought, input_spec, facts


def _of_one_camera(array: Raw, input_spec: InputSpec, part: str) -> InputSpec:
    """An input specification for rows of 16 bits, of which a dark one is on the scale of the brightest."""
    if array.dtype != np.uint16 or not array.size:
        return input_spec
    try:
        scale = scale_for(value_range_of(array), "uint16", input_spec.scales.get("uint16"))
    except CnncliError as error:
        raise CnncliError(f"{part}: {error.message}", error.hint) from error
    return replace(input_spec, scales={**input_spec.scales, "uint16": replace(scale, least=0.0)})


def _see(array: Raw, facts: ImageFacts, part: str, name: Callable[[int], str]) -> None:
    """Which numbers a split holds."""
    if array.dtype == np.uint8 or not array.size:
        return
    try:
        whole = value_range_of(array)
    except CnncliError as error:
        raise CnncliError(f"{part}: {error.message}", error.hint) from error
    peaks = array.reshape(len(array), -1).max(axis=1).astype(np.float64)
    bright = peaks[peaks > 0]
    kind = array.dtype.name
    facts.extents[kind].append(replace(whole, least=float(bright.min()) if bright.size else 0.0))
    most, least = SCALE_GAPS[kind]
    if whole.high > least:
        dim = np.flatnonzero((peaks > 0) & (peaks <= most * _HAIR))
        facts.dim[kind].update((name(int(at)), bool((array[at] % 1 == 0).all())) for at in dim)


def _check_alike(parts: Mapping[str, Raw]) -> None:
    """Refuse numbers of one split on another scale than those of the next: two programs have saved them."""
    for kind, (most, least) in SCALE_GAPS.items():
        tops = {part: float(x.max()) for part, x in parts.items() if x.dtype.name == kind and x.size}
        small = [part for part, top in tops.items() if 0 < top <= most * _HAIR]
        large = [part for part, top in tops.items() if top > least]
        if small and large:
            raise CnncliError(
                f"pixels reach {tops[large[0]]:g} in {large[0]} and {tops[small[0]]:g} in {small[0]}; "
                "expected one scale for all splits",
                "Bring white to the same number in both before they are saved.",
            )


def _brought(array: Raw, input_spec: InputSpec, name: Callable[[int], str], facts: ImageFacts) -> Images:
    """All images of a split as a network takes them."""
    same = array.shape[1:3] == input_spec.shape[:2]
    if facts.curious and array.dtype != np.uint8 and len(array):  # a scale is chosen for all of them
        array = _scaled(array, input_spec, facts)
    if array.dtype == np.uint8 and same and not input_spec.adapts_digits:
        eight = np.ascontiguousarray(array, np.uint8)
        if array.shape[3] == input_spec.shape[2]:
            return eight
        if eight.shape[3] == 3 and input_spec.shape[2] == 1:
            eight = as_gray(eight)
        change = ("gray",) if input_spec.shape[2] == 1 else ("colour",)
        facts.adapted.update((name(at), change) for at in range(len(array)))
        return np.ascontiguousarray(np.broadcast_to(eight, (len(array), *input_spec.shape)))
    out = np.empty((len(array), *input_spec.shape), np.uint8)
    left: Sequence[int] | NDArray[np.intp] = range(len(array))
    if array.dtype == np.uint8 and same and array.shape[3] == 1:
        done = are_digits(np.asarray(array, np.uint8))
        out[done] = array[done]
        left = np.flatnonzero(~done)
    for at in left:
        picture = Picture((array[at],), False, "NPY")
        try:
            result = prepared(picture, input_spec)
        except CnncliError as error:
            raise CnncliError(f"{name(at)}: {error.message}", error.hint) from error
        out[at] = result.pixels
        facts.note(name(at), picture, result)
    return out


def _scaled(array: Raw, input_spec: InputSpec, facts: ImageFacts) -> Images:
    """The numbers of a split as bytes, by the scale of the data set."""
    scale = input_spec.scales[array.dtype.name]
    out = np.empty(array.shape, np.uint8)
    rows = max(1, _AT_ONCE // array[0].size)
    for at in range(0, len(array), rows):
        block = array[at : at + rows]
        out[at : at + rows] = to_bytes(block, scale)
        if clipped(block, scale):
            facts.clipped += [over for row in block if (over := clipped(row, scale))]
    return out
