"""Filters that leave pixels as they are: a threshold, a region, a mask."""

import numpy as np
import pytest
from scipy import ndimage
from surfaces import random_image

from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.area import FilterArea, apply_in_area
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

WHITE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.float32): 1.0}
REGION = (5, 7, 12, 9)
INSIDE = (slice(7, 16), slice(5, 17))


def applied(frame, spec, part=None, *, alpha=False, target=None, **options):
    source = Depth(frame.dtype, WHITE[frame.dtype])
    how = {"alpha": alpha, "source": source, "target": target or source, "threads": 2}
    chosen = Options(**options)
    if part is None:
        return apply_filters(frame, [parse_spec(spec)], chosen, **how).pixels
    return apply_in_area(frame, [parse_spec(spec)], chosen, part, **how).pixels


# The threshold of unsharp masking


@pytest.mark.parametrize("threshold", [0.05, 0.2, 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_differences_below_the_threshold_stay(rng, threshold, dtype, stride):
    frame = random_image(rng, (30, 41, 3), dtype)
    white = WHITE[frame.dtype]
    out = applied(frame, f"unsharp:sigma=1.5,amount=2,threshold={threshold}", stride=stride)
    blur = ndimage.gaussian_filter(frame.astype(float), (1.5, 1.5, 0), mode="mirror")
    difference = frame - blur
    wanted = frame + np.where(np.abs(difference) >= threshold * white, 2 * difference, 0)
    wanted = wanted if dtype == np.float32 else np.clip(np.rint(wanted), 0, white)
    decided = np.abs(np.abs(difference) - threshold * white) > 1e-4 * white
    there = decided[:: stride[1], :: stride[0]]
    close = np.abs(out.astype(float) - wanted[:: stride[1], :: stride[0]])[there]
    assert close.max() <= (1e-5 if dtype == np.float32 else 1)
    if threshold == 1:
        assert np.array_equal(out, frame[:: stride[1], :: stride[0]])


def test_a_threshold_beside_opacity(rng):
    frame = random_image(rng, (20, 20, 4), np.uint8)
    frame[..., 3] = 90
    out = applied(frame, "unsharp:threshold=0.2", alpha=True)
    opaque = applied(np.ascontiguousarray(frame[..., :3]), "unsharp:threshold=0.2")
    assert np.abs(out[..., :3].astype(int) - opaque).max() <= 1


# A region


@pytest.mark.parametrize(
    "spec", ["gaussian:sigma=2", "sobel", "median:5", "canny", "bilateral", "kuwahara", "open:disk:2"]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (3, False), (4, True)])
def test_inside_is_filtered_and_the_rest_stays_bit_for_bit(rng, spec, dtype, channels, alpha):
    frame = random_image(rng, (30, 31, channels), dtype)
    before = frame.copy()
    out = applied(frame, spec, FilterArea(region=REGION), alpha=alpha)
    assert out.dtype == frame.dtype
    assert out.shape == frame.shape
    whole = applied(frame, spec, alpha=alpha)[INSIDE]
    colors = whole.shape[2] - alpha
    wanted = whole if colors > 1 else np.concatenate(
        [np.repeat(whole[..., :1], channels - alpha, axis=2), whole[..., colors:]], axis=2
    )  # fmt: skip
    assert np.allclose(out[INSIDE], wanted, rtol=0, atol=1e-6)
    assert np.array_equal(frame, before)
    out[INSIDE] = before[INSIDE]
    assert np.array_equal(out.view(np.uint8), before.view(np.uint8))


def test_a_region_in_another_depth(rng):
    frame = random_image(rng, (30, 31, 3), np.uint8)
    target = Depth(np.dtype(np.uint16), 65535.0)
    out = applied(frame, "box:5", FilterArea(region=REGION), target=target)
    assert np.array_equal(out[0], frame[0].astype(np.uint16) * 257)
    assert np.array_equal(out[INSIDE], applied(frame, "box:5", target=target)[INSIDE])


def test_a_region_that_lies_outside(rng):
    with pytest.raises(CnncliError, match="--roi"):
        applied(random_image(rng, (8, 8, 1)), "box:3", FilterArea(region=(5, 5, 4, 2)))


# A mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_mask_mixes_by_its_values(rng, dtype, alpha):
    frame = random_image(rng, (20, 22, 4 if alpha else 3), dtype)
    mask = rng.random((20, 22)).astype(np.float32)
    mask[:5], mask[5:10] = 0, 1
    out = applied(frame, "gaussian:sigma=2", FilterArea(mask=mask), alpha=alpha)
    whole = applied(frame, "gaussian:sigma=2", alpha=alpha)
    assert np.array_equal(out[:5], frame[:5])
    assert np.array_equal(out[5:10], whole[5:10])
    white = WHITE[frame.dtype]
    for y, x in np.ndindex(20, 22):
        m, a, b = float(mask[y, x]), frame[y, x].astype(float), whole[y, x].astype(float)
        wanted = (1 - m) * a + m * b
        if alpha:
            opacity = (1 - m) * a[3] + m * b[3]
            wanted = ((1 - m) * a * a[3] + m * b * b[3]) / opacity
            wanted[3] = opacity
        limit = 1e-6 * white if dtype == np.float32 else 0.5 + 1e-6 * white
        assert np.abs(out[y, x] - wanted).max() <= limit


def test_a_mask_and_a_region_of_the_result(rng):
    frame, mask = random_image(rng, (30, 31, 3), np.uint8), rng.random((30, 31)).astype(np.float32)
    whole = applied(frame, "box:5", FilterArea(mask=mask))
    assert np.array_equal(applied(frame, "box:5", FilterArea(mask=mask), roi=REGION), whole[INSIDE])
    both = applied(frame, "box:5", FilterArea(region=REGION, mask=mask))
    assert np.array_equal(both[INSIDE], whole[INSIDE])
    assert np.array_equal(both[:7], frame[:7])


def test_a_mask_of_another_size(rng):
    with pytest.raises(CnncliError, match="--mask is 7 x 8 pixels; expected 9 x 8"):
        applied(random_image(rng, (8, 9, 1)), "box:3", FilterArea(mask=np.zeros((8, 7), np.float32)))
