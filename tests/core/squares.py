"""Run `squares_loop` as any loop of the package is run, in this process or one of its own."""

import sys

import numpy as np

from cnncli.core import native

NAME, MODULE = "squares", "squares_loop"


def squares(count=1000, seed=5, threads=2):
    """The numbers, and how many each worker says that it did."""
    out = np.full(count + 2, -1, np.int64)
    job = np.zeros(1, np.dtype([("out", "i8"), ("seed", "i8")], align=True))
    job["out"], job["seed"] = out[1:].ctypes.data, seed
    scratches = native.run(NAME, job, count, threads=threads, scratch_bytes=64)
    assert out[0] == out[-1] == -1
    return out[1:-1], [int(scratch[:8].view(np.int64)[0]) for scratch in scratches]


def right(numbers, seed=5):
    return numbers.tolist() == [i * i + seed for i in range(len(numbers))]


def main():
    native.LOOPS[NAME] = MODULE
    numbers, _ = squares(threads=1)  # for which no other loop is compiled
    assert right(numbers)
    # One write, which processes that share a pipe do not tear apart.
    sys.stdout.write(f"{numbers.sum()} {'compiled' if 'numba' in sys.modules else 'loaded'}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
