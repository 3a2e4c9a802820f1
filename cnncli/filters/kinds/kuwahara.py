"""Kuwahara's filter: the mean of that corner of a window that varies least; smooths and keeps edges."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import SUMMED_BYTES
from cnncli.core.heap import aligned_empty
from cnncli.core.threads import spread
from cnncli.core.tiling import Surface
from cnncli.filters.entry import MAX_WINDOW, Entry, Example, Parameter, spec_of
from cnncli.filters.execute import dense, run_direct, store_responses
from cnncli.filters.model import TYPICAL, Filter, Geometry, Patch, PlacedKernels, Plan, Weights, Windowed
from cnncli.records import record

CORNERS = ("top left", "top right", "bottom left", "bottom right")

Numbers = NDArray[np.float64]


@record(kw_only=True, eq=False)
class Kuwahara(Windowed):
    """The mean of that corner of a size x size window, size odd, whose pixels vary least.

    The corners are squares of size // 2 + 1 pixels that share the middle one. Variances of several channels
    add up, so that all channels are taken from one corner; the first of equal corners counts.
    """

    weighs_colors = True
    explained = (
        "No weights: of the four corners of the window, which share the marked pixel, the one whose pixels "
        "vary least is averaged. A mean over an edge varies much, so edges stay sharp."
    )

    def plan(self, geometry: Geometry = TYPICAL, kernels: Sequence[Weights] = ()) -> Plan:
        """``kuwahara``."""
        side = self.reach + 1
        return Plan("kuwahara", f"four corners of {side} x {side}")

    def loops(self, plan: Plan) -> tuple[str, ...]:
        """The image and its border are laid out by direct convolution with 1."""
        return ("direct",)

    def run(
        self, placed: PlacedKernels, plan: Plan, surface: Surface, *, dilation: int, threads: int
    ) -> tuple[Plan, int]:
        """Choose the corner of all windows."""
        return plan, run_kuwahara(self, surface, threads=threads)

    def corners(self, pixels: Numbers) -> tuple[list[float], list[float]]:
        """Means and variances of the four corners of a window, in the order of `CORNERS`."""
        reach, cells = self.reach, (self.reach + 1) ** 2
        parts = [pixels[i : i + reach + 1, j : j + reach + 1] for i in (0, reach) for j in (0, reach)]
        means = [float(part.sum()) / cells for part in parts]
        # As the run compares them: exact for integers, so that the same of equal corners is first.
        return means, [float(cells * (part**2).sum() - part.sum() ** 2) / cells**2 for part in parts]

    def spell_out(self, patch: Patch, white: float = 1.0) -> tuple[list[str], float]:
        """Mean and variance of the four corners."""
        from cnncli.filters.worked import show

        x, y, reach = len(patch[0]) // 2, len(patch) // 2, self.reach
        pixels = np.array(patch, np.float64)[y - reach : y + reach + 1, x - reach : x + reach + 1]
        means, variances = self.corners(pixels)
        best = least(variances)
        told = zip(CORNERS, means, variances, strict=True)
        lines = [f"{corner}: mean {show(mean)}, variance {show(variance)}" for corner, mean, variance in told]
        return [*lines, f"least variance: {CORNERS[best]}, mean {show(means[best])}"], means[best]


def least(variances: Sequence[float]) -> int:
    """The corner that counts: the first of those that vary least; one that is not finite counts last."""
    return min(range(4), key=lambda i: variances[i] if np.isfinite(variances[i]) else np.inf)


def kuwahara(*, size: int = 5) -> Filter:
    """Make Kuwahara's filter of a window of ``size`` x ``size`` pixels."""
    return Kuwahara(name="kuwahara", spec=spec_of("kuwahara", size=size), size=size)


