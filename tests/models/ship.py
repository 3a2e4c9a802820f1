"""Write the network of a run as it ships: weights in half precision, with all that a checkpoint says.

``python -m tests.models.ship runs/boxes samples/models/digit-scenes-detect.safetensors``

Kernels and matrices become 16-bit floats, as which they are read again by `load_checkpoint`; biases, and what
batch norms know, which are few and may be tiny, stay as they are.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnncli.training.checkpoint import load_checkpoint, save_checkpoint


def halved(arrays):
    """Arrays with those of two axes and more in 16 bits."""
    return {name: each.astype(np.float16) if each.ndim > 1 else each for name, each in arrays.items()}


def ship(run, output):
    """Write the best weights of a run's folder to a file."""
    checkpoint = load_checkpoint(Path(run))
    output = Path(output)
    output.parent.mkdir(exist_ok=True)
    save_checkpoint(output, replace(checkpoint, arrays=halved(checkpoint.arrays)))
    load_checkpoint(output).network()
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    ship(*sys.argv[1:])
