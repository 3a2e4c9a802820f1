"""Run filters without kernels with their memory between forbidden pages: see ``guarded``."""

import itertools
import sys
from unittest import mock

import numpy as np
import surfaces
from guarded import CANARY, LUMA, Keeper

from cnncli.core import native, tiling
from cnncli.filters import bilateral_grid as grid
from cnncli.filters.kinds.bilateral import Bilateral, run_bilateral
from cnncli.filters.kinds.canny import Canny, run_canny
from cnncli.filters.kinds.median import Median, run_median, run_weighted_median
from cnncli.filters.kinds.morphology import Morphology, run_morphology
from cnncli.filters.kinds.zero_crossings import run_zero_crossings, zero_crossings
from cnncli.filters.model import PlacedKernels
from cnncli.filters.moves import run_affine, run_moved, run_resize, taps_for
from cnncli.filters.second import Second
from cnncli.filters.spec import parse_spec
from cnncli.records import replace

CANNY = Canny(name="canny", spec="canny", sigma=0.5, low=0.01, high=0.1)
#: Rows in blocks, few runs, many of several widths, slanted ones; two passes, and a difference of rows.
MORPHOLOGY = (
    "erode:3", "dilate:5", "erode:15", "dilate:disk:4", "erode:line:9:30", "open:5", "tophat:disk:3",
    "morph-gradient:9",
)  # fmt: skip
CROSSINGS = zero_crossings(sigma=0.6, threshold=0.01)


def columns_of(pixels):
    """The pixels, as many to a row as there were rows, transposed."""
    height, width, channels = pixels.shape
    return pixels.reshape(width, height, channels).swapaxes(0, 1)


TURNS = {
    "flop": lambda pixels: pixels[:, ::-1],
    "half": lambda pixels: pixels[::-1, ::-1],
    "transpose": columns_of,
    "right": lambda pixels: columns_of(pixels)[:, ::-1],
    "left": lambda pixels: columns_of(pixels)[::-1],
}
#: Pixels of each axis from which one of the result is made, and how.
SIZES = {"enlarge-2": (0.5, "bilinear"), "enlarge-6": (0.3, "lanczos"), "shrink": (1.0, "area")}
TAPS = {"rotate-1": 1, "rotate-2": 2, "rotate-4": 4}


def ways():
    """Name: filter, side of its window, the function that runs it."""
    found = {
        f"median-{size}": (Median(name="median", spec="median", size=size), size, run_median)
        for size in (3, 5, 7, 13, 15)
    }
    filter = Bilateral(name="bilateral", spec="bilateral", size=5, sigma=1.0, sigma_color=0.1)
    found["bilateral"] = (filter, 5, run_bilateral)
    large = Bilateral(name="bilateral", spec="bilateral", size=45, sigma=15.0, sigma_color=0.5)
    found["grid"] = (large, 45, run_by_grid)
    for size in (3, 9):
        filter = Median(name="median", spec="median", size=size)
        found[f"weighted-{size}"] = (filter, size, run_weighted_median)
    for spec in MORPHOLOGY:
        filter = parse_spec(spec)
        assert isinstance(filter, Morphology)
        found[spec] = (filter, 2 * filter.reach + 1, run_morphology)
    found["canny"] = (CANNY, 2 * CANNY.reach + 1, run_canny)
    found["zero-crossings"] = (CROSSINGS, len(CROSSINGS.weights), run_zero_crossings)
    found["clahe"] = (parse_spec("clahe:clip=2,tiles=3"), 1, run_pixels)
    for spec in ("gamma:2", "equalize", "normalize"):
        found[spec] = (parse_spec(spec), 1, run_pixels)
    for operation in ("add", "multiply", "blend"):
        found[operation] = (parse_spec(f"{operation}:other"), 1, run_pixels)
    adaptive = parse_spec("threshold:adaptive:5")
    found["adaptive"] = (adaptive, len(adaptive.weights), run_window)
    for names, function in ((TURNS, run_turn), (SIZES, run_size), (TAPS, run_angle)):
        found |= {name: (name, 1, function) for name in names}
    return found


def run_turn(name, surface, *, threads):
    """The pixels in another order, in a picture of the same size."""
    return run_moved(surface, TURNS[name], threads=threads)


def alone(surface, src):
    """The surface with other pixels, which lie as they are."""
    height, width = src.shape[:2]
    return replace(surface, src=src, xmap=np.arange(width), ymap=np.arange(height), stride=(1, 1))


