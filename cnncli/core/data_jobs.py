"""Records of the loops that build batches, and paint scenes of digits.

Legend: a *sample* is one of the batch's images. Its pixels come from a source image through an affine
map, change colour, lose a rectangle, and are normalised; with mixup a second sample is blended in.
"""

import numpy as np

BORDERS = {"black": 0, "edge": 1, "reflect": 2}

# A sample. matrix maps an output pixel (x, y) to source coordinates, a00 x + a01 y + a02 and
# a10 x + a11 y + a12.
SAMPLE = np.dtype(
    [
        ("source", "i8"),  # which of the source images
        ("partner", "i8"),  # the sample that is blended in, -1 for none
        ("share", "f4"),  # weight of this sample, if there is a partner
        ("plain", "i8"),  # 1: no map, no colour, no rectangle
        ("a00", "f4"),
        ("a01", "f4"),
        ("a02", "f4"),
        ("a10", "f4"),
        ("a11", "f4"),
        ("a12", "f4"),
        ("brightness", "f4"),  # factors, 1 for no change
        ("contrast", "f4"),
        ("saturation", "f4"),
        ("erase_left", "i8"),  # pixels, right and bottom exclusive; right 0: nothing is erased
        ("erase_top", "i8"),
        ("erase_right", "i8"),
        ("erase_bottom", "i8"),
    ],
    align=True,
)

BATCH = np.dtype(
    [
        ("images", "i8"),  # address of uint8, (N, H, W, C)
        ("samples", "i8"),  # address of SAMPLE records
        ("out", "i8"),  # address of float32, (n, H, W, C)
        ("height", "i8"),
        ("width", "i8"),
        ("channels", "i8"),
        ("border", "i8"),  # a value of BORDERS
        (
            "scale",
            "i8",
        ),  # address of float32, W * C and a vector more: factor of each value of a row …
        ("bias", "i8"),  # … and offset
        ("fill", "i8"),  # address of float32, W * C and a vector more: value of erased pixels, 0 to 255
    ],
    align=True,
)


TURNS_BYTES = 64  # scratch for the two renderings of a sample: itself, then its partner


def scratch_bytes(height: int, width: int, channels: int, lanes: int) -> int:
    """Scratch of a thread: turns, lane numbers, a row, its three rows of places, the frame, a partner."""
    row = width * channels + 2 * lanes
    places = 3 * (width + 2 * lanes)
    frame = (height + 3) * (width + 3) * channels + lanes
    return TURNS_BYTES + 4 * (lanes + row + places + frame + height * width * channels + lanes)


DIGIT_SIDE = 28
PADDED_SIDE = DIGIT_SIDE + 3  # a pixel before, two after
COVERED = 0.5  # opacity from which a pixel belongs to a digit
CONTRAST = 70.0  # levels that a digit is lighter or darker than the ground below it, at least

# A digit of a scene.
PAINTED = np.dtype(
    [
        ("digit", "i8"),  # address of uint8, (DIGIT_SIDE, DIGIT_SIDE)
        ("label", "i8"),  # 0 to 9
        ("left", "f8"),  # its square, in pixels
        ("top", "f8"),
        ("size", "f8"),
        ("cos", "f8"),  # of its rotation
        ("sin", "f8"),
        ("lean", "f8"),
        ("red", "f8"),  # 0 to 1: between the darkest and the lightest that it may be
        ("green", "f8"),
        ("blue", "f8"),
        ("contrary", "i8"),  # 1: lighter than a dark ground, and darker than a light one
    ],
    align=True,
)

SCENES = np.dtype(
    [
        ("images", "i8"),  # address of uint8, (N, S, S, 3): the grounds, painted over
        ("maps", "i8"),  # address of uint8, (N, S, S): zeros; written where digits are: label plus 1
        ("boxes", "i8"),  # address of float32, (M, 4): written, x, y, width, height of each digit
        ("tints", "i8"),  # address of float32, (N, S, 3): factor of each value of a row
        ("digits", "i8"),  # address of M PAINTED records
        ("first", "i8"),  # address of int64: of each scene its first digit; one more than there are scenes
        ("side", "i8"),  # S
        ("edge", "i8"),  # of the square of pixels that holds any digit
    ],
    align=True,
)


def scene_scratch_bytes(side: int, edge: int, lanes: int) -> int:
    """Scratch of a thread: the image, the opacity of a digit, the digit padded."""
    return 4 * (3 * side * side + edge * edge + PADDED_SIDE**2 + 3 * lanes)
