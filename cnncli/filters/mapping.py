"""From responses to pixels: the displayed range, the depth, and clipping."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.filters.options import Options, RangeMode
from cnncli.records import record, replace

FULL_SCALE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.float32): 1.0}
# The mid-gray of a zero response: an integer, so that rounding noise cannot split a flat area.
MIDDLE = {np.dtype(np.uint8): 128.0, np.dtype(np.uint16): 32768.0, np.dtype(np.float32): 0.5}


@record
class Mapping:
    """Mapping of a response r to a pixel: (|r| if absolute else r) * scale + bias, clipped to the type.

    Attributes
    ----------
    absolute, scale, bias
        As above.
    stretch : bool
        Map the smallest response to black and the largest to white instead.
    limit : float or None
        Clip float output to 0 … limit; None: no clipping.
    pre_scale, pre_bias
        The user's scale and bias, applied to r before ``absolute`` and ``stretch``.
    ends : (low, high) or None
        What ``stretch`` maps to black and white; None: those of the responses that are mapped.
    """

    absolute: bool = False
    scale: float = 1.0
    bias: float = 0.0
    stretch: bool = False
    limit: float | None = None
    pre_scale: float = 1.0
    pre_bias: float = 0.0
    ends: tuple[float, float] | None = None

    @property
    def direct(self) -> bool:
        """Whether the core can apply all of it when storing."""
        return not self.stretch and self.limit is None and not (self.absolute and self.pre_bias)

    def folded(self) -> tuple[bool, float, float]:
        """(absolute, scale, bias) for the core, with the user's scale and bias folded in."""
        if self.absolute:
            return True, abs(self.pre_scale) * self.scale, self.bias
        return False, self.pre_scale * self.scale, self.pre_bias * self.scale + self.bias


def map_range(
    options: Options, *, signed: bool, span: float, out: np.dtype[np.generic], raw: bool, white: float
) -> Mapping:
    """Choose how responses are displayed.

    Parameters
    ----------
    options : Options
        With ``range``, ``scale`` and ``bias``.
    signed : bool
        Whether responses are centred on zero.
    span : float
        The response that is displayed as full scale.
    out : dtype
        Of the output: uint8, uint16 or float32.
    raw : bool
        Whether the output (an array) keeps responses in their base units unless a range is given.
    white : float
        Full scale of the output.

    Returns
    -------
    Mapping
    """
    kind: RangeMode = options.range or ("none" if raw else "offset" if signed else "clip")
    unit = 1.0 if raw and kind == "none" else white / span
    is_float = out == np.float32
    limit = white if is_float and kind != "none" and options.range is not None else None
    base = Mapping(limit=limit, pre_scale=options.scale, pre_bias=options.bias)
    if kind == "stretch":
        return replace(base, stretch=True, scale=white, limit=None)
    if kind == "abs":
        return replace(base, absolute=True, scale=unit)
    if kind == "offset":
        return replace(base, scale=unit / 2, bias=MIDDLE[out] * white / FULL_SCALE[out])
    return replace(base, scale=unit)


def to_pixels(
    responses: NDArray[np.float32], mapping: Mapping, out: np.dtype[np.generic]
) -> tuple[NDArray[Any], int]:
    """Map an array of responses.

    Parameters
    ----------
    responses : ndarray, float32
        Overwritten.
    mapping : Mapping
        From `map_range`.
    out : dtype
        uint8, uint16 or float32.

    Returns
    -------
    pixels : ndarray of ``out``
    clipped : int
        Samples that were clipped by more than rounding.
    """
    values = _scaled(responses, mapping)
    if mapping.stretch:
        low, high = mapping.ends or _ends(values) or (0.0, 0.0)
        values -= np.float32(low)
        values *= np.float32(mapping.scale / (high - low) if high > low else 0.0)
    else:
        values *= np.float32(mapping.scale)
        values += np.float32(mapping.bias)
    if out == np.float32:
        if mapping.limit is None:
            return values, 0
        clipped = int(np.count_nonzero((values < 0) | (values > mapping.limit)))
        return np.clip(values, 0, mapping.limit), clipped
    white = FULL_SCALE[out]
    clipped = int(np.count_nonzero((values < -0.5) | (values > white + 0.5)))
    np.copyto(values, 0, where=np.isnan(values))
    np.rint(values, out=values)
    np.clip(values, 0, white, out=values)
    return values.astype(out), clipped


def response_ends(responses: NDArray[np.float32], mapping: Mapping) -> tuple[float, float] | None:
    """The smallest and the largest finite response, which are overwritten, as ``stretch`` takes them."""
    return _ends(_scaled(responses, mapping))


def _scaled(responses: NDArray[np.float32], mapping: Mapping) -> NDArray[np.float32]:
    """Responses, which are overwritten, with the user's scale and bias, and their magnitudes."""
    if mapping.pre_scale != 1:
        responses *= np.float32(mapping.pre_scale)
    if mapping.pre_bias:
        responses += np.float32(mapping.pre_bias)
    if mapping.absolute:
        np.abs(responses, out=responses)
    return responses


def _ends(values: NDArray[np.float32]) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None
