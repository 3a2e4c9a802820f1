"""Some channels of an image, against each of them as a gray image, and the others bit for bit."""

import numpy as np
import pytest
from scipy import ndimage
from surfaces import DTYPES, random_image

from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.area import FilterArea, apply_in_area
from cnncli.filters.channels import parse_channels, places_of
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}


def applied(frame, spec, names, *, alpha=False, region=None, mask=None, out=None, rgbx=False, **options):
    source = Depth(frame.dtype, WHITE[frame.dtype.type])
    target = source if out is None else Depth(np.dtype(out), WHITE[out])
    how = {"alpha": alpha, "source": source, "target": target, "threads": 2, "rgbx": rgbx}
    part = FilterArea(region, mask, parse_channels(names))
    return apply_in_area(frame, [parse_spec(spec)], Options(**options), part, **how).pixels


def gray(channel, spec, **options):
    depth = Depth(channel.dtype, WHITE[channel.dtype.type])
    how = {"alpha": False, "source": depth, "target": depth, "threads": 2}
    frame = np.ascontiguousarray(channel[..., None])
    return apply_filters(frame, [parse_spec(spec)], Options(**options), **how).pixels[..., 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("names", "places"), [("r", [0]), ("gb", [1, 2]), ("bgr", [0, 1, 2]), ("3,1", [0, 2])]
)
@pytest.mark.parametrize("spec", ["gaussian:2", "sobel", "bilateral", "equalize", "median:3"])
def test_each_is_filtered_as_gray_and_the_others_stay(rng, dtype, names, places, spec):
    image = random_image(rng, (21, 27, 3), dtype)
    found = applied(image, spec, names, rgbx=dtype == np.uint8)
    for place in range(3):
        want = gray(image[..., place], spec) if place in places else image[..., place]
        np.testing.assert_array_equal(found[..., place], want)


@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_alone(rng, channels):
    image = random_image(rng, (21, 27, channels))
    found = applied(image, "gaussian:2", "a", alpha=True, linear=True)
    np.testing.assert_array_equal(found[..., :-1], image[..., :-1])
    np.testing.assert_array_equal(found[..., -1], gray(image[..., -1], "gaussian:2"))


def test_colours_are_weighed_by_opacity_which_stays(rng):
    image = random_image(rng, (21, 27, 4), np.float32)
    image[5:9, 3:12, 3] = 0
    found = applied(image, "box:5", "g", alpha=True)
    np.testing.assert_array_equal(found[..., [0, 2, 3]], image[..., [0, 2, 3]])
    opacity = image[..., 3].astype(np.float64)
    sums = ndimage.uniform_filter(image[..., 1] * opacity, 5, mode="mirror")
    weights = ndimage.uniform_filter(opacity, 5, mode="mirror")
    np.testing.assert_allclose(found[..., 1], np.where(opacity > 0, sums / weights, 0), rtol=1e-4)


def test_within_a_region_and_a_mask(rng):
    image = random_image(rng, (21, 27, 4))
    mask = rng.random((21, 27)).astype(np.float32)
    found = applied(image, "box:5", "b", alpha=True, region=(3, 4, 11, 9), mask=mask)
    np.testing.assert_array_equal(found[..., [0, 1, 3]], image[..., [0, 1, 3]])
    outside = np.ones((21, 27), bool)
    outside[4:13, 3:14] = False
    np.testing.assert_array_equal(found[outside], image[outside])
    assert (found[..., 2] != image[..., 2])[4:13, 3:14].mean() > 0.8


def test_other_depths_and_a_cut_out_region(rng):
    image = random_image(rng, (21, 27, 3), np.uint16)
    found = applied(image, "box:3", "r", out=np.uint8)
    np.testing.assert_array_equal(found[..., 1:], np.rint(image[..., 1:] / 257).astype(np.uint8))
    cut = applied(image, "box:3", "r", roi=(2, 3, 10, 8))
    np.testing.assert_array_equal(cut, applied(image, "box:3", "r")[3:11, 2:12])


def test_many_channels_by_number(rng):
    image = random_image(rng, (12, 13, 7), np.float32)
    found = applied(image, "box:3", "7,2", range="none")
    for place in range(7):
        want = gray(image[..., place], "box:3", range="none") if place in (1, 6) else image[..., place]
        np.testing.assert_array_equal(found[..., place], want)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rg", "rg"),
        ("R, G", "rg"),
        ("alpha", "a"),
        ("red,blue", "rb"),
        ("01 3", "13"),
        ("r2", None),
        ("", None),
    ],
)
def test_names(text, names):
    if names is None:
        with pytest.raises(CnncliError, match="expected letters of rgba"):
            parse_channels(text)
    else:
        assert parse_channels(text) == tuple(names)


@pytest.mark.parametrize(
    ("names", "channels", "alpha", "message"),
    [
        ("r", 1, False, "names r; expected 1 of this image, which is gray without opacity"),
        ("ra", 3, False, "names a; expected r, g, b, or 1 to 3 of this image, which is colour without"),
        ("g", 2, True, "names g; expected a, or 1 to 2 of this image, which is gray with opacity"),
        ("5", 4, True, "names 5; expected r, g, b, a, or 1 to 4"),
        ("r,9", 7, False, "names r, 9; expected 1 to 7 of this image, which is of 7 channels"),
    ],
)
def test_a_channel_that_is_not_there(names, channels, alpha, message):
    with pytest.raises(CnncliError) as caught:
        places_of(parse_channels(names), channels, alpha=alpha)
    assert message in caught.value.message


def test_what_is_refused(rng):
    with pytest.raises(CnncliError, match="names r twice"):
        parse_channels("rgr")
    image = random_image(rng, (9, 9, 4))
    with pytest.raises(CnncliError, match="marks the pixels without data"):
        applied(image, "box", "a", alpha=True, masked=True)
    with pytest.raises(CnncliError, match="make 5 x 5 of 9 x 9; expected kernels that keep the size"):
        applied(image, "box", "r", alpha=True, stride=(2, 2))
    with pytest.raises(CnncliError, match="given with gray"):
        applied(image, "gray", "r", alpha=True)
