"""Integrated gradients: gradients on the straight path from a baseline to the image, times its length.

Source: Sundararajan, Taly and Yan, Axiomatic attribution for deep networks, 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.model import Attribution, Floats, How, Plans, Target, baseline_of, of_pixels
from cnncli.nn import INPUT

FIRST = 16  # steps
LAST = 4096
GAP = 0.01  # of the difference of outputs that the sum may miss


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """What each value adds to the difference of the output from that of the baseline.

    Steps are doubled until the values sum to that difference within 1 %: by the trapezoidal rule, in which
    every gradient computed before stays in use.
    """
    base = baseline_of(x, how.baseline)
    high, low = plans.values(np.stack([x, base]), target)
    steps = how.steps or FIRST
    path = (np.arange(steps + 1)) / steps
    total = _gradients(plans, (x, base), path, target, how, ends=True)
    while True:
        values = np.asarray(total / steps * (x.astype(np.float64) - base), np.float32)
        gap = abs(float(values.sum(dtype=np.float64)) - (high - low)) / max(abs(high - low), 1e-6)
        if gap <= GAP or how.steps or steps >= LAST:
            about = {"baseline": how.baseline, "steps": steps, "gap": float(f"{gap:.3g}")}
            return of_pixels(values, {**about, "difference": float(f"{high - low:.6g}")})
        path = (np.arange(steps) + 0.5) / steps  # the middles
        total += _gradients(plans, (x, base), path, target, how, ends=False)
        steps *= 2


def _gradients(
    plans: Plans,
    ends_of: tuple[Floats, Floats],
    path: NDArray[np.float64],
    target: Target,
    how: How,
    *,
    ends: bool,
) -> NDArray[np.float64]:
    """Sum of the gradients at places of the path, 0 to 1; its two ends count half."""
    x, base = ends_of
    weights = np.ones(len(path))
    if ends:
        weights[[0, -1]] = 0.5
    batch = plans.batch
    total = np.zeros(x.shape)
    with how.progress(len(path), "steps") as bar:
        for done in range(0, len(path), batch):
            places = path[done : done + batch, None, None, None].astype(np.float32)
            flow = plans.flow(base + places * (x - base), target, batch=batch)
            total += np.tensordot(weights[done : done + batch], flow.gradients[INPUT].astype(float), 1)
            bar.draw(done + len(places))
    return total
