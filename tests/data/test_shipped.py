"""Which of the models that ship suits a picture."""

import numpy as np
import pytest

from cnncli.data.shipped import MODELS, suiting
from cnncli.images.picture import Picture

GRAY, COLOUR = (120,), (200, 120, 40)


def picture(height, width, shades, *, dtype=np.uint8, opacity=None):
    values = [*shades, *([] if opacity is None else [opacity])]
    frame = np.broadcast_to(np.array(values, dtype), (height, width, len(values)))
    return Picture((frame,), opacity is not None)


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (picture(28, 28, GRAY), "digits"),
        (picture(280, 280, GRAY), "digits"),
        (picture(20, 281, GRAY), "imagenet"),
        (picture(281, 20, GRAY), "imagenet"),
        (picture(28, 28, COLOUR), "imagenet"),
        (picture(28, 28, (200, 200, 200)), "digits"),
        (picture(28, 28, (200, 190, 195)), "digits"),  # paper, scanned in colour
        (picture(28, 28, (200, 180, 200)), "imagenet"),
        (picture(28, 28, (0, 0, 0)), "digits"),
        (picture(28, 28, GRAY, opacity=0), "digits"),
        (picture(28, 28, (90, 90, 90), opacity=255), "digits"),
        (picture(28, 28, (60000, 60000, 59000), dtype=np.uint16), "digits"),
        (picture(28, 28, (0.9, 0.1, 0.1), dtype=np.float32), "imagenet"),
    ],
)
def test_small_gray_pictures_are_for_digits(seen, wanted):
    assert suiting(seen) == wanted
    assert wanted in MODELS


def test_one_pixel_of_colour_is_colour():
    frame = np.full((28, 28, 3), 128, np.uint8)
    frame[3, 5] = (255, 0, 0)
    assert suiting(Picture((frame,))) == "imagenet"
