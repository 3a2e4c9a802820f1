"""Guided backpropagation: a gradient in which each ReLU also holds back what is negative.

Source: Springenberg et al., Striving for simplicity, 2015. Adebayo et al., Sanity checks for saliency maps,
2018, show that it hardly depends on what the network has learned.
"""

from __future__ import annotations

from cnncli.attribution.model import Attribution, Floats, How, Plans, Target, of_pixels
from cnncli.nn import INPUT


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """Where ReLUs that speak for the class were active."""
    del how
    flow = plans.flow(x[None], target, guided=True)
    return of_pixels(flow.gradients[INPUT][0], {})
