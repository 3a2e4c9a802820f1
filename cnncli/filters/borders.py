"""Border modes and output regions, as index maps for the core.

Drawn with the image ``abcd``: replicate aaa|abcd, reflect cba|abcd, reflect101 dcb|abcd,
wrap bcd|abcd, constant VVV|abcd. Indices are computed by a closed formula for any distance, so a kernel
may be many times larger than the image.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.records import record

BorderMode = Literal["replicate", "reflect", "reflect101", "wrap", "constant"]
OutputMode = Literal["same", "valid", "full"]
IndexMap = NDArray[np.intp]

# Names of the same five modes in scipy.ndimage, OpenCV, scikit-image and numpy.pad.
ALIASES: dict[str, BorderMode] = {
    "nearest": "replicate",
    "edge": "replicate",
    "border_replicate": "replicate",
    "symmetric": "reflect",
    "grid-mirror": "reflect",
    "border_reflect": "reflect",
    "mirror": "reflect101",
    "border_reflect_101": "reflect101",
    "border_reflect101": "reflect101",
    "border_default": "reflect101",
    "grid-wrap": "wrap",
    "border_wrap": "wrap",
    "periodic": "wrap",
    "grid-constant": "constant",
    "border_constant": "constant",
    "zero": "constant",
}


def _folded(at: IndexMap, period: int, last: int) -> IndexMap:
    """Positions mirrored at 0 and ``last``, with a period of ``period``."""
    within = at % period
    return np.where(within <= last, within, period - 1 - within + (period == 2 * last))


_INSIDE: dict[BorderMode, Callable[[IndexMap, int], IndexMap]] = {
    "replicate": lambda at, n: np.clip(at, 0, n - 1),
    "reflect": lambda at, n: _folded(at, 2 * n, n - 1),
    "reflect101": lambda at, n: _folded(at, max(2 * n - 2, 1), n - 1),
    "wrap": lambda at, n: at % n,
    "constant": lambda at, n: np.where((at >= 0) & (at < n), at, -1),
}


@record
class Border:
    """How pixels beyond the edge are filled.

    Attributes
    ----------
    mode : str
        One of `BorderMode`.
    value : float
        Value of ``constant``, in the units of the image.
    """

    mode: BorderMode = "reflect101"
    value: float = 0.0


def parse_border(text: str) -> Border:
    """Read ``replicate``, ``reflect``, ``reflect101``, ``wrap``, ``constant``, ``constant:V`` or an alias.

    Raises
    ------
    CnncliError
        For any other name, or a value that is not a finite number.
    """
    name, colon, value = text.strip().lower().partition(":")
    modes = get_args(BorderMode)
    mode = name if name in modes else ALIASES.get(name)
    if mode is None:
        from cnncli.nearest import did_you_mean

        raise CnncliError(
            f"--border is {text!r}; expected one of {', '.join(modes[:-1])}, constant[:V]",
            did_you_mean(name, [*modes, *ALIASES], form="--border {}")
            or "Leave --border out: the default is reflect101.",
        )
    if colon and mode != "constant":
        raise CnncliError(f"--border is {text!r}; only constant takes a value", f"Write --border {mode}.")
    try:
        number = float(value) if colon else 0.0
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise CnncliError(
            f"--border is {text!r}; expected a finite number after constant:",
            "Write a number, for example: --border constant:255",
        )
    return Border(mode, number)  # type: ignore[arg-type]


def index_map(positions: IndexMap, size: int, mode: BorderMode) -> IndexMap:
    """The index of the pixel for each position on one axis.

    Parameters
    ----------
    positions : ndarray of intp
        Positions on the axis; those below 0 or from ``size`` up are beyond the edge.
    size : int
        Number of pixels on the axis, 1 or more.
    mode : str
        The border mode.

    Returns
    -------
    ndarray of intp
        From 0 to size - 1, or -1 for the constant.
    """
    return _INSIDE[mode](positions, size).astype(np.intp)


@record
class Axis:
    """A filter and an image along one axis.

    Attributes
    ----------
    size : int
        Size of the image in pixels.
    extent : int
        Size of the kernel in pixels, from its first to its last cell, dilation included.
    anchor : int
        Position of the output pixel under the kernel, in pixels from its first cell.
    """

    size: int
    extent: int
    anchor: int

    def positions(self, mode: OutputMode) -> tuple[int, int]:
        """Input position of the kernel's first cell at the first output pixel, and number of outputs."""
        if mode == "same":
            return -self.anchor, self.size
        if mode == "full":
            return 1 - self.extent, self.size + self.extent - 1
        return 0, self.size - self.extent + 1

    def input_map(
        self,
        mode: OutputMode,
        border: BorderMode,
        *,
        stride: int = 1,
        window: tuple[int, int] | None = None,
        below: int = 0,
    ) -> tuple[IndexMap, int]:
        """The index map of the padded input, and the number of outputs.

        Parameters
        ----------
        mode, border
            The output and border modes.
        stride : int
            Steps between outputs.
        window : (first, count) or None
            Restrict the outputs to these.
        below : int
            Positions that are added at the end, which no output's kernel covers.
        """
        start, dense = self.positions(mode)
        count = max(0, -(-dense // stride))
        first = 0
        if window is not None:
            first, count = window[0], min(window[1], count - window[0])
        length = (count - 1) * stride + self.extent + below
        positions = np.arange(length, dtype=np.intp) + (start + first * stride)
        return index_map(positions, self.size, border), count
