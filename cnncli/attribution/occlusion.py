"""Occlusion: how far the output falls where a window of the image is covered.

Source: Zeiler and Fergus, Visualizing and understanding convolutional networks, 2014, section 4.2.
"""

from __future__ import annotations

import numpy as np

from cnncli.attribution.model import Attribution, Floats, How, Plans, Target, baseline_of

WINDOWS = 7  # along the longer side, without overlap


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """Each pixel: the mean fall of the output over the windows that cover it."""
    side, stride = window_of(x)
    base = baseline_of(x, how.baseline)
    rows, columns = (starts(size, side, stride) for size in x.shape[:2])
    places = [(row, column) for row in rows for column in columns]
    before = float(plans.values(x[None], target)[0])
    total, covered = np.zeros(x.shape[:2]), np.zeros(x.shape[:2])
    with how.progress(len(places), "windows") as bar:
        for done in range(0, len(places), plans.batch):
            part = places[done : done + plans.batch]
            images = np.repeat(x[None], len(part), axis=0)
            for image, (row, column) in zip(images, part, strict=True):
                window = slice(row, row + side), slice(column, column + side)
                image[window] = base[window]
            falls = before - plans.values(images, target)
            for fall, (row, column) in zip(falls, part, strict=True):
                total[row : row + side, column : column + side] += fall
                covered[row : row + side, column : column + side] += 1
            bar.draw(done + len(part))
    values = np.asarray(total / covered, np.float32)
    about = {"baseline": how.baseline, "window": side, "stride": stride, "windows": len(places)}
    return Attribution(values[..., None], values, about)


def window_of(x: Floats) -> tuple[int, int]:
    """Pixels of a side of the window, and from one window to the next."""
    side = max(1, round(max(x.shape[:2]) / WINDOWS))
    return side, max(1, side // 2)


def starts(size: int, side: int, stride: int) -> list[int]:
    """Where windows begin along an axis: the last one may be cut off by the end."""
    return [at * stride for at in range(-(-max(size - side, 0) // stride) + 1)]
