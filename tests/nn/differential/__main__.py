"""``python -m tests.nn.differential --networks 2000 --seed 1``: random networks against PyTorch.

Each wrong one is printed with its seed; ``--networks 1 --seed N`` tries that one again. The instruction
set is that of ``CNNCLI_TARGET``, or ``--target``; exit code 1 where one is wrong.
"""

import argparse
import os
import sys
import time
import traceback


def main():
    """Try as many networks as asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.nn.differential", description=__doc__)
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", help="avx512, avx2, neon or sse")
    given = parser.parse_args()
    if given.target:
        os.environ["CNNCLI_TARGET"] = given.target
    import torch

    from .check import check
    from .draw import draw

    torch.set_num_threads(1)
    start, wrong = time.monotonic(), 0
    for seed in range(given.seed, given.seed + given.networks):
        recipe = draw(seed)
        try:
            found = check(recipe)
        except Exception:  # noqa: BLE001 - the rest is tried all the same
            found = [traceback.format_exc()]
        if found:
            wrong += 1
            print(recipe, *found, sep="\n  ", flush=True)
    print(f"{given.networks} networks, {wrong} wrong, {time.monotonic() - start:.0f} s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
