"""Pictures filtered in bands have the bits of those filtered in one piece."""

from itertools import permutations

import numpy as np
import pytest
from surfaces import random_image

from cnncli.filters.apply import Depth, apply_filters, is_opaque
from cnncli.filters.bands import BandedFilters
from cnncli.filters.borders import Border
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

DEPTHS = {
    np.uint8: Depth(np.dtype(np.uint8), 255.0),
    np.uint16: Depth(np.dtype(np.uint16), 65535.0),
    np.float32: Depth(np.dtype(np.float32), 1.0),
}
# One of each plan of each kind that works in bands.
SPECS = [
    "0.3 1 -2; 2 -1 0.25", "1 2 1; 2 4 2; 1 2 1", "gaussian:sigma=2", "box:3", "box:40", "sobel",
    "sobel:output=direction", "kirsch", "frei-chen", "gabor", "unsharp:threshold=0.1", "median:3", "median:7",
    "median:15", "bilateral:5", "kuwahara:5", "erode:3", "dilate:disk:4", "close:square:13",
    "tophat:line:9:30", "morph-gradient:disk:2",
    "invert", "gamma:2", "threshold:0.4", "threshold:adaptive:9:0.02",
    "resize:50%", "resize:171%:lanczos", "resize:20x160!:area", "resize:30%:nearest", "crop:31x83+7+20",
    "flop",
]  # fmt: skip
CHAINS = list(permutations(["gaussian:sigma=1", "box:40", "disk:radius=20"], 2))


def same(frame, specs, *, alpha=False, target=None, height=7, **options):
    """Whether bands of about ``height`` rows have the bits of the whole; and that bands there are."""
    source = DEPTHS[frame.dtype.type]
    filters = tuple(parse_spec(spec) for spec in specs)
    chosen = Options(**options)
    how = {"alpha": alpha, "source": source, "target": target or source}
    whole = apply_filters(frame, filters, chosen, threads=2, **how)
    opaque = not alpha or is_opaque(frame, source.white)
    banded = BandedFilters(filters, chosen, frame.shape, opaque=opaque, **how)
    assert banded.why_whole() == ""
    parts = list(banded.over(lambda start, stop: frame[start:stop].copy(), threads=1, height=height))
    pixels = np.concatenate([each.pixels for each in parts])
    assert pixels.dtype == whole.pixels.dtype
    assert pixels.shape == whole.pixels.shape
    assert pixels.tobytes() == whole.pixels.tobytes()
    assert [str(each) for each in parts[0].plans] == [str(each) for each in whole.plans]
    samples = pixels.size // pixels.shape[2] * (pixels.shape[2] - alpha)
    counts = [each.clipped * each.pixels[..., alpha:].size for each in parts]
    assert sum(map(round, counts)) == round(whole.clipped * samples)
    return len(parts)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("spec", SPECS)
def test_every_kind(rng, spec, dtype, channels):
    frame = random_image(rng, (131, 97, channels), dtype)
    assert same(frame, [spec]) > 1


@pytest.mark.parametrize("height", [5, 6, 7])
def test_values_that_are_no_numbers(rng, height):
    frame = random_image(rng, (131, 97, 1))
    frame[rng.random(frame.shape) < 0.01] = np.nan
    assert same(frame, ["0 1 0; 1 -4 1; 0 1 0"], height=height) > 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("width", [60, 200, 420])
def test_transforms(rng, width, dtype, channels):
    frame = random_image(rng, (1400, width, channels), dtype)
    assert same(frame, ["disk:radius=30"], height=1) > 1


def test_banks_of_transforms(rng):
    frame = random_image(rng, (1400, 60, 1), np.uint8)
    assert same(frame, ["gabor-bank:wavelength=20"], height=1) > 1
    assert same(frame, ["gabor-bank:wavelength=20"], height=1, stride=(1, 3), mode="full") > 1


@pytest.mark.parametrize("border", ["replicate", "reflect", "reflect101", "constant"])
@pytest.mark.parametrize("mode", ["same", "valid", "full"])
@pytest.mark.parametrize("spec", ["gaussian:sigma=2", "box:40", "median:5", "disk:radius=30", "kirsch"])
def test_borders_and_modes(rng, spec, mode, border):
    frame = random_image(rng, (143, 97, 1), np.float32)
    for height in (1, 50):
        same(frame, [spec], height=height, mode=mode, border=Border(border, 0.25))


@pytest.mark.parametrize(
    "options",
    [{"stride": (2, 3)}, {"dilation": 3}, {"anchor": (0, 4)}, {"repeat": 3}, {"roi": (3, 20, 50, 77)},
     {"range": "stretch"}, {"range": "abs", "scale": 3.0}, {"linear": True}, {"gray": True},
     {"normalize": "abs", "bias": 12.0}, {"range": "offset"}, {"linear": True, "range": "stretch"}],
)  # fmt: skip
@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("spec", ["gaussian:sigma=1.4,size=9", "box:9", "sobel:size=9"])
def test_options(rng, spec, dtype, options):
    if "anchor" in options or spec.startswith("sobel"):
        spec = "box:9" if "anchor" in options else "sobel"
    same(random_image(rng, (151, 66, 3), dtype), [spec], **options)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("spec", ["gaussian:sigma=2", "box:12", "sobel", "kirsch", "median:5", "bilateral:5",
                                  "sharpen", "unsharp:threshold=0.1", "disk:radius=20"])  # fmt: skip
def test_opacity(rng, spec, dtype, channels):
    frame = random_image(rng, (119, 71, channels), dtype)
    same(frame, [spec], alpha=True, border=Border("constant", 0.5))
    frame[..., -1] = DEPTHS[dtype].white
    same(frame, [spec], alpha=True)


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("specs", CHAINS)
def test_chains(rng, specs, dtype):
    frame = random_image(rng, (300, 83, 1), dtype)
    same(frame, [*specs, "sobel"], repeat=2, stride=(1, 1))
    same(frame, specs, stride=(2, 2), mode="full")


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize(
    "specs",
    [
        ("gaussian:sigma=2", "resize:40%", "sobel"),
        ("resize:150%", "box:9", "crop:50x90+3+50", "resize:70%:bicubic"),
        ("crop:90x100", "flop", "median:3"),
    ],
)
def test_chains_that_change_the_size(rng, specs, dtype):
    frame = random_image(rng, (230, 97, 4), dtype)
    assert same(frame, specs, alpha=True) > 1
    assert same(frame[..., :3].copy(), specs, roi=(2, 11, 20, 31), linear=True) > 1
    assert same(frame[..., :1].copy(), specs[:2], repeat=2) > 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 1), (64, 1, 3), (5, 300, 1), (33, 2051, 1), (70, 40, 7)])
@pytest.mark.parametrize("spec", ["gaussian:sigma=2", "box:5", "box:40", "disk:radius=20", "median:3"])
def test_shapes(rng, spec, shape):
    for dtype in DEPTHS:
        same(random_image(rng, shape, dtype), [spec], height=1)


def test_values_that_a_transform_leaves_out(rng):
    frame = random_image(rng, (700, 300, 1), np.float32)
    frame[100:140, 50] = 1e30
    frame[400, 200:] = np.nan
    frame[650:, :20] = 1e-20
    assert same(frame, ["disk:radius=30"], height=1) > 1