def run_kuwahara(filter: Kuwahara, surface: Surface, *, threads: int) -> int:
    """Run Kuwahara's filter.

    Sums are in float64, exact for integers, so that the result depends neither on where the pixel lies nor
    on the number of threads. A corner with a value that is not finite is chosen only if all four have one.

    Parameters
    ----------
    filter : Kuwahara
        Of any odd size.
    surface : Surface
        Maps as long as the window needs, the output pixel being its middle; any number of channels.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    int
        Values that the output's type clipped.

    Source
    ------
    M. Kuwahara, K. Hachimura, S. Eiho, M. Kinoshita: Processing of RI-Angiocardiographic Images, 1976.
    """
    padded = dense(surface, (1, 1))
    run_direct(np.ones((1, 1)), padded, dilation=1, threads=threads)
    pixels = np.asarray(padded.out, np.float32)
    across, down = surface.stride
    results = aligned_empty(surface.out.shape, np.float32)
    rows = max(1, SUMMED_BYTES // (8 * pixels.shape[1] * down), filter.size // down)

    @np.errstate(invalid="ignore", over="ignore")
    def work(worker: int, lo: int, hi: int) -> None:
        for band in range(lo, hi):
            out = results[band * rows : (band + 1) * rows]
            top = band * rows * down
            part = pixels[top : top + (len(out) - 1) * down + filter.size]
            planes = np.ascontiguousarray(np.moveaxis(part, 2, 0), np.float64)
            out[:] = np.moveaxis(_least_varying(planes, filter.reach, (across, down)), 0, 2)

    count = -(-len(results) // rows)
    spread(work, count, max(1, min(threads, count)))
    return store_responses(results, surface)


def _least_varying(planes: Numbers, reach: int, stride: tuple[int, int]) -> Numbers:
    """The mean of the corner that varies least, of all windows in channels (C, H, W)."""
    cells = (reach + 1) ** 2
    sums = _sums(planes, reach + 1)
    spreads = (cells * _sums(planes * planes, reach + 1) - sums * sums).sum(axis=0)  # variances times cells^2
    across, down = stride
    height, width = spreads.shape[0] - reach, spreads.shape[1] - reach
    found = least = np.zeros(0)
    for top in (0, reach):
        for left in (0, reach):
            rows, columns = slice(top, top + height, down), slice(left, left + width, across)
            total, spread = sums[:, rows, columns], spreads[rows, columns]
            if not found.size:
                found, least = total.copy(), np.where(np.isfinite(spread), spread, np.inf)
                continue
            varies_less = spread < least
            np.copyto(found, total, where=varies_less)
            np.copyto(least, spread, where=varies_less)
    return found / cells


def _sums(planes: Numbers, side: int) -> Numbers:
    """Sums over all squares of ``side`` pixels, by doubling: each depends on its own pixels only."""
    for axis in (1, 2):
        length, total, done, power = planes.shape[axis] - side + 1, None, 0, 1
        while done < side:
            if side & power:
                part = _slice(planes, axis, done, done + length)
                total = part if total is None else total + part
                done += power
            if done < side:
                planes = _slice(planes, axis, 0, -power) + _slice(planes, axis, power, None)
            power *= 2
        assert total is not None
        planes = total
    return planes


def _slice(planes: Numbers, axis: int, start: int, stop: int | None) -> Numbers:
    return planes[:, start:stop] if axis == 1 else planes[:, :, start:stop]


KUWAHARA = Entry(
    name="kuwahara",
    family="other",
    summary="mean of the corner of a window that varies least: looks painted, preserves edges",
    parameters=(
        Parameter(
            name="size",
            meaning="columns and rows",
            default="5",
            kind="odd",
            low=1,
            high=MAX_WINDOW,
            aliases=("ksize",),
        ),
    ),
    build=kuwahara,
    source="M. Kuwahara et al.: Processing of RI-Angiocardiographic Images, 1976",
    example=Example(
        spec="kuwahara:size=3",
        patch=((0.2, 0.3, 0.9), (0.2, 0.3, 0.9), (0.4, 0.3, 0.8)),
        expected=0.25,
        note="(0.2 + 0.3 + 0.2 + 0.3) / 4: the corner that varies least, beside the edge",
    ),
)

ENTRIES = {"kuwahara": KUWAHARA}
