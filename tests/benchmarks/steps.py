"""``python -m tests.benchmarks.steps SIDE NETWORK THREADS``: three training steps, for their memory."""

import sys

from .networks import LAYOUTS, WORKS, our_step, torch_step

STEPS = 3


def main() -> int:
    """Make the steps."""
    side, name, threads = sys.argv[1:]
    made = (
        our_step(WORKS[name], int(threads))
        if side == "cnncli"
        else torch_step(WORKS[name], int(threads), LAYOUTS[side])
    )
    if made is None:
        raise SystemExit("PyTorch is not installed")
    for _ in range(STEPS):
        made[1]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
