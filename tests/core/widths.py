"""Two images through some of the loops, for comparing vector widths."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "filters"))
from surfaces import filtered, random_image


def save(path, ways):
    """Write the answers of the loops to a file."""
    rng = np.random.default_rng(3)
    weights = np.round(rng.normal(size=(3, 5)), 3)
    color, gray = random_image(rng, (35, 131, 3), np.uint8), random_image(rng, (9, 67, 1))
    answers = {}
    for way in ways:
        kernel = np.full((3, 5), 1 / 15) if way == "box" else weights
        answers[f"{way} of color"], _ = filtered(way, color, kernel, border="wrap")
        answers[f"{way} of gray"], _ = filtered(way, gray, kernel, border="wrap")
        answers[f"{way} of luma"], _ = filtered(
            way, color, kernel, border="constant", luma=(0.299, 0.587, 0.114), out=np.uint8
        )
        answers[f"{way} in strides"], _ = filtered(way, gray, kernel, stride=(3, 2), out=np.uint8, scale=99)
    np.savez(path, **answers)
