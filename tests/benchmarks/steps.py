"""``python -m tests.benchmarks.steps GROUP SIDE NETWORK THREADS``: three steps, for their memory.

Each side makes its own initial weights, so that none holds those of the other as well.
"""

import sys
from collections.abc import Callable

from cnncli.nn import Inference

from . import peers, twins
from .networks import LAYOUTS, TRAINING, WORKS, Work, our_step, torch_inference, torch_step

STEPS = 3


def main() -> int:
    """Make the steps."""
    group, side, name, threads = sys.argv[1:]
    made = _training if group == TRAINING else _inference
    step = made(WORKS[name], side, int(threads))
    for _ in range(STEPS):
        step()
    return 0


def _training(work: Work, side: str, threads: int) -> Callable[[], object]:
    if side == "cnncli":
        return our_step(work, threads)[1]
    made = torch_step(work, threads, LAYOUTS[side], alike=False)
    assert made is not None
    return made[1]


def _inference(work: Work, side: str, threads: int) -> Callable[[], object]:
    """Of a batch."""
    images, _ = work.images(work.batch)
    if side == "cnncli":
        inference = Inference(work.network(), work.batch, threads=threads, outputs=work.roles)
        return lambda: inference.run(images)
    module = twins.torch_module(work.graph())
    return torch_inference(peers.torch(threads), module, images, LAYOUTS[side])


if __name__ == "__main__":
    sys.exit(main())
