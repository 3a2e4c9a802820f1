"""Saliency: the gradient of a class's output with respect to each pixel.

Source: Simonyan, Vedaldi and Zisserman, Deep inside convolutional networks, 2014, section 3. They take the
largest magnitude over colours; here the sign stays, and colours are summed.
"""

from __future__ import annotations

from cnncli.attribution.model import Attribution, Floats, How, Plans, Target, of_pixels
from cnncli.nn import INPUT


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """How much the output would rise with each value of the input."""
    del how
    flow = plans.flow(x[None], target)
    return of_pixels(flow.gradients[INPUT][0], {})
