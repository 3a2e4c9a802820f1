"""Run every loop with its memory between pages that must not be touched.

Native loops work on addresses, so that no bounds check reaches them. Here each array lies directly
before a forbidden page or directly behind one, where reading or writing one byte too far ends the
process; on its free side, and between the rows of the output, canaries show what was written.
A program of its own, because that is how it fails: its last line names the case.
"""

import ctypes
import itertools
import mmap
import sys

import numpy as np
import surfaces

from cnncli.core import native, tiling

PAGE = mmap.PAGESIZE
CANARY = 0xA5
_NO_ACCESS = 0  # PROT_NONE
_IN_PLACE = ("src", "out", "spectrum", "left_out")  # guarded by the test itself, or filled in later
LUMA = (0.299, 0.587, 0.114)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Guarded:
    """Bytes at the end or the start of pages that stand between two forbidden ones."""

    def __init__(self, size, at_end):
        room = -(-max(size, 1) // PAGE) * PAGE
        self.memory = mmap.mmap(-1, room + 2 * PAGE)
        whole = np.frombuffer(self.memory, np.uint8)
        for first in (0, PAGE + room):
            assert _libc.mprotect(whole.ctypes.data + first, PAGE, _NO_ACCESS) == 0
        inside = whole[PAGE : PAGE + room]
        inside[:] = CANARY
        start = room - size if at_end else 0
        self.bytes = inside[start : start + size]
        self.slack = inside[:start] if at_end else inside[size:]

    def untouched(self):
        return bool((self.slack == CANARY).all())


class Keeper:
    """Makes guarded arrays and remembers them until they are checked."""

    def __init__(self, at_end):
        self.at_end = at_end
        self.all = []

    def copy(self, values):
        """A guarded copy, rows of it side by side."""
        room = Guarded(values.nbytes, self.at_end)
        self.all.append(room)
        array = room.bytes.view(values.dtype).reshape(values.shape)
        array[...] = values
        return array

    def rows(self, shape, dtype, gap):
        """Rows with canaries between them, and none after the last."""
        line = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
        room = Guarded(line * shape[0] + gap * (shape[0] - 1), self.at_end)
        self.all.append(room)
        step = (line + gap, np.dtype(dtype).itemsize * shape[2], np.dtype(dtype).itemsize)
        raw = np.ndarray(shape, dtype, buffer=room.bytes, strides=step)
        gaps = [room.bytes[y * (line + gap) + line : (y + 1) * (line + gap)] for y in range(shape[0] - 1)]
        return raw, gaps

    def zeros(self, size):
        """Scratch, aligned as the core's own."""
        assert size % 64 == 0
        return self.copy(np.zeros(size, np.uint8))


def run(way, shape, dtype, kernel, stride, luma, out, at_end, rgbx=False):
    keeper = Keeper(at_end)
    rng = np.random.default_rng(1)
    image = surfaces.random_image(rng, shape, dtype)
    source = keeper.copy(surfaces.four_bytes(image) if rgbx else image)[..., : shape[2]]
    weights = rng.normal(size=kernel)
    if way == "box":
        weights = np.full(kernel, 1 / np.prod(kernel))
    elif way == "whole":
        way, weights = "direct", rng.integers(-1, 2, kernel) / 2
    elif way == "pairs":
        way, weights = "direct", rng.uniform(-0.2, 1, kernel) / np.prod(kernel) / 20
    elif way == "factors":
        way, (down, along) = "separable", (np.hanning(size + 2)[1:-1] for size in kernel)
        weights = np.outer(down / down.sum(), along / along.sum()) / 40
    how = {"stride": stride, "border": "constant" if at_end else "reflect101", "luma": luma}
    plain = surfaces.surface_over(image, kernel, out=out, scale=40, **how)
    wanted = surfaces.run_way(way, weights, plain)
    spread = rgbx and not luma
    room, gaps = keeper.rows((*plain.out.shape[:2], 4) if spread else plain.out.shape, out, gap=24)
    answer = room[..., : plain.out.shape[2]]
    guarded = surfaces.surface_over(source, kernel, out=out, scale=40, **how)
    object.__setattr__(guarded, "out", answer)

    # The core's own allocations, moved between the pages.
    zeros, point = native.aligned_zeros, tiling.TileJob.point
    native.aligned_zeros = keeper.zeros

    def guarded_point(job, name, values):
        point(job, name, values if name in _IN_PLACE else keeper.copy(values))

    tiling.TileJob.point = guarded_point
    try:
        clipped = surfaces.run_way(way, weights, guarded)
    finally:
        native.aligned_zeros, tiling.TileJob.point = zeros, point
    assert clipped == wanted, "clipped"
    assert np.array_equal(answer, plain.out, equal_nan=True), "answers"
    assert not spread or (room[..., 3] == 255).all(), "fourth bytes"
    assert np.array_equal(source, image), "the source was written"
    assert all((gap == CANARY).all() for gap in gaps), "written between rows"
    assert all(room.untouched() for room in keeper.all), "written beyond an array"


def main():
    lanes = native.processor()[3].lanes
    widths = [1, 3, lanes - 1, lanes, lanes + 1, 5 * lanes + 3]
    ways = sys.argv[1:] or ["direct", "separable", "box", "responses"]
    # Every type at every width, plain and as luma.
    cases = [
        (way, (5, width, 3 if luma else 1), dtype, (3, 5), (1, 1), luma, out, at_end)
        for way, width, (dtype, out), luma, at_end in itertools.product(
            ways,
            widths,
            [(np.uint8, np.uint8), (np.uint16, np.uint16), (np.float32, np.float32)],
            [None, LUMA],
            [True, False],
        )
    ]
    # Channels, strides, kernels, and images of several tiles.
    cases += [
        (way, (height, width, channels), dtype, kernel, stride, None, np.uint8, at_end)
        for way, (height, width, channels), dtype, kernel, stride, at_end in itertools.product(
            ways,
            [
                (1, 1, 4),
                (7, 13, 2),
                (33, 11, 4),
                (67, 967, 1),
                (67, 321, 3),
                (700, 3, 1),
            ],  # of those of 67 rows, some in place; in the last, rows move up
            [np.uint8, np.uint16, np.float32],
            [(1, 1), (4, 3), (17, 16)],
            [(1, 1), (2, 1), (3, 4)],
            [True, False],
        )
    ]
    # Colours as RGBX: at every width, plain and as luma; kernels, strides and several tiles.
    cases += [
        (way, (5, width, 3), np.uint8, (3, 5), (1, 1), luma, np.uint8, at_end, True)
        for way, width, luma, at_end in itertools.product(ways, widths, [None, LUMA], [True, False])
    ]
    cases += [
        (way, (height, width, 3), np.uint8, kernel, stride, None, np.uint8, at_end, True)
        for way, (height, width), kernel, stride, at_end in itertools.product(
            ways,
            [(7, 13), (67, 321), (700, 3)],
            [(1, 1), (4, 3), (17, 16)],
            [(1, 1), (3, 4)],
            [True, False],
        )
    ]
    for case in cases:
        print(case, flush=True)
        run(*case)
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    # That the guard works: reading one byte too far must end this process.
    if sys.argv[1:] == ["trespass"]:
        print(
            int(
                np.ndarray(
                    9,
                    np.uint8,
                    buffer=(ctypes.c_uint8 * 9).from_address(Guarded(8, at_end=True).bytes.ctypes.data),
                )[8]
            )
        )
    else:
        main()
