"""Options for filters, validated once."""

from typing import Literal

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.borders import Border, OutputMode
from cnncli.filters.color import SRGB, Curve
from cnncli.filters.model import Filter, Move, PlacedKernels, Weights
from cnncli.records import record

Normalize = Literal["none", "sum", "abs", "auto"]
RangeMode = Literal["clip", "abs", "offset", "stretch", "none"]
Region = tuple[int, int, int, int]

_NEGLIGIBLE = 1e-9  # fraction of the sum of |weights| below which a sum counts as zero

_MAX = 1_000_000  # strides, dilations and repeats: more than any image has columns


@record(kw_only=True)
class Options:
    """How filters are applied.

    Attributes
    ----------
    border : Border
        How pixels beyond the edge are filled.
    mode : str
        ``same``: the size of the image; ``valid``: where the kernel is inside the image; ``full``: where
        it overlaps the image.
    stride : (x, y)
        Steps between output pixels, of each filter.
    dilation : int
        Pixels from one cell of a kernel to the next.
    anchor : (x, y) or None
        The cell, as written, at the output pixel; None: that of the filter, else the centre.
    correlate : bool
        Leave a user's matrix unflipped.
    normalize : str or None
        The divisor of kernels; None and ``none``: no division.
    repeat : int
        Number of times the whole chain of filters is applied.
    scale, bias : float
        The output is response * scale + bias, with bias in the units of the image.
    range : str or None
        How responses are mapped to pixels; None: depends on the filter.
    gray : bool or None
        True: filter luma. False: filter each colour. None: depends on the filters.
    linear : bool
        Filter linear light: samples are decoded by a tone curve, and encoded again afterwards.
    curve : Curve
        The tone curve: sRGB's, unless the file states another.
    roi : (x, y, width, height) or None
        The region of the result to compute; it equals that region of the whole result.
    masked : bool
        Opacity says where there are data: it stays where it is, whatever the filter.
    """

    border: Border = Border()
    mode: OutputMode = "same"
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    anchor: tuple[int, int] | None = None
    correlate: bool = False
    normalize: Normalize | None = None
    repeat: int = 1
    scale: float = 1.0
    bias: float = 0.0
    range: RangeMode | None = None
    gray: bool | None = None
    linear: bool = False
    curve: Curve = SRGB
    roi: Region | None = None
    masked: bool = False

    def __post_init__(self) -> None:
        """Refuse invalid numbers."""
        for name, count, given in (
            ("--stride", min(self.stride), self.stride),
            ("--stride", max(self.stride), self.stride),
            ("--dilation", self.dilation, self.dilation),
            ("--repeat", self.repeat, self.repeat),
        ):
            _in_range(name, count, given)
        for name, value in (("--scale", self.scale), ("--bias", self.bias)):
            if not np.isfinite(value):
                raise CnncliError(
                    f"{name} is {value}; expected a finite number", f"Leave {name} out, or give a number."
                )


def _in_range(name: str, count: int, given: object) -> None:
    if not 1 <= count <= _MAX:
        expected = "1 or more" if count < 1 else f"at most {_MAX:,}"
        raise CnncliError(f"{name} is {given}; expected {expected}", f"Leave {name} out for 1.")


def place_kernels(filter: Filter, options: Options) -> PlacedKernels:
    """Flip, anchor and normalise a filter's kernels.

    Raises
    ------
    CnncliError
        If an option does not fit the filter: an anchor outside the kernel, division by a sum of zero,
        correlation with what is partly a matrix, or an option about kernels for a filter without any.
    """
    if not filter.kernels:
        _refuse_kernel_options(filter, options)
        return PlacedKernels((), (0, 0))
    if filter.mixed and options.correlate:
        raise CnncliError(
            f"--correlate is given for {filter.spec!r}, which has matrices, that it leaves unflipped, and "
            "kernels by name, that it does not change; expected one of the two",
            "Leave --correlate out, and write rot180(…) around the matrices.",
        )
    kh, kw = filter.kernels[0].shape
    x, y = options.anchor or filter.anchor or (kw // 2, kh // 2)
    if not (0 <= x < kw and 0 <= y < kh):
        raise CnncliError(
            f"--anchor is {x},{y}; expected a cell of the {kw} x {kh} kernel {filter.name}, "
            f"from 0,0 to {kw - 1},{kh - 1}",
            f"Leave --anchor out for {kw // 2},{kh // 2}, the middle.",
        )
    kernels = tuple(_normalized(weights, options.normalize, filter.name) for weights in filter.kernels)
    if not (filter.flips and options.correlate):
        return PlacedKernels(tuple(weights[::-1, ::-1] for weights in kernels), (kw - 1 - x, kh - 1 - y))
    return PlacedKernels(kernels, (x, y))


def _refuse_kernel_options(filter: Filter, options: Options) -> None:
    """Refuse options about weights for a filter without weights, or with computed ones; and about windows."""
    if isinstance(filter, Move):
        option = "--stride" if options.stride != (1, 1) else "--mode" if options.mode != "same" else ""
        if option:
            raise CnncliError(
                f"{option} is given, but {filter.name} has no window to apply it to",
                f"Leave {option} out, and run the other kernels in a command before.",
            )
    for name, given in (
        ("--anchor", options.anchor is not None),
        ("--dilation", options.dilation > 1),
        ("--normalize", options.normalize not in (None, "none")),
    ):
        if given:
            why = "computes its own" if filter.shown_weights() else "has no"
            raise CnncliError(
                f"{name} is given, but {filter.name} {why} kernel to apply it to", f"Leave {name} out."
            )


def _normalized(weights: Weights, how: Normalize | None, name: str) -> Weights:
    """Weights divided according to ``how``."""
    if how in (None, "none"):
        return weights
    total, absolute = float(weights.sum()), float(np.abs(weights).sum())
    balanced = abs(total) <= _NEGLIGIBLE * absolute
    if absolute == 0 or (how == "sum" and balanced):
        raise CnncliError(
            f"--normalize {how}: the weights of {name} sum to 0; expected another sum to divide by",
            "Use --normalize abs or auto.",
        )
    if how == "abs":
        divisor = absolute
    elif how == "auto" and balanced:
        divisor = float(weights[weights > 0].sum())
    else:
        divisor = total
    return np.asarray(weights / divisor, np.float64)
