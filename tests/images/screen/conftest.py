"""Pictures that codes are tried with."""

import numpy as np
import pytest


@pytest.fixture
def smooth():
    """Make a picture of smooth colours: ``smooth(height, width)``, (H, W, 3), uint8."""

    def make(height, width):
        y, x = np.mgrid[:height, :width] / max(height, width)
        shades = np.stack([x, y, (1 - x) * (1 - y)], axis=2)
        return np.rint(shades * 255).astype(np.uint8)

    return make
