"""Splits whose images are arrays: prepared for a network by the same rules as image files."""

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

_AT_ONCE = 1 << 22  # values that are scaled at a time
_HAIR = 1.01  # times the nominal maximum: tolerance for rounding

Raw = NDArray[np.generic]


def open_arrays(
    parts: Mapping[str, Raw], name: Callable[[str, int], str], image_options: ImageOptions
) -> tuple[dict[str, Images], InputSpec, ImageFacts]:
    """Convert arrays of images to one shape and to 8 bits.

    Parameters
    ----------
    parts : mapping of str to ndarray, shape (N, H, W, C), uint8, uint16 or float32
        By split; all of one (H, W, C), C 1 or 3.
    name : callable
        From a split and a position in it, the name of an image in messages.
    image_options : ImageOptions
        Size and fit, or the complete input specification of a network.

    Raises
    ------
    CnncliError
        Where the values of black and white cannot be determined.
    """
    image_facts = ImageFacts(choosing=image_options.input_spec is None)
    if image_facts.choosing:
        for part, array in parts.items():
            _record_range(array, image_facts, part, partial(name, part))
        _check_alike(parts)
    height, width, channels = next(iter(parts.values())).shape[1:]
    input_spec = image_options.input_spec or InputSpec(
        (*(image_options.size or (height, width)), image_options.channels or channels),
        image_options.fit or "crop",
        scales=scales_of(image_facts),
        resize=image_options.resize,
    )
    prepared_splits = {
        part: _prepared_split(
            array, _on_common_scale(array, input_spec, part), partial(name, part), image_facts
        )
        for part, array in parts.items()
    }
    return prepared_splits, input_spec, image_facts


def _on_common_scale(array: Raw, input_spec: InputSpec, part: str) -> InputSpec:
    """An input specification for 16-bit rows, in which a dark row shares the scale of the brightest one."""
    if array.dtype != np.uint16 or not array.size:
        return input_spec
    try:
        scale = scale_for(value_range_of(array), "uint16", input_spec.scales.get("uint16"))
    except CnncliError as error:
        raise CnncliError(f"{part}: {error.message}", error.hint) from error
    return replace(input_spec, scales={**input_spec.scales, "uint16": replace(scale, least=0.0)})


def _record_range(array: Raw, image_facts: ImageFacts, part: str, name: Callable[[int], str]) -> None:
    """Record the range of values in a split."""
    if array.dtype == np.uint8 or not array.size:
        return
    try:
        whole = value_range_of(array)
    except CnncliError as error:
        raise CnncliError(f"{part}: {error.message}", error.hint) from error
    peaks = array.reshape(len(array), -1).max(axis=1).astype(np.float64)
    bright = peaks[peaks > 0]
    kind = array.dtype.name
    image_facts.value_ranges[kind].append(replace(whole, least=float(bright.min()) if bright.size else 0.0))
    most, least = SCALE_GAPS[kind]
    if whole.high > least:
        dim = np.flatnonzero((peaks > 0) & (peaks <= most * _HAIR))
        image_facts.dim[kind].update((name(int(at)), bool((array[at] % 1 == 0).all())) for at in dim)


def _check_alike(parts: Mapping[str, Raw]) -> None:
    """Refuse splits on different scales, which two programs have saved."""
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


def _prepared_split(
    array: Raw, input_spec: InputSpec, name: Callable[[int], str], image_facts: ImageFacts
) -> Images:
    """All images of a split, prepared for the network."""
    same = array.shape[1:3] == input_spec.shape[:2] and input_spec.resize is None
    if (
        image_facts.choosing and array.dtype != np.uint8 and len(array)
    ):  # one scale was chosen for all of them
        array = _scaled(array, input_spec, image_facts)
    if array.dtype == np.uint8 and same and not input_spec.adapts_digits:
        eight = np.ascontiguousarray(array, np.uint8)
        if array.shape[3] == input_spec.shape[2]:
            return eight
        if eight.shape[3] == 3 and input_spec.shape[2] == 1:
            eight = as_gray(eight)
        change = ("gray",) if input_spec.shape[2] == 1 else ("colour",)
        image_facts.adapted.update((name(at), change) for at in range(len(array)))
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
        image_facts.record_result(name(at), picture, result)
    return out


def _scaled(array: Raw, input_spec: InputSpec, image_facts: ImageFacts) -> Images:
    """The values of a split as bytes, by the scale of the dataset."""
    scale = input_spec.scales[array.dtype.name]
    out = np.empty(array.shape, np.uint8)
    rows = max(1, _AT_ONCE // array[0].size)
    for at in range(0, len(array), rows):
        block = array[at : at + rows]
        out[at : at + rows] = to_bytes(block, scale)
        if clipped(block, scale):
            image_facts.clipped += [over for row in block if (over := clipped(row, scale))]
    return out