def run_size(name, surface, *, threads):
    """The last pixels in the size of the output."""
    share, interpolation = SIZES[name]
    shape = surface.out.shape[:2]
    sides = [max(1, int(share * side)) for side in shape]
    taps = [taps_for(*axis, interpolation, (0, axis[1])) for axis in zip(sides, shape, strict=True)]
    return run_resize(alone(surface, surface.src[-sides[0] :, -sides[1] :]), taps, threads=threads)


def run_angle(name, surface, *, threads):
    """The pixels turned, the last of them in the middle of the result: nothing lies behind it."""
    height, width = surface.src.shape[:2]
    tall, wide, _ = surface.out.shape
    at = (width - 1.2 - 0.4 * wide - 0.3 * tall, height - 1.3 + 0.3 * wide - 0.4 * tall)
    steps = ((0.8, -0.6), (0.6, 0.8))
    return run_affine(alone(surface, surface.src), at, steps, TAPS[name], threads=threads)


def run_window(filter, surface, *, threads):
    """A filter of a window whose weights it has itself."""
    placed = PlacedKernels((filter.weights,), (len(filter.weights) // 2,) * 2)
    return filter.run(placed, filter.plan(), surface, dilation=1, threads=threads)[1]


def run_pixels(filter, surface, *, threads):
    """A filter without a window; a second picture is the first upside down."""
    if filter.files:
        other = np.ascontiguousarray(surface.src[::-1])
        filter = replace(filter, second=Second("other", other, None, None, surface.full_scale))
    return filter.run(PlacedKernels((), (0, 0)), filter.plan(), surface, dilation=1, threads=threads)[1]


def run_by_grid(filter, surface, *, threads):
    """A grid, also where it would not pay."""
    with mock.patch.object(grid, "GRID_GAIN", 0.0):
        return run_bilateral(filter, surface, threads=threads)


def run(way, shape, dtype, stride, luma, at_end):
    filter, side, function = ways()[way]
    keeper = Keeper(at_end)
    image = surfaces.random_image(np.random.default_rng(1), shape, dtype)
    source = keeper.copy(image)
    how = {"stride": stride, "border": "constant" if at_end else "reflect101", "luma": luma, "out": dtype}
    how["full_scale"] = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    plain = surfaces.surface_over(image, (side, side), **how)
    wanted = function(filter, plain, threads=1)
    answer, gaps = keeper.rows(plain.out.shape, dtype, gap=24)
    guarded = surfaces.surface_over(source, (side, side), **how)
    object.__setattr__(guarded, "out", answer)
    point = tiling.TileJob.point

    def zeros(size):
        """Scratch up to the last byte that was asked for."""
        return keeper.copy(np.zeros(-(-size // 64) * 64, np.uint8))

    def guarded_point(job, name, values):
        point(job, name, values if name in ("src", "out", "base") else keeper.copy(values))

    with (
        mock.patch.object(native, "aligned_zeros", zeros),
        mock.patch.object(tiling.TileJob, "point", guarded_point),
    ):
        clipped = function(filter, guarded, threads=1)
    assert clipped == wanted, "clipped"
    assert np.array_equal(answer, plain.out, equal_nan=True), "answers"
    assert np.array_equal(source, image), "the source was written"
    assert all((gap == CANARY).all() for gap in gaps), "written between rows"
    assert all(room.untouched() for room in keeper.all), "written beyond an array"


def main():
    lanes = native.processor()[3].lanes
    shapes = [(5, width, 1) for width in (1, lanes + 1, 5 * lanes + 3)]
    shapes += [(1, 1, 4), (7, 13, 2), (66, 130, 3), (34, 1030, 1), (2100, 5, 1)]
    cases = [
        (way, shape, dtype, (1, 1), None, at_end)
        for way, shape, dtype, at_end in itertools.product(
            sys.argv[1:], shapes, [np.uint8, np.uint16, np.float32], [True, False]
        )
    ]
    cases += [
        (way, shape, np.uint8, stride, luma, at_end)
        for way, shape, stride, luma, at_end in itertools.product(
            sys.argv[1:], [(9, 17, 3), (40, 131, 3)], [(1, 1), (3, 2)], [None, LUMA], [True, False]
        )
    ]
    for case in cases:
        print(case, flush=True)
        run(*case)
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
