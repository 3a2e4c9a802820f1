"""``python -m tests.benchmarks.onnx_steps MODEL THREADS N H W C``: three steps, for their memory.

By ONNX Runtime: it reads the model from a file, as its users do, and imports nothing of ours.
"""

import sys

import numpy as np

from . import peers

STEPS = 3


def main() -> int:
    """Make the steps."""
    model, threads, *sizes = sys.argv[1:]
    count, height, width, channels = map(int, sizes)
    run = peers.onnxruntime(model, int(threads))
    assert run is not None
    images = np.random.default_rng(0).standard_normal((count, channels, height, width), np.float32)
    for _ in range(STEPS):
        run(images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
