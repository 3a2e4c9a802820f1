"""What a filter is: a frozen record made from a SPEC, and what the engine asks it. Kinds are in ``kinds``.

Legend: a response is in the units of the image (0 to 255, 0 to 65535 or 0 to 1),
unless the filter has its own ``span``. x points to the right, y downwards.
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.records import record

if TYPE_CHECKING:
    from cnncli.core.tiling import Surface
    from cnncli.filters.apply import Depth
    from cnncli.filters.opacity import CoveredFrame
    from cnncli.filters.options import Options

Weights = NDArray[np.float64]
Floats = NDArray[np.float32]
Patch = Sequence[Sequence[float]]


@record
class Geometry:
    """What the cost of a filter depends on besides its kernels; by default a typical image.

    Attributes
    ----------
    dilation : int
        Pixels from one cell of a kernel to the next.
    stride : (x, y)
        Steps between output pixels.
    shape : (height, width)
        Of the output.
    floats : bool
        Whether the source's samples are floats.
    """

    dilation: int = 1
    stride: tuple[int, int] = (1, 1)
    shape: tuple[int, int] = (1080, 1920)
    floats: bool = False


TYPICAL = Geometry()


@record
class Blocks:
    """Rows of a result that are computed together, so that their bits depend on where a block begins.

    Attributes
    ----------
    rows : int
        A part of a result has the bits of the whole if it begins at a multiple of this and ends at one, or
        at the end.
    below : int
        Padded rows of the source that are read beyond those of the part's windows, where there are any.
    """

    rows: int = 1
    below: int = 0


@record(eq=False)
class Plan:
    """A method of computing a filter: the cheapest of several with the same result.

    Attributes
    ----------
    way : str
        The method: ``direct``, ``separable``, ``median`` …
    detail : str
        A short description.
    cost : float
        In vector multiply-adds per vector of output samples, as measured on AVX2 cores; infinite if unknown.
        It only has to rank the methods.
    columns, rows : ndarray or None
        For ``separable``: factors of shapes (rank, kh) and (rank, kw), as applied to the image.
    """

    way: str
    detail: str
    cost: float = math.inf
    columns: Weights | None = None
    rows: Weights | None = None

    def __str__(self) -> str:
        """As reported by ``--json`` and ``cnncli kernels``."""
        return f"{self.way} ({self.detail})" if self.detail else self.way


@record(eq=False)
class PlacedKernels:
    """A filter's kernels as applied to the image, and the cell at the output pixel.

    Attributes
    ----------
    kernels : tuple of ndarray, each (kh, kw)
        Already flipped if the filter is a convolution; empty for filters without kernels.
    anchor : (x, y)
        The cell of these kernels, not of those written, at the output pixel.
    """

    kernels: tuple[Weights, ...]
    anchor: tuple[int, int]


@record(kw_only=True, eq=False)
class Filter:
    """Base class of all kinds of filter.

    A kind gives `plan`, `run` and `spell_out`, and what else differs from the defaults here, which are those
    of a window without kernels.

    Attributes
    ----------
    name : str
        The short name, as in file names: ``gaussian``, or ``custom`` for a matrix.
    spec : str
        The SPEC with all parameters, as ``cnncli kernels`` shows it: ``gaussian:sigma=2,size=13``.
    signed : bool or None
        True: responses of either sign (derivatives). False: responses from zero up (magnitudes, edge
        maps, levels), or around another level than zero (sums). None: as signed as the input (blurs,
        sharpening).
    gray : bool
        True for detectors, which filter luma unless ``--color`` is given.
    span : float or None
        The response that is displayed as full scale; None: the full scale of the image.
        Angles are in radians and have a span of pi.
    clips : bool
        Whether responses beyond black and white are meant to be clipped.
    anchor : (x, y) or None
        The cell of the kernels, as written, at the output pixel; None: (kw // 2, kh // 2).
    flips : bool
        True for a user's matrix, which ``--correlate`` leaves unflipped. Responses of named
        kernels do not depend on it.
    mixed : bool
        Composed of a user's matrices and of named kernels, so that ``--correlate`` means nothing.
    """

    name: str
    spec: str
    signed: bool | None = None
    gray: bool = False
    span: float | None = None
    clips: bool = False
    anchor: tuple[int, int] | None = None
    flips: bool = False
    mixed: bool = False

    # Without annotations, as they belong to the kind and are no fields of the record.
    combines = False  # the responses of several kernels are combined into one
    stages = 1  # native functions that run one after another; several are compiled at once
    from_whole = False  # a pixel depends on results far away: a region is cut out of the whole result
    weighs_colors = False  # all colours of a pixel decide together
    explained_alone = True  # a window is enough to work a pixel out
    explained = ""  # a sentence: what is done with the pixels under the window
    leaves_out = False  # pixels beyond the edge do not count where the border mirrors the image
    edge_map = False  # the response is full scale on an edge, 0 elsewhere

    @property
    def kernels(self) -> tuple[Weights, ...]:
        """The kernels that the options about kernels apply to, each (kh, kw), as written for convolution."""
        return ()

    @property
    def reach(self) -> int:
        """Pixels to each side of an output pixel that decide it, for a filter without kernels."""
        return 0

    @property
    def shown_reach(self) -> int:
        """As `reach`, of the window that an explanation shows."""
        return self.reach

    @property
    def why_whole(self) -> str:
        """Why rows of a picture cannot be filtered without all others, behind its name; empty: they can."""
        return "decides by pixels far away" if self.from_whole else ""

    @property
    def is_angle(self) -> bool:
        """Whether responses are directions, in radians."""
        return False

    @property
    def files(self) -> tuple[str, ...]:
        """Files that are read besides the picture."""
        return ()

    @property
    def makes_gaps(self) -> bool:
        """Whether pixels of an opaque picture may become transparent."""
        return False

    def opened(self, max_pixels: int | None = None) -> "Filter":
        """The filter with its files in memory, of pictures with so many pixels at most."""
        return self

    def in_bands(self) -> "AbstractContextManager[Filter]":
        """The filter for one picture that is filtered in bands, with files of its own; as a context."""
        return nullcontext(self)

    def check_size(self, height: int, width: int) -> None:
        """Refuse a picture of a size that does not fit, with a `CnncliError`."""

    def check_channels(self, colors: int, *, alpha: bool) -> None:
        """Refuse a picture of so many colours, or one without opacity, that does not fit: a `CnncliError`."""

    def notes(self, source: "Depth") -> list[str]:
        """What has to be said where samples of a type and a full scale are filtered."""
        return []

    def for_source(self, options: "Options", source: "Depth") -> "Filter":
        """The filter for samples of a type and a full scale, filtered with some options."""
        return self

    def of_channel(self, place: int, colors: int) -> "Filter":
        """The filter for one of several colours by itself; for opacity, the place is their number."""
        return self

    @property
    def fills_gaps(self) -> bool:
        """Whether transparent pixels take the colours around them, from as far as need be."""
        return type(self).with_opacity is Filter.with_opacity

    @property
    def homogeneous(self) -> bool:
        """Whether scaling the image scales the response, so that what overflows can be computed again."""
        return False

    def shown_weights(self) -> list[tuple[str, Weights]]:
        """The kernels, each with what it stands for; none for filters that work without weights."""
        return []

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """What a flat area is multiplied by, given the kernels as applied; 1: it keeps its value."""
        return 0.0

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """Choose the method.

        Parameters
        ----------
        geometry : Geometry
            What the cost depends on.
        kernels : sequence of ndarray
            As applied to the image; by default as written.

        Returns
        -------
        Plan
        """
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """The native functions that a plan runs, if known in advance."""
        return ()

    def blocks(self, placed: PlacedKernels, plan: Plan, surface: "Surface", *, dilation: int) -> Blocks:
        """The rows of a whole result that are computed together.

        Parameters
        ----------
        placed, plan, dilation
            As for `run`.
        surface : Surface
            Of the whole result; only shapes and types are read.
        """
        return Blocks()

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: "Surface", *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Run the filter over a surface.

        Parameters
        ----------
        placed : PlacedKernels
            The kernels as applied to the image.
        plan : Plan
            From `plan`.
        surface : Surface
            Source and output, with maps as long as the window needs.
        dilation : int
            Pixels from one cell to the next.
        threads : int
            Threads to use; the result does not depend on it.

        Returns
        -------
        plan : Plan
            The plan that was used: the pixels may have changed it.
        clipped : int
            Samples that the output's type clipped; for floats, above 0 if any is not finite.
        """
        raise NotImplementedError(f"{type(self).__name__} does not run")

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Filter colours with opacity; by default transparent pixels take the colours around them.

        Parameters
        ----------
        frame : CoveredFrame
            Its colours are 0 where a pixel is transparent.

        Returns
        -------
        color, cover
            Of the result, float32.
        """
        return frame.filled(self)

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """Work out the response at the middle of a patch.

        Parameters
        ----------
        patch : rows of numbers
            Large enough for the kernel; its middle is column W // 2, row H // 2.
        white : float
            Full scale of its pixels.

        Returns
        -------
        lines : list of str
            The arithmetic.
        value : float
            The response.
        """
        raise NotImplementedError(f"{type(self).__name__} is not spelled out")


@record
class View:
    """The part of a picture, whose pixels have been moved, that is computed.

    Attributes
    ----------
    source, result : (height, width)
        Of the whole picture before and after.
    rows, columns : (first, count)
        Of the result.
    top : int
        The first row of the source that lies in memory.
    """

    source: tuple[int, int]
    result: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    top: int = 0


@record
class Place:
    """Where the middles of a result's pixels lie in the source, for column u and row v.

    Attributes
    ----------
    offset : (x, y)
        Of the first pixel.
    step : (x, y)
        x grows by the first with each column, y by the second with each row.
    skew : (x, y)
        x grows by the first with each row, y by the second with each column.
    """

    offset: tuple[float, float] = (0, 0)
    step: tuple[float, float] = (1, 1)
    skew: tuple[float, float] = (0, 0)

    def of(self, x: float, y: float) -> tuple[float, float]:
        """The place in the source of a place in the result."""
        return (
            self.offset[0] + self.step[0] * x + self.skew[0] * y,
            self.offset[1] + self.skew[1] * x + self.step[1] * y,
        )

    def after(self, before: "Place") -> "Place":
        """The place in what was there before the step that comes before this one."""
        x0, y0 = before.of(*self.offset)
        (xu, yu), (xv, yv) = (
            tuple(a - b for a, b in zip(before.of(*self.of(*at)), (x0, y0), strict=True))
            for at in ((1, 0), (0, 1))
        )
        return Place((x0, y0), (xu, yv), (xv, yu))


@record(kw_only=True, eq=False)
class Move(Filter):
    """Base class of filters that move pixels, so that the picture may have another size afterwards.

    They have no window: borders, modes, strides and options about kernels do not apply to them.
    """

    explained_alone = False
    beyond: float | None = None
    """Share of white of what lies beyond the edges, where the result shows that; opacity is 0 there."""

    @property
    def makes_gaps(self) -> bool:
        """Where what lies beyond the edges shows."""
        return self.beyond is not None

    def result_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the result of a picture of (height, width).

        Raises
        ------
        CnncliError
            If it does not fit such a picture.
        """
        raise NotImplementedError(f"{type(self).__name__} has no shape")

    def place(self, shape: tuple[int, int]) -> Place:
        """Where pixels of the result lie in a picture of (height, width)."""
        raise NotImplementedError(f"{type(self).__name__} has no place")

    def source_rows(self, shape: tuple[int, int], rows: tuple[int, int]) -> tuple[int, int]:
        """The rows (start, stop) of a picture of (height, width) that rows (first, count) are made of."""
        return 0, shape[0]

    def unmixed(self) -> "Move":
        """The same where no pixels are mixed, for what says where there are data."""
        return self

    def move(self, surface: "Surface", view: View, *, threads: int) -> int:
        """Fill the output of a surface.

        Parameters
        ----------
        surface : Surface
            Its maps are those of the rows and columns that lie in memory, without a border.
        view : View
            What is computed.
        threads : int
            Threads to use; the result does not depend on it.

        Returns
        -------
        int
            Values that the output's type clipped.
        """
        raise NotImplementedError(f"{type(self).__name__} does not move")

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """A flat area keeps its value."""
        return 1.0

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Colours are weighed by opacity where pixels are mixed, and opacity moves along."""
        return frame.premultiplied(self)


@record(kw_only=True, eq=False)
class Windowed(Filter):
    """Base class of filters that pick or weigh pixels of a size x size window, size odd."""

    size: int

    @property
    def reach(self) -> int:
        """Half the window."""
        return self.size // 2

    def flat_gain(self, kernels: Sequence[Weights]) -> float:
        """A flat area keeps its value."""
        return 1.0


class Combined(Filter):
    """Base class of filters whose kernels' responses are combined into one."""

    combines = True

    @property
    def homogeneous(self) -> bool:
        """Strengths scale with the image, directions do not."""
        return not self.is_angle

    def with_opacity(self, frame: "CoveredFrame") -> tuple[Floats, Floats]:
        """Responses relative to the pixel itself."""
        after = frame.unchanged_cover(self)
        kernels = self.relative_kernels()
        responses = frame.relative_responses(self, kernels)
        return self.combine(kernels, responses, frame.run.white), after

    def relative_kernels(self) -> tuple[Weights, ...]:
        """The kernels whose responses are combined where pixels have opacity."""
        return self.kernels

    def combine(self, kernels: Sequence[Weights], responses: Iterable[Floats], white: float) -> Floats:
        """Combine responses that are arrays, as ``core/loops/responses.py`` does.

        Parameters
        ----------
        kernels : sequence of ndarray
            As applied to the image.
        responses : iterable of ndarray, float32, all of one shape
            One for each kernel; they may be overwritten.
        white : float
            Full scale of the source.

        Returns
        -------
        ndarray, float32
        """
        raise NotImplementedError(f"{type(self).__name__} does not combine arrays")
