"""Any number of channels: each is filtered as if it were alone, by every plan."""

import numpy as np
import pytest
from surfaces import DTYPES, random_image

from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec

WHITE = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
SPECS = ["box:5", "box:40", "gaussian:sigma=2", "disk:radius=3", "disk:radius=20", "sharpen", "sobel",
         "kirsch", "gabor-bank", "median:3", "median:5", "median:9", "median:17", "canny",
         "zero-crossings"]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spec", SPECS)
def test_channels_are_filtered_apart(rng, spec, dtype):
    channels = 9 if dtype == np.uint16 else 5
    frame = random_image(rng, (50, 61, channels), dtype)
    depth = Depth(np.dtype(dtype), WHITE[dtype])
    how = {"alpha": False, "source": depth, "target": depth, "threads": 2}
    together, *alone = (
        apply_filters(np.ascontiguousarray(each), [parse_spec(spec)], Options(), **how).pixels
        for each in [frame, *np.split(frame, channels, axis=2)]
    )
    difference = np.abs(together.astype(float) - np.concatenate(alone, axis=2))
    assert difference.max() <= (1e-5 if dtype == np.float32 else 1)
