"""SmoothGrad: the mean of the gradients of noisy copies of an image.

Source: Smilkov et al., SmoothGrad: removing noise by adding noise, 2017.
"""

from __future__ import annotations

import numpy as np

from cnncli.attribution.model import Attribution, Floats, How, Plans, Target, of_pixels
from cnncli.nn import INPUT

SAMPLES = 32
NOISE = 0.15  # standard deviation, in units of the range of the image's values


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """As saliency, with noise averaged out."""
    random = np.random.default_rng(how.seed)
    sigma = NOISE * float(x.max() - x.min())
    batch = min(plans.batch, SAMPLES)
    total = np.zeros(x.shape)
    with how.progress(SAMPLES, "noisy copies") as bar:
        for done in range(0, SAMPLES, batch):
            count = min(batch, SAMPLES - done)
            noise = random.standard_normal((count, *x.shape), np.float32) * np.float32(sigma)
            flow = plans.flow(x + noise, target, batch=batch)
            total += flow.gradients[INPUT].sum(0, dtype=np.float64)
            bar.draw(done + count)
    mean = np.asarray(total / SAMPLES, np.float32)
    return of_pixels(mean, {"samples": SAMPLES, "noise": NOISE, "seed": how.seed})
